"""The learning problem: series of one length, what is to be predicted, and whose tracks they are.

Made of the canonical table by rules that have names, split by whole cells, standardised by training cells alone.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.series.problem import make_series as make_series
    from awd_cme.series.problem import split_groups as split_groups
    from awd_cme.series.problem import split_tracks as split_tracks
    from awd_cme.series.problem import yeast_problem as yeast_problem
    from awd_cme.series.scaling import fit_z_scores as fit_z_scores
    from awd_cme.series.series_file import load_series as load_series
    from awd_cme.series.series_set import SeriesSet as SeriesSet
    from awd_cme.series.series_set import SeriesSettings as SeriesSettings

_HOME = {
    "SeriesSet": "series_set",
    "SeriesSettings": "series_set",
    "fit_z_scores": "scaling",
    "load_series": "series_file",
    "make_series": "problem",
    "split_groups": "problem",
    "split_tracks": "problem",
    "yeast_problem": "problem",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
