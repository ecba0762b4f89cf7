"""Fitted on some strains, scored on another."""

import numpy as np
import pandas as pd
import pytest

from awd_cme.app.main import app
from awd_cme.run.job import RunJob
from awd_cme.run.transfer import OTHERS, transfer_table
from awd_cme.series.series_set import example_set
from awd_cme.tracks.table import make_table
from awd_cme.tracks.writers import write_csv
from commands import invoke

JOB = RunJob("x", "y", starts=("db2",))


def test_every_pair_and_all_others():
    raw = example_set(n=240, cells=3, seed=1)
    table = transfer_table(JOB, raw)
    names = ["cell1", "cell2", "cell3"]
    pairs = [(other, name) for name in names for other in [*(n for n in names if n != name), OTHERS]]
    assert list(zip(table["fitted_on"], table["scored_on"], strict=True)) == pairs
    assert (table["tracks"] == 80).all()
    # One law holds for all cells of the example, so what one teaches holds for the others.
    assert (table["score"] > 0.8).all()
    assert (table["correlation"] > 0.9).all()
    assert ((table["low"] < table["score"]) & (table["score"] < table["high"])).all()


def test_a_strain_with_another_law_is_told():
    raw = example_set(n=240, cells=3, seed=1)
    own = raw.cell == "cell3"
    raw.y[own] = raw.y[own].max() - raw.y[own]
    table = transfer_table(JOB, raw).set_index(["fitted_on", "scored_on"])
    assert table.loc[(OTHERS, "cell3"), "correlation"] < -0.8
    assert table.loc[("cell1", "cell2"), "correlation"] > 0.9


def test_one_strain_is_none():
    with pytest.raises(ValueError, match="there is one strain, cell1, and transfer needs two or more"):
        transfer_table(JOB, example_set(n=30, cells=1))


def test_the_command(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "strains").mkdir()
    for name in ("a", "b"):
        t, tracks = np.arange(30), 40
        height, width = rng.uniform(50, 200, tracks), rng.uniform(3, 8, tracks)
        x = height[:, None] * np.exp(-0.5 * ((t - 15) / width[:, None]) ** 2) + rng.normal(0, 3, (tracks, 30))
        y = np.repeat(height, 30) / 2
        table = make_table(
            track=np.repeat(np.arange(tracks), 30), frame=np.tile(t, tracks), y=np.ones(30 * tracks),
            x=np.ones(30 * tracks), cell=name, source=name, seconds_per_frame=1.0,
            signals={"clathrin_amplitude": x.ravel(), "auxilin_amplitude": y},
        )  # fmt: skip
        write_csv(table, tmp_path / f"strains/{name}.csv")
    said = invoke(app, ["transfer", tmp_path / "strains", "--starts", "db2", "--out", tmp_path / "t.csv"])
    assert said.exit_code == 0, said.output
    table = pd.read_csv(tmp_path / "t.csv")
    assert len(table) == 4
    assert (table["correlation"] > 0.9).all()
    assert "Written to" in said.output
