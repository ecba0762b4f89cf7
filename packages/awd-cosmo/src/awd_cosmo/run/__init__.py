"""A run, from a folder of maps to a report: its job and its steps.

`run_pipeline` follows them: prepare, teach, distill, choose, evaluate, attribute, report.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
