"""Abortive or productive, told from one channel alone: disassembly asymmetry score classification (DASC).

Source: X. Wang, Z. Chen, M. Mettlen, J. Noh, S. L. Schmid, G. Danuser, eLife 9:e53686, 2020; numbers of equations are
theirs. Intensities become whole states i (eq. 1). From how often tracks pass from state to state between frames t and
t + 1 comes the risk of disassembly (eq. 2),

    D(i, t) = ln [ sum over i' < i of W_t(i' | i)  /  sum over i' < i of W_t(i | i') ],

with the conditional probabilities W of losing and of gaining clathrin. Every track becomes a series of D (eq. 3), 0 in
its first frame, of which its mean d1 (eq. 4), the logarithm d2 of its range over the lifetime (eq. 5) and its skewness
d3 (eq. 6) are features. Clustering by three medoids, fitted on the control, tells outliers (OT: the highest d3), pits
(CCP: of the others the higher d1) and abortive coats (AC).

Where this departs: the authors have 200,000 tracks and states of one grey level; here the number of states follows from
the number of tracks. A sum without any transition counts as half a transition, since its logarithm would be infinite.
Features are standardised by the control before distances are taken. With thousands of tracks the features are noisier
than the authors', and where there are few outliers the third class takes pits; the score does not depend on it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from awd_cme.series.resample import fill_gaps
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.rules import channels, starts
from awd_core.checks import whole_number
from awd_core.typing import Array, Rows

CLASSES = ("AC", "CCP", "OT")
LEAST_FRAMES = 4
LEAST_TRACKS = 50
SAMPLE = 1500
"""Tracks among which medoids are searched."""
STARTS = 6


@dataclass(frozen=True, eq=False)
class DisassemblyScores:
    """What a channel says of every track.

    Attributes
    ----------
    features : DataFrame
        One row a track of the table, in its order: `d1`, `d2`, `d3`, NaN of tracks that were not classified; `score`,
        in the plane of d1 and d2 along the line between two medoids, −1 at that of AC and 1 at that of CCP; `class`,
        "AC", "CCP", "OT" or missing.
    risk : ndarray, shape (states, frames)
        D(i, t), NaN where no track was.
    unit : float
        Amplitude of one state.
    medoids : DataFrame
        d1, d2 and d3 of the medoids, by classes.
    """

    features: pd.DataFrame
    risk: Array
    unit: float
    medoids: pd.DataFrame


def disassembly_scores(
    table: pd.DataFrame,
    chosen: pd.Series | None = None,
    *,
    channel: str | None = None,
    control: pd.Series | None = None,
    seed: int = 0,
    losses: LossReport | None = None,
) -> DisassemblyScores:
    """Score every track by the asymmetry of its assembly and disassembly.

    Parameters
    ----------
    table : DataFrame
        Canonical table; frames around tracks are not looked at, gaps are filled by straight lines.
    chosen : Series of bool, optional
        Which tracks are classified, in the table's order: complete ones, say. All if not given.
    channel : str, optional
        What is seen; the first channel if not given.
    control : Series of bool, optional
        Tracks of the control, by which risk and medoids are made. All if not given.
    seed : int
        Of the sample that medoids are searched in.
    losses : LossReport, optional
        Gets how many tracks were left out.

    Raises
    ------
    ValueError
        If fewer than `LEAST_TRACKS` tracks of the control can be classified.
    """
    losses = losses if losses is not None else LossReport()
    whole_number("seed", seed, 0)
    name = channel or channels(table)[0]
    first = starts(table)
    count = len(first)
    wanted = np.ones(count, dtype=bool) if chosen is None else np.asarray(chosen, dtype=bool)
    by = wanted if control is None else wanted & np.asarray(control, dtype=bool)
    frame, amplitude = table["frame"].to_numpy(), table[f"{name}_amplitude"].to_numpy(dtype=np.float64)
    inside = np.isin(table["part"].to_numpy(), ["track", "gap"])
    series: dict[int, Array] = {}
    for place, (begin, end) in enumerate(pairwise(np.append(first, len(table)).tolist())):
        own = slice(begin, end) if inside[begin:end].all() else begin + np.flatnonzero(inside[begin:end])
        if wanted[place] and len(frame[own]) >= LEAST_FRAMES:
            filled, _ = fill_gaps(frame[own], amplitude[own])
            if np.isfinite(filled).all():
                series[place] = np.asarray(filled)
    told = [place for place in series if by[place]]
    if len(told) < LEAST_TRACKS:
        raise ValueError(
            f"{len(told)} tracks of {name} can be classified; their risk of disassembly needs {LEAST_TRACKS} at least, "
            "and the authors advise 200,000"
        )
    losses.add("tracks", int(wanted.sum()) - len(series), f"fewer than {LEAST_FRAMES} frames or no amplitude of {name} "
               "(not scored)")  # fmt: skip
    steps = sum(len(series[place]) - 1 for place in told)
    states = int(np.clip(round(steps ** (1 / 3)), 6, 200))
    unit = float(np.quantile(np.concatenate([series[place] for place in told]), 0.99)) / states
    if not unit > 0:
        raise ValueError(f"the amplitudes of {name} are not above 0; they must be, background subtracted")
    levels = {place: np.clip(np.ceil(values / unit), 1, states).astype(np.int64) for place, values in series.items()}
    risk = _risk([levels[place] for place in told], states)
    features = np.full((count, 3), np.nan)
    for place, level in levels.items():
        time = np.minimum(np.arange(len(level)), risk.shape[1] - 1)
        features[place] = _features(np.nan_to_num(risk[level - 1, time]), len(level))
    features[~np.isfinite(features).all(axis=1)] = np.nan
    known = np.isfinite(features[:, 0])
    mean, sd = features[known & by].mean(axis=0), features[known & by].std(axis=0)
    scaled = (features - mean) / np.where(sd > 0, sd, 1.0)
    medoids = _medoids(scaled[known & by], 3, seed)
    outlier = int(np.argmax(medoids[:, 2]))
    rest = [k for k in range(3) if k != outlier]
    abortive, pit = sorted(rest, key=lambda k: medoids[k, 0])
    order = [abortive, pit, outlier]
    distance = np.linalg.norm(scaled[:, None] - medoids[order][None], axis=2)
    found = pd.DataFrame(features, columns=["d1", "d2", "d3"])
    # d3 tells outliers, d1 and d2 tell the other two apart (their Figure 2).
    low, high = medoids[abortive, :2], medoids[pit, :2]
    found["score"] = 2 * (scaled[:, :2] - low) @ (high - low) / max(float(((high - low) ** 2).sum()), 1e-12) - 1
    nearest = np.argmin(np.where(known[:, None], distance, 0.0), axis=1)
    found["class"] = pd.Series(np.array(CLASSES, dtype=object)[nearest]).where(known)
    centres = pd.DataFrame(medoids[order] * sd + mean, columns=["d1", "d2", "d3"], index=list(CLASSES))
    return DisassemblyScores(found, risk, unit, centres)


def _risk(levels: list[Rows], states: int) -> Array:
    """D of equation 2, (states, frames); NaN where no track was."""
    longest = max(map(len, levels)) - 1
    moves = np.zeros((longest, states, states))
    for level in levels:
        np.add.at(moves, (np.arange(len(level) - 1), level[:-1] - 1, level[1:] - 1), 1.0)
    leaving = moves.sum(axis=2)  # (t, i)
    least = 0.5 / np.maximum(leaving, 0.5)
    given = moves / np.maximum(leaving, 1.0)[:, :, None]  # W_t(j | i)
    lost = np.tril(given, -1).sum(axis=2)
    gained = np.triu(given, 1).sum(axis=1)
    below = np.cumsum(leaving, axis=1) - leaving
    floor_gained = 0.5 / np.maximum(below, 0.5)
    risk = np.log(np.maximum(lost, least)) - np.log(np.maximum(gained, np.minimum(floor_gained, 1.0)))
    risk = np.where((lost == 0) & (gained == 0), 0.0, risk)
    risk = np.where(leaving > 0, risk, np.nan)
    risk[0] = np.where(np.isnan(risk[0]), np.nan, 0.0)
    risk[:, 0] = np.where(np.isnan(risk[:, 0]), np.nan, 0.0)  # nothing is below the lowest state
    return np.asarray(risk.T)


def _features(series: Array, frames: int) -> tuple[float, float, float]:
    """d1, d2 and d3 of equations 4 to 6; NaN of a series that does not vary."""
    mean, spread, sd = float(series.mean()), float(np.ptp(series)), float(series.std())
    if spread == 0 or sd == 0:
        return np.nan, np.nan, np.nan
    return mean, float(np.log(spread / frames)), float(np.mean((series - mean) ** 3) / sd**3)


def _medoids(points: Array, count: int, seed: int) -> Array:
    """The best of some searches for medoids, among a sample of the points."""
    rng = np.random.default_rng(seed)
    points = points if len(points) <= SAMPLE else points[rng.choice(len(points), SAMPLE, replace=False)]
    squares = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0.0))
    best, least = np.arange(count), np.inf
    for _ in range(STARTS):
        chosen = [int(rng.integers(len(points)))]
        while len(chosen) < count:
            weight = distance[chosen].min(axis=0) ** 2
            chosen.append(int(rng.choice(len(points), p=weight / weight.sum())))
        at = np.array(chosen)
        for _ in range(50):
            nearest = np.argmin(distance[at], axis=0)
            groups = [np.flatnonzero(nearest == k) for k in range(count)]
            new = np.array([
                group[np.argmin(distance[np.ix_(group, group)].sum(axis=1))] if len(group) else at[k]
                for k, group in enumerate(groups)
            ])  # fmt: skip
            if (new == at).all():
                break
            at = new
        cost = float(distance[at].min(axis=0).sum())
        if cost < least:
            best, least = at, cost
    return np.asarray(points[best])
