"""From weak-lensing mass maps to cosmological parameters with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.archives import BadMap as BadMap
    from awd_cosmo.counts import PeakCounts as PeakCounts
    from awd_cosmo.design import latin_hypercube as latin_hypercube
    from awd_cosmo.design import sobol as sobol
    from awd_cosmo.fits import read_map as read_map
    from awd_cosmo.fits_writer import write_map as write_map
    from awd_cosmo.folds import cross_validation_folds as cross_validation_folds
    from awd_cosmo.halos import HaloModel as HaloModel
    from awd_cosmo.job import Job as Job
    from awd_cosmo.kernels import wavelet_kernels as wavelet_kernels
    from awd_cosmo.layout_writer import pack_models as pack_models
    from awd_cosmo.layout_writer import write_suite as write_suite
    from awd_cosmo.lensing import empty_beam as empty_beam
    from awd_cosmo.lensing import lensing_theory as lensing_theory
    from awd_cosmo.map_model import Setup as Setup
    from awd_cosmo.maps import MapSet as MapSet
    from awd_cosmo.maps import open_maps as open_maps
    from awd_cosmo.model import Model as Model
    from awd_cosmo.model import Prediction as Prediction
    from awd_cosmo.peaks import find_peaks as find_peaks
    from awd_cosmo.pipeline import run_pipeline as run_pipeline
    from awd_cosmo.predict import MapPrediction as MapPrediction
    from awd_cosmo.predict import predict_files as predict_files
    from awd_cosmo.predict import predict_map as predict_map
    from awd_cosmo.regress import CountRidge as CountRidge
    from awd_cosmo.regress import EmulatorPosterior as EmulatorPosterior
    from awd_cosmo.regress import NearestCosmology as NearestCosmology
    from awd_cosmo.regress import PeakCountRegressor as PeakCountRegressor
    from awd_cosmo.report import write_report as write_report
    from awd_cosmo.resnet import ResNet as ResNet
    from awd_cosmo.resnet import ResNet18 as ResNet18
    from awd_cosmo.resnet import ResNet34 as ResNet34
    from awd_cosmo.results import Results as Results
    from awd_cosmo.scales import ScaleCounts as ScaleCounts
    from awd_cosmo.scoring import coverage as coverage
    from awd_cosmo.scoring import fair_score as fair_score
    from awd_cosmo.simulate import simulate_maps as simulate_maps
    from awd_cosmo.simulate import simulate_suite as simulate_suite
    from awd_cosmo.simulate import theory_table as theory_table
    from awd_cosmo.spectrum import PowerSpectrum as PowerSpectrum
    from awd_cosmo.splits import Split as Split
    from awd_cosmo.splits import split_maps as split_maps
    from awd_cosmo.starlet import StarletCounts as StarletCounts
    from awd_cosmo.statistic import Statistic as Statistic
    from awd_cosmo.teacher import MapTeacher as MapTeacher
    from awd_cosmo.turns import SkyAugmentation as SkyAugmentation
    from awd_cosmo.uncertainty import paired_ratio as paired_ratio
    from awd_cosmo.uncertainty import regression_scores as regression_scores
    from awd_cosmo.undecimated import wavelet_scales as wavelet_scales

_HOME = {
    "BadMap": "archives",
    "CountRidge": "regress",
    "EmulatorPosterior": "regress",
    "HaloModel": "halos",
    "Job": "job",
    "MapPrediction": "predict",
    "MapSet": "maps",
    "MapTeacher": "teacher",
    "Model": "model",
    "NearestCosmology": "regress",
    "PeakCountRegressor": "regress",
    "PeakCounts": "counts",
    "PowerSpectrum": "spectrum",
    "Prediction": "model",
    "ResNet": "resnet",
    "ResNet18": "resnet",
    "ResNet34": "resnet",
    "Results": "results",
    "ScaleCounts": "scales",
    "Setup": "map_model",
    "SkyAugmentation": "turns",
    "Split": "splits",
    "StarletCounts": "starlet",
    "Statistic": "statistic",
    "coverage": "scoring",
    "cross_validation_folds": "folds",
    "empty_beam": "lensing",
    "fair_score": "scoring",
    "find_peaks": "peaks",
    "latin_hypercube": "design",
    "lensing_theory": "lensing",
    "open_maps": "maps",
    "pack_models": "layout_writer",
    "paired_ratio": "uncertainty",
    "predict_files": "predict",
    "predict_map": "predict",
    "read_map": "fits",
    "regression_scores": "uncertainty",
    "run_pipeline": "pipeline",
    "simulate_maps": "simulate",
    "simulate_suite": "simulate",
    "sobol": "design",
    "split_maps": "splits",
    "theory_table": "simulate",
    "wavelet_kernels": "kernels",
    "wavelet_scales": "undecimated",
    "write_map": "fits_writer",
    "write_report": "report",
    "write_suite": "layout_writer",
}

__all__ = sorted(_HOME)
__version__ = version("awd-cosmo")
__getattr__, __dir__ = lazy_names(__name__, _HOME)
