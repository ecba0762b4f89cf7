"""Multi-level wavelet transforms as torch modules: one level along one axis, folded over axes and levels.

Names, modes, lengths and the order of coefficients are PyWavelets': `[cA_J, cD_J, …, cD_1]` in one dimension and
`[cA_J, (cH_J, cV_J, cD_J), …, (cH_1, cV_1, cD_1)]` in two, where cH holds horizontal details (high-pass down the
columns), cV vertical and cD diagonal ones.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.kernel.library import Kernel
from awd_core.transforms.autocast import in_single_precision, without_autocast
from awd_core.transforms.axes import Shape, analyse_levels, synthesise_axis
from awd_core.transforms.boundary import (
    Mode,
    check_mode,
    fitting_levels,
    output_length,
    synthesis_mode,
    warn_of_boundary,
)
from awd_core.transforms.coefficients import Coefficients as Coefficients
from awd_core.transforms.compiled import inverse, kernel_for, takes_levels
from awd_core.transforms.inputs import check_tensor, check_values, is_finite
from awd_core.transforms.multilinear import is_ordinary, is_traced
from awd_core.wavelets.filters import Filter, WaveletLike, as_filter

FilterLike: TypeAlias = Filter | WaveletLike
BAND = "a band of coefficients"


class _DWT(nn.Module, ABC):
    """What the one- and the two-dimensional transform share, which is all but the shape of a level's details."""

    axes: tuple[int, ...]

    def __init__(self, filters: Sequence[Filter], levels: int | None, mode: str, check_finite: bool) -> None:
        super().__init__()
        # Each filter once, however many axes share it: torch writes back and saves a parameter wherever it is
        # registered, and the copies of one that is registered twice can differ (pytorch issue 164759).
        distinct = list(dict.fromkeys(filters))
        self.axis_filters = nn.ModuleList(distinct)
        self._filter_of_axis = tuple(distinct.index(filter_) for filter_ in filters)
        self.levels = None if levels is None else whole_number("levels", levels, none="the most that fit")
        self.mode: Mode = check_mode(mode)
        self.check_finite = check_finite

    def forward(self, x: Tensor) -> Coefficients:
        """Coefficients of a signal, from coarse to fine.

        Parameters
        ----------
        x : Tensor, shape (…, N) or (…, H, W)
            Signals, float32 or float64, any number of dimensions in front.

        Returns
        -------
        Coefficients
            In PyWavelets' order, each band with x's dimensions in front.

        Raises
        ------
        TypeError
            If x is no tensor, or of another dtype, or its dtype is not the filter's.
        ValueError
            If x has too few dimensions, no samples, or values that are not finite, or lies on another device.

        Warns
        -----
        UserWarning
            If there are more levels than `pywt.dwt_max_level`: then every coefficient feels the boundary.
        """
        return self._decompose(x, self.mode)

    def inverse(self, coefficients: Sequence[Any], shape: Shape | int | None = None) -> Tensor:
        """Signal from coefficients: exactly the one that was transformed if the filter is orthonormal.

        Parameters
        ----------
        coefficients : Coefficients or sequence
            What `forward` returned, or a list in the same order from PyWavelets (as tensors).
        shape : int or tuple of int, optional
            Spatial shape of the signal. Not needed for `Coefficients`; for a plain list an even size is taken, as
            PyWavelets does.

        Returns
        -------
        Tensor, shape (…, N) or (…, H, W)

        Raises
        ------
        ValueError
            If the shapes of the coefficients do not belong together, or not to the shape.
        """
        if not isinstance(coefficients, Sequence):
            raise TypeError(f"coefficients are {type(coefficients).__name__}; give Coefficients, or a list of tensors")
        if len(coefficients) == 0:
            raise ValueError("no coefficients are given; at least the approximation is needed")
        approximation, *entries = coefficients
        approximation = in_single_precision(approximation)
        details = [list(map(in_single_precision, self._unpack(entry))) for entry in entries]
        for band in (approximation, *(band for bands in details for band in bands)):
            check_tensor(BAND, band, len(self.axes), False)
            self._check_batch(approximation, band)
        if shape is None:
            shape = getattr(coefficients, "shape", None) or self._even_shape(details, approximation)
        given, shape = shape, tuple(shape) if isinstance(shape, Iterable) else (shape,)
        if len(shape) != len(self.axes) or not (is_traced() or all(hasattr(size, "__index__") for size in shape)):
            raise ValueError(f"shape is {given!r}; this transform needs {len(self.axes)} number(s), which are whole")

        sizes = self._sizes(shape, len(details))
        for level, bands in zip(range(len(details), 0, -1), details, strict=True):
            self._check_bands(bands, sizes[level], shape, level)
        self._check_bands([approximation], sizes[-1], shape, len(details))
        banks = self._banks(approximation)
        bands = [*(band for level in reversed(details) for band in level), approximation]
        kernel = self._kernel(len(details), *bands, *banks)
        if kernel is not None:
            found = inverse(kernel, bands, banks, sizes[0], synthesis_mode(self.mode))
            # No NaN or infinity of a band is lost on the way: one look at the signal tells whether to look at them.
            if self.check_finite and not is_finite(found):
                self._check_values(bands)
            return found
        self._check_values(bands)
        x: Tensor = approximation
        for level, bands in zip(range(len(details), 0, -1), details, strict=True):
            x = self._merge([x, *bands], banks, sizes[level - 1])
        return x

    def adjoint_forward(self, x: Tensor) -> Coefficients:
        """Adjoint of `inverse`: the transform Ψ₀ that turns input gradients into coefficient attributions.

        The same filter bank with the extension by zeros (with periodization: periodized; there, a sample that
        PyWavelets repeats because the size is odd is a zero), whatever the mode. Takes and returns what `forward`
        does; for every x and every list of coefficients s, ⟨adjoint_forward(x), s⟩ = ⟨x, inverse(s)⟩.
        """
        return self._decompose(x, synthesis_mode(self.mode))

    def extra_repr(self) -> str:
        """Levels and mode."""
        return f"levels={self.levels}, mode={self.mode!r}"

    def _decompose(self, x: Tensor, mode: str) -> Coefficients:
        x = in_single_precision(x)
        check_tensor("the signal", x, len(self.axes), self.check_finite)
        shape = tuple(x.shape[axis] for axis in self.axes)
        levels = self._levels(shape)
        self._sizes(shape, levels)  # raises where a level would not be possible
        banks = self._banks(x)
        if not levels:
            return Coefficients([x], shape)
        *details, approximation = analyse_levels(x, banks, levels, mode)
        each = len(details) // levels
        entries = [self._pack(details[first : first + each]) for first in range(0, len(details), each)]
        return Coefficients([approximation, *reversed(entries)], shape)

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filter of each axis, in the axes' order."""
        return tuple(cast(Filter, self.axis_filters[k]) for k in self._filter_of_axis)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Also takes what was saved when a filter that axes share was written once for each of them."""
        for axis, k in enumerate(self._filter_of_axis):
            if axis < len(self.axis_filters):
                continue
            copy, original = (f"{prefix}axis_filters.{place}." for place in (axis, k))
            for name in [name for name in state_dict if name.startswith(copy)]:
                kept = state_dict.get(original + name.removeprefix(copy))
                if kept is None or not torch.equal(kept, state_dict[name]):
                    errors: list[str] = rest[-1]
                    errors.append(
                        f"{name} is not equal to that of {original[:-1]}, and this transform has one filter for both "
                        "axes; make it with a pair of filters to load both."
                    )
                del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @abstractmethod
    def _pack(self, details: list[Tensor]) -> Any:
        """A level's details, in the order of `analyse_levels`, as one entry of the list."""

    @abstractmethod
    def _unpack(self, entry: Any) -> list[Tensor]:
        """The reverse of `_pack`."""

    def _levels(self, shape: tuple[Any, ...]) -> int:
        if self.levels is not None and is_traced():
            return self.levels
        if any(isinstance(size, torch.SymInt) for size in shape):
            raise ValueError(
                "levels is None, and the most that fit are not known for a length that is dynamic; give levels=<int>"
            )
        taps = [filter_.length for filter_ in self.filters]
        if self.levels is None:
            return min(map(fitting_levels, shape, taps))
        warn_of_boundary(self.levels, shape, taps)
        return self.levels

    def _kernel(self, levels: int, *tensors: Tensor) -> Kernel | None:
        """What transforms these tensors without bringing a graph, if anything but torch does."""
        return kernel_for(*tensors) if takes_levels(levels) and is_ordinary(*tensors) else None

    def _banks(self, like: Tensor) -> list[Tensor]:
        """Decomposition filters of each axis, evaluated once where the axes share one filter."""
        with without_autocast(like):
            banks = [cast(Filter, filter_).bank(like) for filter_ in self.axis_filters]
        return [banks[k] for k in self._filter_of_axis]

    def _sizes(self, shape: Shape, levels: int) -> list[Shape]:
        """Spatial shapes of the approximations from level 0, the signal, to the last."""
        sizes, lengths = [shape], [filter_.length for filter_ in self.filters]
        for _ in range(levels):
            if "reflect" in self.mode and min(sizes[-1]) < 2:
                raise ValueError(
                    f"mode {self.mode!r} needs two samples or more at every level, and a signal of shape {shape} comes "
                    f"down to {sizes[-1]}; take fewer levels or another mode"
                )
            sizes.append(
                tuple(output_length(size, taps, self.mode) for size, taps in zip(sizes[-1], lengths, strict=True))
            )
        return sizes

    def _even_shape(self, details: list[list[Tensor]], approximation: Tensor) -> Shape:
        """Spatial shape that PyWavelets' inverse returns."""
        if not details:
            return tuple(approximation.shape[axis] for axis in self.axes)
        lengths = (details[-1][0].shape[axis] for axis in self.axes)
        cropped = (0 if self.mode == "periodization" else filter_.length - 2 for filter_ in self.filters)
        shape = tuple(2 * length - crop for length, crop in zip(lengths, cropped, strict=True))
        if min(shape) < 1:
            given = tuple(details[-1][0].shape[axis] for axis in self.axes)
            taps = [filter_.length for filter_ in self.filters]
            raise ValueError(
                f"the finest details have shape {given}, too few for filters of {taps} taps with mode {self.mode!r}; "
                "give the coefficients of a transform with this filter and mode"
            )
        return shape

    def _check_values(self, bands: Iterable[Tensor]) -> None:
        if self.check_finite:
            for band in bands:
                check_values(BAND, band)

    def _check_batch(self, approximation: Tensor, band: Tensor) -> None:
        first, own = ((x.shape[: -len(self.axes)], x.dtype) for x in (approximation, band))
        if own != first:
            raise ValueError(
                f"a band of coefficients is {own[1]} with the dimensions {tuple(own[0])} in front, the approximation "
                f"{first[1]} with {tuple(first[0])}; give the coefficients of one transform"
            )

    def _check_bands(self, bands: list[Tensor], expected: Shape, shape: Shape, level: int) -> None:
        for band in bands:
            given = tuple(band.shape[axis] for axis in self.axes)
            if given != expected:
                raise ValueError(
                    f"a band of level {level} has shape {given}; a signal of shape {shape} has {expected} there with "
                    f"mode {self.mode!r}; give the coefficients of one transform with this filter's length and mode"
                )

    def _merge(self, bands: list[Tensor], banks: list[Tensor], shape: Shape) -> Tensor:
        """The approximation of the level before, of that spatial shape, from aa, ad, da, dd (a, d)."""
        for axis, bank, size in zip(self.axes[::-1], banks[::-1], shape[::-1], strict=True):
            pairs = zip(bands[0::2], bands[1::2], strict=True)
            bands = [synthesise_axis(low, high, bank, axis, size, synthesis_mode(self.mode)) for low, high in pairs]
        return bands[0]


class DWT1d(_DWT):
    """Discrete wavelet transform along the last axis.

    Parameters
    ----------
    filter : Filter, Wavelet, str or pywt.Wavelet
        A filter that can be learnt, or a wavelet that stays as it is.
    levels : int, optional
        Number of levels J; as many as `pywt.dwt_max_level` allows if not given.
    mode : str, optional
        One of PyWavelets' nine signal extension modes.
    check_finite : bool, optional
        Whether to refuse NaN and infinity; it costs one pass over the input, and a synchronisation on CUDA.

    Examples
    --------
    >>> x = torch.arange(7.0)
    >>> dwt = DWT1d("db2", levels=1)
    >>> coefficients = dwt(x)
    >>> [tuple(band.shape) for band in coefficients]
    [(5,), (5,)]
    >>> dwt.inverse(coefficients).shape
    torch.Size([7])
    """

    axes = (-1,)

    def __init__(
        self, filter: FilterLike, levels: int | None = None, mode: str = "symmetric", *, check_finite: bool = True
    ) -> None:
        super().__init__([as_filter(filter)], levels, mode, check_finite)

    def _pack(self, details: list[Tensor]) -> Tensor:
        return details[0]

    def _unpack(self, entry: Any) -> list[Tensor]:
        return [entry]


class DWT2d(_DWT):
    """Discrete wavelet transform along the last two axes.

    Parameters
    ----------
    filter : Filter, Wavelet, str or pywt.Wavelet, or a pair of them
        A filter that can be learnt, or a wavelet that stays as it is. A pair gives one for the columns (axis −2) and
        one for the rows (axis −1).
    levels : int, optional
        Number of levels J; as many as `pywt.dwtn_max_level` allows if not given.
    mode : str, optional
        One of PyWavelets' nine signal extension modes.
    check_finite : bool, optional
        Whether to refuse NaN and infinity; it costs one pass over the input, and a synchronisation on CUDA.

    Examples
    --------
    >>> dwt = DWT2d("db2", levels=1)
    >>> approximation, (horizontal, vertical, diagonal) = dwt(torch.ones(3, 7, 8))
    >>> approximation.shape
    torch.Size([3, 5, 5])
    """

    axes = (-2, -1)

    def __init__(
        self,
        filter: FilterLike | tuple[FilterLike, FilterLike],
        levels: int | None = None,
        mode: str = "symmetric",
        *,
        check_finite: bool = True,
    ) -> None:
        if isinstance(filter, tuple):
            if len(filter) != 2:
                raise ValueError(f"{len(filter)} filters are given; a 2-D transform takes one, or one for each axis")
            filters = [as_filter(one) for one in filter]
        else:
            filters = [as_filter(filter)] * 2
        super().__init__(filters, levels, mode, check_finite)

    def _pack(self, details: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        across, down, diagonal = details
        return down, across, diagonal

    def _unpack(self, entry: Any) -> list[Tensor]:
        if not isinstance(entry, tuple | list) or len(entry) != 3:
            raise ValueError(
                "the details of a level are three tensors (horizontal, vertical, diagonal); given is "
                f"{type(entry).__name__}" + (f" of {len(entry)}" if isinstance(entry, tuple | list) else "")
            )
        down, across, diagonal = entry
        return [across, down, diagonal]


def transformed_axes(shape: tuple[int, ...], ndim: int | None) -> int:
    """How many of the last axes are transformed.

    Raises
    ------
    ValueError
        If the shape has too few axes, or three and it is not said which are meant.
    """
    if ndim is None:
        if len(shape) == 3:
            raise ValueError(
                f"X has shape {tuple(shape)}, which may be series with channels or images; give ndim=1 or ndim=2 "
                "(--ndim)"
            )
        ndim = 1 if len(shape) <= 2 else 2
    if not is_whole_number(ndim) or ndim not in (1, 2) or len(shape) < ndim + 1:
        raise ValueError(
            f"X has shape {tuple(shape)} and ndim is {ndim!r}; X is (m, …, N) with ndim=1, (m, …, H, W) with 2"
        )
    return ndim
