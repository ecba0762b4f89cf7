"""Pieces of sentences that reports of all packages have."""

import math

from awd_core.report.table import number


def counted(count: int | None, one: str, many: str = "") -> str:
    """How many there are.

    Examples
    --------
    >>> counted(1, "map"), counted(1200, "map"), counted(None, "cosmology", "cosmologies")
    ('1 map', '1,200 maps', 'some cosmologies')
    """
    several = many or f"{one}s"
    return f"some {several}" if count is None else f"{count:,} {one if count == 1 else several}"


def interval(low: float, high: float, style: str = ".3f") -> str:
    """A 95 % interval; nothing where there is none.

    Examples
    --------
    >>> interval(0.842, 0.962), interval(math.nan, math.nan)
    ('95 %: 0.842 to 0.962', '')
    """
    known = math.isfinite(low) and math.isfinite(high)
    return f"95 %: {number(low, style)} to {number(high, style)}" if known else ""
