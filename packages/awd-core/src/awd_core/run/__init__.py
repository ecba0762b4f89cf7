"""What runs and commands of all packages share.

The folder of a run, what is shown on the screen, and command-line programs: their options, and errors in one line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
