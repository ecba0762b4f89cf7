"""From weak-lensing mass maps to cosmological parameters with an adaptively distilled wavelet.

Public names are loaded when they are first asked for.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from awd_cosmo.archives import BadMap as BadMap
    from awd_cosmo.counts import PeakCounts as PeakCounts
    from awd_cosmo.design import latin_hypercube as latin_hypercube
    from awd_cosmo.design import sobol as sobol
    from awd_cosmo.fits import read_map as read_map
    from awd_cosmo.fits import write_map as write_map
    from awd_cosmo.halos import HaloModel as HaloModel
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
    from awd_cosmo.regress import CountRidge as CountRidge
    from awd_cosmo.regress import EmulatorPosterior as EmulatorPosterior
    from awd_cosmo.regress import NearestCosmology as NearestCosmology
    from awd_cosmo.regress import PeakCountRegressor as PeakCountRegressor
    from awd_cosmo.resnet import ResNet as ResNet
    from awd_cosmo.resnet import ResNet18 as ResNet18
    from awd_cosmo.resnet import ResNet34 as ResNet34
    from awd_cosmo.scales import ScaleCounts as ScaleCounts
    from awd_cosmo.scoring import coverage as coverage
    from awd_cosmo.scoring import fair_score as fair_score
    from awd_cosmo.scoring import paired_ratio as paired_ratio
    from awd_cosmo.scoring import regression_scores as regression_scores
    from awd_cosmo.simulate import simulate_maps as simulate_maps
    from awd_cosmo.simulate import simulate_suite as simulate_suite
    from awd_cosmo.simulate import theory_table as theory_table
    from awd_cosmo.spectrum import PowerSpectrum as PowerSpectrum
    from awd_cosmo.splits import Split as Split
    from awd_cosmo.splits import cross_validation_folds as cross_validation_folds
    from awd_cosmo.splits import split_maps as split_maps
    from awd_cosmo.starlet import StarletCounts as StarletCounts
    from awd_cosmo.statistic import Statistic as Statistic
    from awd_cosmo.teacher import MapTeacher as MapTeacher
    from awd_cosmo.teacher import SkyAugmentation as SkyAugmentation
    from awd_cosmo.undecimated import wavelet_scales as wavelet_scales

_HOME = {
    "BadMap": "archives",
    "CountRidge": "regress",
    "EmulatorPosterior": "regress",
    "HaloModel": "halos",
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
    "ScaleCounts": "scales",
    "Setup": "map_model",
    "SkyAugmentation": "teacher",
    "Split": "splits",
    "StarletCounts": "starlet",
    "Statistic": "statistic",
    "coverage": "scoring",
    "cross_validation_folds": "splits",
    "empty_beam": "lensing",
    "fair_score": "scoring",
    "find_peaks": "peaks",
    "latin_hypercube": "design",
    "lensing_theory": "lensing",
    "open_maps": "maps",
    "pack_models": "layout_writer",
    "paired_ratio": "scoring",
    "read_map": "fits",
    "regression_scores": "scoring",
    "simulate_maps": "simulate",
    "simulate_suite": "simulate",
    "sobol": "design",
    "split_maps": "splits",
    "theory_table": "simulate",
    "wavelet_kernels": "kernels",
    "wavelet_scales": "undecimated",
    "write_map": "fits",
    "write_suite": "layout_writer",
}

__all__ = sorted(_HOME)
__version__ = version("awd-cosmo")


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
