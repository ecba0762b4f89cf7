"""The canonical table of tracks: its rules, its files, and the account of what was lost on the way.

One row per track and frame, whatever program tracked.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.tracks.losses import LossReport as LossReport
    from awd_cme.tracks.rules import validate as validate
    from awd_cme.tracks.table import concat as concat
    from awd_cme.tracks.table import make_table as make_table
    from awd_cme.tracks.table import summary as summary
    from awd_cme.tracks.writers import write_csv as write_csv
    from awd_cme.tracks.writers import write_napari as write_napari
    from awd_cme.tracks.writers import write_parquet as write_parquet

_HOME = {
    "LossReport": "losses",
    "concat": "table",
    "make_table": "table",
    "summary": "table",
    "validate": "rules",
    "write_csv": "writers",
    "write_napari": "writers",
    "write_parquet": "writers",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
