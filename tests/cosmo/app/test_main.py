"""`awd-cosmo`: quick help, one-line errors, single steps on one folder, predictions without torch."""

import json
import subprocess
import sys

import pytest

from awd_cosmo.app.main import app
from awd_cosmo.run.job import PRESETS
from commands import invoke

COMMANDS = ["run", "simulate", "prepare", "teach", "distill", "evaluate", "report", "predict"]
HEAVY = ["torch", "matplotlib", "scipy", "sklearn", "astropy", "pandas", "zarr", "pyccl", "lightning", "numpy"]


def call(*arguments):
    return invoke(app, arguments)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "maps"
    done = call("simulate", folder, "--preset", "tiny", "--cosmologies", 16, "--realisations", 4, "--theory", "--quiet")
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def run(suite, tmp_path_factory):
    """The single steps, one after the other, on one folder."""
    out = tmp_path_factory.mktemp("run") / "run"
    options = ["--preset", "tiny", "--epochs", 1, "--wavelets", "db2", "--shares", "0,1", "--quiet"]
    for command in (["prepare", suite, "--out", out, *options], ["teach", out, "--quiet"], ["distill", out, "--quiet"],
                    ["evaluate", out, "--quiet"]):  # fmt: skip
        done = call(*command)
        assert done.exit_code == 0, done.stderr
    return out


def test_help_names_all_commands_and_imports_nothing_heavy():
    code = f"import sys, awd_cosmo.app.main; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    done = call("--help")
    assert done.exit_code == 0
    assert [name for name in COMMANDS if f" {name} " not in done.stdout] == []
    for command in COMMANDS:
        assert call(command, "--help").exit_code == 0


def test_prepare_takes_all_the_options_of_run_but_ends_earlier():
    options = {name: call(name, "--help").stdout for name in ("run", "prepare")}
    assert "--smoothing" in options["prepare"]
    assert "Read, prepare, cache and split" in " ".join(options["prepare"].split())
    assert "--until" not in options["run"]
    # Presets decide, and say what.
    told = " ".join(options["run"].replace("│", " ").split())
    assert "[default: 8; full 64; tiny 4]" in told
    assert "[default: 64; tiny 0]" in told


def test_simulate_writes_a_suite_and_its_theory(suite):
    assert len(list(suite.glob("*/Maps10/*.fits"))) == 64
    assert "variance_theory" in (suite / "theory.ecsv").read_text()


def test_steps_go_on_with_one_folder(run):
    steps = [list(session["seconds"]) for session in json.loads((run / "sessions.json").read_text())["sessions"]]
    assert steps[0] == ["Maps"]
    assert [name for name in steps[1] if name.startswith("Teacher")] == ["Teacher", "Teacher asked"]
    assert not [name for name in steps[2] + steps[3] if name.startswith("Teacher")]
    assert "Selection" in steps[2]
    assert "Comparison" in steps[3]
    settings = json.loads((run / "config.json").read_text())["settings"]["job"]
    assert (settings["epochs"], settings["wavelets"], settings["width"]) == (1, ["db2"], PRESETS["tiny"].width)


def test_predict_needs_no_torch(run, suite, tmp_path):
    maps = sorted(suite.glob("*/Maps10/*0001r.fits"))[:3]
    arguments = ["predict", str(run / "model.json"), *map(str, maps), "--out", str(tmp_path / "p.csv"), "--out",
                 str(tmp_path / "p.json")]  # fmt: skip
    code = (
        "import sys\nfrom awd_cosmo.app.main import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = [n for n in ('torch', 'sklearn', 'lightning', 'scipy.stats', 'matplotlib') if n in sys.modules]\n"
        "print('HEAVY', heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("WLconv_z1.00_0001r.fits")]
    assert len(rows) == 3
    values = json.loads((tmp_path / "p.json").read_text())
    assert [0.05 < one["estimate"] < 0.6 for one in values] == [True] * 3
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 4


def test_predict_takes_real_maps_and_says_how_far_they_are(run, real_data, tmp_path):
    done = call("predict", run, real_data / "cosmo" / "convergence_z103.fit", "--out", tmp_path / "real.json")
    # 0.41 arcmin a pixel against 6.56 of the tiny suite: blocks of 16.
    assert done.exit_code == 0, done.stderr
    (one,) = json.loads((tmp_path / "real.json").read_text())
    assert one["tiles"] == 1
    assert one["std"] > 0
    assert 0 <= one["percentile"] <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--out", "x"], "give DATA, a folder of maps, or --simulate"),
        (["run", "maps", "--simulate", "--out", "x"], "not both"),
        (["run", "simulted", "--out", "x"], "did you mean simulated?"),
        (["run", "maps", "--galaxies", "30", "--out", "x"], "--galaxies is 30, but no noise is added"),
        (["run", "--simulate", "--device", "gpu", "--out", "x"], "torch knows no device 'gpu'"),
        (["run", "maps", "--suite", "tiny", "--out", "x"], "--suite is for simulated maps"),
        (["run", "--simulate", "--preset", "huge", "--out", "x"], "choose one of quick, full, tiny"),
        (["run", "no-such-folder", "--out", "x"], "no-such-folder"),
        (["run", "--simulate", "--teacher", "awd_core.teacher.networks:MLP", "--out", "x"], "its weights"),
        (["run", "maps", "--target", "Omega_m", "--target", "A_s", "--out", "x"], "--target specified multiple times"),
        (
            ["run", "maps", "--ranges", "sigma8=2:1", "--out", "x"],
            "--ranges of sigma8 is 2:1; the lower end",
        ),
        (["run", "maps", "--ranges", "sigma8", "--out", "x"], "--ranges is 'sigma8'; give NAME=LOW:HIGH"),
        (["simulate", "x", "--preset", "huge"], "choose one of tiny, quick"),
        (["simulate", "x", "--preset", "particles", "--shift", "hilbert"], "particles come with a shift of 'hilbert'"),
        (["simulate", "x", "--nuisances", "shear=0:1"], "did you mean shear_bias?"),
        (["simulate", "x", "--smail", "2"], "smail is '2'; give two numbers A,B"),
        (
            ["run", "--simulate", "--suite", "particles", "--shift", "0.03", "--out", "x"],
            "--shift is 0.03, and --suite",
        ),
        (
            ["run", "--simulate", "--nuisances", "gas_mass=1:2", "--out", "x"],
            "gas_mass is (1.0, 2.0); give (low, high)",
        ),
        (["run", "maps", "--smail", "2,1.5", "--out", "x"], "--smail is for simulated maps"),
        (["teach", "no-run"], "holds no run"),
        (["predict", "no-model.json", "map.fits"], "no-model.json"),
        (["predict", "m.json", "map.fits", "--out", "table.txt"], "must be .csv or .json"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
