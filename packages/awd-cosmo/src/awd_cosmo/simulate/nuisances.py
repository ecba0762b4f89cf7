"""What a map depends on that nobody asks for: drawn anew for each map, told in its header, and averaged over.

A nuisance varies from map to map within a cosmology. So whatever learns from the maps has it in its scatter: that is
what it means to marginalise over it, with the flat prior of its range.
"""

from dataclasses import dataclass

import numpy as np

from awd_core.checks import check_choice, real_array

CARDS = {
    "redshift_shift": ("DELTA_Z", "shift of the redshifts of the sources"),
    "shear_bias": ("M_BIAS", "multiplicative bias of the shear"),
    "gas_mass": ("LOG10MC", "log10 of the mass of halos that have lost gas"),
}
"""Card and comment of each in the header of a map."""

_LIMITS = {"redshift_shift": (-0.3, 0.3), "shear_bias": (-0.5, 0.5), "gas_mass": (12.1, 16.0)}

Range = tuple[float, float]


@dataclass(frozen=True)
class Nuisances:
    """Ranges that nuisances are drawn from, evenly; None: not drawn.

    Parameters
    ----------
    redshift_shift : (low, high), optional
        Added to all redshifts of the sources.
    shear_bias : (low, high), optional
        m of a convergence that is measured as (1 + m) κ.
    gas_mass : (low, high), optional
        log₁₀ of M_c in solar masses per h, the mass below which halos have lost half of their gas: suppresses small
        scales after Schneider and Teyssier (2015, JCAP 12, 049), as pyccl has it, all else at their best fit (14.08).

    Raises
    ------
    ValueError
        A range that is none, does not rise, or reaches beyond what is plausible.

    Examples
    --------
    >>> nuisances = Nuisances(shear_bias=(-0.02, 0.02))
    >>> nuisances.draw(np.random.default_rng(0)).keys()
    dict_keys(['shear_bias'])
    """

    redshift_shift: Range | None = None
    shear_bias: Range | None = None
    gas_mass: Range | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            given = getattr(self, name)
            if given is None:
                continue
            ends = real_array(given, name).astype(np.float64)
            if ends.shape != (2,) or not least <= ends[0] < ends[1] <= most:
                raise ValueError(
                    f"{name} is {given!r}; give (low, high) that rise within {least:g} to {most:g}, or None"
                )
            object.__setattr__(self, name, (float(ends[0]), float(ends[1])))

    @classmethod
    def typed(cls, text: str) -> "Nuisances":
        """From NAME=LOW:HIGH, several with commas; ValueError if it is something else.

        Examples
        --------
        >>> Nuisances.typed("shear_bias=-0.02:0.02, gas_mass=13:15").gas_mass
        (13.0, 15.0)
        """
        ranges = {}
        for part in text.split(","):
            name, _, ends = (one.strip() for one in part.partition("="))
            check_choice("a nuisance", name, CARDS, required=True)
            try:
                low, high = map(float, ends.split(":"))
            except ValueError:
                raise ValueError(
                    f"the nuisance {name} is {ends!r}; give NAME=LOW:HIGH, several with commas, such as "
                    "shear_bias=-0.02:0.02"
                ) from None
            ranges[name] = (low, high)
        return cls(**ranges)

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """Values for one map; a nuisance more changes no other."""
        values = {name: float(share) for name, share in zip(CARDS, rng.random(len(CARDS)), strict=True)}
        ranges = {name: getattr(self, name) for name in CARDS}
        return {name: ends[0] + values[name] * (ends[1] - ends[0]) for name, ends in ranges.items() if ends is not None}
