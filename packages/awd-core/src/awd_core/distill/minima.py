"""Where the searches of a path ended: local minima, and how many starts led to each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from awd_core.checks.real_numbers import real_number
from awd_core.distill.descent import Descent
from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.wavelets.wavelet import Wavelet


@dataclass(frozen=True)
class Minimum:
    """One local minimum at one share, on the small batch.

    Attributes
    ----------
    share : float
        α.
    objective : float
        (1 − α) S/S₀ + α A/A₀ on the small batch, whose S and A are not quite those of the large one.
    excess : float
        How far the objective is above the best minimum's, relative to it.
    starts : tuple of str
        What the searches that ended here had started from.
    wavelet : Wavelet
        The filter there.
    """

    share: float
    objective: float
    excess: float
    starts: tuple[str, ...]
    wavelet: Wavelet


def local_minima(point: PathPoint, *, tolerance: float = 0.01) -> list[Minimum]:
    """Local minima that were found at one share, best first.

    Parameters
    ----------
    point : PathPoint
        A point of the path.
    tolerance : float
        Searches that end within this L2 distance of each other's taps count as one minimum. The objective has kinks,
        so two searches do not end in exactly the same place.

    Returns
    -------
    list of Minimum
    """
    real_number("tolerance", tolerance, "a distance of taps", least=0)
    if not hasattr(point, "descents"):
        raise TypeError(f"point is {type(point).__name__}; give one point of a path, such as path[0]")
    searches = {d.steps[0].free_angles: d for d in point.descents if not d.start.startswith(("medium", "refined"))}
    groups: list[tuple[Wavelet, list[Descent]]] = []
    for descent in sorted(searches.values(), key=lambda d: d.objective):
        wavelet = Wavelet.from_angles(descent.angles)
        for place, group in groups:
            if np.linalg.norm(place.taps - wavelet.taps) <= tolerance:
                group.append(descent)
                break
        else:
            groups.append((wavelet, [descent]))
    best = groups[0][1][0].objective
    return [
        Minimum(point.share, g[0].objective, g[0].objective / best - 1.0, tuple(d.start for d in g), wavelet)
        for wavelet, g in groups
    ]


def agreement(minima: Sequence[Minimum]) -> tuple[int, int]:
    """How many searches ended in the best minimum, and how many there were.

    Examples
    --------
    >>> haar = Wavelet.from_name("haar")
    >>> agreement([Minimum(0.0, 0.9, 0.0, ("db5", "random 0"), haar), Minimum(0.0, 1.0, 0.1, ("random 1",), haar)])
    (2, 3)
    """
    return len(minima[0].starts), sum(len(minimum.starts) for minimum in minima)


def all_minima(path: DistillationPath) -> list[list[Minimum]]:
    """`local_minima` of every point."""
    return [local_minima(point) for point in path]
