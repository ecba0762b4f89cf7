"""How maps and suites of maps lie on the disk: files, headers, names, tables, layouts.

What is read here is told by names and headers alone; pixels are read when they are asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
