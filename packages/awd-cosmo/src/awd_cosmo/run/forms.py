"""The statistics that a run compares with, each in the forms among which cross-validation chooses."""

from typing import Any

import numpy as np

from awd_cosmo.field_statistics import (
    JointStatistic,
    MinkowskiFunctionals,
    PixelDistribution,
    ScatteringCoefficients,
    StarletNorm,
)
from awd_cosmo.inference.regressor import Transform
from awd_cosmo.statistics.counts import PeakCounts
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal
from awd_cosmo.statistics.spectrum import PowerSpectrum
from awd_cosmo.statistics.starlet import StarletCounts
from awd_cosmo.statistics.statistic import Statistic

CLASSICAL_NAMES = {
    "raw": "raw peak heights",
    "laplace_v1": "Laplace v1 peaks",
    "laplace_v2": "Laplace v2 peaks",
    "roberts": "Roberts cross peaks",
    "starlet": "starlet peaks",
    "power_spectrum": "power spectrum",
}
"""Statistics that every run compares with."""
FIELD_NAMES = {
    "minima": "minima",
    "pdf": "one-point distribution",
    "l1_norm": "starlet ℓ1-norm",
    "minkowski": "Minkowski functionals",
    "scattering": "scattering coefficients",
    "joint": "all of these together",
}
"""Statistics that are asked for by `Job.field_statistics`."""
AS_THEY_ARE = (ShiftedLognormal, PowerSpectrum, MinkowskiFunctionals, ScatteringCoefficients, JointStatistic)
"""Those whose numbers are logarithms already, or have both signs; of counts and sums square roots scatter alike."""


def classical_statistics(key: str, pixel_scale: float, side: int) -> list[Statistic]:
    """What a statistic of maps of so many pixels a side may look like; cross-validation chooses."""
    most = max(1, int(np.log2(side)) - 2)  # beyond, the coarsest band hardly has a peak
    scales = max(1, min(4, int(np.log2(side)) - 1))
    if key == "starlet":
        return [StarletCounts(levels, per="pixel") for levels in range(max(1, most - 1), most + 1)]
    if key == "power_spectrum":
        return [PowerSpectrum(pixel_scale, bins=bins) for bins in (12, 20)]
    if key == "minima":
        return [PeakCounts("raw", range="normal", bins=bins, kind="minima", per="pixel") for bins in (12, 22)]
    if key == "pdf":
        return [PixelDistribution(bins) for bins in (12, 24)]
    if key == "l1_norm":
        return [StarletNorm(most, bins=bins, spacing=spacing) for bins, spacing in ((12, "even"), (20, "normal"))]
    if key == "minkowski":
        return [MinkowskiFunctionals(thresholds) for thresholds in (8, 14)]
    if key == "scattering":
        return [ScatteringCoefficients(scales, boundary="periodic")]  # mirrored, a map costs four times as much
    if key == "joint":
        return [JointStatistic([
            PowerSpectrum(pixel_scale, bins=12), PeakCounts("raw", range="normal", bins=12, per="pixel", sqrt=True),
            PeakCounts("raw", range="normal", bins=12, kind="minima", per="pixel", sqrt=True), PixelDistribution(12),
            StarletNorm(most, bins=12, sqrt=True), MinkowskiFunctionals(8),
            ScatteringCoefficients(scales, boundary="periodic"),
        ])]  # fmt: skip
    name = "roberts_cross" if key == "roberts" else key
    return [
        PeakCounts(name, per="pixel"),
        *(PeakCounts(name, range="normal", bins=bins, per="pixel") for bins in (12, 22)),
    ]


def transform_of(statistic: Statistic) -> Transform:
    """What an estimator does to the features of a statistic first."""
    return "none" if isinstance(statistic, AS_THEY_ARE) else "sqrt"


def field_label(statistic: Any) -> str | None:
    """A statistic of the field in words; None for others."""
    if isinstance(statistic, PixelDistribution):
        return f"shares of pixels in {statistic.bins} bins"
    if isinstance(statistic, StarletNorm):
        return f"sums of |w|, {statistic.levels} levels, {statistic.bins} {statistic.spacing} bins"
    if isinstance(statistic, MinkowskiFunctionals):
        return f"V0, V1, V2 at {statistic.thresholds} thresholds"
    if isinstance(statistic, ScatteringCoefficients):
        return f"scattering, {statistic.scales} scales, 2 orders"
    if isinstance(statistic, JointStatistic):
        return f"{len(statistic.statistics)} statistics side by side"
    return None
