"""The graph exchange file format (geff): tracks as a graph in a Zarr store, for Mastodon, napari, TrackMate and others.

A store holds `nodes/ids` and `edges/ids`, beside them `props/<name>/values` (and `missing`), and its attribute "geff"
says which properties are axes, in which units. It is written here by zarr as the specification has it (version 1,
https://liveimagetrackingtools.org/geff), and read in versions 0.2 to 1. Nodes are spots, edges the steps of tracks.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import MEASURES, channels
from awd_cme.tracks.table import validate
from awd_core.checks import check_ending
from awd_core.files import make_atomically
from awd_core.typing import AnyArray

VERSION = "1.1"
_FILES = ("zarr.json", ".zattrs")


@dataclass(frozen=True, eq=False)
class Graph:
    """What a store holds.

    Attributes
    ----------
    nodes : DataFrame
        `id`, and the properties of one number a node; NaN where a value is missing.
    edges : DataFrame
        `source` and `target`, ids of nodes.
    metadata : dict
        The attribute "geff".
    left_out : tuple of str
        Properties that are no single numbers.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    metadata: dict[str, Any]
    left_out: tuple[str, ...]


def geff_metadata(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The attribute "geff" of a Zarr store; None if the path is none, or has none."""
    for name in _FILES:
        try:
            held = json.loads((Path(path) / name).read_bytes())
        except (OSError, ValueError):
            continue
        found = held.get("attributes", held) if isinstance(held, dict) else {}
        if isinstance(found, Mapping) and isinstance(found.get("geff"), Mapping):
            return dict(found["geff"])
    return None


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """Read nodes, edges and their properties.

    Raises
    ------
    ValueError
        If it is no such store, arrays are missing or their lengths disagree.
    """
    import zarr

    metadata = geff_metadata(path)
    if metadata is None:
        raise ValueError(f"{path} is no graph of tracks (geff): a Zarr store whose attribute is called geff")
    try:
        root: Any = zarr.open_group(str(path), mode="r")
        nodes, edges = np.asarray(root["nodes/ids"][:]), np.asarray(root["edges/ids"][:])
        properties: dict[str, AnyArray] = {}
        left_out = []
        for name, group in root["nodes"]["props"].groups() if "props" in root["nodes"] else ():
            values = np.asarray(group["values"][:])
            if values.ndim != 1 or values.dtype.kind not in "iufb" or "data" in group:
                left_out.append(name)
                continue
            if "missing" in group:
                values = np.where(np.asarray(group["missing"][:], dtype=bool), np.nan, values.astype(np.float64))
            properties[name] = values
    except (KeyError, ValueError, OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a damaged graph of tracks (geff): {error}; write it again") from error
    # A store's groups have no order; that of the channels is the master first.
    told = [str(name) for name in (metadata.get("node_props_metadata") or {})]
    properties = {name: properties[name] for name in [*told, *properties] if name in properties}
    wrong = {name: len(values) for name, values in properties.items() if len(values) != len(nodes)}
    if nodes.ndim != 1 or wrong or (len(edges) and edges.shape[1:] != (2,)):
        raise ValueError(
            f"{path}: {len(nodes)} nodes and edges of the shape {edges.shape} do not fit the properties {wrong}; a "
            "graph of tracks has one value a node and two nodes an edge"
        )
    edges = edges.reshape(-1, 2)
    return Graph(
        pd.DataFrame({"id": nodes.astype(np.int64)} | properties),
        pd.DataFrame({"source": edges[:, 0].astype(np.int64), "target": edges[:, 1].astype(np.int64)}),
        metadata, tuple(left_out),
    )  # fmt: skip


def write_geff(table: pd.DataFrame, path: str | os.PathLike[str], *, cell: str | None = None) -> None:
    """Write the tracks of one cell as a graph, intensities with it.

    Gaps have no node: an edge leads over them. Frames around tracks are left out. The segments of a compound track are
    paths of their own, since a canonical table does not say which follows which.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    path : str or path
        The store, .geff or .zarr; its folder must exist, and nothing may be there.
    cell : str, optional
        The cell, where the table has several: a graph belongs to one movie.

    Raises
    ------
    ValueError
        If the table is not canonical, has several cells and none is named, or has no such cell.
    FileExistsError
        If something is there already.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cme.tracks import make_table
    >>> place = Path(tempfile.mkdtemp()) / "cell1.geff"
    >>> write_geff(make_table(track=[1, 1, 1], frame=[0, 1, 2], y=[2.0, 2.5, 3], x=[3.0, 3.5, 4]), place)
    >>> len(read_graph(place).nodes), read_graph(place).edges.values.tolist()
    (3, [[0, 1], [1, 2]])
    """
    names = sorted(str(name) for name in validate(table)["cell"].unique())
    if cell is None and len(names) > 1:
        raise ValueError(f"the table has the cells {names}; a graph belongs to one movie, so name one by cell")
    if cell is not None and cell not in names:
        raise ValueError(f"the table has no cell {cell!r}, but {names}")
    check_ending(path, (".geff", ".zarr"), "a graph of tracks")
    if Path(path).exists():
        raise FileExistsError(f"{path} is there already; remove it, or give another name")
    shown = (table["part"] == "track") & (table["cell"] == (cell or (names[0] if names else "")))
    make_atomically(path, lambda beside: _write(table[shown], table.attrs, Path(beside)))


def _write(rows: pd.DataFrame, attrs: Mapping[Any, Any], place: Path) -> None:
    import zarr

    path = rows[["source", "track", "segment"]].astype({"source": str})
    tracklet = path.groupby(["source", "track", "segment"], sort=False).ngroup().to_numpy()
    order = np.lexsort([rows["frame"].to_numpy(), tracklet])
    rows, tracklet = rows.take(order), tracklet[order]
    same = np.flatnonzero(tracklet[1:] == tracklet[:-1])
    properties: dict[str, AnyArray] = {"t": rows["frame"].to_numpy()}
    properties |= {name: rows[name].to_numpy() for name in "yx"}
    properties |= {"track": rows["track"].to_numpy(), "tracklet": tracklet}
    signals = [f"{name}_{measure}" for name in channels(rows) for measure in MEASURES]
    properties |= {name: values for name in signals if np.isfinite(values := rows[name].to_numpy()).any()}
    root = zarr.open_group(str(place), mode="w", zarr_format=2)
    root.create_array("nodes/ids", data=np.arange(len(rows), dtype=np.uint64))
    root.create_array("edges/ids", data=np.stack([same, same + 1], axis=1).astype(np.uint64))
    for name, values in properties.items():
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(0, dtype=bool)
        root.create_array(
            f"nodes/props/{name}/values", data=np.where(missing, 0.0, values) if missing.any() else values
        )
        if missing.any():
            root.create_array(f"nodes/props/{name}/missing", data=missing)
    root.require_group("edges/props")
    root.attrs["geff"] = _metadata(properties, attrs, channels(rows))


def _metadata(properties: Mapping[str, AnyArray], attrs: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    """What the specification asks for."""
    units = {"t": "frame", "y": "pixel", "x": "pixel"}
    scales = {"t": attrs.get("seconds_per_frame")} | dict.fromkeys("yx", attrs.get("micrometres_per_pixel"))
    axes = []
    for name, unit in units.items():
        values = properties[name]
        axis: dict[str, Any] = {"name": name, "type": "time" if name == "t" else "space", "unit": unit}
        if len(values):
            axis |= {"min": float(values.min()), "max": float(values.max())}
        if scales[name]:
            axis |= {"scale": scales[name], "scaled_unit": "second" if name == "t" else "micrometer"}
        axes.append(axis)
    held = {
        name: {"identifier": name, "dtype": values.dtype.name, "varlength": False, "unit": units.get(name)}
        for name, values in properties.items()
    }
    return {
        "geff_version": VERSION, "directed": True, "axes": axes, "node_props_metadata": held, "edge_props_metadata": {},
        "track_node_props": {"tracklet": "tracklet"}, "extra": {"written_by": "awd-cme", "channels": list(names)},
    }  # fmt: skip
