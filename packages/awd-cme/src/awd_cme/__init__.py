"""From tracked two-channel video to the partner's signal with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.model.bootstrap import clustered_bootstrap as clustered_bootstrap
    from awd_cme.model.card import ModelCard as ModelCard
    from awd_cme.model.features import MaxCoefficients as MaxCoefficients
    from awd_cme.model.intervals import coefficient_intervals as coefficient_intervals
    from awd_cme.model.predict import predict_tracks as predict_tracks
    from awd_cme.model.regression import SeriesLogistic as SeriesLogistic
    from awd_cme.model.regression import SeriesRidge as SeriesRidge
    from awd_cme.model.settings_search import search_settings as search_settings
    from awd_cme.movies.open import Movie as Movie
    from awd_cme.movies.open import open_movie as open_movie
    from awd_cme.movies.open import write_movie as write_movie
    from awd_cme.readers.read import read_tracks as read_tracks
    from awd_cme.report.page import write_report as write_report
    from awd_cme.run.job import RunJob as RunJob
    from awd_cme.run.pipeline import read_results as read_results
    from awd_cme.run.pipeline import run_pipeline as run_pipeline
    from awd_cme.run.splits import run_splits as run_splits
    from awd_cme.series.problem import make_series as make_series
    from awd_cme.series.problem import split_groups as split_groups
    from awd_cme.series.problem import split_tracks as split_tracks
    from awd_cme.series.problem import yeast_problem as yeast_problem
    from awd_cme.series.scaling import fit_z_scores as fit_z_scores
    from awd_cme.series.series_set import SeriesSet as SeriesSet
    from awd_cme.series.series_set import SeriesSettings as SeriesSettings
    from awd_cme.simulate.camera import Camera as Camera
    from awd_cme.simulate.render import RenderedMovie as RenderedMovie
    from awd_cme.simulate.render import render_tracks as render_tracks
    from awd_cme.simulate.simulation import SimulatedMovie as SimulatedMovie
    from awd_cme.simulate.simulation import read_truth as read_truth
    from awd_cme.simulate.simulation import simulate_dataset as simulate_dataset
    from awd_cme.simulate.simulation import simulate_movie as simulate_movie
    from awd_cme.spots.apertures import aperture_sums as aperture_sums
    from awd_cme.spots.detect import detect_spots as detect_spots
    from awd_cme.spots.detect import estimate_sigma as estimate_sigma
    from awd_cme.spots.fit import SpotFits as SpotFits
    from awd_cme.spots.fit import fit_spots as fit_spots
    from awd_cme.teacher.networks import SeriesLSTM as SeriesLSTM
    from awd_cme.teacher.teacher import SeriesEnsemble as SeriesEnsemble
    from awd_cme.teacher.teacher import SeriesTeacher as SeriesTeacher
    from awd_cme.teacher.teacher import SeriesTeacherClassifier as SeriesTeacherClassifier
    from awd_cme.tracking.evaluate import score_tracks as score_tracks
    from awd_cme.tracking.intensities import extract as extract
    from awd_cme.tracking.link import link_spots as link_spots
    from awd_cme.tracking.link import track_movie as track_movie
    from awd_cme.tracks.losses import LossReport as LossReport
    from awd_cme.tracks.table import make_table as make_table
    from awd_cme.tracks.table import summary as summary
    from awd_cme.tracks.table import validate as validate
    from awd_cme.tracks.writers import write_csv as write_csv
    from awd_cme.tracks.writers import write_napari as write_napari
    from awd_cme.tracks.writers import write_parquet as write_parquet

_HOME = {
    "Camera": "simulate.camera",
    "LossReport": "tracks.losses",
    "MaxCoefficients": "model.features",
    "ModelCard": "model.card",
    "Movie": "movies.open",
    "RenderedMovie": "simulate.render",
    "RunJob": "run.job",
    "SeriesEnsemble": "teacher.teacher",
    "SeriesLSTM": "teacher.networks",
    "SeriesLogistic": "model.regression",
    "SeriesRidge": "model.regression",
    "SeriesSet": "series.series_set",
    "SeriesSettings": "series.series_set",
    "SeriesTeacher": "teacher.teacher",
    "SeriesTeacherClassifier": "teacher.teacher",
    "SimulatedMovie": "simulate.simulation",
    "SpotFits": "spots.fit",
    "aperture_sums": "spots.apertures",
    "clustered_bootstrap": "model.bootstrap",
    "coefficient_intervals": "model.intervals",
    "detect_spots": "spots.detect",
    "estimate_sigma": "spots.detect",
    "extract": "tracking.intensities",
    "fit_spots": "spots.fit",
    "fit_z_scores": "series.scaling",
    "link_spots": "tracking.link",
    "make_series": "series.problem",
    "make_table": "tracks.table",
    "open_movie": "movies.open",
    "predict_tracks": "model.predict",
    "read_results": "run.pipeline",
    "read_tracks": "readers.read",
    "read_truth": "simulate.simulation",
    "render_tracks": "simulate.render",
    "run_pipeline": "run.pipeline",
    "run_splits": "run.splits",
    "score_tracks": "tracking.evaluate",
    "search_settings": "model.settings_search",
    "simulate_dataset": "simulate.simulation",
    "simulate_movie": "simulate.simulation",
    "split_groups": "series.problem",
    "split_tracks": "series.problem",
    "summary": "tracks.table",
    "track_movie": "tracking.link",
    "validate": "tracks.table",
    "write_csv": "tracks.writers",
    "write_movie": "movies.open",
    "write_napari": "tracks.writers",
    "write_parquet": "tracks.writers",
    "write_report": "report.page",
    "yeast_problem": "series.problem",
}

__all__ = sorted(_HOME)
__version__ = version("awd-cme")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
