"""Events, lifetimes, cohorts and conditions compared, against what was simulated."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from awd_cme.app.main import app
from awd_cme.conditions import cell_values, cohorts, compare_conditions, events, lifetime_histogram
from awd_cme.conditions.effects import permutation_p
from awd_cme.conditions.events import half_rise, longest_run, window_weights
from awd_cme.simulate.settings import PRESETS
from awd_cme.simulate.simulation import simulate_movie
from awd_cme.tracks.table import concat, make_table
from awd_cme.tracks.writers import write_parquet
from commands import invoke

SNR = 5.0


def simulated(cells=2, seed=0, **changes):
    """Truth with noise on both channels as of an SNR of five, p-values of a normal test, and the table of pits."""
    settings = replace(PRESETS["realistic"], size=(96, 96), frames=160, pits=200.0, **changes)
    rng, tables, pits = np.random.default_rng(seed), [], []
    for cell in range(cells):
        movie = simulate_movie(settings, seed=seed, cell=cell)
        table = movie.truth.copy()
        for name in ("clathrin", "auxilin"):
            strength = np.nanpercentile(table[f"{name}_amplitude"], 95)
            noise = strength / SNR * rng.standard_normal(len(table))
            table[f"{name}_amplitude"] += noise
            table[f"{name}_p"] = norm.sf(table[f"{name}_amplitude"] / (strength / SNR))
        tables.append(table)
        pits.append(movie.pits)
    return concat(tables), pd.concat(pits, ignore_index=True)


@pytest.fixture(scope="module")
def told():
    table, pits = simulated()
    return table, events(table), pits


def test_the_partner_comes_within_a_frame(told):
    _, found, pits = told
    both = found.merge(pits, on=["cell", "track"])
    seen = both[both["complete_x"] & both["burst"] & both["onset"].notna()]
    # A Gaussian has risen to half its height 1.18 widths before its middle.
    true = seen["burst_seconds"] - np.sqrt(2 * np.log(2)) * seen["burst_width"]
    error = (seen["onset"] - true).abs()
    assert len(seen) > 60
    assert error.median() < 1.0
    assert (error <= 1.0).mean() > 0.5


def test_significance_tells_bursts(told):
    _, found, pits = told
    both = found.merge(pits, on=["cell", "track"])
    both = both[both["complete_x"]]
    strong = both[both["burst"] & (both["strength"] > both["strength"].median())]
    assert strong["partner"].astype(float).mean() > 0.95
    # Two frames in a row of p < 0.05 among some thirty are there by chance in one track of fourteen.
    assert both[~both["burst"]]["partner"].astype(float).mean() < 0.2


def test_completeness_is_what_the_movie_shows(told):
    _, found, pits = told
    both = found.merge(pits, on=["cell", "track"])
    # A pit that is born within the first frame is seen from it on.
    assert (both["complete_x"] <= both["complete_y"]).all()
    assert (both["complete_x"] == both["complete_y"]).mean() > 0.97


def test_lifetimes_of_a_short_movie_are_corrected():
    rng = np.random.default_rng(0)
    frames, rate = 100, 3000
    lifetime = rng.integers(5, 95, rate)
    begin = rng.integers(-95, frames, rate)
    first, last = np.maximum(begin, 0), np.minimum(begin + lifetime - 1, frames - 1)
    keep = last >= first
    rows = [(k, f) for k, (a, b) in enumerate(zip(first[keep], last[keep], strict=True)) for f in range(a, b + 1)]
    track, frame = np.array(rows).T
    table = make_table(
        track=track, frame=frame, y=np.zeros(len(track)), x=np.zeros(len(track)), seconds_per_frame=1.0,
        signals={"auxilin_amplitude": np.ones(len(track))},
    )  # fmt: skip
    found = events(table)
    bins = lifetime_histogram(found, [5, 35, 65, 95])
    # Lifetimes were drawn evenly; without the correction the last third has a sixth of the first one's tracks.
    np.testing.assert_allclose(bins["density"] * 90, 1, atol=0.25)
    plain = np.histogram(found[found["complete"]]["lifetime"], [5, 35, 65, 95])[0]
    assert plain[2] < 0.4 * plain[0]
    assert (window_weights(found) >= 1).all()


def test_cohorts_are_means_of_cells_aligned_at_either_end(told):
    table, found, _ = told
    for align in ("start", "end"):
        made = cohorts(table, found, align=align)
        assert [cohort.over for cohort in made] == ["cells"] * len(made)
        assert sum(cohort.tracks for cohort in made) > 60
        long = made[-1]
        assert long.low >= 40
        peak = long.seconds[np.argmax(long.mean["auxilin"])]
        # The burst is early in the fall of clathrin, late in a pit's life.
        assert -25 < peak < -2 if align == "end" else peak > 20
    one = cohorts(
        table[table["cell"] == "cell1"].reset_index(drop=True), found[found["cell"] == "cell1"].reset_index(drop=True)
    )
    assert one[0].over == "tracks"


def test_cells_have_their_numbers(told):
    table, found, _ = told
    values = cell_values(table, found)
    assert values["cell"].tolist() == ["cell1", "cell2"]
    assert values["lifetime"].between(15, 40).all()
    assert values["partner"].between(0.3, 0.9).all()
    area = cell_values(table, found, area=50.0)["initiations"]
    hull = values["initiations"]
    assert (area / hull).between(1, 3).all()  # the hull is some 100 µm²


def test_a_permutation_test_counts_divisions():
    assert permutation_p(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]))[0] == pytest.approx(0.5)
    p, least, exact = permutation_p(np.arange(12.0), np.arange(12.0) + 5, seed=3)
    assert not exact
    assert 0 < p < 0.05
    assert permutation_p(np.arange(12.0), np.arange(12.0) + 5, seed=3)[0] == p
    assert least == pytest.approx(1e-4)


def test_equal_conditions_seldom_differ_and_intervals_hold():
    rng = np.random.default_rng(5)
    held = called = 0
    for _ in range(200):
        cells = {
            name: pd.DataFrame({"lifetime": rng.normal(30 + shift, 4, 6)})
            for name, shift in (("control", 0), ("treated", 3), ("same", 0))
        }
        treated, same = compare_conditions(cells, quantities=["lifetime"])
        held += treated.low <= 3 <= treated.high
        called += same.p < 0.05
    assert 180 <= held <= 198
    assert called <= 20


def test_corrected_p_values_are_no_smaller(told):
    table, found, _ = told
    cells = cell_values(table, found)
    effects = compare_conditions({"a": cells, "b": cells.assign(lifetime=cells["lifetime"] + 1)})
    assert all(effect.p_holm >= effect.p for effect in effects)
    assert effects[0].difference == pytest.approx(1.0)


def test_the_command_goes_from_tracks_to_figures(tmp_path):
    for name, share, seed in (("control", 0.8, 1), ("knockdown", 0.1, 2)):
        write_parquet(simulated(3, seed, success_share=share)[0], tmp_path / f"{name}.parquet")
    out = tmp_path / "out"
    given = [f"{name}={tmp_path / name}.parquet" for name in ("control", "knockdown")]
    done = invoke(app, ["compare", *given, "--out", str(out)])
    assert done.exit_code == 0, done.stderr
    effects = pd.read_csv(out / "effects.csv").set_index("quantity")
    assert effects.loc["partner", "high"] < 0
    assert effects.loc["lifetime", "high"] < 0
    assert effects["least_p"].iloc[0] == pytest.approx(0.1)
    page = (out / "report.html").read_text()
    assert "no corrected p can be" in page
    assert "The share of tracks with a significant partner is" in done.stdout
    for name in ("lifetimes", "cells", "cohorts_begin", "cohorts_end"):
        assert (out / "figures" / f"{name}.svg").read_bytes().startswith(b"<?xml")
    assert {"events.csv", "cells.csv", "lifetimes.csv", "cohorts.csv"} <= {path.name for path in out.iterdir()}
    assert json.loads((out / "config.json").read_text())["program"] == "awd-cme compare"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (["control=a.csv"], "there is one condition, control; give two or more"),
        (["a.csv", "b.csv"], "'a.csv' is no condition; give NAME=TRACKS"),
        (["a=a.csv", "a=b.csv"], "the condition 'a' is given twice"),
    ],
)
def test_bad_conditions(given, match, tmp_path):
    done = invoke(app, ["compare", *given, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert match in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_bad_events():
    frames = np.arange(4)
    one = {"track": np.ones(4, int), "frame": frames, "y": np.zeros(4), "x": np.zeros(4)}
    with pytest.raises(ValueError, match="the frame interval of the tracks is not known"):
        events(make_table(**one))
    with pytest.raises(ValueError, match="there is no channel 'dynamin'; choose one of clathrin, auxilin"):
        events(make_table(**one, seconds_per_frame=1.0), partner="dynamin")
    with pytest.raises(ValueError, match="the tracks have one channel, clathrin"):
        events(make_table(**one, seconds_per_frame=1.0, channels=["clathrin"]))
    found = events(make_table(**one, seconds_per_frame=1.0))
    assert found["partner"].isna().all()
    with pytest.raises(ValueError, match="no track is complete"):
        lifetime_histogram(found, [0, 10])
    with pytest.raises(ValueError, match=r"edges are .*give two or more that rise"):
        lifetime_histogram(found, [10, 0])
    with pytest.raises(ValueError, match=r"bounds are .*give two or more lifetimes"):
        cohorts(make_table(**one, seconds_per_frame=1.0), found, bounds=[5])


def test_runs_and_rises():
    assert longest_run(np.zeros(3, bool)) == 0
    assert np.isnan(half_rise(np.arange(3.0), np.full(3, np.nan)))
    assert half_rise(np.arange(4.0), np.array([5.0, 4, 3, 2])) == 0.0
