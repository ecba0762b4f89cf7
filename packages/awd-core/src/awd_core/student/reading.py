"""Bands and the numbers that are read off them, in NumPy alone: what a card predicts with.

The search reads the same from tensors, with derivatives (`awd_core.student.bands`, `awd_core.student.numbers`); a test
holds both to the same values. Decimated bands are PyWavelets' own, which is imported where there are some.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from awd_core.checks.columns import Columns
from awd_core.checks.real_numbers import real_array
from awd_core.transforms.extension import extension
from awd_core.typing import AnyArray, Array

Bands = dict[str, Array]

FLOOR = 1e-30
"""A mean square below it counts as it: an input that is zero all over has a logarithm too."""


@dataclass(frozen=True)
class Column:
    """One number of a student.

    Attributes
    ----------
    name : str
        Such as "D3 maximum".
    meaning : str
        In words.
    unit : str
        As for `awd_core.student.Number`.
    number : str
        What is read, such as "maximum"; empty for a column that is given beside the input.
    place : str
        The band, such as "D3", or the level, that it is read off; empty for a function of all bands.
    part : int
        Which of the columns of this number there, from 0.
    """

    name: str
    meaning: str
    unit: str
    number: str = ""
    place: str = ""
    part: int = 0


def band_of(letter: str, place: str) -> str:
    """The band of a level, which may be one of a channel's.

    Examples
    --------
    >>> band_of("D", "3"), band_of("D", "ch2.3")
    ('D3', 'ch2.D3')
    """
    channel, dot, level = place.rpartition(".")
    return f"{channel}{dot}{letter}{level}"


def bands_of_channels(
    X: Array, taps: Sequence[Array], *, levels: int, mode: str, undecimated: bool, negated: bool, per_channel: bool
) -> Bands:
    """As `bands_of`, of inputs (n, C, …) with the channels on an axis of their own.

    Names begin with the channel's, ch1.D3; with `per_channel`, `taps` are one low-pass filter for each channel.
    """
    found: Bands = {}
    for place in range(X.shape[1]):
        own = taps[place : place + 1] if per_channel else taps
        bands = bands_of(X[:, place], own, levels=levels, mode=mode, undecimated=undecimated, negated=negated)
        found |= {f"ch{place + 1}.{name}": band for name, band in bands.items()}
    return found


def bands_of(X: Array, taps: Sequence[Array], *, levels: int, mode: str, undecimated: bool, negated: bool) -> Bands:
    """Bands of inputs by their names, as those of `awd_core.student.bands.Layout`.

    Parameters
    ----------
    X : ndarray, shape (n, N) or (n, H, W)
        Inputs.
    taps : sequence of ndarray, shape (L,)
        Low-pass filter of all levels, or of each, the finest first.
    levels, mode, undecimated
        As for `Layout`.
    negated : bool
        Whether details have the other sign.

    Examples
    --------
    >>> haar = np.sqrt([0.5, 0.5])
    >>> options = {"levels": 1, "mode": "zero", "undecimated": False, "negated": False}
    >>> {name: band.round(3).tolist() for name, band in bands_of(np.array([[1.0, 3.0]]), [haar], **options).items()}
    {'A1': [[2.828]], 'D1': [[-1.414]]}
    """
    found: Bands = {}
    approximation = X
    for level in range(1, levels + 1):
        low = taps[0] if len(taps) == 1 else taps[level - 1]
        high = low[::-1] * (-1.0) ** np.arange(1, len(low) + 1) * (-1 if negated else 1)
        parts = [approximation]
        for axis in range(1, X.ndim):
            parts = [
                half
                for part in parts
                for half in (
                    _split(part, (low, high), axis, 1 << (level - 1), mode)
                    if undecimated
                    else _halved(part, (low, high), axis, mode)
                )
            ]
        approximation, *details = parts
        # Of a pair of axes the last one's letter changes fastest: aa, ad, da, dd; horizontal is da.
        found |= {f"A{level}": approximation}
        found |= {f"{letter}{level}": band for letter, band in zip("D" if X.ndim == 2 else "VHD", details, strict=True)}
    return found


def _split(x: Array, bank: tuple[Array, Array], axis: int, step: int, mode: str) -> list[Array]:
    """Low- and high-pass half along one axis, taps `step` samples apart: `awd_core.transforms.undecimated`."""
    size, length = x.shape[axis], len(bank[0])
    before = (length // 2 - 1) * step
    places = extension(size, before, (length - 1) * step - before, mode)
    last = np.moveaxis(x, axis, -1)
    if mode == "zero":
        last = np.concatenate([last, np.zeros_like(last[..., :1])], axis=-1)
    extended = last[..., places]
    windows = [extended[..., k * step : k * step + size] for k in range(length)]
    halves = [sum(tap / np.sqrt(2) * window for tap, window in zip(taps[::-1], windows, strict=True)) for taps in bank]
    return [np.moveaxis(np.asarray(half), -1, axis) for half in halves]


def _halved(x: Array, bank: tuple[Array, Array], axis: int, mode: str) -> list[Array]:
    """PyWavelets' low- and high-pass half along one axis."""
    import pywt

    low, high = bank
    wavelet = pywt.Wavelet("student", filter_bank=(low, high, low[::-1], high[::-1]))
    return list(pywt.dwt(x, wavelet, mode, axis=axis))


def read_number(
    column: Column, bands: Bands, functions: Mapping[str, Callable[[Bands], Any]] = MappingProxyType({})
) -> Array:
    """One number of all inputs, shape (n,); `functions` are those of the maker's own, by their names.

    Raises
    ------
    ValueError
        If the number is a function that is not among these.
    """
    kind = column.number.partition(" ")[0]
    if column.number in functions and not column.place:
        values = np.asarray(functions[column.number](bands), dtype=np.float64)
        return values.reshape(len(values), -1)[:, column.part]
    if not column.place or (column.number not in _READERS and kind not in _OF_PARTS):
        raise ValueError(
            f"the number {column.name} is read by a function of its maker's own, {column.number}; give that function, "
            "from a dict of bands as NumPy arrays, in functions=[…]"
        )
    if kind == "conditional":
        names = [band_of(letter, column.place) for letter in "DHV"]
        details = [bands[name] for name in names if name in bands]
        return _conditional(bands[band_of("A", column.place)], details, column.part)
    band = bands[column.place].reshape(len(bands[column.place]), -1)
    if kind in ("value", "relative"):
        root = np.sqrt(np.maximum((band**2).mean(axis=1), FLOOR)) if kind == "relative" else 1.0
        return np.asarray(band[:, column.part] / root)
    if kind == "largest":
        return np.asarray(np.sort(band, axis=1)[:, -1 - min(column.part, band.shape[1] - 1)])
    return _READERS[column.number](band)


_OF_PARTS = ("conditional", "largest", "value", "relative")
_READERS: dict[str, Callable[[Array], Array]] = {
    "maximum": lambda band: band.max(axis=1),
    "minimum": lambda band: band.min(axis=1),
    "mean absolute": lambda band: np.abs(band).mean(axis=1),
    "log energy": lambda band: _log((band**2).mean(axis=1)),
    "position": lambda band: band.argmax(axis=1).astype(np.float64),
}


def own_name(number: Any) -> str:
    """What a function of one's own is called."""
    return str(getattr(number, "__name__", type(number).__name__))


def _conditional(approximation: Array, details: Sequence[Array], part: int) -> Array:
    """`awd_core.student.numbers.conditional_variance`: where the local level is high (0), or low (1)."""
    flat = approximation.reshape(len(approximation), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.maximum((centred**2).mean(axis=1, keepdims=True), FLOOR))
    high = 0.5 * (1 + np.tanh(centred / spread))
    weight = 1 - high if part else high
    energy = sum(band.reshape(flat.shape) ** 2 for band in details)
    return _log((weight * energy).sum(axis=1) / weight.sum(axis=1))


def _log(mean_square: Array) -> Array:
    return np.asarray(np.log(np.maximum(mean_square, FLOOR)))


def extra_columns(extra: Any, name: str = "extra") -> tuple[Array | None, list[str]]:
    """Columns beside the numbers as an array (n, E), and their names.

    Examples
    --------
    >>> extra_columns([0.5, 2.0])[1]
    ['extra 0']
    """
    if extra is None:
        return None, []
    values = real_array(extra, name).astype(np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; give a table (n, columns), or one column (n,)")
    refuse_not_finite(values, name)
    named = Columns.of(extra, values.shape).names
    return values, list(named or (f"extra {k}" for k in range(values.shape[1])))


def beside(extra: Any, rows: int, names: Sequence[str], kind: str) -> Array:
    """Columns (rows, E) that are given beside inputs, refused where they are not those that were fitted to."""
    values, given = extra_columns(extra)
    if given != list(names):
        raise ValueError(f"extra has the columns {given}; {kind} was fitted to {list(names)}")
    if values is not None and len(values) != rows:
        raise ValueError(f"extra has {len(values)} rows for {rows} inputs; give one for each")
    return np.empty((rows, 0)) if values is None else values


def refuse_not_finite(values: AnyArray, name: str) -> None:
    """Raise where a value is NaN or infinite; scikit-learn's checks look for these words."""
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"{name} contains NaN or infinity, in row {row}; leave such rows out or fill them in")
