"""Reports: one HTML file each that needs nothing beside itself, from templates that all packages share.

The page with its tables and pictures, and the parts on a distillation, on trust in attributions, and on the run.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
