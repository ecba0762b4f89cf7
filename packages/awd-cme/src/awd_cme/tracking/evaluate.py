"""How good tracks are, where the true ones are known.

The rule. In each frame, found and true positions are paired one to one, as many as possible within `radius`, at the
least sum of squared distances. Found and true tracks are then paired one to one so that the number of frames that they
share is the largest possible. A true track is *recalled* if the shared frames are at least the share `overlap` of its
own; a found track is *right* if they are at least that share of its own. Only tracks of `min_frames` frames and more
are asked for, but any may be the partner. Frames in gaps or around tracks count for nothing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import validate
from awd_core.checks import check_kind, real_number, whole_number
from awd_core.typing import Array


@dataclass(frozen=True)
class TrackScores:
    """Agreement of found tracks with true ones.

    Attributes
    ----------
    recall, precision : float
        Share of the true tracks that were recalled, and of the found tracks that are right; NaN of none.
    true_tracks, found_tracks : int
        Tracks that were asked for.
    spot_recall, spot_precision : float
        Share of the positions of all tracks that have a partner in their frame.
    position_error : float
        Root of the mean squared distance of partners, in pixels.
    fragments : float
        Mean number of found tracks that a recalled track shares frames with.
    """

    recall: float
    precision: float
    true_tracks: int
    found_tracks: int
    spot_recall: float
    spot_precision: float
    position_error: float
    fragments: float


def score_tracks(
    found: pd.DataFrame, truth: pd.DataFrame, *, radius: float = 2.0, overlap: float = 0.5, min_frames: int = 10
) -> TrackScores:
    """Score tracks by the rule of the module's description.

    Parameters
    ----------
    found, truth : DataFrame
        Canonical tables of the same movie.
    radius : float
        Largest distance of partners in pixels.
    overlap : float
        Least share of a track's frames, above 0 and at most 1.
    min_frames : int
        Frames with a position that a track must have to be asked for.

    Returns
    -------
    TrackScores
        Shares and errors.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> truth = make_table(track=[0] * 12, frame=range(12), y=[5.0] * 12, x=[5.0] * 12)
    >>> found = make_table(track=[7] * 8, frame=range(8), y=[5.5] * 8, x=[5.0] * 8)
    >>> scores = score_tracks(found, truth, min_frames=5)
    >>> scores.recall, scores.precision, round(scores.spot_recall, 2)
    (1.0, 1.0, 0.67)
    """
    for name, table in (("found", found), ("truth", truth)):
        if "part" not in check_kind(name, table, pd.DataFrame):
            validate(table)
    real_number("radius", radius, "a number of pixels", above=0)
    real_number("overlap", overlap, "a share", above=0, most=1)
    whole_number("min_frames", min_frames)
    mine, its = _points(found), _points(truth)
    partners = _partners(mine, its, radius)
    shared = partners.groupby(["true", "found"]).size().rename("frames").reset_index()
    pairs = _one_to_one(shared)
    lengths = {name: points.groupby("track").size() for name, points in (("true", its), ("found", mine))}
    asked = {name: length.index[length >= min_frames] for name, length in lengths.items()}
    good = {}
    for name, length in lengths.items():
        enough = pairs["frames"].to_numpy() >= overlap * length.loc[pairs[name]].to_numpy()
        good[name] = pairs.loc[enough, name][lambda tracks, name=name: tracks.isin(asked[name])]
    pieces = shared[shared["true"].isin(good["true"])].groupby("true").size()
    return TrackScores(
        recall=_share(len(good["true"]), len(asked["true"])),
        precision=_share(len(good["found"]), len(asked["found"])),
        true_tracks=len(asked["true"]),
        found_tracks=len(asked["found"]),
        spot_recall=_share(len(partners), len(its)),
        spot_precision=_share(len(partners), len(mine)),
        position_error=float(np.sqrt(partners["square"].mean())) if len(partners) else float("nan"),
        fragments=float(pieces.mean()) if len(pieces) else float("nan"),
    )


def _points(table: pd.DataFrame) -> pd.DataFrame:
    own = (table["part"] == "track") & table["y"].notna() & table["x"].notna()
    return table.loc[own, ["track", "frame", "y", "x"]]


def _partners(found: pd.DataFrame, truth: pd.DataFrame, radius: float) -> pd.DataFrame:
    from scipy.optimize import linear_sum_assignment

    of_frame = dict(iter(found.groupby("frame")))
    rows = []
    for frame, its in truth.groupby("frame"):
        if frame not in of_frame:
            continue
        mine = of_frame[frame]
        square = _squares(its, mine)
        near = square <= radius**2
        # One pair too far apart costs more than all near ones together: their number comes first, then the distances.
        far = radius**2 * (min(near.shape) + 1)
        one, other = linear_sum_assignment(np.where(near, square, far))
        kept = near[one, other]
        one, other = one[kept], other[kept]
        tracks = (its["track"].to_numpy()[one], mine["track"].to_numpy()[other])
        rows.append(pd.DataFrame({"true": tracks[0], "found": tracks[1], "square": square[one, other]}))
    nothing = pd.DataFrame({"true": pd.Series(dtype="int64"), "found": pd.Series(dtype="int64"), "square": 0.0})
    return pd.concat(rows, ignore_index=True) if rows else nothing


def _squares(one: pd.DataFrame, other: pd.DataFrame) -> Array:
    here, there = one[["y", "x"]].to_numpy(), other[["y", "x"]].to_numpy()
    return np.asarray(((here[:, None] - there[None]) ** 2).sum(axis=2))


def _one_to_one(shared: pd.DataFrame) -> pd.DataFrame:
    """Pairs of true and found tracks with the largest number of shared frames together."""
    from scipy.optimize import linear_sum_assignment

    if not len(shared):
        return shared
    one, true = pd.factorize(shared["true"])
    other, found = pd.factorize(shared["found"])
    frames = np.zeros((len(true), len(found)))
    frames[one, other] = shared["frames"]
    rows, columns = linear_sum_assignment(frames, maximize=True)
    kept = frames[rows, columns] > 0
    rows, columns = rows[kept], columns[kept]
    return pd.DataFrame({"true": true[rows], "found": found[columns], "frames": frames[rows, columns]})


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
