"""Splits within cells, where a folder has few: asked for, and told loudly."""

import numpy as np
import pytest

from awd_cme.app.main import app
from awd_cme.run.job import RunJob
from awd_cme.run.series import WITHIN, split_of
from awd_cme.series.series_set import example_set
from awd_cme.tracks import make_table, write_csv
from awd_core.files import read_json
from commands import invoke


def test_cells_stay_whole_unless_tracks_are_asked_for():
    raw = example_set(n=60, cells=2, seed=0)
    train, test, rule = split_of(RunJob("x", "y"), raw)
    assert rule == "cells"
    assert not set(raw.cell[train]) & set(raw.cell[test])
    train, test, rule = split_of(RunJob("x", "y", split="tracks"), raw)
    assert rule == "tracks"
    assert set(raw.cell[train]) == set(raw.cell[test]) == {"cell1", "cell2"}
    assert sorted([*train, *test]) == list(range(60))


def test_tracks_of_all_cells_and_cells_to_test_on_exclude_each_other():
    with pytest.raises(ValueError, match=r"split is tracks, and test_cells names cells to test on"):
        RunJob("x", "y", split="tracks", test_cells=("a",))


def test_the_command_says_loudly_what_its_units_are(tmp_path):
    rng = np.random.default_rng(0)
    track = np.repeat(np.arange(40), 20)
    x, partner = rng.normal(50, 9, (2, len(track)))
    table = make_table(
        track=track, frame=np.tile(np.arange(20), 40), y=np.ones(800), x=np.ones(800), seconds_per_frame=1.0,
        cell=np.where(track < 20, "a", "b"), signals={"clathrin_amplitude": x, "auxilin_amplitude": partner},
    )  # fmt: skip
    write_csv(table, tmp_path / "t.csv")
    said = invoke(app, ["run", tmp_path / "t.csv", "--out", tmp_path / "r", "--split", "tracks", "--until", "series"])
    assert said.exit_code == 0, said.output
    assert f"Warning: {WITHIN}" in said.output
    assert WITHIN in read_json(tmp_path / "r/data.json")["losses"]["doubts"]
