"""Settings that every test needs before torch is imported, and where the real data lie."""

import os
from pathlib import Path

import pytest

# Two workers share the machine: one thread each. Subprocesses that tests start inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("AWD_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data():
    """Real maps and tracks that nobody here made; they are no part of the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data are not at {REAL_DATA}; name their folder by the environment variable AWD_DATA")
    return REAL_DATA
