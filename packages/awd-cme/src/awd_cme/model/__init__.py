"""The readable model: few coefficients of a wavelet, a linear predictor, and the card that holds it.

Chosen by cross-validation over whole cells, with intervals, scored by NumPy alone.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.model.bootstrap import clustered_bootstrap as clustered_bootstrap
    from awd_cme.model.card import ModelCard as ModelCard
    from awd_cme.model.features import FEATURES as FEATURES
    from awd_cme.model.features import MaxCoefficients as MaxCoefficients
    from awd_cme.model.intervals import coefficient_intervals as coefficient_intervals
    from awd_cme.model.predict import predict_tracks as predict_tracks
    from awd_cme.model.regression import SeriesLogistic as SeriesLogistic
    from awd_cme.model.regression import SeriesRidge as SeriesRidge
    from awd_cme.model.settings_search import search_settings as search_settings

_HOME = {
    "FEATURES": "features",
    "MaxCoefficients": "features",
    "ModelCard": "card",
    "SeriesLogistic": "regression",
    "SeriesRidge": "regression",
    "clustered_bootstrap": "bootstrap",
    "coefficient_intervals": "intervals",
    "predict_tracks": "predict",
    "search_settings": "settings_search",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
