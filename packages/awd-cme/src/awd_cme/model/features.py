"""Features of the readable model: the few largest wavelet coefficients of each scale, as a scikit-learn transformer."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from awd_cme.model.coefficients import Selection, analysis_matrices, centre_times, scales
from awd_core.checks import Columns, is_real_number, real_array
from awd_core.typing import Array
from awd_core.wavelets import Wavelet

FEATURES: dict[str, dict[str, Any]] = {
    "published": {"which": "positive", "most": 6},
    "both": {"which": "both", "most": 6},
    "timed": {"which": "both", "most": 2, "positions": True, "energies": True},
}
"""Options of `MaxCoefficients` by name.

"timed" did best in cross-validation on training tracks of the yeast files: fewer coefficients of each scale, and when
they come.
"""


class MaxCoefficients(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The most extreme coefficients of each scale of a wavelet transform.

    The published features are the six largest coefficients of the approximation and of four detail scales
    (`which="positive"`), sorted: numbers that say how much of a shape there is, not when.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    levels : int
        Number of levels.
    mode : str
        Boundary mode: zero as published, or constant, symmetric, periodic, reflect.
    most : int
        How many of each kind per scale.
    which : {"positive", "negative", "absolute", "signed", "both"}
        The largest, the most negative, the largest absolute values, the largest by absolute value with their signs, or
        both the largest and the most negative.
    positions : bool
        Whether their times are features too: the centre of the coefficient's filter, from the first sample.
    energies : bool
        Whether the root of the sum of squares over each scale is a feature.
    seconds_per_sample : float, optional
        For names and times in seconds; in samples if not given.

    Attributes
    ----------
    wavelet_ : Wavelet
        The wavelet.
    n_features_in_ : int
        Samples N of a series.
    feature_names_in_ : ndarray of str
        Names of the samples, if X was a table that has some; others, or another order, are refused.
    matrices_ : list of ndarray, shapes (k, N)
        The transform, band by band from coarse to fine.
    times_ : list of ndarray, shapes (k,)
        When each coefficient is, in seconds or samples.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((5, 40))
    >>> features = MaxCoefficients("db5", most=2, which="both", seconds_per_sample=1.0).fit(X)
    >>> features.transform(X).shape, list(features.get_feature_names_out()[[0, 4]])
    ((5, 20), ['approximation 16 s, largest 1', 'detail 16 s, largest 1'])
    """

    def __init__(
        self,
        wavelet: Any = "db5",
        levels: int = 4,
        mode: str = "zero",
        most: int = 6,
        which: str = "positive",
        positions: bool = False,
        energies: bool = False,
        seconds_per_sample: float | None = None,
    ) -> None:
        self.wavelet = wavelet
        self.levels = levels
        self.mode = mode
        self.most = most
        self.which = which
        self.positions = positions
        self.energies = energies
        self.seconds_per_sample = seconds_per_sample

    def fit(self, X: Any, y: Any = None) -> Self:
        """Build the transform for series of this length; nothing is learnt.

        Parameters
        ----------
        X : array_like, shape (n, N)
            Series.
        y : ignored

        Raises
        ------
        ValueError
            If X, the wavelet or an option will not do.
        """
        x = check_array(real_array(X), dtype=np.float64, input_name="X")
        self.selection  # noqa: B018 - raises for options that will not do
        self.wavelet_ = Wavelet.of(self.wavelet)
        Columns.of(X, x.shape).keep(self)
        self.matrices_ = analysis_matrices(self.wavelet_.taps, x.shape[1], self.levels, self.mode)
        if self.seconds_per_sample is not None and not (
            is_real_number(self.seconds_per_sample) and self.seconds_per_sample > 0
        ):
            raise ValueError(f"seconds_per_sample is {self.seconds_per_sample!r}; give a positive number, or None")
        step = 1.0 if self.seconds_per_sample is None else float(self.seconds_per_sample)
        self.times_ = [times * step for times in centre_times(self.wavelet_.taps, x.shape[1], self.levels)]
        return self

    @property
    def selection(self) -> Selection:
        """Which coefficients are features."""
        return Selection(self.which, self.most, self.positions, self.energies)

    def transform(self, X: Any) -> Array:
        """Features of every series.

        Parameters
        ----------
        X : array_like, shape (n, N)
            Series.

        Returns
        -------
        ndarray, shape (n, features)
            Scales from coarse to fine, each as `awd_cme.model.coefficients.Selection.select` orders it.
        """
        check_is_fitted(self)
        x = check_array(real_array(X), dtype=np.float64, input_name="X")
        Columns.kept_by(self).check(X, x.shape, self)
        selection = self.selection
        bands = zip(self.matrices_, self.times_, strict=True)
        return np.concatenate([selection.select(x @ matrix.T, times) for matrix, times in bands], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names that say scale (in seconds where they are known), kind and rank.

        Parameters
        ----------
        input_features : ignored
        """
        check_is_fitted(self)
        named = zip(scales(self.levels, self.seconds_per_sample), self.matrices_, strict=True)
        return np.array(
            [name for (scale, _), matrix in named for name in self.selection.names(scale, len(matrix))], dtype=object
        )
