"""Wavelet coefficients as features, for scikit-learn: one row per sample, and samples back from such rows."""

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from awd_core.checks.columns import Columns
from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import whole_number
from awd_core.transforms.boundary import without_boundary_warnings
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d, transformed_axes
from awd_core.typing import AnyArray
from awd_core.wavelets.wavelet import Wavelet


class WaveletTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Wavelet coefficients of every sample, as a table of features.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    levels : int or None
        Number of levels; None for as many as fit.
    mode : str
        Boundary mode, by PyWavelets' name.
    ndim : int, optional
        1 or 2 transformed axes; needed where X has three axes, else told by their number.

    Attributes
    ----------
    wavelet_ : Wavelet
        The wavelet.
    sample_shape_ : tuple of int
        Shape of a sample.
    n_features_in_ : int
        Size of axis 1, as scikit-learn has it: the length of a series.
    feature_names_in_ : ndarray of str
        Names of the columns, if X was a table that has some; others, or another order, are refused.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((5, 16))
    >>> transformer = WaveletTransformer("db2", levels=2).fit(X)
    >>> S = transformer.transform(X)
    >>> S.shape, list(transformer.get_feature_names_out()[[0, 6, 12]])
    ((5, 21), ['cA2[0]', 'cD2[0]', 'cD1[0]'])
    >>> bool(np.allclose(transformer.inverse_transform(S), X))
    True
    """

    def __init__(
        self, wavelet: Any = "db5", levels: int | None = 4, mode: str = "zero", ndim: int | None = None
    ) -> None:
        self.wavelet = wavelet
        self.levels = levels
        self.mode = mode
        self.ndim = ndim

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take note of the shape of a sample; nothing is learnt.

        Parameters
        ----------
        X : array_like, shape (n, …, N) or (n, …, H, W)
            Samples; three axes need `ndim`.
        y : ignored

        Raises
        ------
        ValueError
            If X, the wavelet, the levels or the mode will not do, or do not belong together.
        """
        self._checked(X, reset=True)
        self.wavelet_ = Wavelet.of(self.wavelet)
        self._template()  # raises, and warns of levels beyond the signal's, once
        return self

    def transform(self, X: Any) -> AnyArray:
        """Coefficients of every sample.

        Parameters
        ----------
        X : array_like, shape (n, *sample_shape_)
            Samples, float32 or float64; anything else becomes float64.

        Returns
        -------
        ndarray, shape (n, n_coefficients), of X's type
            Bands from coarse to fine, each raveled in C order, axes that are not transformed included; see
            `get_feature_names_out`.
        """
        check_is_fitted(self)
        x = torch.from_numpy(self._checked(X, reset=False))
        with torch.no_grad(), without_boundary_warnings():
            bands = [band.reshape(len(x), -1) for band in self._dwt()(x).tensors()]
        rows: AnyArray = torch.cat(bands, dim=1).numpy()
        return rows

    def inverse_transform(self, X: Any) -> AnyArray:
        """Samples from their coefficients: the very ones if the wavelet is orthonormal.

        Parameters
        ----------
        X : array_like, shape (n, n_coefficients)
            Coefficients as `transform` returns them.

        Returns
        -------
        ndarray, shape (n, *sample_shape_)
        """
        check_is_fitted(self)
        rows = check_array(real_array(X), dtype=[np.float64, np.float32], input_name="X")
        with without_boundary_warnings():
            template = self._template()
        shapes = [tuple(band.shape[1:]) for band in template.tensors()]
        sizes = [math.prod(shape) for shape in shapes]
        if rows.shape[1] != sum(sizes):
            raise ValueError(
                f"X has {rows.shape[1]} coefficients per sample; samples of shape {self.sample_shape_} have "
                f"{sum(sizes)}"
            )
        parts = torch.split(torch.from_numpy(np.require(rows, requirements=["C", "W"])), sizes, dim=1)
        bands = iter([part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)])
        with torch.no_grad():
            x: AnyArray = self._dwt().inverse(template.map(lambda _: next(bands))).numpy()
        return x

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the coefficients: band, level and place, such as cA4[0], cD4[3], or in two dimensions cH2[1,5].

        Parameters
        ----------
        input_features : array_like of str, optional
            Only their number, and agreement with those seen in `fit`, is looked at.
        """
        check_is_fitted(self)
        if input_features is not None:
            seen = getattr(self, "feature_names_in_", None)
            if seen is not None and not np.array_equal(seen, np.asarray(input_features, dtype=object)):
                raise ValueError("input_features is not equal to feature_names_in_; give those of fit, or none")
            if len(input_features) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features ({self.n_features_in_}), got "
                    f"{len(input_features)}"
                )
        with without_boundary_warnings():
            approximation, *details = self._template()
        named = [(f"cA{len(details)}", approximation)]
        for level, entry in zip(range(len(details), 0, -1), details, strict=True):
            letters, bands = ("HVD", entry) if isinstance(entry, tuple) else ("D", (entry,))
            named += [(f"c{letter}{level}", band) for letter, band in zip(letters, bands, strict=True)]
        return np.array(
            [f"{name}[{','.join(map(str, place))}]" for name, band in named for place in np.ndindex(*band.shape[1:])],
            dtype=object,
        )

    def _checked(self, X: Any, *, reset: bool) -> AnyArray:
        """X as a contiguous array of float32 or float64, of the shape of `fit` unless that is now taken note of."""
        values = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        x = check_array(real_array(values), dtype=[np.float64, np.float32], allow_nd=True, input_name="X")
        if reset:
            self._axes = transformed_axes(x.shape, None if self.ndim is None else whole_number("ndim", self.ndim))
            self.sample_shape_: tuple[int, ...] = tuple(x.shape[1:])
            Columns.of(X, x.shape).keep(self)
        else:
            if x.ndim == len(self.sample_shape_) + 1:
                Columns.kept_by(self).check(X, x.shape, self)
            if x.shape[1:] != self.sample_shape_:
                raise ValueError(f"samples of X have shape {x.shape[1:]}; fit saw {self.sample_shape_}")
        checked: AnyArray = np.require(x, requirements=["C", "W"])  # what torch wants, of a memory map too
        return checked

    def _dwt(self) -> DWT1d | DWT2d:
        transform = DWT1d if self._axes == 1 else DWT2d
        levels = None if self.levels is None else whole_number("levels", self.levels, none="as many as fit")
        return transform(self.wavelet_, levels, self.mode, check_finite=False)

    def _template(self) -> Coefficients:
        """Coefficients of one sample of zeros: their number, shapes and order."""
        coefficients: Coefficients = self._dwt()(torch.zeros(1, *self.sample_shape_))
        return coefficients
