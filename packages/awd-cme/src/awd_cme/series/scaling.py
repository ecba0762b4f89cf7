"""Z-scores per cell: what is subtracted and divided by, and whose tracks it is taken from.

Cells differ in brightness (expression, laser, day), so series and targets are standardised cell by cell. Two rules:

- `training` (the default): each cell's mean and deviation come from its training tracks; a cell that was held out as a
  whole takes the statistics pooled over the training cells. Nothing of a test track is used.
- `own`: each cell is standardised by all of its own tracks, training or test, as the published auxilin work does. For
  the inputs this is fair where all tracks of a new cell are at hand before any is predicted, and it takes out the new
  cell's brightness: no target is looked at. For the targets it looks at those of the test tracks: use it to compare
  with published numbers only.

Deviations are those of the population (÷ n). Zeros that `published` resampling puts behind short series count as
samples, as they did there; with `pad` they do not, and are 0, the mean, after scaling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from awd_cme.series.series_set import SeriesSet
from awd_core.checks import check_kind
from awd_core.files import Record

Array = npt.NDArray[np.float64]
Rule = Literal["training", "own", "none"]
RULES: tuple[Rule, ...] = ("training", "own", "none")
ROUNDING = 1e-9
"""A deviation below this share of the mean is what rounding leaves of values that are the same."""


@dataclass(frozen=True)
class Statistics(Record):
    """Location and scale, pooled and by cell.

    Attributes
    ----------
    rule : {"training", "own", "none"}
        Whose tracks they are taken from.
    mean, sd : float
        Pooled over the training cells: the mean of all values, and the root mean square of their distances from the
        mean of their own cell, so that differences between cells do not count as spread within them.
    cells : mapping of str to (float, float)
        Mean and deviation of each training cell.
    """

    rule: Rule
    mean: float
    sd: float
    cells: Mapping[str, tuple[float, float]]

    def of(self, cells: npt.NDArray[Any]) -> tuple[Array, Array]:
        """Mean and deviation for each entry of an array of cells, both of its shape."""
        names, places = np.unique(cells, return_inverse=True)
        pairs = np.array([self.cells.get(str(name), (self.mean, self.sd)) for name in names]).reshape(-1, 2)
        return pairs[places, 0], pairs[places, 1]


@dataclass(frozen=True)
class ZScores:
    """Z-scores that were fitted on a training set; made by `fit_z_scores`.

    Attributes
    ----------
    inputs, targets : Statistics
        In the units of the channels.
    """

    inputs: Statistics
    targets: Statistics

    def apply(self, series: SeriesSet) -> SeriesSet:
        """Return the set with standardised X and y (y of a classification as it is).

        Parameters
        ----------
        series : SeriesSet
            In the units of the channels.

        Raises
        ------
        ValueError
            If the set is standardised already.
        """
        if series.scaled:
            raise ValueError("the set is standardised already; apply z-scores to the set that make_series returned")
        inputs = statistics(series, "own", what="X") if self.inputs.rule == "own" else self.inputs
        X = series.X
        if self.inputs.rule != "none":
            mean, sd = inputs.of(series.cell)
            X = (X - mean[:, None]) / sd[:, None]
            if series.settings.resampling == "pad":
                X = np.where(series.mask, X, 0.0)
        y = series.y
        if not series.classification and self.targets.rule != "none":
            targets = statistics(series, "own", what="y") if self.targets.rule == "own" else self.targets
            mean, sd = targets.of(series.cell)
            y = (y - mean) / sd
        return replace(series, X=X, y=y, scaled=True)

    def restore_targets(self, y: npt.ArrayLike, cell: npt.NDArray[Any]) -> Array:
        """Targets in the partner's units from standardised ones, by the statistics of training tracks.

        Raises
        ------
        ValueError
            If targets were standardised by `own`: that of a test cell would need the test targets.
        """
        if self.targets.rule == "own":
            raise ValueError(
                "targets were standardised by 'own', which cannot be undone for new tracks; use 'training'"
            )
        values = np.asarray(y, dtype=np.float64)
        if self.targets.rule == "none":
            return values
        mean, sd = self.targets.of(np.asarray(cell))
        return values * sd + mean


def fit_z_scores(training: SeriesSet, *, inputs: Rule = "training", targets: Rule = "training") -> ZScores:
    """Take the statistics from training tracks.

    Parameters
    ----------
    training : SeriesSet
        Training tracks, and no others, in the units of the channels.
    inputs, targets : {"training", "own", "none"}
        The rules in the module's description. Targets of a classification are left as they are under each.

    Raises
    ------
    ValueError
        For an unknown rule, a set that is standardised already, or values that are all the same.

    Examples
    --------
    >>> from awd_cme.series.series_set import example_set
    >>> raw = example_set()
    >>> scaled = fit_z_scores(raw).apply(raw)
    >>> abs(float(scaled.X[raw.cell == raw.cell[0]].mean())) < 1e-12
    True
    """
    if check_kind("training", training, SeriesSet).scaled:
        raise ValueError("the set is standardised already; fit z-scores on the set that make_series returned")
    target_rule: Rule = "none" if training.classification else targets
    return ZScores(statistics(training, inputs, what="X"), statistics(training, target_rule, what="y"))


def statistics(series: SeriesSet, rule: Rule, *, what: Literal["X", "y"]) -> Statistics:
    """Statistics of X (of valid samples only where the set was padded with a mask) or of y."""
    if rule not in RULES:
        raise ValueError(f"z-scores of {what} go by one of the rules {', '.join(RULES)}; got {rule!r}")
    if rule == "none":
        return Statistics("none", 0.0, 1.0, {})
    if not len(series):
        raise ValueError("there are no tracks to take means and deviations from")
    if what == "y":
        values, weights = series.y[:, None], np.ones((len(series), 1))
    else:
        masked = series.settings.resampling == "pad"
        values, weights = series.X, series.mask.astype(np.float64) if masked else np.ones_like(series.X)
    names, places = np.unique(series.cell, return_inverse=True)
    count = np.bincount(places, weights.sum(axis=1))
    means = np.bincount(places, (values * weights).sum(axis=1)) / count
    squares = np.bincount(places, ((values - means[places, None]) ** 2 * weights).sum(axis=1))
    sd = np.sqrt(squares / count)
    pooled_mean, pooled_sd = float(means @ count / count.sum()), float(np.sqrt(squares.sum() / count.sum()))
    if not pooled_sd > ROUNDING * np.abs(means).max():
        raise ValueError(
            f"all values of {what} are the same within each cell, so there is nothing to standardise; check the "
            "channel and the target, or use the rule 'none'"
        )
    # A cell with one track has a target without spread, and one without signal an input without.
    sd = np.where(sd > ROUNDING * np.maximum(np.abs(means), pooled_sd), sd, pooled_sd)
    pairs = zip(means.tolist(), sd.tolist(), strict=True)
    return Statistics(rule, pooled_mean, pooled_sd, dict(zip(map(str, names), pairs, strict=True)))
