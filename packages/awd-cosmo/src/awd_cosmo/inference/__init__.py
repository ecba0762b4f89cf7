"""From features to cosmological parameters: splits, estimators, error bars, scores, the saved model.

A `Model` goes from maps to parameters with NumPy alone, and says where it was not trained.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.inference.estimators import CountRidge as CountRidge
    from awd_cosmo.inference.estimators import NearestCosmology as NearestCosmology
    from awd_cosmo.inference.estimators import PeakCountRegressor as PeakCountRegressor
    from awd_cosmo.inference.folds import cross_validation_folds as cross_validation_folds
    from awd_cosmo.inference.model import Model as Model
    from awd_cosmo.inference.model import Prediction as Prediction
    from awd_cosmo.inference.posterior import EmulatorPosterior as EmulatorPosterior
    from awd_cosmo.inference.predict import MapPrediction as MapPrediction
    from awd_cosmo.inference.predict import predict_files as predict_files
    from awd_cosmo.inference.predict import predict_map as predict_map
    from awd_cosmo.inference.results import Results as Results
    from awd_cosmo.inference.scores import coverage as coverage
    from awd_cosmo.inference.scores import fair_score as fair_score
    from awd_cosmo.inference.splits import Split as Split
    from awd_cosmo.inference.splits import split_maps as split_maps
    from awd_cosmo.inference.training_range import TrainingDistribution as TrainingDistribution
    from awd_cosmo.inference.uncertainty import paired_ratio as paired_ratio
    from awd_cosmo.inference.uncertainty import regression_scores as regression_scores

_HOME = {
    "CountRidge": "estimators",
    "EmulatorPosterior": "posterior",
    "MapPrediction": "predict",
    "Model": "model",
    "NearestCosmology": "estimators",
    "PeakCountRegressor": "estimators",
    "Prediction": "model",
    "Results": "results",
    "Split": "splits",
    "TrainingDistribution": "training_range",
    "coverage": "scores",
    "cross_validation_folds": "folds",
    "fair_score": "scores",
    "paired_ratio": "uncertainty",
    "predict_files": "predict",
    "predict_map": "predict",
    "regression_scores": "uncertainty",
    "split_maps": "splits",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
