"""A run, from movies or tracks to a report: its job and its steps.

`run_pipeline` follows them, `run_splits` does so for several splits of the cells.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
