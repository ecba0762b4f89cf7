"""Spots and the links between them: rows of tracks whose segments are the branches between splits and merges."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from awd_cme.tracks.losses import LossReport
from awd_core.typing import Indices


def track_rows(spots: pd.DataFrame, edges: pd.DataFrame, what: str, report: LossReport) -> pd.DataFrame:
    """Rows of all spots in tracks, with the branch of each as its `segment`.

    Parameters
    ----------
    spots : DataFrame
        `id` (unique), `frame`, `y`, `x` and any other columns.
    edges : DataFrame
        `source` and `target`, ids of spots, and `track`.
    what : str
        The file, for messages.
    report : LossReport
        Spots without a link are listed there.

    Returns
    -------
    DataFrame
        The rows of the spots with `track` and `segment`, from 0 in each track: in the order of first frames, of those
        the longest first. A branch ends where a spot has two successors, or its successor two predecessors.

    Raises
    ------
    ValueError
        If links name spots that are not there, or link two spots of one frame.
    """
    if spots["id"].duplicated().any():
        raise ValueError(
            f"{what}: {int(spots['id'].duplicated().sum())} spots have the number of another; is it one file?"
        )
    place = pd.Index(spots["id"])
    source, target = place.get_indexer(edges["source"]), place.get_indexer(edges["target"])
    if (lost := int(((source < 0) | (target < 0)).sum())) > 0:
        raise ValueError(f"{what}: {lost} of {len(edges)} links name spots that are not there; is the file whole?")
    frame = spots["frame"].to_numpy()
    if (same := int((frame[source] == frame[target]).sum())) > 0:
        raise ValueError(f"{what}: {same} of {len(edges)} links join two spots of one frame; tracks run through time")
    back = frame[source] > frame[target]
    source, target = np.where(back, target, source), np.where(back, source, target)
    many_out = np.bincount(source, minlength=len(spots)) > 1
    many_in = np.bincount(target, minlength=len(spots)) > 1
    plain = ~many_out[source] & ~many_in[target]
    branch = _components(source[plain], target[plain], len(spots))
    track = np.full(len(spots), -1, dtype=np.int64)
    track[source] = track[target] = edges["track"].to_numpy()
    alone = track < 0
    report.add("spots", int(alone.sum()), "in no track")
    rows = spots.assign(track=track, branch=branch)[~alone]
    spans = rows.groupby(["track", "branch"])["frame"].agg(["min", "size"]).reset_index()
    spans = spans.sort_values(["track", "min", "size"], ascending=[True, True, False])
    number = pd.Series(spans.groupby("track").cumcount().to_numpy(), index=spans["branch"].to_numpy())
    return rows.assign(segment=number.reindex(rows["branch"]).to_numpy()).drop(columns=["branch", "id"])


def _components(source: Indices, target: Indices, size: int) -> npt.NDArray[np.int32]:
    graph = coo_array((np.ones(len(source), dtype=np.int8), (source, target)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1])
