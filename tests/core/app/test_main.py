"""The command `awd` and the frame that other packages' commands use."""

import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from awd_core.app.main import app
from awd_core.run.program import Program
from awd_core.wavelets.wavelet import Wavelet
from commands import invoke


def test_help_and_the_module_need_nothing_heavy():
    heavy = ["torch", "matplotlib", "scipy", "numpy", "pywt", "pandas"]
    script = (
        "import sys\n"
        "from awd_core.app.main import app\n"
        "app(['--help'])\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "wavelet" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package():
    result = invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"awd-core {version('awd-core')}\n")


def test_the_doctor_tells_what_computes(monkeypatch):
    monkeypatch.setenv("AWD_KERNEL", "off")
    result = invoke(app, ["doctor"])
    assert result.exit_code == 0
    told = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line.split()[0] in ("torch", "kernel"))
    assert told["torch"].strip() == version("torch")
    assert told["kernel"].startswith("none, torch alone: AWD_KERNEL=off says so")


def test_without_arguments_there_is_help():
    result = invoke(app, [])
    assert result.exit_code == 0
    assert "Usage: awd" in result.output


def test_the_certificate_is_printed():
    result = invoke(app, ["wavelet", "db5"])
    assert result.exit_code == 0
    assert "Certificate of the wavelet 'db5'" in result.stdout
    assert "vanishing moments" in result.stdout
    assert "Written" not in result.stdout


def test_the_files_are_written(tmp_path):
    out = tmp_path / "new" / "folder"
    result = invoke(app, ["wavelet", "db3", "--out", str(out), "--before", "db2"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "certificate.json",
        "certificate.txt",
        "wavelet.json",
        "wavelet.png",
    ]
    assert Wavelet.load(out / "wavelet.json") == Wavelet.from_name("db3")
    assert json.loads((out / "certificate.json").read_text())["vanishing_moments"] == 3
    assert (out / "certificate.txt").read_text() == f"{Wavelet.from_name('db3').certificate()}\n"
    assert (out / "wavelet.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_is_read_and_its_name_is_not_taken_for_markup(tmp_path):
    start = Wavelet.from_name("db4")
    learnt = Wavelet.from_angles(start.angles + np.array([0.1, -0.1, 0.0, 0.0]), name="[red]learnt[/red]")
    learnt.save(tmp_path / "mine")
    result = invoke(app, ["wavelet", str(tmp_path / "mine")])
    assert result.exit_code == 0
    assert "'[red]learnt[/red]'" in result.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("db55", "awd: there is no wavelet 'db55' (did you mean db5, db35, db25?); allowed are haar"),
        ("bior2.2", "awd: 'bior2.2' is not an orthogonal wavelet; allowed are haar"),
        ("none.json", "awd: there is no file none.json; Wavelet.save and awd wavelet --out write wavelet files"),
        ("some/place", "awd: there is no file some"),
    ],
)
def test_an_error_is_one_line_with_a_hint(argument, message):
    result = invoke(app, ["wavelet", argument])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert result.stderr.endswith("(add --debug for the traceback)\n")
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_no_wavelet_is_named(tmp_path):
    (tmp_path / "w.json").write_text("{}")
    result = invoke(app, ["wavelet", str(tmp_path / "w.json")])
    assert result.exit_code == 2
    assert "w.json cannot be read as a wavelet: it has no" in result.stderr


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke(app, ["wavelet", "db2", "--out", str(tmp_path / "file" / "folder")])
    assert result.exit_code == 2
    assert result.stderr.startswith("awd: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--debug", "wavelet", "db55"], ["wavelet", "db55", "--debug"]])
def test_debug_lets_the_error_through(arguments):
    result = invoke(app, arguments)
    assert isinstance(result.exception, ValueError)
    with pytest.raises(ValueError, match="no wavelet 'db55'"):
        raise result.exception


def test_debug_after_two_dashes_is_an_argument():
    result = invoke(app, ["wavelet", "--", "--debug"])
    assert result.exit_code == 2
    assert "there is no wavelet '--debug'" in result.stderr


def test_the_program_itself_ends_with_two_and_no_traceback():
    command = [sys.executable, "-c", "from awd_core.app.main import app; app()", "wavelet", "db55"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    shown = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["wavelet"], 'awd: Command "wavelet" parameter NAME_OR_JSON requires an argument; see awd wavelet --help'),
        (["wavelet", "db2", "--nonsense"], "awd: Unknown option: --nonsense; see awd wavelet --help"),
        (
            ["wavelet", "db2", "--bfore", "db1"],
            "awd: Unknown option: --bfore. Did you mean --before? See awd wavelet --help",
        ),
        (["wavelet", "db2", "db3"], "awd: Unused Tokens: ['db3']; see awd wavelet --help"),
        (
            ["--nonsense"],
            'awd: Unknown command "--nonsense". Available commands: wavelet, distill, predict, doctor; see awd --help',
        ),
        (
            ["wavelot"],
            'awd: Unknown command "wavelot". Did you mean "wavelet"? Available commands: wavelet, distill, predict, '
            "doctor; see "
            "awd --help",
        ),
        (
            ["distill", "X", "--out", "r", "--levels", "x"],
            'awd: Invalid value for --levels: unable to convert "x" into int; see awd distill --help',
        ),
    ],
)
def test_wrong_usage_is_one_line_too(arguments, line):
    result = invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr == f"{line}\n"


def test_nothing_given_shows_the_help():
    result = invoke(app, [])
    assert "Usage: awd" in result.output


def demo(error):
    program = Program("awd-demo", "awd-core", "A program of another package.")

    @program.command()
    def fail() -> None:
        """Fail."""
        raise error

    return invoke(program, ["fail"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (ValueError("bad maps:\n  a.fits: cut\n  b.fits: old\n"), "bad maps: a.fits: cut; b.fits: old"),
        (ImportError("no module"), "no module"),
        (KeyError("mass"), "unexpected KeyError: 'mass'"),
        (RuntimeError(), "unexpected RuntimeError"),
        (ValueError(), "unexpected ValueError"),
    ],
)
def test_other_programs_have_the_same_errors(error, line):
    result = demo(error)
    assert result.exit_code == 2
    assert result.stderr == f"awd-demo: {line} (add --debug for the traceback)\n"


@pytest.mark.parametrize(
    ("error", "code"), [(SystemExit(3), 3), (SystemExit(0), 0), (BrokenPipeError(32, "Broken pipe"), 1)]
)
def test_an_end_is_no_error(error, code):
    result = demo(error)
    assert result.exit_code == code
    assert "awd-demo:" not in result.stderr


def test_whoever_reads_may_stop_reading():
    command = f"{sys.executable} -c 'from awd_core.app.main import app; app()' wavelet db5 | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), "before the reader has gone, or after"
    assert done.stderr == ""
