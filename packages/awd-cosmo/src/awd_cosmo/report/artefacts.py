"""What a report is made of: the artefacts of a run. `awd_cosmo.report.read` reads them from its folder.

Only maps and results must be there. Whatever else is missing is None, and the report says so in a sentence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.distill import DistillationPath, PathPoint
from awd_core.evidence import CheckedQuality, Scores
from awd_core.typing import Array, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.results import RECOGNISES

PROTOCOLS = ("held_out", "published")
PROTOCOL_NAMES = {"held_out": "cosmologies held out", "published": "published protocol"}
SYMBOLS = {"Omega_m": "Ωₘ", "M_nu": "M_ν", "A_s": "10⁹ Aₛ", "sigma8": "σ₈", "n_s": "nₛ"}
CLASSICAL = ("classical",)
SAME = 1e-10
"""Largest difference of taps that are the same but for rounding."""


@dataclass(frozen=True)
class Row:
    """How one model did in one protocol; see results.json.

    Attributes
    ----------
    key, name, kind : str
        Which model. Kinds: awd, ablation, wavelet, classical, network, trivial.
    statistic, estimator : str
        What it measures, and how that becomes an estimate.
    rmse, low, high, error : float
        Root mean square error on test maps, its 95 % interval and its standard error.
    r2, bias, coverage68, coverage68_low, coverage68_high, validation_rmse : float, or None where there is none
        Other scores.
    parameters : int or None
        Number of fitted parameters.
    """

    key: str
    name: str
    kind: str
    rmse: float
    statistic: str = ""
    estimator: str = ""
    low: float | None = None
    high: float | None = None
    error: float | None = None
    r2: float | None = None
    bias: float | None = None
    coverage68: float | None = None
    coverage68_low: float | None = None
    coverage68_high: float | None = None
    validation_rmse: float | None = None
    parameters: int | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from other rows of a protocol."""
        return self.key, self.statistic, self.estimator


@dataclass(frozen=True)
class Protocol:
    """The rows of one protocol, and how many maps they rest on.

    What intervals are for, `units`, is other "cosmologies", "realisations", "cosmologies and realisations" or "maps".
    `curve` has R² by the number of numbers, as rows of `awd_core.student.CurvePoint`.
    """

    name: str
    rows: tuple[Row, ...]
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    test_cosmologies: int | None = None
    spread: float | None = None
    units: str | None = None
    best_classical: str | None = None
    curve: list[dict[str, Any]] | None = None

    @property
    def recognises(self) -> bool:
        """Whether the published estimator is among the rows."""
        return any(row.estimator == RECOGNISES for row in self.rows)

    def best(self, *kinds: str) -> Row | None:
        """The row that validation would take among those of some kinds; by test error where validation is unknown."""
        rows = [row for row in self.rows if row.kind in kinds]
        known = [row for row in rows if row.validation_rmse is not None]
        if known:
            return min(known, key=lambda row: (row.validation_rmse or 0.0, row.rmse))
        return min(rows, key=lambda row: row.rmse, default=None)

    def of(self, key: str) -> Row | None:
        """The row of a key, by regression; as `awd_cosmo.inference.Results.row` takes it."""
        rows = [row for row in self.rows if row.key == key]
        return next((row for row in rows if row.estimator != RECOGNISES), rows[0] if rows else None)


def is_far(observed: Mapping[str, Any]) -> bool:
    """Whether a row of observed.json is of a map unlike those of training; rows of before tell a percentile alone."""
    times = observed.get("times")
    far = float(times) > 1 if times is not None else float(observed.get("percentile") or 0.0) >= 99
    return far or bool(observed.get("at_edge"))


@dataclass(frozen=True)
class Ratio:
    """RMSE of one model over that of another on the same test maps, with its 95 % interval."""

    protocol: str
    of: str
    to: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Predictions:
    """Estimates of test maps, all arrays of shape (n,).

    Attributes
    ----------
    cosmology : ndarray of int
        Number of each map's cosmology.
    truth : ndarray
        True values.
    estimates, errors : dict
        By the key of the model; error bars are NaN where a model has none.
    """

    cosmology: Rows
    truth: Array
    estimates: dict[str, Array]
    errors: dict[str, Array]


@dataclass(frozen=True)
class Attributions:
    """Attributions of some test maps, all stacks of shape (n, ny, nx).

    Attributes
    ----------
    maps, gradients : ndarray
        Maps, and what the teacher's estimate would gain for a unit of convergence more in a pixel.
    truth : ndarray, shape (n,)
        True values.
    bands : dict
        Magnitudes of the wavelet coefficients' attributions, by band.
    """

    maps: Array
    gradients: Array
    truth: Array
    bands: dict[str, Array]

    def first_bands(self, most: int) -> "Attributions":
        """The same with that many bands at most."""
        return replace(self, bands=dict(list(self.bands.items())[:most]))


@dataclass(frozen=True)
class RunRecord:
    """All artefacts of a run that its report shows."""

    folder: Path
    maps: Mapping[str, Any]
    target: str
    protocols: Mapping[str, Protocol]
    ratios: Sequence[Ratio]
    splits: Mapping[str, Mapping[str, Any]]
    teacher: Mapping[str, Any] | None
    histories: Mapping[str, Sequence[Mapping[str, Any]]]
    path: DistillationPath | None
    wavelet: Wavelet | None
    scores: Scores | None
    quality: CheckedQuality | None
    selection: Sequence[Mapping[str, Any]] | None
    timings: Mapping[str, Any]
    predictions: Mapping[str, Predictions]
    attributions: Attributions | None
    model: Model | None
    observed: Sequence[Mapping[str, Any]] | None

    @property
    def symbol(self) -> str:
        """How the parameter that is estimated is written."""
        return SYMBOLS.get(self.target, self.target)

    @property
    def main(self) -> Protocol:
        """The protocol that counts: held-out cosmologies, if it was run."""
        return next(self.protocols[name] for name in PROTOCOLS if name in self.protocols)

    @property
    def pixel_arcmin(self) -> float | None:
        """Arcmin per pixel of the maps that the statistics see."""
        if self.model is not None:
            return float(self.model.pixel_scale * self.model.preprocessing.downsample)
        scale = self.maps.get("arcmin_per_pixel")
        return None if scale is None else float(scale)

    @property
    def chosen(self) -> PathPoint | None:
        """The point of the path whose wavelet was taken; None if there is no path, or it is none of the path's."""
        if self.path is None or self.wavelet is None:
            return None
        for point in self.path:
            taps = point.wavelet.taps
            if taps.shape == self.wavelet.taps.shape and np.abs(taps - self.wavelet.taps).max() < SAME:
                return point
        return None

    @property
    def shown(self) -> PathPoint | None:
        """The point to show: the chosen one, else the best of the path by validation, else the middle one."""
        if self.path is None or (point := self.chosen) is not None:
            return None if self.path is None else point
        tried = [row for row in self.selection or () if row.get("share") is not None]
        for row in sorted(tried, key=validation_error):
            for point in self.path:
                if abs(point.share - row["share"]) < 1e-9:
                    return point
        return self.path[len(self.path) // 2]

    @property
    def taken(self) -> Mapping[str, Any] | None:
        """The candidate whose wavelet is counted, None if selection.json does not tell."""
        marked = [row for row in self.selection or () if row.get("chosen")]
        keys = [key for key in ("awd_counts", "awd", None) if any(row.get("key") == key for row in marked)]
        return next((row for row in marked if keys and row.get("key") == keys[0]), None)

    def classical(self, protocol: Protocol) -> Row | None:
        """The best classical statistic of a protocol, by validation."""
        if protocol.best_classical is not None:
            return protocol.of(protocol.best_classical)
        return protocol.best(*CLASSICAL)

    def ratio(self, protocol: Protocol, to: Row) -> Ratio:
        """AWD's RMSE over another's; without an interval where the run has none."""
        for ratio in self.ratios:
            if (ratio.protocol, ratio.of, ratio.to) == (protocol.name, "awd", to.key):
                return ratio
        mine = protocol.of("awd")
        return Ratio(protocol.name, "awd", to.key, math.nan if mine is None else mine.rmse / to.rmse, None, None)


def validation_error(candidate: Mapping[str, Any]) -> float:
    """By what a candidate was judged: its error on cosmologies left out, fold by fold, or on validation maps."""
    found = candidate.get("cv_rmse")
    return float(candidate["validation_rmse"] if found is None else found)
