"""What napari gets: the manifest, and layers; napari itself is not needed."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

import awd_cme
from awd_cme.tracks import make_table, write_geff, write_parquet
from awd_cme.viewer import get_reader, sample_data, track_layers

MANIFEST = Path(awd_cme.__file__).with_name("napari.yaml")


def table(**changes):
    nan = float("nan")
    given = {
        "track": [7, 7, 7, 9, 9], "frame": [0, 1, 2, 0, 1], "y": [2, nan, 3, 5, 6], "x": [4, nan, 5, 8, 8],
        "cell": ["a", "a", "a", "b", "b"], "micrometres_per_pixel": 0.1, "seconds_per_frame": 1.0,
        "signals": {"clathrin_amplitude": [10.0, nan, 30, 1, 2]},
    }  # fmt: skip
    return make_table(**given | changes)


def test_the_manifest_names_functions_that_are_there():
    words = MANIFEST.read_text(encoding="utf-8")
    names = [line.split(": ", 1)[1] for line in words.splitlines() if "python_name:" in line]
    assert len(names) == 2
    for name in names:
        module, _, function = name.strip().partition(":")
        assert callable(getattr(import_module(module), function))
    commands = {line.split(": ", 1)[1] for line in words.splitlines() if "- id:" in line}
    used = {line.split(": ", 1)[1] for line in words.splitlines() if "command:" in line}
    assert used == commands
    # Read from the source tree: an editable install may be older.
    project = (Path(__file__).parents[3] / "packages/awd-cme/pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points."napari.manifest"]\nawd-cme = "awd_cme:napari.yaml"' in project


def test_a_cell_is_a_layer_without_its_gaps_and_in_micrometres():
    (first, options, kind), (second, hidden, _) = track_layers(table())
    assert kind == "tracks"
    assert first.tolist() == [[7, 0, 2, 4], [7, 2, 3, 5]]
    assert second.tolist() == [[9, 0, 5, 8], [9, 1, 6, 8]]
    assert options["scale"] == (1.0, 0.1, 0.1)
    assert options["features"]["clathrin_amplitude"].tolist() == [10, 30]
    assert (options["visible"], hidden["visible"]) == (True, False)
    assert options["color_by"] == "track_id"


def test_predictions_of_a_run_colour_its_tracks(tmp_path):
    write_parquet(table(), tmp_path / "tracks.parquet")
    (tmp_path / "config.json").write_text(json.dumps({}))
    pd.DataFrame({"cell": ["a"], "track": [7], "awd": [0.25], "truth": [0.5]}).to_csv(tmp_path / "predictions.csv")
    layers = get_reader(str(tmp_path))(str(tmp_path))
    (_, options, _), (_, other, _) = layers
    assert options["color_by"] == "awd"
    assert options["features"]["awd"].tolist() == [0.25, 0.25]
    assert np.isfinite(other["features"].to_numpy()).all()


def test_files_and_graphs_of_tracks_are_opened_and_nothing_else(tmp_path):
    write_parquet(table(), tmp_path / "t.parquet")
    write_geff(table(), tmp_path / "a.geff", cell="a")
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "t.tif").write_bytes(b"II*\0abc")
    (tmp_path / "empty").mkdir()
    assert len(get_reader(str(tmp_path / "t.parquet"))(str(tmp_path / "t.parquet"))) == 2
    assert len(get_reader(str(tmp_path / "a.geff"))(str(tmp_path / "a.geff"))) == 1
    for name in ("text.txt", "t.tif", "empty", "nothing"):
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "t.parquet")]) is None


def test_sample_data_are_two_channels_and_tracks():
    *images, (data, options, kind) = sample_data()
    assert [layer[2] for layer in images] == ["image", "image"]
    assert images[0][0].shape == (60, 96, 96)
    assert kind == "tracks"
    assert data.shape[1] == 4
    assert options["scale"] == images[0][1]["scale"]
