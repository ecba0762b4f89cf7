"""From a movie to tracks with intensities: spots of all frames, links between them, what lies at each position.

`track_movie` tracks, `extract` measures at tracks that are there, `track_cells` does many movies on many workers.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.tracking.evaluate import score_tracks as score_tracks
    from awd_cme.tracking.intensities import extract as extract
    from awd_cme.tracking.link import link_spots as link_spots
    from awd_cme.tracking.link import track_movie as track_movie

_HOME = {
    "extract": "intensities",
    "link_spots": "link",
    "score_tracks": "evaluate",
    "track_movie": "link",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
