"""Bands of inputs for the taps of each level, decimated or not, in one or two dimensions, differentiable in the taps.

Names are a letter and the level: A for the approximation, D for the details of series; H, V and D (horizontal, vertical
and diagonal, as PyWavelets has them) for those of images. First come the bands that say all of the input, from coarse
to fine, A3 D3 D2 D1; behind them the approximations that the finer levels leave, A2 A1, which the local level is read
from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from awd_core.checks.choices import check_choice
from awd_core.checks.whole_numbers import whole_number
from awd_core.transforms.axes import analyse_axis
from awd_core.transforms.boundary import MODES
from awd_core.transforms.undecimated import UNDECIMATED_MODES, UndecimatedLevel, undecimated_levels
from awd_core.wavelets.filters import high_pass, lattice_taps
from awd_core.wavelets.lattice import QUARTER_PI


class Bands(dict[str, Tensor]):
    """Bands by name, each (n, …), with what they were made from.

    Parameters
    ----------
    bands : mapping of str to Tensor
        The bands.
    inputs : Tensor, shape (n, N) or (n, H, W)
        What was transformed.
    banks : sequence of Tensor, shape (2, L)
        Decomposition filters of each level, low- and high-pass, the finest level first: for a number of one's own that
        filters in its own way.
    """

    def __init__(self, bands: Mapping[str, Tensor], inputs: Tensor, banks: Sequence[Tensor]) -> None:
        super().__init__(bands)
        self.inputs, self.banks = inputs, banks


MATRIX_UP_TO = 512
"""Samples of a series up to which its transform is one matrix: each of the few lines of it costs less than a pass over
all series for every tap."""


@dataclass(frozen=True)
class Layout:
    """Which bands there are.

    Attributes
    ----------
    levels : int
        Number of levels J.
    undecimated : bool
        Whether every level has a coefficient for every sample; otherwise PyWavelets' decimated transform.
    mode : str
        Boundary mode.
    ndim : int
        1 for series, 2 for images.
    """

    levels: int
    undecimated: bool
    mode: str
    ndim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", whole_number("levels", self.levels))
        check_choice("mode", self.mode, UNDECIMATED_MODES if self.undecimated else MODES, required=True)

    @property
    def frame(self) -> list[str]:
        """Names of the bands that say all of the input, from coarse to fine."""
        details = [f"{letter}{level}" for level in range(self.levels, 0, -1) for letter in self.letters]
        return [f"A{self.levels}", *details]

    @property
    def letters(self) -> str:
        """Those of the details of one level."""
        return "D" if self.ndim == 1 else "HVD"

    def meaning(self, name: str) -> str:
        """A band in words.

        Examples
        --------
        >>> Layout(3, True, "zero", 1).meaning("D2")
        'the details of level 2 (about 4 samples wide)'
        """
        level = int(name[1:])
        direction = {"H": "horizontal ", "V": "vertical ", "D": "diagonal "}[name[0]] if self._directed(name) else ""
        what = "the approximation" if name[0] == "A" else f"the {direction}details"
        return f"{what} of level {level} (about {2**level} samples wide)"

    def of(self, x: Tensor, banks: Sequence[Tensor]) -> Bands:
        """Bands of inputs.

        Parameters
        ----------
        x : Tensor, shape (n, N) or (n, H, W)
            Inputs.
        banks : sequence of Tensor, shape (2, L)
            Decomposition filters of each level, low- and high-pass, the finest level first.

        Returns
        -------
        dict of str to Tensor, shape (n, …)
            In the order of the module's description.
        """
        return self.transform(tuple(x.shape[1:]), banks)(x)

    def transform(
        self, shape: tuple[int, ...], banks: Sequence[Tensor], names: Sequence[str] | None = None
    ) -> Callable[[Tensor], Bands]:
        """The function from inputs (n, *shape) to bands, made once for all inputs of that shape.

        Parameters
        ----------
        shape : tuple of int
            Of one input.
        banks : sequence of Tensor, shape (2, L)
            As for `of`.
        names : sequence of str, optional
            Bands that are wanted; all of them by default.
        """
        if names is not None and not names:
            return lambda x: Bands({}, x, banks)
        if self.ndim == 2 or shape[0] > MATRIX_UP_TO:
            return lambda x: self._direct(x, banks)
        # The transform is linear: that of the unit vectors is its matrix.
        rows: dict[str, Tensor] = self._direct(torch.eye(shape[0]).to(banks[0]), banks)
        rows = {name: rows[name] for name in (rows if names is None else dict.fromkeys(names))}
        matrix, widths = torch.cat(list(rows.values()), dim=1), [band.shape[1] for band in rows.values()]
        return lambda x: Bands(dict(zip(rows, torch.split(x @ matrix, widths, dim=1), strict=True)), x, banks)

    def _direct(self, x: Tensor, banks: Sequence[Tensor]) -> Bands:
        levels = undecimated_levels(x, banks, self.mode, self.ndim) if self.undecimated else self._decimated(x, banks)
        found = dict(self._named(list(levels)))
        order = [*self.frame, *(f"A{level}" for level in range(self.levels - 1, 0, -1))]
        return Bands({name: found[name] for name in order}, x, banks)

    def _decimated(self, x: Tensor, banks: Sequence[Tensor]) -> Iterator[UndecimatedLevel]:
        for bank in banks:
            bands = [x]
            for axis in range(-self.ndim, 0):
                bands = [half for band in bands for half in analyse_axis(band, bank, axis, self.mode)]
            x, *details = bands
            yield UndecimatedLevel(x, tuple(details) if self.ndim == 1 else (details[1], details[0], details[2]))

    def _named(self, levels: Sequence[UndecimatedLevel]) -> Iterator[tuple[str, Tensor]]:
        for number, level in enumerate(levels, start=1):
            yield f"A{number}", level.approximation
            for letter, band in zip(self.letters, level.details, strict=True):
                yield f"{letter}{number}", band

    def _directed(self, name: str) -> bool:
        return self.ndim == 2 and name[0] != "A"


def banks_of(free: Tensor, levels: int, negated: bool) -> list[Tensor]:
    """Decomposition filters of each level from free lattice angles.

    Parameters
    ----------
    free : Tensor, shape (1, L/2 − 1) or (J, L/2 − 1)
        All angles but the first, of one wavelet for all levels or of one for each, the finest level first.
    levels : int
        Number of levels J.
    negated : bool
        Whether details are read with the other sign: the largest value of a band is then the depth of its lowest.

    Returns
    -------
    list of Tensor, shape (2, L)
    """
    found = []
    for row in free:
        low = lattice_taps(torch.cat([(QUARTER_PI - row.sum()).unsqueeze(0), row]))
        high = high_pass(low)
        found.append(torch.stack([low, -high if negated else high]))
    return found * levels if len(found) == 1 else found


def banks_of_taps(taps: Sequence[Tensor], levels: int, negated: bool) -> list[Tensor]:
    """As `banks_of`, from low-pass taps (L,)."""
    found = [torch.stack([low, -high_pass(low) if negated else high_pass(low)]) for low in taps]
    return found * levels if len(found) == 1 else found
