"""Tracks from the files of other programs: what a file is, is seen from its content, and what is lost is told.

`read_tracks` reads all formats; `recognise` says which one a file has.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.readers.read import read_tracks as read_tracks

_HOME = {
    "read_tracks": "read",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
