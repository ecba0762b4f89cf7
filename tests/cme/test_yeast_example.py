"""The example that goes from real tracks over a network to the report of `awd distill`."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from awd_core import Wavelet

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "yeast_from_the_command_line.py"


def test_from_real_tracks_to_a_report(real_data, tmp_path):
    file = real_data / "cme" / "yeast" / "Pan1-GFP_Abp1-RFP.mat"
    quick = ["--epochs", "3", "--random-starts", "2", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, EXAMPLE, file, *quick], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "232 tracks came, 232 kept" in done.stdout
    assert np.load(tmp_path / "X.npy").shape == (162, 40)
    assert Wavelet.load(tmp_path / "run" / "wavelet.json").certificate().is_orthonormal(1e-12)
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
