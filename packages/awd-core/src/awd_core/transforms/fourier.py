"""Transforms other than wavelets to which a prediction can be attributed, and what every transform has in common.

A transform here is anything with ``forward(x) -> coefficients`` and ``inverse(coefficients) -> x``. The coefficients
are a tensor, or lists, tuples and mappings of tensors, nested at will; `flatten_coefficients` gives their tensors in a
fixed order. The wavelet transforms of `awd_core.transforms.dwt` are transforms in this sense too.

`FourierTransform` here and `awd_core.transforms.LinearDictionary` have a linear synthesis x = Wᵀs + c. So the
attribution of their coefficients follows from the gradient of the model with respect to its input alone,
∂f/∂s = W ∇f(x), which is what ``adjoint_forward`` computes.
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import is_whole_number
from awd_core.typing import Array, Rows

CoefficientTree = Any
"""A tensor, or a list, tuple or mapping of coefficients."""


@runtime_checkable
class Transform(Protocol):
    """What `awd_core.attribution.TrimModel` asks of a transform. Torch modules are called as ``transform(x)``."""

    def forward(self, x: Tensor, /) -> CoefficientTree:
        """Coefficients of `x`, whose first axis is the batch."""
        ...

    def inverse(self, coefficients: Any, /) -> Tensor:
        """Input, or the part of it that the coefficients hold, in the shape of the input."""
        ...


def flatten_coefficients(coefficients: CoefficientTree) -> tuple[Tensor, ...]:
    """List the tensors of nested coefficients: depth first, sequences from left to right, mappings in insertion order.

    Parameters
    ----------
    coefficients : Tensor, list, tuple or mapping
        For a wavelet in two dimensions ``[cA, (cH, cV, cD), …]``, for instance.

    Returns
    -------
    tuple of Tensor
        The very tensors, not copies.

    Raises
    ------
    TypeError
        Where something else than a tensor, a sequence or a mapping is found.

    Examples
    --------
    >>> a, b, c = (torch.full((1, 2), value) for value in (0.0, 1.0, 2.0))
    >>> [int(leaf[0, 0]) for leaf in flatten_coefficients([a, (b, {"c": c})])]
    [0, 1, 2]
    """
    return tuple(_leaves(coefficients))


def unflatten_coefficients(structure: CoefficientTree, leaves: Sequence[Tensor]) -> CoefficientTree:
    """Build nested coefficients like an example from other tensors: the inverse of `flatten_coefficients`.

    Lists are copied with their attributes, so that coefficients that remember the shape of their input still do.

    Parameters
    ----------
    structure : Tensor, list, tuple or mapping
        An example of the structure.
    leaves : sequence of Tensor
        As many tensors as the example has, in the order of `flatten_coefficients`.

    Returns
    -------
    Tensor, list, tuple or dict
        As `structure`.

    Raises
    ------
    ValueError
        For another number of tensors.

    Examples
    --------
    >>> zero, one = torch.zeros(1), torch.ones(1)
    >>> unflatten_coefficients([zero, (zero,)], [one, zero])
    [tensor([1.]), (tensor([0.]),)]
    """
    expected = len(flatten_coefficients(structure))
    if len(leaves) != expected:
        raise ValueError(f"The structure has {expected} tensors, but {len(leaves)} were given; give one for each.")
    return _rebuilt(structure, iter(leaves))


class BandImportance(NamedTuple):
    """Attribution summed over bands of frequency; band k holds those from ``edges[k]`` up to ``edges[k + 1]``."""

    edges: Array
    """Shape (n_bands + 1,), in cycles per sample."""
    values: Tensor
    """Shape (…, n_bands): the leading axes of the attributions, then the bands."""
    counts: Rows
    """Shape (n_bands,): how many frequencies of the transform each band holds."""


class FourierTransform(nn.Module):
    """Orthonormal Fourier transform of real signals or images, with real coefficients.

    The coefficients have shape (…, *frequencies, 2): the cosine (real) and sine (imaginary) parts on the half-plane of
    `torch.fft.rfftn`. A frequency whose mirror image lies outside that half-plane stands for both and is scaled by √2.
    So the transform S keeps lengths, ‖Sx‖ = ‖x‖, and its inverse is its adjoint, SᵀS = 1, for odd and even sizes: the
    attribution ∂f/∂s = S ∇f(x) is the Fourier transform of the gradient. Where a coefficient is redundant (the sine at
    zero frequency, say) `inverse` takes the part that a real signal can have.

    Parameters
    ----------
    shape : int or sequence of int
        Sizes of the last axes, the ones that are transformed: ``40`` for series, ``(64, 64)`` for images.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> fourier = FourierTransform((5, 4))
    >>> x = torch.arange(20.0, dtype=torch.float64).reshape(1, 5, 4)
    >>> s = fourier(x)
    >>> s.shape, bool(torch.allclose(fourier.inverse(s), x)), bool(torch.isclose(s.norm(), x.norm()))
    (torch.Size([1, 5, 3, 2]), True, True)
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        sizes = list(shape) if isinstance(shape, Iterable) else [shape]
        if not sizes or not all(is_whole_number(size) and size >= 1 for size in sizes):
            raise ValueError(f"shape must hold one positive size for each axis to transform, got {shape!r}.")
        self.shape = tuple(map(int, sizes))
        self.frequency_shape = (*self.shape[:-1], self.shape[-1] // 2 + 1)
        self._axes = tuple(range(-len(self.shape), 0))

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients, shape (…, *frequencies, 2), of a real `x` of shape (…, *shape)."""
        check_trailing(x, self.shape, "x")
        spectrum = torch.fft.rfftn(x, dim=self._axes, norm="ortho")
        return torch.view_as_real(spectrum * self._weights(x))

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Real signal or image, shape (…, *shape), of coefficients of shape (…, *frequencies, 2)."""
        check_trailing(coefficients, (*self.frequency_shape, 2), "coefficients")
        weights = self._weights(coefficients)
        spectrum = torch.view_as_complex(coefficients.contiguous()) / weights
        if len(self.shape) > 1:
            spectrum = torch.fft.ifftn(spectrum, dim=self._axes[:-1], norm="ortho")
        # What is left to do is one-dimensional, and there the sine at the two ends has no effect. Back ends differ in
        # what they do with it unless it is zero.
        spectrum = torch.complex(spectrum.real, spectrum.imag * (weights > 1))
        x: Tensor = torch.fft.irfft(spectrum, n=self.shape[-1], norm="ortho")
        return x

    def adjoint_forward(self, gradients: Tensor) -> Tensor:
        """Gradient with respect to the coefficients, from the one with respect to x: the transform itself."""
        return self.forward(gradients)

    def frequencies(self) -> Array:
        """Frequency of each coefficient in cycles per sample, shape `frequency_shape`; in images the radial one."""
        axes = [np.fft.fftfreq(size) for size in self.shape[:-1]] + [np.fft.rfftfreq(self.shape[-1])]
        grids = np.meshgrid(*axes, indexing="ij")
        radial: Array = np.sqrt(sum(grid**2 for grid in grids))
        return radial

    def band_masks(self, bands: int | Sequence[float]) -> tuple[Array, Tensor]:
        """Masks that share out all frequencies among bands.

        Parameters
        ----------
        bands : int or sequence of float
            A number of bands of equal width from zero to the highest frequency, or rising edges in cycles per sample,
            the first 0 and the last at least the highest frequency (``math.inf`` will do). A frequency on an edge
            belongs to the band above, the highest one to the last band.

        Returns
        -------
        edges : ndarray, shape (n_bands + 1,)
            In cycles per sample.
        masks : Tensor of bool, shape (n_bands, *frequencies)
            True in exactly one band for each frequency.

        Raises
        ------
        ValueError
            If the edges do not rise, leave frequencies out, or a band holds no frequency.

        Examples
        --------
        >>> edges, masks = FourierTransform(8).band_masks([0, 0.2, 0.5])
        >>> masks.int().tolist()
        [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]]
        """
        frequencies = self.frequencies()
        edges = _band_edges(bands, float(frequencies.max()))
        # A frequency that meets an edge but for rounding is taken to be on it.
        band = np.searchsorted(edges, frequencies + 1e-12, side="right") - 1
        band = np.minimum(band, len(edges) - 2)
        masks = band == np.arange(len(edges) - 1).reshape(-1, *[1] * frequencies.ndim)
        empty = np.flatnonzero(~masks.reshape(len(masks), -1).any(axis=1))
        if len(empty):
            k = int(empty[0])
            raise ValueError(
                f"The band from {edges[k]:.4g} to {edges[k + 1]:.4g} cycles per sample holds no frequency of a"
                f" transform of shape {self.shape}; give fewer or wider bands."
            )
        return edges, torch.from_numpy(masks)

    def band_importance(
        self, attributions: Tensor, bands: int | Sequence[float], *, absolute: bool = False
    ) -> BandImportance:
        """Attribution summed over each band of frequencies.

        Parameters
        ----------
        attributions : Tensor, shape (…, *frequencies, 2)
            Attributions of the coefficients, from any method.
        bands : int or sequence of float
            As for `band_masks`.
        absolute : bool
            Sum absolute values: for saliency. Sums of input × gradient and of integrated gradients keep the sign, and
            those of the latter add up over the bands to the change in the prediction.

        Returns
        -------
        BandImportance
            The curve: edges, one value per band for each leading index, and how many frequencies each band holds.

        Examples
        --------
        >>> FourierTransform(4).band_importance(torch.ones(3, 2), [0, 0.1, 0.5]).values
        tensor([2., 4.])
        """
        check_trailing(attributions, (*self.frequency_shape, 2), "attributions")
        edges, masks = self.band_masks(bands)
        per_frequency = (attributions.abs() if absolute else attributions).sum(-1)
        values = per_frequency.flatten(-len(self.shape)) @ masks.flatten(1).T.to(attributions)
        return BandImportance(edges, values, masks.flatten(1).sum(1).numpy())

    def extra_repr(self) -> str:
        """Arguments, for printing."""
        return f"{self.shape}"

    def _weights(self, like: Tensor) -> Tensor:
        # Made afresh, since a buffer would lose digits whenever the module is converted to a lower precision.
        size = self.shape[-1]
        weights = torch.full((size // 2 + 1,), math.sqrt(2), dtype=like.dtype, device=like.device)
        weights[0] = 1.0
        if size % 2 == 0:
            weights[-1] = 1.0
        return weights


def _leaves(coefficients: CoefficientTree) -> Iterator[Tensor]:
    if isinstance(coefficients, Tensor):
        yield coefficients
    elif isinstance(coefficients, Mapping):
        for part in coefficients.values():
            yield from _leaves(part)
    elif isinstance(coefficients, list | tuple):
        for part in coefficients:
            yield from _leaves(part)
    else:
        raise TypeError(
            f"Coefficients must be a tensor, or a list, tuple or mapping of coefficients, got {type(coefficients)}."
        )


def _rebuilt(structure: CoefficientTree, leaves: Iterator[Tensor]) -> CoefficientTree:
    if isinstance(structure, Tensor):
        return next(leaves)
    if isinstance(structure, Mapping):
        return {key: _rebuilt(part, leaves) for key, part in structure.items()}
    parts = [_rebuilt(part, leaves) for part in structure]
    if isinstance(structure, list):
        rebuilt = copy.copy(structure)
        rebuilt[:] = parts
        return rebuilt
    if hasattr(structure, "_make"):
        return structure._make(parts)
    return tuple(parts)


def check_trailing(x: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Refuse anything but a real tensor of floating point numbers whose last axes have the given sizes."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(f"{name} must be a tensor of real floating point numbers, got {getattr(x, 'dtype', type(x))}.")
    if tuple(x.shape[x.ndim - len(shape) :]) != shape or x.ndim < len(shape):
        raise ValueError(f"{name} must end in the axes {shape}, got shape {tuple(x.shape)}.")


def _band_edges(bands: int | Sequence[float], highest: float) -> Array:
    if np.ndim(bands) == 0:
        if not is_whole_number(bands) or bands < 1:
            raise ValueError(f"bands must be at least 1, or a sequence of edges, got {bands!r}.")
        return np.linspace(0.0, highest, bands + 1)
    edges = real_array(bands, "bands").astype(np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"Edges of bands must be two or more rising frequencies in cycles per sample, got {bands!r}.")
    if edges[0] > 0 or edges[-1] < highest - 1e-12:
        raise ValueError(
            f"Edges must go from 0 to the highest frequency, {highest:.6g} cycles per sample, or further, so that no"
            f" frequency is left out; got {edges[0]:.6g} to {edges[-1]:.6g}."
        )
    return edges
