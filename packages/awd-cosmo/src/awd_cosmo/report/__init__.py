"""The report of `awd-cosmo run`: one HTML file that an astronomer can send to a colleague.

It only reads the run's folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
