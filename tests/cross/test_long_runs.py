"""Many predictions: file handles, threads and memory stay what they were. `benchmarks.endurance` does it for hours."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="handles and memory are told by /proc")
def test_predictions_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    endurance = importlib.import_module("benchmarks.endurance")
    for name, work in endurance.works(tmp_path).items():
        found = endurance.endured(work, rounds=60, warm=20)
        assert found.handles == 0, (name, found)
        assert found.threads == 0, (name, found)
        # A MiB: the allocator's own blocks. What a round leaves behind, sixty leave sixty times.
        assert found.kib < 1024, (name, found)
