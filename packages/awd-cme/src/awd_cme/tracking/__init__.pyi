from .evaluate import score_tracks as score_tracks
from .intensities import extract as extract
from .link import link_spots as link_spots
from .link import track_movie as track_movie
