"""Progress where it is asked for: a function's, lines, or nobody's."""

import numpy as np
import pytest

from awd_core import distill_path
from awd_core.distill import SearchSettings
from awd_core.workers import progress
from awd_core.workers.progress import reported


def test_lines_go_to_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    report = reported(True, "Count")
    report(1, 3, "two")
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("Count …\nCount: 1 of 3 after 0 s, about 0 s left, two")


@pytest.mark.parametrize("nobody", [None, False])
def test_nobody_is_told(nobody):
    assert reported(nobody, "Count") is None


def test_what_cannot_be_told_is_refused():
    assert reported(print, "Count") is print
    with pytest.raises(TypeError, match="progress is 'yes'; give True, or a function"):
        reported("yes", "Count")


def test_a_path_tells(capsys):
    X, gradients = np.random.default_rng(0).standard_normal((2, 30, 16)).astype(np.float32)
    search = SearchSettings(random_starts=0, iterations=2)
    distill_path(X, gradients, wavelet="haar", levels=1, shares=[0.5], search=search, progress=True)
    assert capsys.readouterr().err.startswith("Distillation path …\n")
