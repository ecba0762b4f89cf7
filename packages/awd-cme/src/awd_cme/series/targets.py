"""What is to be predicted, from the partner's series of one track; and the rule that tells hot spots.

A target is a function of the partner's amplitude and p-value in the frames of one track (`PartnerSeries`), and gives a
number or, for a classification, a boolean. The named ones are those of the published auxilin work and of the yeast
tracks; any function of that form will do in their place.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from awd_core.typing import Array, Flags

P_THRESHOLD = 0.05
"""A frame is significant if its p-value is below."""

LARGE_AMPLITUDE = 973.0
"""Amplitude of auxilin, in counts of the published camera, above which an event is a success whatever the p-values."""


class PartnerSeries(NamedTuple):
    """The partner's channel along one track.

    Attributes
    ----------
    amplitude : ndarray, shape (T,)
        One value a frame; NaN where it was not measured.
    p : ndarray, shape (T,)
        Its p-value against the background's noise; NaN where unknown.
    """

    amplitude: Array
    p: Array


Target = Callable[[PartnerSeries], float | bool]


def mean_significant(partner: PartnerSeries) -> float:
    """Mean amplitude over the significant frames, 0 where there are none: the published regression target.

    Before its z-score within a cell, this is `Y_sig_mean` of the published auxilin work.

    Examples
    --------
    >>> mean_significant(PartnerSeries(np.array([10.0, 30.0, 80.0]), np.array([0.01, 0.5, 0.02])))
    45.0
    """
    chosen = significant(partner)
    return float(partner.amplitude[chosen].mean()) if chosen.any() else 0.0


def largest(partner: PartnerSeries) -> float:
    """Largest amplitude, of significant frames or not: the target of the yeast tracks.

    Examples
    --------
    >>> largest(PartnerSeries(np.array([10.0, np.nan, 80.0]), np.full(3, np.nan)))
    80.0
    """
    known = partner.amplitude[np.isfinite(partner.amplitude)]
    return float(known.max()) if len(known) else float("nan")


def consecutive(partner: PartnerSeries) -> bool:
    """Two significant frames in a row, or a largest amplitude above 973: the published success.

    Examples
    --------
    >>> p = np.array([0.01, 0.02, 0.5])
    >>> consecutive(PartnerSeries(np.zeros(3), p)), consecutive(PartnerSeries(np.zeros(2), p[::2]))
    (True, False)
    """
    chosen = significant(partner)
    return bool((chosen[1:] & chosen[:-1]).any() or largest(partner) > LARGE_AMPLITUDE)


TARGETS: dict[str, tuple[Target, bool]] = {
    "mean_significant": (mean_significant, False),
    "max": (largest, False),
    "consecutive": (consecutive, True),
}
"""Targets by name, and whether each is a classification."""

NEED_P = ("mean_significant", "consecutive")
"""Targets that p-values decide about."""


def significant(partner: PartnerSeries) -> Flags:
    """Frames whose p-value is below 0.05, shape (T,); unknown is not significant."""
    return (partner.p < P_THRESHOLD) & np.isfinite(partner.amplitude)


def published_hot_spot(partner: PartnerSeries) -> bool:
    """Whether the partner comes more than once: the published rule.

    Among the indices of the significant frames (five or more), pairs of neighbours in time are looked for. If two such
    pairs that follow each other in the list lie more than two places apart, so that significant frames without a
    significant neighbour come between them, the track is a hot spot. A single interruption does not make one.

    Examples
    --------
    >>> p = np.ones(16)
    >>> p[[0, 1, 5, 7, 9, 10]] = 0.01
    >>> published_hot_spot(PartnerSeries(np.zeros(16), p))
    True
    """
    frames = np.flatnonzero(significant(partner))
    if len(frames) < 5:
        return False
    pairs = np.flatnonzero(np.diff(frames) == 1)
    return bool(len(pairs) > 1 and np.diff(pairs).max() > 2)


def separate_bursts(partner: PartnerSeries) -> bool:
    """Whether there are two bursts: runs of two or more significant frames with any other frame between them.

    The published rule's intention, without its blind spot for clean interruptions.

    Examples
    --------
    >>> separate_bursts(PartnerSeries(np.zeros(6), np.array([0.01, 0.01, 0.5, 0.01, 0.01, 0.5])))
    True
    """
    chosen = significant(partner)
    edges = np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int((lengths >= 2).sum()) >= 2


HOT_SPOTS: dict[str, Callable[[PartnerSeries], bool] | None] = {
    "keep": None,
    "published": published_hot_spot,
    "bursts": separate_bursts,
}
"""Rules for hot spots by name; tracks for which a rule is true are dropped."""
