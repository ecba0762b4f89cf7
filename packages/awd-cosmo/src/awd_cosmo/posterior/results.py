"""What a run says of posteriors: rows of scores on test maps, written to and read from posteriors.json."""

import math
from dataclasses import dataclass

from awd_core.files import Record
from awd_core.typing import Array
from awd_cosmo.posterior.coverage import Tarp


@dataclass(frozen=True)
class PosteriorRow(Record):
    """Scores of the posteriors under one statistic.

    Attributes
    ----------
    key, name : str
        Of the statistic.
    features : int
        How many numbers of a map it reads.
    rmse : mapping
        Parameter → root mean square error of the posterior means of test maps.
    std : mapping
        Parameter → median of the posteriors' own standard deviations.
    figure_of_merit : float
        Median of 1/√det of the covariance of what is shown.
    tarp : Tarp
        Coverage of what is shown, all at once.
    ranks : mapping
        Parameter → largest distance of the distribution of ranks from the even one.
    widening : float
        By how much validation maps have widened the likelihood.
    fair : float
        Score of the FAIR Universe challenge for means and standard deviations (`awd_cosmo.fair_score`), the sum over
        what is shown; that of the challenge is of Ω_m and S8. NaN in files of before.
    """

    key: str
    name: str
    features: int
    rmse: dict[str, float]
    std: dict[str, float]
    figure_of_merit: float
    tarp: Tarp
    ranks: dict[str, float]
    widening: float
    fair: float = math.nan


@dataclass(frozen=True)
class ShownMap(Record):
    """A test map whose chains are kept: its row, and what is true of it."""

    row: int
    truth: dict[str, float]


@dataclass(frozen=True)
class Posteriors(Record, format="awd-cosmo-posteriors", what="posteriors", writer="awd-cosmo run"):
    """All rows, and what they are of.

    Attributes
    ----------
    names : tuple of str
        What is sampled; the prior is flat in its box.
    shown : tuple of str
        What was asked for.
    likelihood : str
        "emulator" or "neural".
    test : int
        Test maps.
    rows : tuple of PosteriorRow
    maps : tuple of ShownMap
        Chains of theirs are chains/KEY-mapROW.
    low, high : ndarray
        Ends of what is shown, among all maps.
    """

    names: tuple[str, ...]
    shown: tuple[str, ...]
    likelihood: str
    test: int
    rows: tuple[PosteriorRow, ...]
    maps: tuple[ShownMap, ...]
    low: Array
    high: Array
