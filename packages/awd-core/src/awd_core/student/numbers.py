"""Numbers that are read off the bands, each with a meaning, and numbers of one's own.

A number is a small function of one band, (n, P) → (n,) or (n, k), or of the bands of one level. What is registered here
has a text that says what it is; `Numbers` puts together those that a student reads, names their columns, and says
whether their derivatives exist.
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from awd_core.checks.choices import check_choice
from awd_core.student.bands import Bands, Layout
from awd_core.student.reading import FLOOR, Column, band_of, own_name

OwnNumber: TypeAlias = Callable[[Bands], Any]
"""Of `Bands`, a dict of bands (n, …) each, to a tensor or an array (n,) or (n, k). Attributes
that it may have: `signed`, False if it cannot tell bands from their negatives, so that the search looks at each filter
once; `bands`, names of those that it reads, none where it filters `Bands.inputs` itself."""


@dataclass(frozen=True)
class Number:
    """One number of a band, or of a level.

    Attributes
    ----------
    name : str
        Such as "maximum".
    meaning : str
        In words, with {band} or {level} where that is named.
    unit : str
        "x" for that of the input, "x²" for its square, "samples", or "" for a pure number.
    function : callable
        From a band (n, P), or from a level's approximation (n, P) and details (n, D, P), to (n,) or (n, k).
    of_level : bool
        Whether it is of a level, once for each, instead of once for each band.
    differentiable : bool
        Whether it has derivatives with respect to the band that say how it changes.
    signed : bool
        Whether it tells a band from its negative.
    parts : tuple of str
        What its k columns are called, behind its name; one column without a name of its own by default.
    """

    name: str
    meaning: str
    unit: str
    function: Callable[..., Tensor]
    of_level: bool = False
    differentiable: bool = True
    signed: bool = True
    parts: tuple[str, ...] = ("",)


def maximum(band: Tensor) -> Tensor:
    """Largest value of a band, shape (n,)."""
    return band.max(dim=1).values


def minimum(band: Tensor) -> Tensor:
    """Smallest value of a band, shape (n,)."""
    return band.min(dim=1).values


def mean_absolute(band: Tensor) -> Tensor:
    """Mean absolute value of a band, shape (n,)."""
    return band.abs().mean(dim=1)


def log_energy(band: Tensor) -> Tensor:
    """Natural logarithm of the mean square of a band, shape (n,); see `FLOOR`."""
    return _log(band.square().mean(dim=1))


def value(band: Tensor) -> Tensor:
    """Every value of a band, shape (n, P): for inputs whose samples mean the same in all, as wavelengths do."""
    return band


def relative_value(band: Tensor) -> Tensor:
    """Every value of a band over the root of its mean square, shape (n, P): the same whatever an input is scaled by."""
    return band / band.square().mean(dim=1, keepdim=True).clamp_min(FLOOR).sqrt()


def position(band: Tensor) -> Tensor:
    """Number of the sample with the largest value, from 0, in the coefficients' own count; shape (n,)."""
    return band.argmax(dim=1).to(band.dtype)


def conditional_variance(approximation: Tensor, details: Tensor) -> Tensor:
    """Logarithm of the details' mean square where the local level is high, and where it is low.

    With the local level u = (a − mean a)/sd a and the weight w = 1/(1 + exp(−2u)) the two numbers are
    ln(Σ w d²/Σ w) and ln(Σ (1 − w) d²/Σ (1 − w)), d² the sum over a level's details. In a field that is multiplicative,
    as a lognormal one, the details' size goes with the local level: their difference says how much.

    Parameters
    ----------
    approximation : Tensor, shape (n, P)
        a, at the places of the details.
    details : Tensor, shape (n, D, P)
        All details of the level.

    Returns
    -------
    Tensor, shape (n, 2)
    """
    centred = approximation - approximation.mean(dim=1, keepdim=True)
    spread = centred.square().mean(dim=1, keepdim=True).clamp_min(FLOOR).sqrt()
    high = torch.sigmoid(2 * centred / spread)
    energy = details.square().sum(dim=1)
    means = [(weight * energy).sum(dim=1) / weight.sum(dim=1) for weight in (high, 1 - high)]
    return torch.stack([_log(mean) for mean in means], dim=1)


NUMBERS = {
    number.name: number
    for number in (
        Number("maximum", "largest value of {band}", "x", maximum),
        Number("minimum", "smallest value of {band}", "x", minimum),
        Number("mean absolute", "mean absolute value of {band}", "x", mean_absolute, signed=False),
        Number("log energy", "ln of the mean square of {band}", "", log_energy, signed=False),
        Number("value", "value {part} of {band}", "x", value, signed=False),
        Number(
            "relative value", "value {part} of {band} over the root of its mean square", "", relative_value,
            signed=False,
        ),
        Number("position", "where {band} is largest", "samples", position, differentiable=False),
        Number(
            "conditional variance", "ln of the details' mean square of level {level} where the local level is {part}",
            "", conditional_variance, of_level=True, signed=False, parts=("high", "low"),
        ),
    )
}  # fmt: skip
"""Numbers by name; beside them there is "largest m", the m largest values of a band, m a whole number."""


def largest(count: int) -> Number:
    """The m largest values of a band, the largest first; the least of the band again where it has fewer."""

    def function(band: Tensor) -> Tensor:
        found = band.topk(min(count, band.shape[1]), dim=1).values
        return torch.cat([found, found[:, -1:].expand(-1, count - found.shape[1])], dim=1)

    parts = tuple(str(place + 1) for place in range(count))
    return Number(f"largest {count}", "value {part} of {band}, counted from the largest", "x", function, parts=parts)


class Numbers:
    """The numbers of a student.

    Parameters
    ----------
    numbers : sequence of str, Number or callable
        Names of `NUMBERS`, "largest m", numbers made by hand, and functions of all bands.
    layout : Layout
        Which bands there are.

    Raises
    ------
    ValueError
        If a name is unknown, or there are none.
    TypeError
        If one is something else.
    """

    def __init__(self, numbers: Sequence[Any], layout: Layout) -> None:
        if isinstance(numbers, str) or not isinstance(numbers, Sequence) or not len(numbers):
            raise ValueError(f"numbers is {numbers!r}; give a list of names and functions, such as ['maximum']")
        self.layout = layout
        self.given = tuple(number if isinstance(number, Number) else _resolved(number) for number in numbers)

    @property
    def names(self) -> list[str]:
        """What was asked for, by name."""
        return [number.name if isinstance(number, Number) else own_name(number) for number in self.given]

    @property
    def signed(self) -> bool:
        """Whether some may tell a band from its negative."""
        return any(getattr(number, "signed", True) for number in self.given)

    @property
    def bands(self) -> list[str] | None:
        """Names of the bands that are read; None for all, where a function of one's own may read any."""
        named = [number for number in self.given if isinstance(number, Number)]
        own = [getattr(number, "bands", None) for number in self.given if not isinstance(number, Number)]
        if any(number.of_level for number in named) or any(names is None for names in own):
            return None
        return [*(self.layout.frame if named else ()), *(name for names in own for name in names or ())]

    def of(self, bands: Bands) -> Tensor:
        """All numbers of some bands, shape (n, K)."""
        return self.with_smoothness(bands)[0]

    def with_smoothness(self, bands: Bands) -> tuple[Tensor, bool]:
        """All numbers, and whether each has derivatives: of bands on a graph, one of one's own shows it by its own."""
        found, smooth = [], True
        for number in self.given:
            columns = self._columns(number, bands)
            smooth &= number.differentiable if isinstance(number, Number) else columns[0].requires_grad
            found += columns
        return torch.cat(found, dim=1), smooth

    def table(self, bands: Bands) -> list[Column]:
        """What the columns of `of` are, from the bands of any few inputs."""
        found: list[Column] = []
        for number in self.given:
            for place, columns in zip(self._places(number), self._columns(number, bands), strict=True):
                found += self._described(number, place, columns.shape[1])
        names = [column.name for column in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"numbers give {', '.join(twice)} twice; give each of them once")
        return found

    def _places(self, number: Number | OwnNumber) -> list[str]:
        """Bands or levels that a number is of."""
        if not isinstance(number, Number):
            return [""]
        if number.of_level:
            return self.layout.level_places
        return self.layout.frame

    def _columns(self, number: Number | OwnNumber, bands: Bands) -> list[Tensor]:
        if not isinstance(number, Number):
            return [_own(number, bands)]
        found = []
        for place in self._places(number):
            if number.of_level:
                details = torch.stack(
                    [bands[band_of(letter, place)].flatten(1) for letter in self.layout.letters], dim=1
                )
                columns = number.function(bands[band_of("A", place)].flatten(1), details)
            else:
                columns = number.function(bands[place].flatten(1))
            found.append(columns.reshape(len(columns), -1))
        return found

    def _described(self, number: Number | OwnNumber, place: str, width: int) -> list[Column]:
        if not isinstance(number, Number):
            name, text = own_name(number), (getattr(number, "__doc__", None) or "").strip().partition("\n")[0]
            parts = [""] if width == 1 else [f"[{k}]" for k in range(width)]
            told = text or "a function of one's own"
            return [Column(name + part, told, "", name, "", k) for k, part in enumerate(parts)]
        parts = list(number.parts) if len(number.parts) == width else [str(k) for k in range(width)]
        channel, _, level = place.rpartition(".")
        start, text = f"{channel} level {level}".strip() if number.of_level else place, number.meaning
        band = "" if number.of_level else self.layout.meaning(place)
        level = f"{level} of {channel}" if channel else level
        name = re.sub(r" \d+$", "", number.name)
        named = ((f"{start} {name} {part}".strip(), text.format(band=band, level=level, part=part)) for part in parts)
        return [Column(*told, number.unit, number.name, place, k) for k, told in enumerate(named)]


def _resolved(number: Any) -> Number | OwnNumber:
    if isinstance(number, str):
        several = re.fullmatch(r"largest (\d+)", number)
        if several and int(several[1]) > 0:
            return largest(int(several[1]))
        check_choice("a number", number, [*NUMBERS, "largest m (with a whole number m)"], required=True)
        return NUMBERS[number]
    if callable(number) and not isinstance(number, type):
        own: OwnNumber = number
        return own
    raise TypeError(f"a number is {number!r}; give a name such as 'maximum', or a function of the bands")


def _own(number: OwnNumber, bands: Bands) -> Tensor:
    """Columns (n, k) of a function of one's own, which may know nothing of torch."""
    like = next(iter(bands.values())) if bands else bands.inputs
    given = number(copy.copy(bands))
    columns = given if isinstance(given, Tensor) else torch.from_numpy(np.array(given, dtype=np.float64))
    if columns.ndim not in (1, 2) or len(columns) != len(like):
        raise ValueError(
            f"the number {own_name(number)} has shape {tuple(columns.shape)} for {len(like)} inputs; return (n,) or "
            "(n, k), one row for each input"
        )
    if not bool(columns.detach().isfinite().all()):
        row = int((~columns.detach().reshape(len(like), -1).isfinite()).any(dim=1).nonzero()[0])
        raise ValueError(
            f"the number {own_name(number)} is not finite for input {row}; return a finite number for each"
        )
    return columns.to(like).reshape(len(like), -1)


def _log(mean_square: Tensor) -> Tensor:
    return mean_square.clamp_min(FLOOR).log()
