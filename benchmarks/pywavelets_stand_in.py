"""PyWavelets' functions answered by `DWT1d` and `DWT2d`: the same arguments, the same results, arrays in and out.

What PyWavelets takes and ours does not raises `OutOfScopeError` with the reason; what ours refuses, it refuses in its
own words. Arrays are brought to float32 or float64 as PyWavelets brings them (float16 to float32, all else to float64),
complex ones are transformed as two real ones, and the transformed axes are moved to the end and back.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pywt
import torch

from awd_core.transforms import DWT1d, DWT2d
from awd_core.wavelets import Wavelet
from benchmarks.timing import quiet

Array = npt.NDArray[Any]
Axes = tuple[int, ...]

# By PyWavelets' numbers, which are not in the order of its list.
_NAMES = {pywt.Modes.from_object(name): name for name in pywt.Modes.modes}


class OutOfScopeError(Exception):
    """A call that PyWavelets answers and ours has no means to; the message is the reason."""


class Answer(NamedTuple):
    """What a function returns, and what its error is to be measured by."""

    value: Any
    """In the form in which PyWavelets' function returns it."""
    bands: list[Array]
    """All coefficients, whether they went in or came out."""
    dtype: torch.dtype
    taps: int
    """Length of the longest filter."""
    mode: str


def dwt(data: Any, wavelet: Any, mode: Any = "symmetric", axis: int = -1) -> Answer:
    """As `pywt.dwt`."""
    with quiet():  # no word on a single level from PyWavelets, however short the signal
        answer = _forward(data, wavelet, mode, 1, (axis,))
    return answer._replace(value=tuple(answer.value))


def idwt(cA: Any, cD: Any, wavelet: Any, mode: Any = "symmetric", axis: int = -1) -> Answer:
    """As `pywt.idwt`."""
    return _inverse([cA, cD], wavelet, mode, (axis,))


def wavedec(data: Any, wavelet: Any, mode: Any = "symmetric", level: Any = None, axis: int = -1) -> Answer:
    """As `pywt.wavedec`."""
    return _forward(data, wavelet, mode, level, (axis,))


def waverec(coeffs: Any, wavelet: Any, mode: Any = "symmetric", axis: int = -1) -> Answer:
    """As `pywt.waverec`."""
    return _inverse(coeffs, wavelet, mode, (axis,))


def dwt2(data: Any, wavelet: Any, mode: Any = "symmetric", axes: Sequence[int] = (-2, -1)) -> Answer:
    """As `pywt.dwt2`."""
    with quiet():
        answer = _forward(data, wavelet, mode, 1, _two(axes))
    return answer._replace(value=tuple(answer.value))


def idwt2(coeffs: Any, wavelet: Any, mode: Any = "symmetric", axes: Sequence[int] = (-2, -1)) -> Answer:
    """As `pywt.idwt2`."""
    return _inverse(coeffs, wavelet, mode, _two(axes))


def wavedec2(
    data: Any, wavelet: Any, mode: Any = "symmetric", level: Any = None, axes: Sequence[int] = (-2, -1)
) -> Answer:
    """As `pywt.wavedec2`."""
    return _forward(data, wavelet, mode, level, _two(axes))


def waverec2(coeffs: Any, wavelet: Any, mode: Any = "symmetric", axes: Sequence[int] = (-2, -1)) -> Answer:
    """As `pywt.waverec2`."""
    return _inverse(coeffs, wavelet, mode, _two(axes))


FUNCTIONS: dict[str, Callable[..., Answer]] = {
    function.__name__: function for function in (dwt, idwt, dwt2, idwt2, wavedec, waverec, wavedec2, waverec2)
}
"""By the names that they have in PyWavelets."""


def flat(value: Any) -> Iterator[Array]:
    """All arrays of what one of the functions returns, from coarse to fine."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from flat(part)
    else:
        yield value


def _forward(data: Any, wavelet: Any, mode: Any, level: Any, axes: Axes) -> Answer:
    level = level if level is None else operator.index(level)
    if level == 0:
        raise OutOfScopeError("no level")
    x = np.asarray(data)
    dtype = _dtype([x])
    last, behind = _moves(axes, x.ndim)
    filters, name = _filters(wavelet, len(axes)), _mode(mode, len(axes))
    found = _transform(filters, name, level)(torch.from_numpy(_real(np.moveaxis(x, last, behind), dtype)))
    if len(found) == 1:
        raise OutOfScopeError("no level")
    value = list(found.numpy().map(lambda band: np.moveaxis(_joined(band, dtype), behind, last)))
    return _answer(value, list(flat(value)), dtype, filters, name)


def _inverse(coefficients: Any, wavelet: Any, mode: Any, axes: Axes) -> Answer:
    if not isinstance(coefficients, list | tuple):
        raise OutOfScopeError("coefficients that are no list")
    if len(coefficients) < 2:
        raise OutOfScopeError("no level")
    # A single level in one dimension may be given as plain numbers; details in two dimensions are a list of arrays.
    nested = len(axes) == 2
    arrays = [
        [_present(band) for band in part] if nested and isinstance(part, list | tuple) else _present(part)
        for part in coefficients
    ]
    bands = list(flat(arrays))
    if len({band.ndim for band in bands}) > 1:
        raise OutOfScopeError("coefficients of different dimensions")
    dtype = _dtype(bands)
    last, behind = _moves(axes, bands[0].ndim)
    filters, name = _filters(wavelet, len(axes)), _mode(mode, len(axes))

    def tensors(part: Any) -> Any:
        if isinstance(part, list):
            return tuple(map(tensors, part))
        return torch.from_numpy(_real(np.moveaxis(part, last, behind), dtype))

    found = _transform(filters, name, None).inverse([tensors(part) for part in arrays])
    return _answer(np.moveaxis(_joined(found.numpy(), dtype), behind, last), bands, dtype, filters, name)


def _answer(value: Any, bands: list[Array], dtype: np.dtype[Any], filters: tuple[Wavelet, ...], mode: str) -> Answer:
    single = dtype in (np.float32, np.complex64)
    taps = max(filter_.length for filter_ in filters)
    return Answer(value, bands, torch.float32 if single else torch.float64, taps, mode)


@lru_cache(maxsize=1024)
def _transform(filters: tuple[Wavelet, ...], mode: str, level: int | None) -> DWT1d | DWT2d:
    # PyWavelets asks for no finite values.
    if len(filters) == 1:
        return DWT1d(filters[0], level, mode, check_finite=False)
    return DWT2d(filters[0] if filters[0] == filters[1] else filters, level, mode, check_finite=False)


def _filters(wavelet: Any, count: int) -> tuple[Wavelet, ...]:
    each = wavelet if count > 1 and isinstance(wavelet, list | tuple) else (wavelet,)
    if len(each) not in (1, count):
        raise OutOfScopeError("another number of wavelets than of axes")
    try:
        filters = tuple(Wavelet.of(one) for one in each)
    except (TypeError, ValueError):
        raise OutOfScopeError("no orthogonal wavelet") from None
    return filters if len(filters) == count else filters * count


def _mode(mode: Any, count: int) -> Any:
    """One of the nine names for what PyWavelets takes for one (numbers and old names, too); all else as it is."""
    each = mode if count > 1 and isinstance(mode, list | tuple) else (mode,)
    if len(each) not in (1, count):
        raise OutOfScopeError("another number of modes than of axes")
    try:
        names = {_NAMES[pywt.Modes.from_object(one)] for one in each}
    except (TypeError, ValueError):
        return mode
    if len(names) > 1:
        raise OutOfScopeError("another mode on each axis")
    return names.pop()


def _two(axes: Sequence[int]) -> Axes:
    if len(axes) != 2:
        raise OutOfScopeError("another number of axes")
    return tuple(axes)


def _moves(axes: Axes, ndim: int) -> tuple[list[int], list[int]]:
    """Where the transformed axes are, from the end, and where ours wants them."""
    if not all(-ndim <= axis < ndim for axis in axes):
        raise OutOfScopeError("an axis that is not there")
    places = [axis % ndim - ndim for axis in axes]
    if len(set(places)) < len(places):
        raise OutOfScopeError("an axis twice")
    return places, list(range(-len(axes), 0))


def _present(band: Any) -> Array:
    if band is None:
        raise OutOfScopeError("missing coefficients (None)")
    return np.asarray(band)


def _dtype(arrays: list[Array]) -> np.dtype[Any]:
    """What PyWavelets computes in: of each array, and double where they differ."""
    if not all(np.issubdtype(array.dtype, np.number) or array.dtype == bool for array in arrays):
        raise OutOfScopeError("no numbers")
    single = {np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.complex64)}
    kinds = {(array.dtype in single, array.dtype.kind == "c") for array in arrays}
    if kinds == {(True, False)}:
        return np.dtype(np.float32)
    if kinds == {(True, True)}:
        return np.dtype(np.complex64)
    return np.dtype(np.complex128 if any(is_complex for _, is_complex in kinds) else np.float64)


def _real(x: Array, dtype: np.dtype[Any]) -> Array:
    """Contiguous real numbers with one axis more in front: 1, or real and imaginary part."""
    if dtype.kind == "c":
        return np.stack([x.real, x.imag]).astype(np.float32 if dtype == np.complex64 else np.float64)
    return np.stack([x]).astype(dtype)


def _joined(x: Array, dtype: np.dtype[Any]) -> Array:
    """The reverse of `_real`."""
    whole: Array = (x[0] + 1j * x[1]).astype(dtype) if dtype.kind == "c" else x[0]
    return whole
