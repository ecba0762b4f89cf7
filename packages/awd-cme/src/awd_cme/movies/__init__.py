"""Movies, whatever TIFF files they lie in: opened, read a frame at a time, written.

`open_movie` finds out where the frames lie, and what the files say of time, size and channels.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.movies.movie import Movie as Movie
    from awd_cme.movies.open import open_movie as open_movie
    from awd_cme.movies.writer import write_movie as write_movie

_HOME = {
    "Movie": "movie",
    "open_movie": "open",
    "write_movie": "writer",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
