"""Tracks as graphs: written, read, and held against the format's own library where it is installed."""

import numpy as np
import pandas as pd
import pytest
import zarr

from awd_cme.readers.read import read_tracks, recognise
from awd_cme.tracks import make_table, write_geff
from awd_cme.tracks.geff import geff_metadata, read_graph
from commands import say


def table(**changes):
    nan = float("nan")
    given = {
        "track": [4, 4, 4, 9, 9, 9], "frame": [2, 3, 4, 0, 1, 2], "y": [1.0, nan, 1.5, 5, 6, 7],
        "x": [2.0, nan, 2.5, 7, 8, 9], "cell": "cell1",
        "signals": {"clathrin_amplitude": [10.0, nan, 12, 20, nan, 22], "auxilin_amplitude": [1.0, nan, 3, 4, 5, 6]},
        "seconds_per_frame": 2.0, "micrometres_per_pixel": 0.1,
    }  # fmt: skip
    return make_table(**given | changes)


def graph(path, *, t, y, x, edges, axes, t_name="t", more=None, names=("y", "x")):
    """A store as another program writes it, in Zarr's third format."""
    root = zarr.open_group(str(path), mode="w", zarr_format=3)
    root.create_array("nodes/ids", data=np.arange(len(t)) * 10 + 3)
    root.create_array("edges/ids", data=np.array(edges).reshape(-1, 2) * 10 + 3)
    held = {t_name: t, names[0]: y, names[1]: x} | (more or {})
    for name, values in held.items():
        root.create_array(f"nodes/props/{name}/values", data=np.asarray(values))
    root.attrs["geff"] = {"geff_version": "0.5", "directed": True, "axes": axes}
    return path


def test_what_is_written_comes_back(tmp_path):
    write_geff(table(), tmp_path / "cell1.geff")
    assert recognise(tmp_path / "cell1.geff") == "geff"
    again, losses = read_tracks(tmp_path / "cell1.geff")
    one, other = (t.drop(columns="source") for t in (table(), again))
    pd.testing.assert_frame_equal(one, other)
    assert again.attrs == table().attrs
    assert any("3 links, 0 splits, 0 merges" in said for said in losses.recognised)


def test_it_is_what_the_formats_own_library_reads(tmp_path):
    geff = pytest.importorskip("geff", reason="geff is not installed")
    write_geff(table(), tmp_path / "cell1.geff")
    geff.validate_structure(tmp_path / "cell1.geff")
    found, metadata = geff.read(tmp_path / "cell1.geff", backend="networkx")
    assert sorted(found.edges) == [(0, 1), (2, 3), (3, 4)]
    assert found.nodes[0]["clathrin_amplitude"] == 10
    assert [(axis.name, axis.unit, axis.scale) for axis in metadata.axes] == [
        ("t", "frame", 2.0), ("y", "pixel", 0.1), ("x", "pixel", 0.1),
    ]  # fmt: skip


def test_the_layout_is_that_of_the_specification(tmp_path):
    write_geff(table(), tmp_path / "cell1.geff")
    metadata = geff_metadata(tmp_path / "cell1.geff")
    root = zarr.open_group(str(tmp_path / "cell1.geff"), mode="r")
    assert set(metadata["node_props_metadata"]) == {name for name, _ in root["nodes/props"].groups()}
    for name, held in metadata["node_props_metadata"].items():
        assert held["identifier"] == name
        assert root[f"nodes/props/{name}/values"].dtype.name == held["dtype"]
    # A spot whose clathrin is unknown.
    assert root["nodes/props/clathrin_amplitude/missing"][:].tolist() == [False, False, False, True, False]
    assert root["edges/ids"].shape == (3, 2)


def test_splits_and_merges_become_branches_that_are_counted(tmp_path):
    # 0 → 1 → 2, 1 → 3; 3 and 4 → 5.
    axes = [{"name": "time", "type": "time", "unit": "second"}, {"name": "Y", "type": "space", "unit": "micrometer"},
            {"name": "X", "type": "space", "unit": "micrometer"}]  # fmt: skip
    place = graph(
        tmp_path / "g.zarr", t=[0.0, 1.5, 3.0, 3.0, 3.0, 4.5], y=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], x=[1.0] * 6, axes=axes,
        edges=[(0, 1), (1, 2), (1, 3), (3, 5), (4, 5)], t_name="time", names=("Y", "X"),
    )  # fmt: skip
    found, losses = read_tracks(place, micrometres_per_pixel=0.1, compound="split")
    assert any("5 links, 1 split, 1 merge " in said for said in losses.recognised)
    assert found["track"].nunique() == 5
    assert found.attrs["seconds_per_frame"] == 1.5
    assert sorted(found["y"].round(6)) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ValueError, match=r"nothing tells a pixel's size; give --micrometres-per-pixel"):
        read_tracks(place)


def test_names_of_axes_decide_and_not_their_order(tmp_path):
    axes = [{"name": "x", "type": "space"}, {"name": "y", "type": "space"}, {"name": "t", "type": "time"}]
    place = graph(tmp_path / "g.geff", t=[0, 1], y=[1.0, 2.0], x=[30.0, 40.0], edges=[(0, 1)], axes=axes)
    found, _ = read_tracks(place)
    assert found[["y", "x"]].values.tolist() == [[1, 30], [2, 40]]


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda root: root.__delitem__("edges/ids"), r"damaged graph of tracks"),
        (lambda root: root["nodes"].create_array("props/z2/values", data=np.zeros(9)), r"do not fit the properties"),
    ],
)
def test_damaged_stores_are_named(tmp_path, spoil, match):
    axes = [{"name": "t", "type": "time"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    place = graph(tmp_path / "g.geff", t=[0, 1], y=[1.0, 2.0], x=[3.0, 4.0], edges=[(0, 1)], axes=axes)
    spoil(zarr.open_group(str(place), mode="a"))
    with pytest.raises(ValueError, match=match):
        read_tracks(place)


def test_links_to_nodes_that_are_not_there_and_lacking_axes_are_refused(tmp_path):
    axes = [{"name": "t", "type": "time"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    place = graph(tmp_path / "g.geff", t=[0, 1], y=[1.0, 2.0], x=[3.0, 4.0], edges=[(0, 7)], axes=axes)
    with pytest.raises(ValueError, match=r"1 of 1 links name spots that are not there"):
        read_tracks(place)
    place = graph(tmp_path / "h.geff", t=[0, 1], y=[1.0, 2.0], x=[3.0, 4.0], edges=[(0, 1)], axes=axes[:2])
    with pytest.raises(ValueError, match=r"nothing tells the axes y"):
        read_tracks(place)
    with pytest.raises(ValueError, match=r"is no graph of tracks"):
        read_graph(tmp_path)


def test_several_cells_and_what_is_there_are_refused(tmp_path):
    two = table(cell=["a"] * 3 + ["b"] * 3)
    with pytest.raises(ValueError, match=r"cells \['a', 'b'\]; a graph belongs to one movie"):
        write_geff(two, tmp_path / "g.geff")
    write_geff(two, tmp_path / "g.geff", cell="b")
    assert len(read_graph(tmp_path / "g.geff").nodes) == 3
    with pytest.raises(FileExistsError, match=r"is there already"):
        write_geff(two, tmp_path / "g.geff", cell="a")


def test_the_commands_take_and_make_graphs(tmp_path):
    write_geff(table(), tmp_path / "cell1.geff")
    status, output = say(f"awd-cme tracks {tmp_path / 'cell1.geff'} --out {tmp_path / 'again.geff'}")
    assert status == 0, output
    assert "a graph of tracks (geff 1.1)" in output
    assert len(read_graph(tmp_path / "again.geff").edges) == 3
