"""Z-scores per cell: what is subtracted and divided by, and whose tracks it is taken from.

Cells differ in brightness (expression, laser, day), so series and targets are standardised cell by cell. Two rules:

- `training` (the default): each cell's mean and deviation come from its training tracks; a cell that was held out as a
  whole takes the statistics pooled over the training cells. Nothing of a test track is used.
- `own`: each cell is standardised by all of its own tracks, training or test, as the published auxilin work does. For
  the inputs this is fair where all tracks of a new cell are at hand before any is predicted, and it takes out the new
  cell's brightness: no target is looked at. For the targets it looks at those of the test tracks: use it to compare
  with published numbers only.

With `centre=False` inputs are divided by the deviation, and nothing is subtracted: 0 stays the background. Zeros
behind a short series, and those that the transform puts beyond its ends, are then no step in the signal.

Deviations are those of the population (÷ n), about the mean whether it is subtracted or not. Zeros that `published`
resampling puts behind short series count as samples, as they did there; with `pad` they do not, and are 0 after
scaling. A cell whose values are all the same has no deviation, and takes the pooled one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from awd_cme.series.series_set import SeriesSet
from awd_core.checks import check_kind
from awd_core.files import Record
from awd_core.typing import AnyArray, Array, Flags

Mask = Flags | None
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
    centre : bool
        Whether means are subtracted; if not, those here are 0.
    """

    rule: Rule
    mean: float
    sd: float
    cells: Mapping[str, tuple[float, float]]
    centre: bool = True

    def of(self, cells: AnyArray) -> tuple[Array, Array]:
        """Mean and deviation for each entry of an array of cells, both of its shape."""
        names, places = np.unique(cells, return_inverse=True)
        pairs = np.array([self.cells.get(str(name), (self.mean, self.sd)) for name in names]).reshape(-1, 2)
        return pairs[places, 0], pairs[places, 1]

    def own(self, values: Array, cells: AnyArray, mask: Mask = None) -> "Statistics":
        """Statistics of the cells of these values themselves, as the rule `own` asks; pooled ones as they are here.

        Parameters
        ----------
        values : ndarray, shape (n, N)
            In the channel's unit.
        cells : ndarray of str, shape (n,)
            Their cells.
        mask : ndarray of bool, shape (n, N), optional
            Which of them count; all by default.
        """
        means, squares, count = _sums(values, cells, mask)
        return replace(self, cells=_located(cells, means, np.sqrt(squares / count), self.sd, self.centre))

    def standardised(self, X: Array, cells: AnyArray, mask: Mask = None) -> Array:
        """Series by this rule; what the mask leaves out, padding, becomes 0. Parameters are those of `own`."""
        if self.rule == "none":
            return X
        mean, sd = (self.own(X, cells, mask) if self.rule == "own" else self).of(cells)
        scaled: Array = (X - mean[:, None]) / sd[:, None]
        return scaled if mask is None else np.where(mask, scaled, 0.0)


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
        X = self.inputs.standardised(series.X, series.cell, _counted(series))
        y = series.y
        if not series.classification:
            y = self.targets.standardised(y[:, None], series.cell)[:, 0]
        return replace(series, X=X, y=y, scaled=True)

    def restore_targets(self, y: npt.ArrayLike, cell: AnyArray) -> Array:
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


def fit_z_scores(
    training: SeriesSet, *, inputs: Rule = "training", targets: Rule = "training", centre: bool = True
) -> ZScores:
    """Take the statistics from training tracks.

    Parameters
    ----------
    training : SeriesSet
        Training tracks, and no others, in the units of the channels.
    inputs, targets : {"training", "own", "none"}
        The rules in the module's description. Targets of a classification are left as they are under each.
    centre : bool
        Whether the mean of the inputs is subtracted before they are divided by their deviation.

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
    >>> divided = fit_z_scores(raw, centre=False).apply(raw)
    >>> bool(np.array_equal(np.sign(divided.X), np.sign(raw.X)))
    True
    """
    if check_kind("training", training, SeriesSet).scaled:
        raise ValueError("the set is standardised already; fit z-scores on the set that make_series returned")
    target_rule: Rule = "none" if training.classification else targets
    return ZScores(statistics(training, inputs, what="X", centre=centre), statistics(training, target_rule, what="y"))


def statistics(series: SeriesSet, rule: Rule, *, what: Literal["X", "y"], centre: bool = True) -> Statistics:
    """Statistics of X (of valid samples only where the set was padded with a mask) or of y."""
    if rule not in RULES:
        raise ValueError(f"z-scores of {what} go by one of the rules {', '.join(RULES)}; got {rule!r}")
    if rule == "none":
        return Statistics("none", 0.0, 1.0, {}, centre)
    if not len(series):
        raise ValueError("there are no tracks to take means and deviations from")
    values, mask = (series.y[:, None], None) if what == "y" else (series.X, _counted(series))
    means, squares, count = _sums(values, series.cell, mask)
    mean, sd = float(means @ count / count.sum()), float(np.sqrt(squares.sum() / count.sum()))
    if not sd > ROUNDING * np.abs(means).max():
        raise ValueError(
            f"all values of {what} are the same within each cell, so there is nothing to standardise; check the "
            "channel and the target, or use the rule 'none'"
        )
    cells = _located(series.cell, means, np.sqrt(squares / count), sd, centre)
    return Statistics(rule, mean if centre else 0.0, sd, cells, centre)


def _counted(series: SeriesSet) -> Mask:
    """Which samples of a set count in statistics; None for all."""
    return series.mask if series.settings.resampling == "pad" else None


def _sums(values: Array, cells: AnyArray, mask: Mask) -> tuple[Array, Array, Array]:
    """For each cell, in the order of names: the mean, the sum of squares about it, and how many values there are."""
    weights = np.ones(values.shape) if mask is None else mask.astype(np.float64)
    _, places = np.unique(cells, return_inverse=True)
    count: Array = np.bincount(places, weights.sum(axis=1)).astype(np.float64)
    means = np.bincount(places, (values * weights).sum(axis=1)) / count
    squares = np.bincount(places, ((values - means[places, None]) ** 2 * weights).sum(axis=1))
    return means, squares.astype(np.float64), count


def _located(cells: AnyArray, means: Array, sd: Array, pooled: float, centre: bool) -> dict[str, tuple[float, float]]:
    """What is subtracted and divided by in each cell; a cell with one track has a target without spread."""
    varied = np.where(sd > ROUNDING * np.maximum(np.abs(means), pooled), sd, pooled)
    pairs = zip((means if centre else np.zeros_like(means)).tolist(), varied.tolist(), strict=True)
    return dict(zip(map(str, np.unique(cells)), pairs, strict=True))
