"""Settings that every test needs before torch is imported."""

import os

# Two workers share the machine: one thread each. Subprocesses that tests start inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
