"""Bands of inputs for the taps of each level, decimated or not, in one or two dimensions, differentiable in the taps.

Names are a letter and the level: A for the approximation, D for the details of series; H, V and D (horizontal, vertical
and diagonal, as PyWavelets has them) for those of images. First come the bands that say all of the input, from coarse
to fine, A3 D3 D2 D1; behind them the approximations that the finer levels leave, A2 A1, which the local level is read
from. Where inputs have several channels, all bands of the first come first, and names begin with the channel's: ch2.D3.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
    channels : int
        How many channels an input has on an axis of its own, before the transformed ones; 0 where there is no such
        axis.
    per_channel : bool
        Whether every channel has a wavelet of its own.
    """

    levels: int
    undecimated: bool
    mode: str
    ndim: int
    channels: int = 0
    per_channel: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", whole_number("levels", self.levels))
        check_choice("mode", self.mode, UNDECIMATED_MODES if self.undecimated else MODES, required=True)
        if self.per_channel and not self.channels:
            raise ValueError("per_channel is True and inputs have no axis of channels; leave it out, or give (n, C, N)")

    @property
    def frame(self) -> list[str]:
        """Names of the bands that say all of the input, from coarse to fine."""
        details = [f"{letter}{level}" for level in range(self.levels, 0, -1) for letter in self.letters]
        names = [f"A{self.levels}", *details]
        return [f"{channel}.{name}" for channel in self.names for name in names] if self.channels else names

    @property
    def names(self) -> list[str]:
        """Names of the channels."""
        return channel_names(self.channels)

    @property
    def level_places(self) -> list[str]:
        """Names of the levels, from coarse to fine, of each channel."""
        levels = [str(level) for level in range(self.levels, 0, -1)]
        return [f"{channel}.{level}" for channel in self.names for level in levels] if self.channels else levels

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
        channel, _, band = name.rpartition(".")
        level = int(band[1:])
        direction = {"H": "horizontal ", "V": "vertical ", "D": "diagonal "}[band[0]] if self._directed(band) else ""
        what = "the approximation" if band[0] == "A" else f"the {direction}details"
        whose = f" of {channel}" if channel else ""
        return f"{what} of level {level} (about {2**level} samples wide){whose}"

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
        if self.channels:
            return self._of_channels(shape, banks, names)
        if self.ndim == 2 or shape[0] > MATRIX_UP_TO:
            return lambda x: self._direct(x, banks)
        # The transform is linear: that of the unit vectors is its matrix.
        rows: dict[str, Tensor] = self._direct(torch.eye(shape[0]).to(banks[0]), banks)
        rows = {name: rows[name] for name in (rows if names is None else dict.fromkeys(names))}
        matrix, widths = torch.cat(list(rows.values()), dim=1), [band.shape[1] for band in rows.values()]
        return lambda x: Bands(dict(zip(rows, torch.split(x @ matrix, widths, dim=1), strict=True)), x, banks)

    def _of_channels(
        self, shape: tuple[int, ...], banks: Sequence[Tensor], names: Sequence[str] | None
    ) -> Callable[[Tensor], Bands]:
        one = replace(self, channels=0, per_channel=False)
        made = []
        for place, channel in enumerate(self.names):
            own = banks[place * self.levels : (place + 1) * self.levels] if self.per_channel else banks
            wanted = None if names is None else [n.rpartition(".")[2] for n in names if n.startswith(f"{channel}.")]
            made.append((f"{channel}.", one.transform(shape[1:], own, wanted)))
        return lambda x: Bands(
            {f"{prefix}{name}": band for k, (prefix, of) in enumerate(made) for name, band in of(x[:, k]).items()},
            x, banks,
        )  # fmt: skip

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


def channel_names(count: int) -> list[str]:
    """Names of channels.

    Examples
    --------
    >>> channel_names(2)
    ['ch1', 'ch2']
    """
    return [f"ch{place + 1}" for place in range(count)]


def banks_of(free: Tensor, levels: int, negated: bool, per_channel: bool = False) -> list[Tensor]:
    """Decomposition filters of each level from free lattice angles.

    Parameters
    ----------
    free : Tensor, shape (1, L/2 − 1), (J, L/2 − 1) or (C, L/2 − 1)
        All angles but the first, of one wavelet for all levels, of one for each, the finest level first, or of one for
        each channel.
    levels : int
        Number of levels J.
    negated : bool
        Whether details are read with the other sign: the largest value of a band is then the depth of its lowest.
    per_channel : bool
        Whether the wavelets are of channels; the filters of all levels of the first channel come first then.

    Returns
    -------
    list of Tensor, shape (2, L)
    """
    found = []
    for row in free:
        low = lattice_taps(torch.cat([(QUARTER_PI - row.sum()).unsqueeze(0), row]))
        high = high_pass(low)
        found.append(torch.stack([low, -high if negated else high]))
    return _for_levels(found, levels, per_channel)


def banks_of_taps(taps: Sequence[Tensor], levels: int, negated: bool, per_channel: bool = False) -> list[Tensor]:
    """As `banks_of`, from low-pass taps (L,)."""
    found = [torch.stack([low, -high_pass(low) if negated else high_pass(low)]) for low in taps]
    return _for_levels(found, levels, per_channel)


def _for_levels(banks: list[Tensor], levels: int, per_channel: bool) -> list[Tensor]:
    if per_channel:
        return [bank for bank in banks for _ in range(levels)]
    return banks * levels if len(banks) == 1 else banks
