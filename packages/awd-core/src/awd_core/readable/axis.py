"""The axis of an input's samples: its unit, and what the first and the last sample stand for. NumPy is not needed."""

import math
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Axis:
    """What the samples of a series stand for, evenly spaced.

    Attributes
    ----------
    name : str
        Its unit or name, such as "nm".
    low, high : float
        Of the first and the last sample.

    Raises
    ------
    ValueError
        If the ends are no two different finite numbers, or the name is empty.

    Examples
    --------
    >>> axis = Axis("nm", 850, 1048)
    >>> axis.step(100), axis.at(50, 100), axis.width(4, 100)
    (2.0, '950 nm', '8 nm')
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        good = all(isinstance(end, int | float) and math.isfinite(end) for end in ends) and self.low != self.high
        if not good or not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(
                f"the axis is {self.name!r} from {self.low!r} to {self.high!r}; give a name, and two "
                "numbers that differ: "
                "those of the first and the last sample, such as nm:850:1048"
            )

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """An axis, a text such as "nm:850:1048", or (name, low, high); None stays None."""
        if value is None or isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(*_parts(value))
        if isinstance(value, list | tuple) and len(value) == 3:
            return cls(value[0], value[1], value[2])
        raise ValueError(f"axis is {value!r}; give (name, low, high), such as ('nm', 850, 1048)")

    def step(self, samples: int) -> float:
        """From one sample to the next, of `samples`."""
        return (self.high - self.low) / max(samples - 1, 1)

    def at(self, place: float, samples: int) -> str:
        """Where a sample lies, of `samples`, counted from 0."""
        return f"{self.low + place * self.step(samples):.4g} {self.name}"

    def width(self, count: float, samples: int) -> str:
        """How wide `count` samples are."""
        return f"{abs(count * self.step(samples)):.3g} {self.name}"


def parse_axis(text: str) -> Axis:
    """Axis from "name:low:high"; the name may hold colons.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> parse_axis("s:0:1.5")
    Axis(name='s', low=0.0, high=1.5)
    """
    return Axis(*_parts(text))


def _parts(text: str) -> tuple[str, float, float]:
    parts = text.rsplit(":", 2)
    try:
        name, low, high = parts[0], float(parts[1]), float(parts[2])
    except (IndexError, ValueError):
        raise ValueError(
            f"the axis is {text!r}; give name:low:high, such as nm:850:1048, of the first and the last sample"
        ) from None
    return name, low, high
