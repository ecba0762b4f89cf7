from .read import read_tracks as read_tracks
