"""The examples run at a small size, leave what they promise, and open in Jupyter as notebooks of cells."""

import ast
import re
import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from awd_core import Wavelet

FOLDER = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
# What each leaves in its folder, beside the wavelet in most.
FILES = {
    "a_wavelet_adapts.py": ["adapting.png", "wavelet.json"],
    "demo.py": ["wavelet.png", "wavelet.json", "certificate.txt", "summary.json"],
    "digits_to_ten_numbers.py": ["curve.png", "patterns.png", "wavelet.json", "student.json"],
    "denoise_with_a_distilled_wavelet.py": ["wavelet.png", "pictures.png", "decibels.png", "wavelet.json"],
    "explanation_family.py": ["sounds.png", "hierarchy.png", "xor.png"],
    "mass_maps_to_omega_m.py": ["maps.png", "path.png", "bands.png", "wavelet.json", "model.json"],
    "movies_to_a_card.py": ["model.png", "wavelet.png", "wavelet.json", "card.json"],
    "spectra_to_ten_numbers.py": ["curve.png", "weights.png", "wavelet.json", "student.json"],
    "trim_gallery.py": ["frequencies.png", "parts.png", "wavelets.png"],
    "yeast_from_the_command_line.py": ["X.npy", "y.npy", "lstm.safetensors", "run/wavelet.json"],
}

REAL = ["yeast_from_the_command_line.py", "spectra_to_ten_numbers.py"]
"""They need data that are no part of the repository."""


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs an example as a script, in this process: most of the time of a small one is torch's import."""
    monkeypatch.setattr(mpl, "rcParams", mpl.rcParams.copy())
    mpl.use("Agg")

    def run_it(name, *arguments):
        # Jupyter's kernel finds `-f connection.json` among its arguments.
        argv = [name, "--quick", "--out", str(tmp_path), *map(str, arguments), "-f", "kernel.json"]
        monkeypatch.setattr(sys, "argv", argv)
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    yield run_it
    sys.modules["matplotlib.pyplot"].close("all") if "matplotlib.pyplot" in sys.modules else None


def left(folder, name):
    """The figures' sizes in pixels; all other files are there and not empty."""
    sizes = {}
    for file in FILES[name]:
        content = (folder / file).read_bytes()
        assert content, file
        if file.endswith(".png"):
            assert content.startswith(b"\x89PNG"), file
            sizes[file] = tuple(int(n) for n in np.frombuffer(content[16:24], ">u4"))
        if file.endswith("wavelet.json"):
            assert Wavelet.load(folder / file).certificate().is_orthonormal(1e-9)
    return sizes


def test_every_example_is_run():
    assert sorted(FILES) == [path.name for path in SCRIPTS]


@pytest.mark.parametrize("name", [name for name in FILES if name not in REAL])
def test_it_runs_at_a_small_size(run, tmp_path, name):
    said = run(name)
    sizes = left(tmp_path, name)
    assert sizes
    assert min(min(size) for size in sizes.values()) > 250
    # The last line says where to look, and names every figure.
    assert all(file in said.strip().splitlines()[-1] for file in sizes)


def test_real_tracks_from_the_command_line(run, tmp_path, real_data):
    run("yeast_from_the_command_line.py", "--data", real_data / "cme" / "yeast" / "Pan1-GFP_Abp1-RFP.mat")
    left(tmp_path, "yeast_from_the_command_line.py")
    assert np.load(tmp_path / "X.npy").shape == (162, 40)


def test_real_spectra(run, tmp_path, real_data):
    said = run("spectra_to_ten_numbers.py", "--data", real_data / "spectra" / "tecator.csv")
    assert min(min(size) for size in left(tmp_path, "spectra_to_ten_numbers.py").values()) > 250
    # The same spectra predicted by the estimator and by the file.
    by_estimator, by_file = re.findall(r": ([\d.]+) % of fat", said)[-2:]
    assert by_estimator == by_file


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_it_opens_in_jupyter(path):
    """The percent format: `# %%` begins a cell, `# %% [markdown]` one whose lines are all comments."""
    head, *cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert head == ""
    assert cells[0].startswith(" [markdown]\n# # ")
    for cell in cells:
        first, _, rest = cell.partition("\n")
        assert first in ("", " [markdown]")
        if first:
            assert all(line.startswith("#") or not line for line in rest.splitlines()), rest
        else:
            ast.parse(rest)
    code = [cell for cell in cells if not cell.startswith(" [markdown]")]
    # A cell to read, then one or two to run.
    assert len(cells) - len(code) >= len(code) / 3
