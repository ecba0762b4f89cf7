"""Which spot follows which: links from frame to frame, then over gaps, by linear assignment (Jaqaman et al. 2008).

Links from frame to frame are laptrack's. They depend on two frames at a time, so it is asked for some frames after the
others, and needs memory for these alone.

Gaps are closed as laptrack closes them. Ends of tracks may be joined to later beginnings. A pair costs its squared
distance c, an end or a beginning that stays alone costs d, which is 1.05 times the 90th percentile of all c; with the
lower right block of Jaqaman's matrix at d, too, a joined pair saves d − c. The assignment of least cost is the matching
that saves most, and it falls into parts, of ends and beginnings that are near each other, which are solved one by one:
time and memory grow with the movie, not with its square.
"""

from typing import Any

import numpy as np

from awd_core.typing import Array, Flags, Indices

FRAMES = 50
"""Frames that are linked at a time."""

PERCENTILE, FACTOR = 90, 1.05
"""What being alone costs, in terms of the costs of all pairs: the values of laptrack and of TrackMate."""


def linked(frame: Indices, positions: Array, max_step: float, max_gap: int, max_gap_step: float) -> Indices:
    """Number of the track of each spot.

    Parameters
    ----------
    frame : ndarray of int, shape (spots,)
        Sorted.
    positions : ndarray, shape (spots, 2)
        y and x in pixels.
    max_step, max_gap, max_gap_step : float, int, float
        As `awd_cme.tracking.link_spots`.

    Examples
    --------
    >>> linked(np.array([0, 0, 1, 3]), np.array([[5.0, 5], [9, 9], [5, 6], [5, 7]]), 3.0, 1, 3.0).tolist()
    [0, 1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.searchsorted(frame, np.arange(frame[0], frame[-1] + 2))
    one, other = _from_frame_to_frame(first, positions, max_step)
    if max_gap:
        ends = np.setdiff1d(np.arange(len(frame)), one)
        begins = np.setdiff1d(np.arange(len(frame)), other)
        late, early = _closed(frame, positions, ends, begins, max_gap, max_gap_step)
        one, other = np.concatenate([one, late]), np.concatenate([other, early])
    joined = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(len(frame), len(frame)))
    return np.asarray(connected_components(joined, directed=False)[1], dtype=np.int64)


def _from_frame_to_frame(first: Indices, positions: Array, max_step: float) -> tuple[Indices, Indices]:
    """Spots and those that follow them a frame later."""
    from laptrack import LapTrack

    options: dict[str, Any] = {"gap_closing_cutoff": False, "splitting_cutoff": False, "merging_cutoff": False}
    tracker = LapTrack(cutoff=max_step**2, **options)
    frames, found = len(first) - 1, [np.empty((2, 0), dtype=np.intp)]
    for start in range(0, frames - 1, FRAMES):
        bounds = first[start : start + FRAMES + 2]
        # Its face for tables spends most of its time on writing the table.
        tree = tracker.predict(np.split(positions[bounds[0] : bounds[-1]], bounds[1:-1] - bounds[0]))
        edges = np.array(list(tree.edges), dtype=np.intp).reshape(-1, 2, 2)
        pairs = np.sort(bounds[edges[:, :, 0]] + edges[:, :, 1], axis=1)
        found.append(pairs[np.argsort(pairs[:, 0])].T)
    one, other = np.concatenate(found, axis=1)
    return one, other


def _closed(
    frame: Indices, positions: Array, ends: Indices, begins: Indices, max_gap: int, max_step: float
) -> tuple[Indices, Indices]:
    """Ends of tracks and the beginnings that they are joined to."""
    end, begin, cost = _candidates(frame, positions, ends, begins, max_gap, max_step)
    if not len(cost):
        return end, begin
    alone = np.percentile(cost, PERCENTILE, method="lower") * FACTOR
    saved = np.maximum(alone, np.finfo(np.float32).eps) - cost
    worth = saved > 0
    chosen = _matched(end[worth], begin[worth], saved[worth])
    return end[worth][chosen], begin[worth][chosen]


def _candidates(
    frame: Indices, positions: Array, ends: Indices, begins: Indices, max_gap: int, max_step: float
) -> tuple[Indices, Indices, Array]:
    """Pairs of an end and a later beginning that may be joined, and their squared distances."""
    from scipy.spatial.distance import cdist

    found: list[tuple[Indices, Indices, Array]] = []
    of_end, of_begin = frame[ends], frame[begins]
    for last in np.unique(of_end):
        here = ends[np.searchsorted(of_end, last) : np.searchsorted(of_end, last, side="right")]
        there = begins[np.searchsorted(of_begin, last + 1) : np.searchsorted(of_begin, last + max_gap + 2)]
        if len(there):
            square = cdist(positions[here], positions[there], "sqeuclidean")
            row, column = np.nonzero(square < max_step**2)
            found.append((here[row], there[column], square[row, column]))
    if not found:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0)
    end, begin, cost = (np.concatenate(part) for part in zip(*found, strict=True))
    return end, begin, cost


def _matched(one: Indices, other: Indices, saved: Array) -> Flags:
    """Which pairs make the matching that saves most; no spot is in two of them."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, row = np.unique(one, return_inverse=True)
    columns, column = np.unique(other, return_inverse=True)
    size = len(rows) + len(columns)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, len(rows) + column)), shape=(size, size))
    part = connected_components(graph, directed=False)[1][row]
    order = np.argsort(part, kind="stable")
    chosen = np.zeros(len(one), dtype=bool)
    for pairs in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        if len(pairs) == 1:
            chosen[pairs] = True
            continue
        _, r = np.unique(row[pairs], return_inverse=True)
        _, c = np.unique(column[pairs], return_inverse=True)
        table = np.zeros((r.max() + 1, c.max() + 1))
        table[r, c] = saved[pairs]
        partner = np.full(len(table), -1)
        taken, partners = linear_sum_assignment(table, maximize=True)
        partner[taken] = partners
        chosen[pairs] = partner[r] == c
    return chosen
