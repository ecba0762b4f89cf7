"""From weak-lensing mass maps to cosmological parameters with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.formats.archives import BadMap as BadMap
    from awd_cosmo.formats.fits import read_map as read_map
    from awd_cosmo.formats.fits_writer import write_map as write_map
    from awd_cosmo.inference.estimators import CountRidge as CountRidge
    from awd_cosmo.inference.estimators import EmulatorPosterior as EmulatorPosterior
    from awd_cosmo.inference.estimators import NearestCosmology as NearestCosmology
    from awd_cosmo.inference.estimators import PeakCountRegressor as PeakCountRegressor
    from awd_cosmo.inference.folds import cross_validation_folds as cross_validation_folds
    from awd_cosmo.inference.model import Model as Model
    from awd_cosmo.inference.model import Prediction as Prediction
    from awd_cosmo.inference.predict import MapPrediction as MapPrediction
    from awd_cosmo.inference.predict import predict_files as predict_files
    from awd_cosmo.inference.predict import predict_map as predict_map
    from awd_cosmo.inference.results import Results as Results
    from awd_cosmo.inference.scores import coverage as coverage
    from awd_cosmo.inference.scores import fair_score as fair_score
    from awd_cosmo.inference.splits import Split as Split
    from awd_cosmo.inference.splits import split_maps as split_maps
    from awd_cosmo.inference.uncertainty import paired_ratio as paired_ratio
    from awd_cosmo.inference.uncertainty import regression_scores as regression_scores
    from awd_cosmo.maps.layout_writer import pack_models as pack_models
    from awd_cosmo.maps.layout_writer import write_suite as write_suite
    from awd_cosmo.maps.open import MapSet as MapSet
    from awd_cosmo.maps.open import open_maps as open_maps
    from awd_cosmo.report.page import write_report as write_report
    from awd_cosmo.run.job import Job as Job
    from awd_cosmo.run.pipeline import run_pipeline as run_pipeline
    from awd_cosmo.simulate.design import latin_hypercube as latin_hypercube
    from awd_cosmo.simulate.design import sobol as sobol
    from awd_cosmo.simulate.halos import HaloModel as HaloModel
    from awd_cosmo.simulate.lensing import empty_beam as empty_beam
    from awd_cosmo.simulate.lensing import lensing_theory as lensing_theory
    from awd_cosmo.simulate.map_model import Setup as Setup
    from awd_cosmo.simulate.simulation import simulate_maps as simulate_maps
    from awd_cosmo.simulate.simulation import simulate_suite as simulate_suite
    from awd_cosmo.simulate.simulation import theory_table as theory_table
    from awd_cosmo.statistics.counts import PeakCounts as PeakCounts
    from awd_cosmo.statistics.kernels import wavelet_kernels as wavelet_kernels
    from awd_cosmo.statistics.peaks import find_peaks as find_peaks
    from awd_cosmo.statistics.scales import ScaleCounts as ScaleCounts
    from awd_cosmo.statistics.spectrum import PowerSpectrum as PowerSpectrum
    from awd_cosmo.statistics.starlet import StarletCounts as StarletCounts
    from awd_cosmo.statistics.statistic import Statistic as Statistic
    from awd_cosmo.statistics.undecimated import wavelet_scales as wavelet_scales
    from awd_cosmo.teacher.augmentation import SkyAugmentation as SkyAugmentation
    from awd_cosmo.teacher.resnet import ResNet as ResNet
    from awd_cosmo.teacher.resnet import ResNet18 as ResNet18
    from awd_cosmo.teacher.resnet import ResNet34 as ResNet34
    from awd_cosmo.teacher.teacher import MapTeacher as MapTeacher

_HOME = {
    "BadMap": "formats.archives",
    "CountRidge": "inference.estimators",
    "EmulatorPosterior": "inference.estimators",
    "HaloModel": "simulate.halos",
    "Job": "run.job",
    "MapPrediction": "inference.predict",
    "MapSet": "maps.open",
    "MapTeacher": "teacher.teacher",
    "Model": "inference.model",
    "NearestCosmology": "inference.estimators",
    "PeakCountRegressor": "inference.estimators",
    "PeakCounts": "statistics.counts",
    "PowerSpectrum": "statistics.spectrum",
    "Prediction": "inference.model",
    "ResNet": "teacher.resnet",
    "ResNet18": "teacher.resnet",
    "ResNet34": "teacher.resnet",
    "Results": "inference.results",
    "ScaleCounts": "statistics.scales",
    "Setup": "simulate.map_model",
    "SkyAugmentation": "teacher.augmentation",
    "Split": "inference.splits",
    "StarletCounts": "statistics.starlet",
    "Statistic": "statistics.statistic",
    "coverage": "inference.scores",
    "cross_validation_folds": "inference.folds",
    "empty_beam": "simulate.lensing",
    "fair_score": "inference.scores",
    "find_peaks": "statistics.peaks",
    "latin_hypercube": "simulate.design",
    "lensing_theory": "simulate.lensing",
    "open_maps": "maps.open",
    "pack_models": "maps.layout_writer",
    "paired_ratio": "inference.uncertainty",
    "predict_files": "inference.predict",
    "predict_map": "inference.predict",
    "read_map": "formats.fits",
    "regression_scores": "inference.uncertainty",
    "run_pipeline": "run.pipeline",
    "simulate_maps": "simulate.simulation",
    "simulate_suite": "simulate.simulation",
    "sobol": "simulate.design",
    "split_maps": "inference.splits",
    "theory_table": "simulate.simulation",
    "wavelet_kernels": "statistics.kernels",
    "wavelet_scales": "statistics.undecimated",
    "write_map": "formats.fits_writer",
    "write_report": "report.page",
    "write_suite": "maps.layout_writer",
}

__all__ = sorted(_HOME)
__version__ = version("awd-cosmo")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
