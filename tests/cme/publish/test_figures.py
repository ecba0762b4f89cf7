import json

import pandas as pd
import pytest

from awd_cme.app.figures import _by_folders, _names
from awd_cme.publish import write_figures
from awd_cme.simulate.simulation import read_truth, simulate_dataset
from awd_cme.tracks import LossReport, concat, make_table
from commands import say


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Tracks of two conditions, made of simulated TIFF files by the command."""
    folder = tmp_path_factory.mktemp("two")
    for seed, (name, share) in enumerate({"control": 0.65, "mutant": 0.3}.items(), 1):
        simulate_dataset(
            folder / name, "quick", seed=seed, cells=4, success_share=share, size=(72, 72), frames=120, pits=90
        )
        status, output = say(f"awd-cme tracks {folder / name} --out {folder / name}.parquet --threads 1 --quiet")
        assert status == 0, output
    return folder


@pytest.fixture(scope="module")
def written(two):
    out = two / "figures"
    return out, say(f"awd-cme figures {two / 'control.parquet'} {two / 'mutant.parquet'} --out {out}")


def test_from_tiff_to_figures_the_difference_is_found(written):
    out, (status, output) = written
    assert status == 0, output
    assert "partner: mutant" in output
    found = pd.read_csv(out / "comparisons.csv").set_index("quantity")
    partner = found.loc["partner"]
    assert partner["p"] == pytest.approx(2 / 70)  # the least that four cells each allow
    true = {}
    for name in ("control", "mutant"):
        pits = read_truth(out.parent / name)[1].query("complete")
        true[name] = pits.groupby("cell")["burst"].mean().mean()
    assert partner["low"] < true["mutant"] - true["control"] < partner["high"] < 0
    keys = ["cells", "lifetimes", "cohorts_start", "cohorts_end", "onsets", "scores"]
    for key in keys:
        assert (out / f"figures/{key}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (out / f"figures/{key}.svg").read_bytes()[:600]
    tracks = pd.read_csv(out / "tracks.csv")
    assert {"condition", "lifetime", "partner", "onset", "score", "class"} <= set(tracks.columns)
    assert set(pd.read_csv(out / "cells.csv")["condition"]) == {"control", "mutant"}
    html = (out / "report.html").read_text()
    assert html.count("<img") == len(keys)
    assert "It tells tracks with a significant partner" in html
    assert "initiation density, per 1,000 " in html
    assert "initiation_unit" not in html
    assert "awd-cme 0." in html  # the version that made it


def test_the_same_command_again_changes_nothing_and_another_is_refused(written, two):
    out, _ = written
    before = (out / "cells.csv").read_bytes()
    both = f"{two / 'control.parquet'} {two / 'mutant.parquet'} --out {out}"
    assert say(f"awd-cme figures {both} --quiet")[0] == 0
    assert (out / "cells.csv").read_bytes() == before
    status, output = say(f"awd-cme figures {both} --area 50")
    assert status == 2
    assert "areas" in output


def test_names_of_conditions_are_told_apart(two):
    status, output = say(f"awd-cme figures {two / 'control.parquet'} --condition a,b --out {two / 'no'}")
    assert status != 0
    assert "--condition names 2 conditions, and there are 1 of tracks" in output
    status, output = say(f"awd-cme figures {two / 'control'} --out {two / 'no'}")
    assert "holds movies; make tracks of them first" in output


def small(cell="a", channels=("clathrin", "auxilin")):
    frame = list(range(12))
    return make_table(
        track=[1] * 12, frame=frame, y=[1.0] * 12, x=[2.0] * 12, cell=cell, channels=channels, category=[1] * 12,
        signals={f"{channels[0]}_amplitude": [5.0 + k for k in frame]}, seconds_per_frame=1.0,
    )  # fmt: skip


def test_a_single_small_table_has_figures_too_and_says_what_it_lacks(tmp_path):
    assert write_figures(tmp_path / "f", {"one": small()}, quiet=True) == []
    html = (tmp_path / "f/report.html").read_text()
    assert "Nothing is compared" in html
    assert "Not told: 1 tracks of clathrin can be classified" in html
    assert "auxilin has no p-values" in html
    assert json.loads((tmp_path / "f/config.json").read_text())["settings"]["conditions"] == ["one"]


def test_other_channels_and_no_tracks_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"one has the channels clathrin, auxilin, and two AP2, Dyn2; call them alike"):
        write_figures(tmp_path / "f", {"one": small(), "two": small(channels=("AP2", "Dyn2"))})
    with pytest.raises(ValueError, match=r"there are no tracks in nothing; give at least one condition"):
        write_figures(tmp_path / "f", {})


def test_cells_in_folders_are_conditions_and_files_called_alike_are_named_by_theirs(tmp_path):
    table = concat([small("mutant/1"), small("control/1"), small("control/2")])
    losses = LossReport(came=3)
    found = _by_folders("all", (table, losses))
    assert {name: sorted(part["cell"].unique()) for name, (part, _) in found.items()} == {
        "control": ["control/1", "control/2"], "mutant": ["mutant/1"],
    }  # fmt: skip
    assert list(_by_folders("all", (small("1"), losses))) == ["all"]
    assert _names([tmp_path / "a/tracks.csv", tmp_path / "b/tracks.csv"]) == ["a", "b"]
    assert _names([tmp_path / "wild_type.ome.csv", tmp_path / "ko.csv"]) == ["wild_type", "ko"]
