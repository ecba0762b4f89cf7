"""When the partner comes: the change point of its channel, track by track.

A track's second channel is a baseline until the onset, rises to a peak and falls, or stays. Rise and fall are halves of
Gaussians of any two widths, and the onset is where the tangent at the steepest rise meets the baseline: two standard
deviations of the rise before the peak. All peaks and widths of a grid are tried; amplitude and baseline are those of
least squares. A single track tells its width badly, so widths have a prior that all tracks make together (empirical
Bayes, by EM), and the onset is the mean of the posterior.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import channels, starts
from awd_core.typing import Array

WIDTHS = tuple(float(width) for width in np.geomspace(0.8, 12.0, 9))
"""Standard deviations of rise and fall, in frames; a partner that stays has no fall."""
STEP = 0.5
"""Frames from one peak that is tried to the next."""
LEAST_FRAMES = 8
LONGEST = 400
"""Frames of a track that are looked at; of longer ones the last."""
ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Onsets:
    """Onsets of the partner, one entry a track of the table, in its order.

    Attributes
    ----------
    frame : ndarray, shape (k,)
        Frame of the movie, NaN where there are fewer than `LEAST_FRAMES` values or none of them differ.
    error : ndarray, shape (k,)
        Standard deviation of the posterior, in frames.
    evidence : ndarray, shape (k,)
        How much better a burst fits than a constant: twice the logarithm of the ratio of likelihoods.
    """

    frame: Array
    error: Array
    evidence: Array


def partner_onsets(table: pd.DataFrame, partner: str | None = None) -> Onsets:
    """Find the onset of the partner in every track, the frames around the track included.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    partner : str, optional
        The channel; the second one if not given.

    Raises
    ------
    ValueError
        If the table has no such channel.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> burst = [0.0] * 20 + [5, 20, 50, 85, 100, 85, 50, 20, 5] + [0.0] * 6
    >>> table = make_table(track=[1] * 35, frame=range(35), y=[1.0] * 35, x=[1.0] * 35,
    ...                    signals={"auxilin_amplitude": burst})
    >>> bool(20 < partner_onsets(table).frame[0] < 21.5)
    True
    """
    known = channels(table)
    name = partner if partner is not None else next(iter(known[1:]), None)
    if name is None or name not in known:
        raise ValueError(f"the table has the channels {', '.join(known)}, and no partner {partner or ''}; give another")
    values, frames = table[f"{name}_amplitude"].to_numpy(dtype=np.float64), table["frame"].to_numpy()
    bounds = np.append(starts(table), len(table)).tolist()
    fits: list[tuple[int, Array, int]] = []
    shape = (len(bounds) - 1,)
    frame, error, evidence = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for place, (begin, end) in enumerate(pairwise(bounds)):
        begin = max(begin, end - LONGEST)
        own = values[begin:end]
        finite = np.isfinite(own)
        if finite.sum() < LEAST_FRAMES or np.ptp(own[finite]) == 0:
            continue
        gain = _gains(np.where(finite, own, np.interp(np.arange(len(own)), np.flatnonzero(finite), own[finite])))
        evidence[place] = gain.max()
        fits.append((place, gain, int(frames[begin])))
    prior = np.full((len(WIDTHS), len(WIDTHS) + 1), 1 / (len(WIDTHS) * (len(WIDTHS) + 1)))
    # Only tracks that have a burst tell how wide bursts are.
    telling = [gain for _, gain, _ in fits if gain.max() > 20] or [gain for _, gain, _ in fits]
    for _ in range(ROUNDS):
        total = np.full_like(prior, 0.5 / prior.size)
        for gain in telling:
            total += _posterior(gain, prior).sum(axis=0)
        prior = total / total.sum()
    for place, gain, first in fits:
        weight = _posterior(gain, prior)
        onset = np.arange(len(gain))[:, None] * STEP - 2 * np.array(WIDTHS)[None]
        share = weight.sum(axis=2)
        mean = float((share * onset).sum())
        frame[place], error[place] = first + mean, np.sqrt(float((share * (onset - mean) ** 2).sum()) + STEP**2 / 12)
    return Onsets(frame, error, evidence)


def _posterior(gain: Array, prior: Array) -> Array:
    """Weights of peaks and widths, which sum to 1."""
    weight = np.exp((gain - gain.max()) / 2) * prior[None]
    return np.asarray(weight / weight.sum())


def _gains(values: Array) -> Array:
    """Twice the log-likelihood above that of a constant: n ln(RSS of the mean / RSS), (peaks, rises, falls)."""
    shapes = _shapes(len(values))
    centred = values - values.mean()
    fitted = np.maximum(shapes @ centred, 0.0) ** 2  # a partner comes, and does not go
    total = float(centred @ centred)
    rest = np.maximum(total - fitted, 1e-9 * total)
    return np.asarray(len(values) * np.log(total / rest)).reshape(-1, len(WIDTHS), len(WIDTHS) + 1)


@lru_cache(maxsize=64)
def _shapes(count: int) -> Array:
    """Bursts of unit length about their means, (peaks * rises * falls, count)."""
    time = np.arange(count, dtype=np.float64)
    peaks = np.arange(0, count - 1 + STEP / 2, STEP)
    distance = time - peaks[:, None]
    rises = np.exp(-0.5 * (distance[:, None] / np.array(WIDTHS)[:, None]) ** 2)
    falls = np.concatenate([rises, np.ones_like(rises[:, :1])], axis=1)
    rising = distance < 0
    shape = np.where(rising[:, None, None], rises[:, :, None], falls[:, None, :])
    flat = shape.reshape(-1, count)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-9, flat / np.maximum(length, 1e-9), 0.0))
