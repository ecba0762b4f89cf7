"""Spots and the links between them: rows of tracks whose segments are the branches between splits and merges."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from awd_cme.readers.column_names import squeezed, squeezed_key
from awd_cme.readers.intake import Options, Result, bare_name, channel_names, pixel_scale
from awd_cme.readers.tables import columns_of, plain_result
from awd_cme.readers.text_tables import read_table
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


def read_links(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read links between spots; the spots from the same table, or from the one beside it whose name ends in "_spots".

    Raises
    ------
    ValueError
        If there is no table of the spots, columns are missing, or the tables are wrong.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    if bare_name(path).endswith("_spots"):
        path = path.with_name(path.name.replace("_spots", "_edges"))
    table = read_table(path, report)
    source, target, track = columns_of(table, "links")
    edges = pd.DataFrame({"source": table.numbers(source), "target": table.numbers(target)})
    edges = edges.assign(track=table.numbers(track))
    if (odd := int(edges.isna().any(axis=1).sum())) > 0:
        raise ValueError(f"{path}: {odd} links lack a number of a spot or of the track; is the file whole?")
    edges = edges.astype(np.int64)
    beside = path.with_name(path.name.replace("_edges", "_spots"))
    columns = {"frame": "frame", "y": "position_y", "x": "position_x"}
    known = squeezed(table.names)
    ends = {
        end: {new: known.get(squeezed_key(f"{end}_{old}")) for new, old in columns.items()}
        for end in ("source", "target")
    }
    if all(name is not None for end in ends.values() for name in end.values()):
        both = [
            pd.DataFrame({"id": edges[end]} | {new: table.numbers(name) for new, name in ends[end].items()})
            for end in ("source", "target")
        ]
        spots = pd.concat(both).drop_duplicates("id", ignore_index=True)
        report.recognised.append(f"{path}: links between spots, with the spots at both ends")
    elif beside != path and beside.exists():
        held = read_table(beside, report)
        there = squeezed(held.names)
        wanted = {"id": "id"} | columns
        if missing := [name for name in wanted.values() if squeezed_key(name) not in there]:
            raise ValueError(f"{beside}: the columns {missing} are missing; it has {held.names}")
        spots = pd.DataFrame({new: held.numbers(there[squeezed_key(old)]) for new, old in wanted.items()})
        if (odd := int(spots["id"].isna().sum())) > 0:
            raise ValueError(f"{beside}: {odd} spots have no number in the column 'id'; is the file whole?")
        spots = spots.astype({"id": np.int64})
        report.recognised.append(f"{path}: links between the spots in {beside.name}")
    else:
        raise ValueError(
            f"{path} holds links between spots (edges), but not where the spots are, and {beside} is not there; put "
            "the table of spots beside it under this name, or export TrackMate's table of spots or its XML file"
        )
    scale, size = pixel_scale("", f"{path}", options, report)
    rows = track_rows(spots.assign(y=spots["y"] * scale, x=spots["x"] * scale), edges, str(path), report)
    names = channel_names(1, options, report)
    report.assume("the file holds no intensities: amplitudes are NaN")
    return plain_result(rows, path, options, report, names, None, size)
