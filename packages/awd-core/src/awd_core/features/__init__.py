"""Wavelet coefficients as features, for scikit-learn.

Transformers with a wavelet that is given or distilled, and the choice of a path's point by cross-validation.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.features.distiller import WaveletDistiller as WaveletDistiller
    from awd_core.features.folds import Folds as Folds
    from awd_core.features.folds import Rows as Rows
    from awd_core.features.folds import balanced_folds as balanced_folds
    from awd_core.features.folds import dealt_folds as dealt_folds
    from awd_core.features.folds import train_and_test as train_and_test
    from awd_core.features.select import Selection as Selection
    from awd_core.features.select import select_point as select_point
    from awd_core.features.transformer import WaveletTransformer as WaveletTransformer

_HOME = {
    "Folds": "folds",
    "Rows": "folds",
    "Selection": "select",
    "WaveletDistiller": "distiller",
    "WaveletTransformer": "transformer",
    "balanced_folds": "folds",
    "dealt_folds": "folds",
    "select_point": "select",
    "train_and_test": "folds",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
