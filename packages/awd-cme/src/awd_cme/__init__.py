"""From tracked two-channel video to the partner's signal with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.apertures import aperture_sums as aperture_sums
    from awd_cme.bootstrap import clustered_bootstrap as clustered_bootstrap
    from awd_cme.camera import Camera as Camera
    from awd_cme.card import ModelCard as ModelCard
    from awd_cme.dataset import make_series as make_series
    from awd_cme.dataset import split_groups as split_groups
    from awd_cme.dataset import split_tracks as split_tracks
    from awd_cme.dataset import yeast_problem as yeast_problem
    from awd_cme.detect import detect_spots as detect_spots
    from awd_cme.detect import estimate_sigma as estimate_sigma
    from awd_cme.evaluate import score_tracks as score_tracks
    from awd_cme.features import MaxCoefficients as MaxCoefficients
    from awd_cme.intervals import coefficient_intervals as coefficient_intervals
    from awd_cme.link import link_spots as link_spots
    from awd_cme.link import track_movie as track_movie
    from awd_cme.losses import LossReport as LossReport
    from awd_cme.movies import Movie as Movie
    from awd_cme.movies import open_movie as open_movie
    from awd_cme.movies import write_movie as write_movie
    from awd_cme.networks import SeriesLSTM as SeriesLSTM
    from awd_cme.pipeline import read_results as read_results
    from awd_cme.pipeline import run_pipeline as run_pipeline
    from awd_cme.predict import predict_tracks as predict_tracks
    from awd_cme.readers import read_tracks as read_tracks
    from awd_cme.regress import SeriesLogistic as SeriesLogistic
    from awd_cme.regress import SeriesRidge as SeriesRidge
    from awd_cme.render import RenderedMovie as RenderedMovie
    from awd_cme.render import render_tracks as render_tracks
    from awd_cme.report import write_report as write_report
    from awd_cme.run_job import RunJob as RunJob
    from awd_cme.scaling import fit_z_scores as fit_z_scores
    from awd_cme.series import extract as extract
    from awd_cme.series_set import SeriesSet as SeriesSet
    from awd_cme.series_set import SeriesSettings as SeriesSettings
    from awd_cme.settings_search import search_settings as search_settings
    from awd_cme.simulate import SimulatedMovie as SimulatedMovie
    from awd_cme.simulate import read_truth as read_truth
    from awd_cme.simulate import simulate_dataset as simulate_dataset
    from awd_cme.simulate import simulate_movie as simulate_movie
    from awd_cme.splits_of_run import run_splits as run_splits
    from awd_cme.spots import SpotFits as SpotFits
    from awd_cme.spots import fit_spots as fit_spots
    from awd_cme.teacher import SeriesEnsemble as SeriesEnsemble
    from awd_cme.teacher import SeriesTeacher as SeriesTeacher
    from awd_cme.teacher import SeriesTeacherClassifier as SeriesTeacherClassifier
    from awd_cme.tracks import make_table as make_table
    from awd_cme.tracks import summary as summary
    from awd_cme.tracks import validate as validate
    from awd_cme.writers import write_csv as write_csv
    from awd_cme.writers import write_napari as write_napari
    from awd_cme.writers import write_parquet as write_parquet

_HOME = {
    "Camera": "camera",
    "LossReport": "losses",
    "MaxCoefficients": "features",
    "ModelCard": "card",
    "Movie": "movies",
    "RenderedMovie": "render",
    "RunJob": "run_job",
    "SeriesEnsemble": "teacher",
    "SeriesLSTM": "networks",
    "SeriesLogistic": "regress",
    "SeriesRidge": "regress",
    "SeriesSet": "series_set",
    "SeriesSettings": "series_set",
    "SeriesTeacher": "teacher",
    "SeriesTeacherClassifier": "teacher",
    "SimulatedMovie": "simulate",
    "SpotFits": "spots",
    "aperture_sums": "apertures",
    "clustered_bootstrap": "bootstrap",
    "coefficient_intervals": "intervals",
    "detect_spots": "detect",
    "estimate_sigma": "detect",
    "extract": "series",
    "fit_spots": "spots",
    "fit_z_scores": "scaling",
    "link_spots": "link",
    "make_series": "dataset",
    "make_table": "tracks",
    "open_movie": "movies",
    "predict_tracks": "predict",
    "read_results": "pipeline",
    "read_tracks": "readers",
    "read_truth": "simulate",
    "render_tracks": "render",
    "run_pipeline": "pipeline",
    "run_splits": "splits_of_run",
    "score_tracks": "evaluate",
    "search_settings": "settings_search",
    "simulate_dataset": "simulate",
    "simulate_movie": "simulate",
    "split_groups": "dataset",
    "split_tracks": "dataset",
    "summary": "tracks",
    "track_movie": "link",
    "validate": "tracks",
    "write_csv": "writers",
    "write_movie": "movies",
    "write_napari": "writers",
    "write_parquet": "writers",
    "write_report": "report",
    "yeast_problem": "dataset",
}

__all__ = sorted(_HOME)
__version__ = version("awd-cme")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
