"""PyWavelets' own tests run through ours: that the program does so, and that it would see a wrong number."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pywt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.pywavelets_tests")


def test_runs_the_tests_that_the_installed_package_brings(program):
    installed = Path(pywt.__file__).parent
    try:
        program.tests_folder(installed)
    except FileNotFoundError:
        pytest.skip("the installed PyWavelets brings no tests")
    command = [sys.executable, "-m", "benchmarks.pywavelets_tests", str(installed), "-k", "odd_length or allmodes"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 failed" in ran.stdout
    assert "No numerical failure." in ran.stdout


def test_a_path_without_tests_is_refused(program, tmp_path, capsys):
    with pytest.raises(SystemExit):
        program.main([str(tmp_path)])
    assert "holds no tests of PyWavelets (test_dwt_idwt.py in pywt/tests or tests)" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_every_function_is_answered_along_any_axes(program, dtype):
    x = np.random.default_rng(0).standard_normal((9, 3, 14)).astype(dtype)
    tally = program.Tally()
    with program.answered_by_ours(tally):
        low, high = pywt.dwt(x, "db2", "smooth", axis=0)  # where ours alone would warn of too short a signal
        assert low.dtype == dtype
        assert pywt.idwt(low, high, "db2", "smooth", axis=0).shape == (10, 3, 14)
        bands = pywt.dwt2(x, ("db2", "sym3"), ("zero", "zero"), axes=(2, 0))
        np.testing.assert_allclose(pywt.idwt2(bands, ("db2", "sym3"), "zero", axes=(2, 0))[:9], x, atol=1e-5)
        levels = pywt.wavedec(x, pywt.Wavelet("haar"), "periodization", level=2, axis=-1)
        np.testing.assert_allclose(pywt.waverec(levels, "haar", "periodization"), x, atol=1e-5)
        levels = pywt.wavedec2(x, "haar", level=2, axes=(0, 2))
        np.testing.assert_allclose(pywt.waverec2(levels, "haar", axes=(0, 2))[:9], x, atol=1e-5)
    assert tally.answered.total() == 8
    assert tally.wrong == []


def test_what_ours_cannot_do_is_passed_on_with_its_reason(program):
    tally = program.Tally()
    with program.answered_by_ours(tally):
        pywt.dwt([1.0, 2.0, 3.0, 4.0], "bior2.2")
        pywt.idwt([1.0, 2.0], None, "haar")
        pywt.dwt2(np.eye(8), "haar", ("zero", "reflect"))
        with pytest.raises(ValueError, match="mode is 'mirror'"):
            pywt.dwt([1.0, 2.0], "haar", "mirror")
    assert tally.answered.total() == 0
    assert dict(tally.passed_on) == {
        ("dwt", "no orthogonal wavelet"): 1,
        ("idwt", "missing coefficients (None)"): 1,
        ("dwt2", "another mode on each axis"): 1,
    }
    assert [name for name, _ in tally.refusals] == ["dwt"]


@pytest.mark.parametrize("wrong", [lambda band: band * (1 + 1e-10), lambda band: band * np.nan, lambda band: band[1:]])
def test_a_wrong_answer_is_seen(program, wrong):
    tally = program.Tally()

    def ours(*arguments):
        answer = program.FUNCTIONS["dwt"](*arguments)
        return answer._replace(value=(answer.value[0], wrong(answer.value[1])))

    program.stood_in(ours, pywt.dwt, tally)(np.arange(8.0) ** 2, "db2")
    assert len(tally.wrong) == 1
    assert tally.wrong[0].startswith("dwt(float64[8], 'db2'): ")
