"""Tracks, predictions and movies as layers of napari; nothing of napari is imported.

`napari.yaml` beside this room is the plugin's manifest (npe2).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
