"""The canonical table of tracks: its rules, its files, and the account of what was lost on the way.

One row per track and frame, whatever program tracked.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
