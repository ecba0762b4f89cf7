"""Scores of wavelets as they are kept and compared; `awd_core.evidence.scores` makes them. Nothing here needs torch."""

import math
import os
from dataclasses import asdict, dataclass
from typing import Any

from awd_core.checks.choices import check_kind
from awd_core.files.atomic import json_values
from awd_core.files.record import Record


@dataclass(frozen=True)
class ScaleScore:
    """Scores of one scale; in two dimensions the three directions of a level together.

    Attributes
    ----------
    name : str
        "approximation 3", "details 3" … "details 1".
    coefficients : int
        Number of coefficients of one input.
    coefficient_l1, attribution_l1 : float
        Σ|·| over the scale, mean over inputs.
    coefficient_share, attribution_share : float
        That sum over the sum of all scales; NaN where all are zero.
    present_coefficients, present_attributions : float
        Share of the scale's coefficients (or attributions) above the threshold.
    compression : float
        Share that has both above their thresholds. The smaller, the stronger the compression.
    """

    name: str
    coefficients: int
    coefficient_l1: float
    attribution_l1: float
    coefficient_share: float
    attribution_share: float
    present_coefficients: float
    present_attributions: float
    compression: float


@dataclass(frozen=True)
class CoefficientScores(Record, format="awd-scores", writer="write_scores"):
    """Scores of one wavelet on one set of inputs and gradients; made by `coefficient_scores`.

    Attributes
    ----------
    wavelet : str
        Its name.
    taps : tuple of float
        Its low-pass taps.
    scales : tuple of ScaleScore
        From coarse to fine.
    total : ScaleScore
        All scales together.
    gini_coefficients, gini_attributions : float
        Gini's index of the absolute values of one input (Hurley and Rickard 2009, "Comparing measures of sparsity"):
        0 if all are equal, towards 1 if one holds everything. Mean over the inputs where they are not all zero.
    curve_k, curve_kept : tuple
        Share of an input's Σ|attribution| that its k largest hold, mean over inputs with any attribution.
    kept : tuple of (float, float)
        The same where k is a share of all coefficients (rounded up): (share, kept).
    without_attribution : int
        Inputs whose attributions are all zero; they have no shares.
    settings : dict
        What two wavelets must have in common to be compared, digests of the data included.
    """

    wavelet: str
    taps: tuple[float, ...]
    scales: tuple[ScaleScore, ...]
    total: ScaleScore
    gini_coefficients: float
    gini_attributions: float
    curve_k: tuple[int, ...]
    curve_kept: tuple[float, ...]
    kept: tuple[tuple[float, float], ...]
    without_attribution: int
    settings: dict[str, Any]

    @property
    def compression(self) -> float:
        """The published compression factor: the share of coefficients present in value and in attribution."""
        return self.total.compression

    def rows(self) -> list[dict[str, Any]]:
        """One row per scale and one for all, with the fields of `ScaleScore`."""
        return [asdict(scale) for scale in (*self.scales, self.total)]


Scores = tuple[CoefficientScores, CoefficientScores]
"""Of the wavelet that was started from, and of the one that was taken."""


@dataclass(frozen=True)
class ScoreFile(Record):
    """What scores.json of a run holds."""

    start: CoefficientScores
    distilled: CoefficientScores


@dataclass(frozen=True)
class ScoreComparison:
    """Two wavelets' scores on the same data.

    Attributes
    ----------
    first, second : CoefficientScores
        Whose.
    """

    first: CoefficientScores
    second: CoefficientScores

    def rows(self) -> list[dict[str, Any]]:
        """One row per scale and quantity: both values and their ratio, second over first (NaN for zero over zero).

        Smaller is sparser, but for Gini's index and the shares kept.
        """
        rows = []
        for one, other in zip(
            (*self.first.scales, self.first.total), (*self.second.scales, self.second.total), strict=True
        ):
            for quantity in ("coefficients", "coefficient_l1", "attribution_l1", "compression"):
                rows.append(_compared(one.name, quantity, getattr(one, quantity), getattr(other, quantity)))
        for quantity in ("gini_coefficients", "gini_attributions"):
            rows.append(_compared("all", quantity, getattr(self.first, quantity), getattr(self.second, quantity)))
        for (share, one_kept), (_, other_kept) in zip(self.first.kept, self.second.kept, strict=True):
            rows.append(_compared("all", f"kept by {share:.4g}", one_kept, other_kept))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what is not defined is None."""
        return {"first": self.first.wavelet, "second": self.second.wavelet, "rows": json_values(self.rows())}


def compare_scores(first: CoefficientScores, second: CoefficientScores) -> ScoreComparison:
    """Put the scores of two wavelets side by side.

    Raises
    ------
    ValueError
        If they were not made from the same data with the same settings.
    """
    for name, scores in (("first", first), ("second", second)):
        check_kind(name, scores, CoefficientScores)
    differing = [key for key, value in first.settings.items() if second.settings.get(key) != value]
    if differing:
        raise ValueError(
            f"the scores of {first.wavelet!r} and {second.wavelet!r} cannot be compared: {', '.join(differing)} "
            "differ(s); score both wavelets on the same data with the same settings"
        )
    return ScoreComparison(first, second)


def write_scores(path: str | os.PathLike[str], scores: Scores) -> None:
    """Write scores.json of a run, which `awd_core.report.read_scores` reads.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist.
    scores : (CoefficientScores, CoefficientScores)
        Of the start and of the wavelet that was taken, as `awd_core.evidence.score_pair` returns them.
    """
    ScoreFile(*scores).save(path)


def _compared(scale: str, quantity: str, first: float, second: float) -> dict[str, Any]:
    ratio = second / first if first else (math.nan if second == 0 else math.inf)
    return {"scale": scale, "quantity": quantity, "first": first, "second": second, "ratio": ratio}
