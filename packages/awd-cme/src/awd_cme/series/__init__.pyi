from .problem import make_series as make_series
from .problem import split_groups as split_groups
from .problem import split_tracks as split_tracks
from .problem import yeast_problem as yeast_problem
from .scaling import fit_z_scores as fit_z_scores
from .series_file import load_series as load_series
from .series_set import SeriesSet as SeriesSet
from .series_set import SeriesSettings as SeriesSettings
