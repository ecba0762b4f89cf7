"""Folds of a cross-validation that keep groups together, each standardised by what it trains on.

What is fitted on all training tracks knows the cells that a fold holds out: their brightness, above all. So z-scores
are fitted anew to the training part of each fold, its held-out part is standardised as new cells are, and predictions
are scored in the partner's unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_cme.series.scaling import Rule, ZScores, fit_z_scores
from awd_cme.series.series_set import SeriesSet
from awd_core.checks import whole_number
from awd_core.features import Folds, group_folds
from awd_core.typing import AnyArray, Array, Indices

SELECTION, PENALTY = 1_000_001, 1_000_002
"""Streams of random numbers: of the folds that select, and of those within them that choose a penalty. The split into
training and test cells draws from stream 0, simulated cells from those of their numbers."""


def grouped_folds(
    groups: npt.ArrayLike, folds: int, seed: int, labels: AnyArray | None = None, *, stream: int = SELECTION,
    draw: int = 0,
) -> Folds:  # fmt: skip
    """Folds of about equal size that keep groups together.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Group of each track.
    folds : int
        Number of folds; fewer where there are fewer groups, or fewer tracks of each class.
    seed : int
        Of the order in which groups of one size are dealt.
    labels : ndarray of bool, shape (n,), optional
        Classes: groups are dealt so that each fold has about its share of both, since a fold with one has no AUC.
    stream, draw : int
        Which folds of the seed: what they are for, and the how many-th drawing.

    Returns
    -------
    list of (training indices, test indices)

    Raises
    ------
    ValueError
        If there are fewer than two folds or groups.
    """
    number = len(np.unique(np.asarray(groups)))
    count = min(whole_number("folds", folds), number)
    if labels is not None:
        count = min(count, int(np.unique(labels, return_counts=True)[1].max()))
    if count < 2:
        raise ValueError(
            f"{number} group(s) and {folds} folds: cross-validation needs two or more of both; group by track "
            "where there is one cell"
        )
    return group_folds(groups, count, np.random.default_rng([whole_number("seed", seed, 0), stream, draw]), labels)


@dataclass(frozen=True)
class ScaledFold:
    """One fold, standardised by its training part.

    Attributes
    ----------
    rows, rest : ndarray of int
        Tracks that it trains on, and those that it holds out.
    training, held_out : SeriesSet
        Both, standardised.
    groups : ndarray
        Groups of the training part.
    z_scores : ZScores
        Fitted to the training part.
    """

    rows: Indices
    rest: Indices
    training: SeriesSet
    held_out: SeriesSet
    groups: AnyArray
    z_scores: ZScores

    def restored(self, prediction: Array) -> Array:
        """Predictions for the held-out tracks, in the partner's unit; ratings of a classification as they are."""
        if self.held_out.classification:
            return prediction
        return self.z_scores.restore_targets(prediction, self.held_out.cell)


def scaled_folds(
    series: SeriesSet, folds: int, seed: int, *, inputs: Rule = "training", groups: npt.ArrayLike | None = None,
    draw: int = 0, centre: bool = True,
) -> Iterator[ScaledFold]:  # fmt: skip
    """Go through the folds of a training set, z-scores fitted anew in each.

    Parameters
    ----------
    series : SeriesSet
        Training tracks in the units of the channels.
    folds, seed, draw : int
        As for `grouped_folds`.
    inputs, centre : {"training", "own", "none"}, bool
        Rule of the series' z-scores (`awd_cme.series.scaling`), and whether their mean is subtracted.
    groups : array_like, shape (n,), optional
        What is kept together; cells, or tracks where there is one cell, if not given.

    Raises
    ------
    ValueError
        If the set is standardised already, there are fewer than two groups, or lengths disagree.
    """
    labels = series.groups() if groups is None else np.asarray(groups)
    if len(labels) != len(series):
        raise ValueError(f"groups has {len(labels)} entries for {len(series)} tracks; give one for each")
    for rows, rest in grouped_folds(labels, folds, seed, series.y if series.classification else None, draw=draw):
        part = series.take(rows)
        z_scores = fit_z_scores(part, inputs=inputs, centre=centre)
        yield ScaledFold(rows, rest, z_scores.apply(part), z_scores.apply(series.take(rest)), labels[rows], z_scores)
