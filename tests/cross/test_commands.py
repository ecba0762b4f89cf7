"""The manners of the commands: quick help, errors in one line with a hint before work is begun, Ctrl-C likewise."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from awd_cme.app.main import app as cme
from awd_core.app.main import app as core
from awd_core.checks.choices import check_choice
from awd_core.run.program import Program
from awd_cosmo.app.main import app as cosmo
from commands import invoke, say

APPS = {"awd": core, "awd-cosmo": cosmo, "awd-cme": cme}
HEAVY = [
    "torch", "numpy", "scipy", "sklearn", "matplotlib", "pandas", "pyarrow", "astropy", "zarr", "pywt", "lightning",
    "jinja2", "captum", "skimage", "tifffile", "h5py", "pyccl", "distributed",
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with what people give by mistake."""
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).standard_normal((20, 40)).astype(np.float32)
    np.save("X.npy", values)
    np.save("G.npy", values)
    np.save("short.npy", values[:19])
    for name in ("empty", "maps", "movies"):
        (tmp_path / name).mkdir()
    contents = {
        "text.txt": b"hello", "damaged.npy": b"\x93NUMPY", "damaged.json": b"{", "damaged.safetensors": b"abc",
        "maps/a.fits": b"SIMPLE  =                    T", "movies/a.tif": b"II*\0abc", "damaged.mat": b"MATLAB 5.0",
        "damaged.h5": b"\x89HDF\r\n\x1a\n", "damaged.parquet": b"PAR1", "damaged.xml": b"<a>",
        "table.csv": b"a,b\n1,2\n", "empty.csv": b"",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


# --- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPS)
def test_no_help_imports_anything_heavy(name):
    module = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}[name]
    script = (
        f"import sys\nfrom {module} import app\n"
        f"for words in [[], *([name] for name in {list(APPS[name].commands)})]:\n"
        "    app([*words, '--help'])\n"
        f"    found = [heavy for heavy in {HEAVY} if heavy in sys.modules]\n"
        "    assert not found, (words, found)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", APPS)
def test_every_command_says_what_it_does(name):
    for command in APPS[name].commands:
        status, output = say(f"{name} {command} --help")
        assert status == 0
        assert f"{name} {command}" in output
        for option in APPS[name].commands[command].options:
            assert option.help, (command, option.name)
            assert option.hidden or option.name in output, (command, option.name)


# --- errors -----------------------------------------------------------------------------------------------------------

WRONG = {
    # no such file or folder
    "awd distill none.npy --gradients G.npy --out r": "there is no file none.npy",
    "awd distill X.npy --gradients none.npy --out r": "there is no file none.npy",
    "awd distill X.npy --gradients G.npy --y none.npy --out r": "there is no file none.npy",
    "awd-cosmo run none --out r": "none",
    "awd-cosmo predict none a.fits": "none: there is no such file or folder; check the name",
    "awd-cosmo predict empty a.fits": "model.json: there is no such file or folder; check the name",
    "awd-cosmo teach none": "none holds no run; begin one with",
    "awd-cosmo run simulated --preset tiny --mask none.fits --out r": "there is no file or folder none.fits",
    "awd-cosmo run simulated --preset tiny --observed none --out r": "there is no file or folder none",
    "awd-cme run none --out r": "there is no file or folder none",
    "awd-cme run simulated --gradients none.npy --out r": "there is no file or folder none.npy",
    "awd-cme tracks none --out t.csv": "there is no file or folder none",
    "awd-cme evaluate empty": "empty holds no run; begin one with",
    # nothing of use in it
    "awd distill empty --gradients G.npy --out r": "an array is named FILE.npy",
    "awd distill text.txt --gradients G.npy --out r": "an array is named FILE.npy",
    "awd distill X.npy --gradients short.npy --out r": "gradients must have the shape (20, 40) of X, got (19, 40)",
    "awd-cosmo run empty --out r": "no layout recognised in empty",
    "awd-cosmo run text.txt --out r": "no layout recognised in text.txt",
    "awd-cosmo evaluate text.txt": "text.txt holds no run",
    "awd-cme run empty --out r": "holds no TIFF files",
    "awd-cme tracks text.txt --out t.csv": "which is no known one",
    "awd-cme tracks table.csv --out t.csv": "which is no known one",
    "awd-cme tracks empty.csv --out t.csv": "empty.csv is empty",
    "awd-cme tracks damaged.xml --out t.csv": "damaged.xml",
    # damaged or cut short
    "awd wavelet damaged.json": "cannot be read as a wavelet",
    "awd distill damaged.npy --gradients G.npy --out r": "damaged.npy cannot be read as an array",
    "awd-cosmo run maps --out r": "a.fits: ",
    "awd-cosmo predict damaged.json a.fits": "damaged.json cannot be read as a model",
    "awd-cme tracks movies --quiet --out t.csv": "a.tif is truncated or damaged",
    "awd-cme tracks damaged.mat --out t.csv": "damaged.mat cannot be read as a MATLAB file",
    "awd-cme tracks damaged.h5 --out t.csv": "damaged.h5 cannot be read as a MATLAB file",
    "awd-cme tracks damaged.parquet --out t.csv": "damaged.parquet is a damaged Parquet file",
    # values that there are not
    "awd wavelet db55": "did you mean db5",
    "awd distill X.npy --gradients G.npy --wavelet db99 --out r": "did you mean db9",
    "awd distill X.npy --gradients G.npy --shares a,b --out r": "shares is 'a,b'; give numbers",
    "awd distill X.npy --teacher no.such:net --weights damaged.safetensors --out r": "there is no module 'no'",
    "awd distill X.npy --teacher awd_core.teacher.networks:MLP --weights damaged.safetensors --out r": "--factory-args",
    "awd-cosmo run simulated --preset tny --out r": "(did you mean tiny?); choose one of quick, full, tiny",
    "awd-cosmo run simulated --suite small --out r": "--suite is 'small'; choose one of tiny, quick",
    "awd-cosmo run maps --layout mine --out r": "layout is 'mine'; choose one of auto",
    "awd-cosmo run simulated --noise some --out r": "--noise is 'some'; choose one of lenstools, fair",
    "awd-cosmo run simulated --target Omega --out r": "--target is 'Omega' (did you mean Omega_",
    "awd-cosmo run simulated --also M_mu --out r": "--also is 'M_mu' (did you mean M_nu?)",
    "awd-cosmo run simulated --wavelets db99 --out r": "there is no wavelet 'db99'",
    "awd-cosmo run simulated --phases shared --out r": "--phases is 'shared'; choose one of avoid",
    "awd-cosmo run simulated --accelerator tpus --out r": "--accelerator is 'tpus'; choose one of auto, cpu",
    "awd-cosmo run simulated --teacher no.such:net --weights damaged.safetensors --out r": "there is no module 'no'",
    "awd-cosmo simulate r --preset tny": "(did you mean tiny?)",
    "awd-cme run simulated --preset slow --out r": "--preset is 'slow'; choose one of quick, realistic",
    "awd-cme run simulated --features time --out r": "(did you mean timed?)",
    "awd-cme run simulated --starts db2,db99 --out r": "there is no wavelet 'db99'",
    "awd-cme run simulated --network no.such:net --out r": "there is no module 'no'",
    "awd-cme run simulated --format excel --out r": "--format is 'excel'; choose one of auto",
    "awd-cme run simulated --target mine --out r": "--target is 'mine'; choose one of success",
    "awd-cme run simulated --settings mine --out r": "--settings is 'mine'; choose one of published",
    "awd-cme run simulated --splits 2 --preset slow --out r": "--preset is 'slow'",
    "awd-cme simulate r --preset slow": "--preset is 'slow'; choose one of quick, realistic",
    # where nothing can be written
    "awd wavelet db5 --out text.txt": "text.txt: this is there already, and no folder; take another name",
    "awd wavelet db5 --out text.txt/r": "a part of this path is a file, not a folder; take another place",
    "awd distill X.npy --gradients G.npy --out text.txt": "text.txt is a file; the run needs a folder",
    "awd-cosmo run simulated --preset tiny --out text.txt": "text.txt is a file; the run needs a folder",
    "awd-cme run simulated --out text.txt": "text.txt is a file; the run needs a folder",
}


@pytest.mark.parametrize(("line", "message"), WRONG.items(), ids=WRONG)
def test_an_error_is_one_line_and_leaves_nothing_behind(here, line, message):
    before = sorted(here.rglob("*"))
    status, output = say(line)
    assert status == 2, output
    assert message in output
    assert output.startswith(f"{line.split()[0]}: "), output
    assert output.endswith("(add --debug for the traceback)\n")
    assert output.count("\n") == 1, output
    assert "unexpected" not in output
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("line", ["awd wavelet db55", "awd-cosmo teach none", "awd-cme distill none"])
def test_debug_shows_the_traceback(here, line):
    name, *arguments = line.split()
    result = invoke(APPS[name], [*arguments, "--debug"])
    assert isinstance(result.exception, (ValueError, OSError))
    assert "add --debug" not in result.output


def fail(error):
    """What a command says that raises this."""
    app = Program("awd-demo", "awd-core", "A program.")

    @app.command()
    def work() -> None:
        """Work."""
        raise error

    result = invoke(app, ["work"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "no permission; take another place, or ask who owns this one"),
        (errno.EROFS, "nothing can be written there; take another place"),
        (errno.ENOSPC, "no space is left there; make some, then give the same command again"),
        (errno.EISDIR, "this is a folder; name a file"),
    ],
)
def test_the_systems_errors_say_what_to_do(number, said):
    status, output = fail(OSError(number, "in the words of programmers", "/a/place"))
    assert status == 2
    assert output == f"awd-demo: /a/place: {said} (add --debug for the traceback)\n"


def test_errors_of_the_system_without_a_name_are_words_not_numbers():
    plain = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert fail(plain)[1].startswith("awd-demo: no space is left; make some, then give the same command again")
    ours = OSError(errno.ENOSPC, "the disk is full: the cache needs 3 MiB; make room")
    assert fail(ours)[1].startswith("awd-demo: the disk is full: the cache needs 3 MiB; make room (add")


def test_an_option_given_twice_is_refused():
    """Nothing says which of the two is meant."""
    app = Program("awd-demo", "awd-core", "A program.")

    @app.command()
    def work(target: str = "a", files: tuple[str, ...] = (), *, quiet: bool = False) -> None:
        """Work."""

    for words in (["--target", "a", "--target", "b"], ["--target", "a", "--target", "a"], ["--quiet", "--quiet"]):
        result = invoke(app, ["work", *words])
        assert result.exit_code == 2
        assert f"{words[0]} specified multiple times: give it once" in result.output
    assert invoke(app, ["work", "--target", "b", "--quiet"]).exit_code == 0


def test_our_own_runtime_errors_are_foreseen_and_others_are_not():
    assert "unexpected RuntimeError: of another" in fail(RuntimeError("of another"))[1]
    space = {"__name__": "awd_core.demo"}
    exec("def refuse():\n    raise RuntimeError('wait until it is done')", space)  # noqa: S102 - a module of ours
    app = Program("awd-demo", "awd-core", "A program.")
    app.command("work")(space["refuse"])
    output = invoke(app, ["work"]).output
    assert output == "awd-demo: wait until it is done (add --debug for the traceback)\n"


def test_a_choice_is_checked_by_name():
    check_choice("--preset", None, ["quick"])
    check_choice("--preset", "quick", ["quick"])
    with pytest.raises(ValueError, match=r"--preset is 'x'; choose one of quick, full"):
        check_choice("--preset", "x", ["quick", "full"])
    with pytest.raises(ValueError, match=r"per is None; choose one of map, pixel"):
        check_choice("per", None, ["map", "pixel"], required=True)
    with pytest.raises(ValueError, match=r"per is 3; choose one of map, pixel"):
        check_choice("per", 3, ["map", "pixel"])


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "work"),
    [
        ("awd distill X.npy --gradients G.npy --out r", "awd_core.app.pipeline.distill_files"),
        ("awd-cosmo run simulated --preset tiny --out r", "awd_cosmo.run.pipeline.run_pipeline"),
        ("awd-cosmo distill r", "awd_cosmo.run.pipeline.run_pipeline"),
        ("awd-cosmo simulate r --preset tiny --quiet", "awd_cosmo.simulate.simulation.simulate_suite"),
        ("awd-cme run simulated --out r", "awd_cme.run.pipeline.run_pipeline"),
        ("awd-cme run simulated --splits 2 --out r", "awd_cme.run.splits.run_splits"),
        ("awd-cme teach simulated --out r", "awd_cme.run.pipeline.run_pipeline"),
    ],
)
def test_ctrl_c_says_that_the_same_command_goes_on(here, monkeypatch, line, work):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, interrupted)
    status, output = say(line)
    assert status == 130
    assert output == "Interrupted. The same command goes on from here; r holds what is done.\n"


def test_ctrl_c_in_what_does_not_go_on_is_one_line_too():
    assert fail(KeyboardInterrupt()) == (130, "awd-demo: interrupted\n")


# --- characters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("module", ["awd_core", "awd_cosmo", "awd_cme"])
def test_characters_that_a_stream_cannot_write_do_not_end_a_command(module, encoding, tmp_path):
    arguments = ["wavelet", "db3"] if module == "awd_core" else ["run", "--help"]
    code = f"from {module}.app.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, timeout=600, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "120"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-500:]
    assert done.stdout
    done.stdout.decode(encoding)
    missing = subprocess.run(
        [sys.executable, "-c", code, "Σ"], capture_output=True, timeout=600, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert missing.returncode == 2
    assert b"Traceback" not in missing.stderr
