"""Movies, whatever TIFF files they lie in: opened, read a frame at a time, written.

`open_movie` finds out where the frames lie, and what the files say of time, size and channels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
