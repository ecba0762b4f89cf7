"""Linear dictionaries of atoms as transforms: any matrix, and the fitted decompositions of scikit-learn."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_core.checks.real_numbers import real_array
from awd_core.transforms.autocast import in_full_precision
from awd_core.transforms.fourier import check_trailing
from awd_core.typing import AnyArray, Array

TIGHT = 1e-10
"""How far, relative to its bound, a frame operator may be from a multiple of the identity and still count as tight."""


def _real(values: Any, name: str) -> Array:
    given = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return real_array(given, name).astype(np.float64)


class LinearDictionary(nn.Module):
    """A linear dictionary: an input is an offset plus a weighted sum of atoms, and the weights are its coefficients.

    Parameters
    ----------
    atoms : array_like, shape (n_atoms, *shape)
        The atoms, in the shape of one input (without batch and channel axes).
    offset : array_like, shape (*shape), optional
        Added to the sum of atoms; a mean, say.
    analysis : array_like, shape (n_features, n_atoms), or callable, optional
        How coefficients are found: (x − offset) @ analysis, or a function from flat inputs (n, n_features) to
        coefficients (n, n_atoms) in NumPy, through which no gradient flows (none is needed to attribute). By default
        the coefficients of least squares, of the smallest norm where they are not unique: inner products with the
        atoms over the frame bound if the dictionary is tight (or orthonormal), else the pseudo-inverse.

    Attributes
    ----------
    frame_bound : float or None
        A, where the atoms are orthogonal with squared norms A, or a tight frame Σₖ ⟨x, wₖ⟩ wₖ = A x; else None.

    Raises
    ------
    ValueError
        For shapes that do not fit, or values that are not finite.

    Examples
    --------
    >>> dictionary = LinearDictionary([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> dictionary.inverse(dictionary(torch.tensor([[3.0, -1.0]], dtype=torch.float64))).round(decimals=9)
    tensor([[ 3., -1.]], dtype=torch.float64)
    """

    atoms: Tensor
    offset: Tensor
    analysis: Tensor  # None where `encode` does its work

    def __init__(
        self,
        atoms: npt.ArrayLike,
        *,
        offset: npt.ArrayLike | None = None,
        analysis: npt.ArrayLike | Callable[[AnyArray], Any] | None = None,
    ) -> None:
        super().__init__()
        w = _real(atoms, "atoms")
        if w.ndim < 2 or 0 in w.shape:
            raise ValueError(f"atoms must have shape (n_atoms, *shape of one input), got shape {w.shape}.")
        self.shape = w.shape[1:]
        flat = w.reshape(len(w), -1)
        c = np.zeros(self.shape) if offset is None else _real(offset, "offset")
        if c.shape != self.shape:
            raise ValueError(f"offset must have the shape {self.shape} of one atom, got {c.shape}.")
        if not (np.isfinite(flat).all() and np.isfinite(c).all()):
            raise ValueError("atoms and offset must be finite; look for NaN or infinite values.")
        self.frame_bound = _frame_bound(flat)
        self.encode = analysis if callable(analysis) else None
        self.register_buffer("atoms", torch.from_numpy(flat.copy()))
        self.register_buffer("offset", torch.from_numpy(c.ravel().copy()))
        matrix = None if callable(analysis) else _analysis_matrix(flat, analysis, self.frame_bound)
        self.register_buffer("analysis", matrix)

    @classmethod
    def from_sklearn(cls, fitted: Any, *, shape: Sequence[int] | None = None) -> "LinearDictionary":
        """Make the dictionary of a fitted decomposition of scikit-learn.

        Coefficients come from the estimator's own ``transform``, and atoms and offset are read off its
        ``inverse_transform``, so that whitening and means are as scikit-learn has them. That holds for PCA,
        IncrementalPCA, TruncatedSVD, FastICA, NMF, MiniBatchNMF, SparsePCA, DictionaryLearning, FactorAnalysis and
        whatever else has ``components_`` and a linear inverse. What the components leave out of an input is its
        residual, x − inverse(forward(x)). NMF iterates until a tolerance is met by the rows given together, so its
        coefficients depend slightly on which they are.

        Parameters
        ----------
        fitted : estimator
            Fitted on flat inputs (n_samples, n_features).
        shape : sequence of int, optional
            Shape of one input, if it is not flat: (8, 8) for images that were fitted as rows of 64.

        Returns
        -------
        LinearDictionary

        Raises
        ------
        sklearn.exceptions.NotFittedError
            For an estimator that is not fitted (a ValueError).
        TypeError
            For an estimator without components, or whose inverse is not linear.

        Examples
        --------
        >>> from sklearn.decomposition import PCA
        >>> x = np.random.default_rng(0).normal(size=(20, 4))
        >>> pca = LinearDictionary.from_sklearn(PCA().fit(x), shape=(2, 2))
        >>> images = torch.from_numpy(x).reshape(20, 2, 2)
        >>> bool(torch.allclose(pca.inverse(pca(images)), images))
        True
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(fitted)
        atoms, offset = _sklearn_synthesis(fitted)
        size = (atoms.shape[1],) if shape is None else tuple(int(length) for length in shape)
        if math.prod(size) != atoms.shape[1]:
            raise ValueError(f"shape {size} has {math.prod(size)} values, but the estimator has {atoms.shape[1]}.")
        dtype = fitted.components_.dtype  # NMF refuses data of another precision than its components

        def encode(flat: AnyArray) -> AnyArray:
            codes = np.asarray(fitted.transform(flat.astype(dtype, copy=False)))
            return codes.reshape(len(flat), -1)  # SparsePCA drops the axis of a single sample

        return cls(atoms.reshape(-1, *size), offset=offset.reshape(size), analysis=encode)

    @in_full_precision
    def forward(self, x: Tensor) -> Tensor:
        """Coefficients, shape (…, n_atoms), of `x` of shape (…, *shape)."""
        flat = self._flat(x, "x")
        if self.encode is None:
            return (flat - self.offset.to(x)) @ self.analysis.to(x)
        rows = flat.detach().reshape(-1, self.atoms.shape[1]).cpu().numpy()
        codes = np.asarray(self.encode(rows))
        if codes.shape != (len(rows), len(self.atoms)):
            raise ValueError(f"analysis must give shape {(len(rows), len(self.atoms))}, it gave {codes.shape}.")
        return torch.as_tensor(codes, dtype=x.dtype, device=x.device).reshape(*flat.shape[:-1], -1)

    @in_full_precision
    def inverse(self, coefficients: Tensor) -> Tensor:
        """Offset plus weighted atoms, shape (…, *shape), of coefficients of shape (…, n_atoms)."""
        check_trailing(coefficients, (len(self.atoms),), "coefficients")
        flat = coefficients @ self.atoms.to(coefficients) + self.offset.to(coefficients)
        return flat.reshape(*coefficients.shape[:-1], *self.shape)

    @in_full_precision
    def adjoint_forward(self, gradients: Tensor) -> Tensor:
        """Gradient with respect to the coefficients, from the one with respect to x: its products with the atoms."""
        return self._flat(gradients, "gradients") @ self.atoms.T.to(gradients)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"n_atoms={len(self.atoms)}, shape={self.shape}, frame_bound={self.frame_bound}"

    def _flat(self, x: Tensor, name: str) -> Tensor:
        check_trailing(x, self.shape, name)
        return x.reshape(*x.shape[: x.ndim - len(self.shape)], self.atoms.shape[1])


def _frame_bound(flat: Array) -> float | None:
    gram = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
    bound = float(np.trace(gram) / len(gram))
    tight = bound > 0 and np.abs(gram - bound * np.eye(len(gram))).max() <= TIGHT * bound
    return bound if tight else None


def _analysis_matrix(flat: Array, analysis: npt.ArrayLike | None, frame_bound: float | None) -> Tensor:
    if analysis is not None:
        matrix = np.asarray(analysis, dtype=np.float64)
        if matrix.shape != flat.shape[::-1]:
            raise ValueError(f"analysis must have shape {flat.shape[::-1]} (n_features, n_atoms), got {matrix.shape}.")
        return torch.from_numpy(matrix.copy())
    if frame_bound is not None:
        return torch.from_numpy(flat.T / frame_bound)
    return torch.from_numpy(np.linalg.pinv(flat))


def _sklearn_synthesis(fitted: Any) -> tuple[Array, Array]:
    """Atoms (n_atoms, n_features) and offset (n_features,) of a fitted decomposition."""
    from sklearn.decomposition import DictionaryLearning, FactorAnalysis, MiniBatchDictionaryLearning

    name = type(fitted).__name__
    components = np.asarray(getattr(fitted, "components_", np.empty(0)), dtype=np.float64)
    if components.ndim != 2:
        raise TypeError(f"{name} has no matrix components_; give a fitted PCA, NMF, FastICA, TruncatedSVD or the like.")
    if getattr(fitted, "split_sign", False):
        components = np.concatenate([components, -components])
    if hasattr(fitted, "inverse_transform"):
        unit = np.eye(len(components))
        offset = np.asarray(fitted.inverse_transform(0 * unit[:1]), dtype=np.float64)[0]
        atoms = np.asarray(fitted.inverse_transform(unit), dtype=np.float64) - offset
        trial = np.random.default_rng(0).random((2, len(unit)))
        again = np.asarray(fitted.inverse_transform(trial), dtype=np.float64)
        if not np.allclose(again, trial @ atoms + offset, rtol=1e-5, atol=1e-5 * np.abs(again).max()):
            raise TypeError(f"The inverse_transform of {name} is not linear; put it before the model as it is.")
        return atoms, offset
    if isinstance(fitted, DictionaryLearning | MiniBatchDictionaryLearning | FactorAnalysis):
        mean = getattr(fitted, "mean_", np.zeros(components.shape[1]))
        return components, np.asarray(mean, dtype=np.float64)
    raise TypeError(f"{name} has no inverse_transform, so it does not say what its components stand for.")
