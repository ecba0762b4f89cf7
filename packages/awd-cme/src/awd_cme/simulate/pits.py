"""The life of a simulated pit: how its clathrin comes and goes, and the auxilin that its history calls for.

Clathrin. A pit's amplitude, in units of the plateau of the typical successful pit, rises along sin², stays, and falls
along cos²; the durations and the height are log-normal, and it fluctuates by some percent (`FLUCTUATION`). Successful
and abortive pits differ in the medians alone (`SUCCESSFUL`, `ABORTIVE`), so that they overlap.

The law. Three numbers are read off the history, with M(a, b) its mean from a to b and zero before and after the pit:

    growth   largest over t of M(t, t + 4 s) − M(t − 4 s, t)
    plateau  largest over t of M(t, t + 12 s)
    loss     largest over t of M(t − 6 s, t) − M(t, t + 6 s)

and a successful pit that gets auxilin gets, as the height of its burst,

    strength = unit · ln(1 + exp(u)) · ε,   u = −2.5 + 6 · growth − 2.5 · plateau + 6 · loss,

with ε log-normal of mean 1 (`Law`). So what comes and goes fast at a given height calls for much auxilin, the response
bends near zero, and the height alone says less than half of it. What nobody can know is ε, whether a pit that looks
between the kinds succeeds, and which successful ones stay without a burst; `best_r2` says how much is left.

The burst is a Gaussian in time, early in the fall of clathrin: late in the pit's life.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_core.evidence import r_squared
from awd_core.typing import Array


class Kind(NamedTuple):
    """Medians of a kind of pits: durations of rise, plateau and fall in seconds, height in units of the typical one."""

    rise: float
    plateau: float
    fall: float
    height: float


SUCCESSFUL = Kind(12.0, 14.0, 12.0, 1.0)
ABORTIVE = Kind(9.0, 3.0, 9.0, 0.6)
SPREAD = Kind(0.40, 0.60, 0.40, 0.28)
"""Standard deviations of the logarithms, the same for both kinds."""

FLUCTUATION = 0.06
"""Standard deviation of the amplitude about its smooth course, relative to it; it is forgotten within seconds."""

LONGEST = 240
"""Seconds after which a pit is over, whatever was drawn."""

TYPICAL_STRENGTH = 1.7
"""Median of the bursts' strengths under the default law, in its unit."""

_CORRELATION = 5.0  # seconds
_TIMING = 2.0  # seconds: how much the burst's time varies
_BURST = (3.5, 0.2)  # seconds and log-sd of its width


@dataclass(frozen=True)
class Law:
    """How much auxilin a history calls for: u = intercept + growth·G + plateau·P + loss·L, in the module's description.

    Parameters
    ----------
    intercept, growth, plateau, loss : float
        Weights.
    noise : float
        Standard deviation of ln ε.
    burst_share : float
        Share of the successful pits that get a burst.
    """

    intercept: float = -2.5
    growth: float = 6.0
    plateau: float = -2.5
    loss: float = 6.0
    noise: float = 0.2
    burst_share: float = 0.95

    def __call__(self, growth: npt.ArrayLike, plateau: npt.ArrayLike, loss: npt.ArrayLike) -> Array:
        """Strength without noise, in its unit; the arguments are those of `history_terms`."""
        u = self.intercept + self.growth * np.asarray(growth) + self.plateau * np.asarray(plateau)
        return np.asarray(np.logaddexp(0.0, u + self.loss * np.asarray(loss)))


def history_terms(history: Array) -> tuple[Array, Array, Array]:
    """What the law reads off clathrin's histories.

    Parameters
    ----------
    history : ndarray, shape (n, seconds)
        Amplitude second by second, from the birth of the pit, zero after its end.

    Returns
    -------
    growth, plateau, loss : ndarray, shape (n,)
        In the unit of the history.

    Examples
    --------
    >>> step = np.zeros((1, 40))
    >>> step[0, 10:20] = 1.0
    >>> [round(float(term[0]), 3) for term in history_terms(step)]
    [1.0, 0.833, 1.0]
    """
    padded = np.pad(history, ((0, 0), (12, 12)))
    total = np.pad(np.cumsum(padded, axis=1), ((0, 0), (1, 0)))

    def means(window: int) -> Array:
        return np.asarray((total[:, window:] - total[:, :-window]) / window)

    four, six = means(4), means(6)
    growth = (four[:, 4:] - four[:, :-4]).max(axis=1)
    loss = (six[:, :-6] - six[:, 6:]).max(axis=1)
    return growth, means(12).max(axis=1), loss


def draw_pits(rng: np.random.Generator, count: int, *, success_share: float, law: Law) -> tuple[pd.DataFrame, Array]:
    """Pits, without place and time.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the random numbers come from.
    count : int
        How many.
    success_share : float
        Share of the successful ones.
    law : Law
        What the auxilin follows.

    Returns
    -------
    pits : DataFrame
        One row a pit: `success`, `burst` (whether auxilin comes); `strength` of the burst, 0 without one; `law`, what
        the law says without noise, whether the pit is successful or not; `expected`, the mean of the strength of all
        pits with the same history; `growth`, `plateau`, `loss`, the law's terms; `rise_seconds`, `plateau_seconds`,
        `fall_seconds`, `height` of the smooth course; `burst_seconds`, time of the burst from the birth of the pit,
        and `burst_width`, its standard deviation, both in seconds.
    history : ndarray, shape (count, LONGEST + 1)
        Clathrin's amplitude second by second.
    """
    success = rng.random(count) < success_share
    medians = np.where(success[:, None], SUCCESSFUL, ABORTIVE)
    shape = medians * np.exp(rng.standard_normal((count, 4)) * SPREAD)
    # Durations of less than two seconds would be a single frame.
    shape[:, :3] = np.clip(shape[:, :3], 2.0, LONGEST / 3)
    history = _courses(shape) * _fluctuations(rng, count)
    growth, plateau, loss = history_terms(history)
    called = law(growth, plateau, loss)
    epsilon = np.exp(law.noise * rng.standard_normal(count) - law.noise**2 / 2)
    burst = success & (rng.random(count) < law.burst_share)
    pits = pd.DataFrame({"success": success, "burst": burst, "strength": np.where(burst, called * epsilon, 0.0)})
    pits["law"] = called
    pits["expected"] = success_probability(shape, success_share) * law.burst_share * called
    pits["growth"], pits["plateau"], pits["loss"] = growth, plateau, loss
    for k, name in enumerate(("rise_seconds", "plateau_seconds", "fall_seconds", "height")):
        pits[name] = shape[:, k]
    pits["burst_seconds"] = shape[:, 0] + shape[:, 1] + 0.3 * shape[:, 2] + _TIMING * rng.standard_normal(count)
    pits["burst_width"] = _BURST[0] * np.exp(_BURST[1] * rng.standard_normal(count))
    return pits, history


def success_probability(shape: Array, success_share: float) -> Array:
    """Share of successful pits among those of a smooth course, by Bayes' rule from the two log-normal densities.

    Parameters
    ----------
    shape : ndarray, shape (n, 4)
        Rise, plateau and fall in seconds, height.
    success_share : float
        Share of successful pits among all.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> success_probability(np.array([SUCCESSFUL, ABORTIVE]), 0.5).round(3).tolist()
    [0.996, 0.004]
    """

    def exponent(kind: Kind) -> Array:
        return np.asarray(-0.5 * (((np.log(shape) - np.log(kind)) / SPREAD) ** 2).sum(axis=1))

    with np.errstate(divide="ignore"):
        odds = np.log(success_share) - np.log1p(-success_share) + exponent(SUCCESSFUL) - exponent(ABORTIVE)
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)))


def best_r2(strength: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """R² of the mean that the history determines: what no prediction of these pits surpasses but by luck.

    Parameters
    ----------
    strength, expected : array_like, shape (n,)
        Columns of the table of pits, or of a part of it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If all strengths are equal.
    """
    y, mean = np.asarray(strength, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if not (y != y[:1]).any():
        raise ValueError(f"R² needs pits whose strengths differ, got {len(y)} that do not")
    return r_squared(y, mean)


def _courses(shape: Array) -> Array:
    rise, plateau, fall, height = (column[:, None] for column in shape.T)
    t = np.arange(LONGEST + 1.0)
    up = np.sin(np.clip(t / rise, 0, 1) * np.pi / 2) ** 2
    down = np.cos(np.clip((t - rise - plateau) / fall, 0, 1) * np.pi / 2) ** 2
    return np.asarray(np.where(t < rise + plateau + fall, height * up * down, 0.0))


def _fluctuations(rng: np.random.Generator, count: int) -> Array:
    """Factors about 1: a stationary Ornstein–Uhlenbeck process, second by second, never below a half."""
    kept = np.exp(-1 / _CORRELATION)
    values = rng.standard_normal((count, LONGEST + 1))
    values[:, 1:] *= np.sqrt(1 - kept**2)
    for k in range(1, LONGEST + 1):
        values[:, k] += kept * values[:, k - 1]
    return np.maximum(1 + FLUCTUATION * values, 0.5)
