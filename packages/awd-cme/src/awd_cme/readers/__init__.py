"""Tracks from the files of other programs: what a file is, is seen from its content, and what is lost is told.

`read_tracks` reads all formats; `recognise` says which one a file has.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
