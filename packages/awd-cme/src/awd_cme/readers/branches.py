"""Spots and the links between them: rows of tracks whose segments are the branches between splits and merges."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from awd_cme.movies.units import MICROMETRES, PIXELS, SECONDS, spelled
from awd_cme.readers.column_names import squeezed, squeezed_key
from awd_cme.readers.intake import (
    Options,
    Result,
    bare_name,
    channel_names,
    interval,
    pixel_scale,
    say_depth,
    take_in,
)
from awd_cme.readers.tables import columns_of, plain_result
from awd_cme.readers.text_tables import read_table
from awd_cme.tracks.geff import Graph, read_graph
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.rules import MEASURES
from awd_core.typing import Array, Indices


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
    say_branches(source, target, report)
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


def say_branches(source: Indices, target: Indices, report: LossReport) -> None:
    """Count links, splits (spots with several that follow) and merges (with several before)."""
    splits, merges = (int((np.unique(ends, return_counts=True)[1] > 1).sum()) for ends in (source, target))
    report.recognised.append(
        f"{counted(len(source), 'links')}, {counted(splits, 'splits')}, {counted(merges, 'merges')} of tracks"
    )


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


def read_geff(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a graph of tracks (geff): its axes tell frames and positions, edges tell tracks and their branches.

    Raises
    ------
    ValueError
        If it is damaged, has no axes of time and space, or as all readers.
    """
    options, report = options or Options(), LossReport()
    graph = read_graph(path)
    nodes, axes = graph.nodes, _axes(graph, path)
    report.recognised.append(
        f"{path}: a graph of tracks (geff {graph.metadata.get('geff_version', 'of an unknown version')}), "
        f"{counted(len(nodes), 'nodes')}"
    )
    if graph.left_out:
        report.assume(f"properties that are no numbers are left out: {', '.join(graph.left_out)}")
    frame, step = _frames_of(nodes["t" if "t" not in axes else axes["t"]["name"]].to_numpy(), axes["t"], path, options)
    size = options.micrometres_per_pixel
    scale = axes["x"].get("scale")
    if size is None and scale and (unit := spelled(str(axes["x"].get("scaled_unit") or ""))) in MICROMETRES:
        size = float(scale) * MICROMETRES[unit]
    told = axes["x"].get("unit") or ""
    factor, size = pixel_scale(str(told), f"{path}", _with_size(options, size), report)
    spots = pd.DataFrame({"id": nodes["id"], "frame": frame})
    spots["y"], spots["x"] = (nodes[axes[name]["name"]].to_numpy() * factor for name in "yx")
    if "z" in axes:
        say_depth(nodes[axes["z"]["name"]].to_numpy(dtype=np.float64), report)
    keys = list(dict.fromkeys(
        name.removesuffix("_amplitude") for name in nodes.columns if str(name).endswith("_amplitude")
    ))  # fmt: skip
    own = list((graph.metadata.get("extra") or {}).get("channels") or ())
    keys = own if set(keys) <= set(own) else keys
    names = channel_names(max(len(keys), 1), options, report, keys or None)
    for name, key in zip(names, keys, strict=False):
        for measure in MEASURES:
            if f"{key}_{measure}" in nodes:
                spots[f"{name}_{measure}"] = nodes[f"{key}_{measure}"].to_numpy()
    if not keys:
        report.assume("the file holds no intensities: amplitudes are NaN")
    rows = track_rows(spots, _numbered(graph), str(path), report) if len(graph.edges) else spots.assign(track=0)[:0]
    return take_in(
        rows, str(path), options, report, channels=names, cell=bare_name(path), micrometres_per_pixel=size,
        seconds_per_frame=interval(step, "the axis of time", options, report),
    )  # fmt: skip


def _with_size(options: Options, size: float | None) -> Options:
    return replace(options, micrometres_per_pixel=size)


def _axes(graph: Graph, path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The axes t, y, x, and z where there is one, by what they are."""
    given = [dict(axis) for axis in graph.metadata.get("axes") or []]
    if not given:
        given = [{"name": name} for name in ("t", "z", "y", "x") if name in graph.nodes]
    times = [axis for axis in given if axis.get("type") == "time" or (not axis.get("type") and axis["name"] == "t")]
    space = [axis for axis in given if axis not in times and axis.get("type") in (None, "space")]
    found = {"t": times[0]} if times else {}
    letters = {str(axis["name"]).casefold()[-1:]: axis for axis in space}
    # Names decide; of axes that are called otherwise, their order, in which x is the last.
    named = {"y", "x"} <= set(letters)
    found |= {k: letters[k] for k in "zyx" if k in letters} if named else dict(zip("xyz", space[::-1], strict=False))
    missing = [name for name in "tyx" if name not in found or str(found[name]["name"]) not in graph.nodes]
    if missing:
        raise ValueError(
            f"{path}: nothing tells the axes {', '.join(missing)} of this graph; it has the properties "
            f"{', '.join(map(str, graph.nodes.columns[1:]))}, and tracks need an axis of time and two of space"
        )
    return found


def _frames_of(
    times: Array, axis: dict[str, Any], path: str | os.PathLike[str], options: Options
) -> tuple[Array, float | None]:
    """Frames of nodes, and seconds per frame as far as the axis tells."""
    unit, scaled = spelled(str(axis.get("unit") or "")), spelled(str(axis.get("scaled_unit") or ""))
    step = float(axis["scale"]) * SECONDS[scaled] if axis.get("scale") and scaled in SECONDS else None
    if unit in SECONDS:
        seconds = np.asarray(times, dtype=np.float64) * SECONDS[unit]
        steps = np.diff(np.unique(np.round(seconds, 9)))
        step = options.seconds_per_frame or (float(steps.min()) if len(steps) else 1.0)
        frames = seconds / step
        if not np.allclose(frames, np.round(frames), atol=0.05):
            raise ValueError(
                f"{path}: times are no multiples of a frame interval of {step:g} s; give --seconds-per-frame S "
                "(seconds_per_frame)"
            )
        return np.asarray(np.round(frames)), step
    if unit not in ("", "frame", *PIXELS):
        raise ValueError(f"{path}: times have the unit {axis['unit']!r}, which is not known; frame or second is")
    return np.asarray(times, dtype=np.float64), step


def _numbered(graph: Graph) -> pd.DataFrame:
    """Edges with the number of their track: the property of the file where it is one number a component."""
    place = pd.Index(graph.nodes["id"])
    source, target = place.get_indexer(graph.edges["source"]), place.get_indexer(graph.edges["target"])
    known = (source >= 0) & (target >= 0)
    part = _components(source[known], target[known], len(place))
    name = (graph.metadata.get("track_node_props") or {}).get("lineage") or "track"
    if name in graph.nodes:
        own = graph.nodes[name].to_numpy()
        pairs = pd.DataFrame({"part": part, "own": own})[np.isin(np.arange(len(own)), [*source, *target])]
        whole = bool(np.isfinite(pairs["own"]).all() and (pairs["own"] == np.round(pairs["own"])).all())
        if whole and pairs.groupby("part")["own"].nunique().max() == 1:
            return graph.edges.assign(track=np.where(source >= 0, own[source], -1).astype(np.int64))
    return graph.edges.assign(track=np.where(source >= 0, part[source], -1))
