"""From a movie to tracks with intensities: spots of all frames, links between them, what lies at each position.

`track_movie` tracks, `extract` measures at tracks that are there, `track_cells` does many movies on many workers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
