"""Simulated movies: the pits' lives, the law, and what is written of them."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest

from awd_cme.movies.open import open_movie
from awd_cme.simulate import cell as places
from awd_cme.simulate import pits as lives
from awd_cme.simulate.camera import Camera
from awd_cme.simulate.pits import Law, draw_pits, history_terms
from awd_cme.simulate.settings import Settings, settings_for
from awd_cme.simulate.simulation import PRESETS, best_r2, read_truth, simulate_dataset, simulate_movie
from awd_cme.tracks.table import validate

TINY = {"size": (48, 56), "frames": 60, "pits": 40, "cells": 2}


@pytest.fixture(scope="module")
def quick():
    return simulate_movie("quick", seed=0)


@pytest.fixture(scope="module")
def pits_and_history():
    return draw_pits(np.random.default_rng(0), 4000, success_share=0.65, law=Law())


def test_the_terms_of_the_law_by_their_definition():
    history = np.random.default_rng(0).uniform(0, 1, (5, 60))
    history[:, 40:] = 0
    padded = np.pad(history, ((0, 0), (12, 12)))

    def mean(row, start, length):
        return row[start : start + length].mean()

    for row, *terms in zip(padded, *history_terms(history), strict=True):
        ends = len(row)
        assert terms[0] == pytest.approx(max(mean(row, t, 4) - mean(row, t - 4, 4) for t in range(4, ends - 3)))
        assert terms[1] == pytest.approx(max(mean(row, t, 12) for t in range(ends - 11)))
        assert terms[2] == pytest.approx(max(mean(row, t - 6, 6) - mean(row, t, 6) for t in range(6, ends - 5)))


def test_strengths_follow_the_law(pits_and_history):
    pits, history = pits_and_history
    growth, plateau, loss = history_terms(history)
    said = np.log1p(np.exp(-2.5 + 6 * growth - 2.5 * plateau + 6 * loss))
    np.testing.assert_allclose(pits["law"], said, rtol=1e-12)
    bursts = pits[pits["burst"]]
    epsilon = np.log(bursts["strength"] / bursts["law"])
    n = len(bursts)
    assert abs(epsilon.mean() + 0.2**2 / 2) < 4 * 0.2 / np.sqrt(n)
    assert epsilon.std() == pytest.approx(0.2, rel=4 / np.sqrt(2 * n))
    assert abs(np.corrcoef(epsilon, bursts["law"])[0, 1]) < 4 / np.sqrt(n)
    assert not pits["burst"][~pits["success"]].any()
    assert (pits["strength"][~pits["burst"]] == 0).all()
    assert pits["burst"][pits["success"]].mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / n))
    assert bursts["strength"].median() == pytest.approx(lives.TYPICAL_STRENGTH, rel=0.08)


def test_the_law_needs_more_of_the_history_than_its_height(pits_and_history):
    bursts = pits_and_history[0].query("burst")

    def r2(names):
        design = np.column_stack([np.ones(len(bursts)), bursts[names]])
        fit = design @ np.linalg.lstsq(design, bursts["strength"], rcond=None)[0]
        return best_r2(bursts["strength"], fit)

    best = best_r2(bursts["strength"], bursts["law"])
    assert 0.8 < best < 0.95
    assert r2(["plateau"]) < 0.5
    assert max(r2(["growth"]), r2(["loss"])) < best - 0.15
    assert best - 0.08 < r2(["growth", "plateau", "loss"]) < best - 0.005


def test_the_expected_strength_is_the_mean_of_those_with_the_same_history(pits_and_history):
    pits, _ = pits_and_history
    # In ten groups by what is expected, the mean comes true: the posterior and the law are those of the simulation.
    groups = pd.qcut(pits["expected"], 10, labels=False)
    for _, group in pits.groupby(groups):
        error = (group["strength"] - group["expected"]).std() / np.sqrt(len(group))
        assert abs((group["strength"] - group["expected"]).mean()) < 4 * error
    assert 0.6 < best_r2(pits["strength"], pits["expected"]) < 0.85
    with pytest.raises(ValueError, match="R² needs pits whose strengths differ, got 2 that do not"):
        best_r2([1.0, 1.0], [1.0, 1.0])


def test_histories_begin_and_end_at_zero(pits_and_history):
    pits, history = pits_and_history
    life = pits["rise_seconds"] + pits["plateau_seconds"] + pits["fall_seconds"]
    assert (history[:, 0] == 0).all()
    assert (history >= 0).all()
    after = np.arange(history.shape[1]) >= life.to_numpy()[:, None]
    assert (history[after] == 0).all()
    assert life.max() <= lives.LONGEST
    assert life[pits["success"]].median() > 1.6 * life[~pits["success"]].median()
    top = history.max(axis=1) / pits["height"]
    assert top.median() == pytest.approx(1.05, abs=0.05)
    assert 0.03 < top.std() < 0.12


def test_births_are_poisson_in_space_and_time():
    counts, times, where = [], [], []
    for seed in range(200):
        start, place = places.births(np.random.default_rng(seed), 30.0, 100.0, (50, 80))
        counts.append(((start >= 0) & (start < 100)).sum())
        times.append(start)
        where.append(place)
        assert (np.diff(start) >= 0).all()
    assert np.mean(counts) == pytest.approx(30, abs=4 * np.sqrt(30 / 200))
    assert np.var(counts) == pytest.approx(30, rel=4 * np.sqrt(2 / 200))
    histogram = np.histogram(np.concatenate(times), 20, (-lives.LONGEST, 100))[0]
    assert np.abs(histogram / histogram.mean() - 1).max() < 4 / np.sqrt(histogram.mean())
    assert np.concatenate(where).max(axis=0) == pytest.approx([49, 79], abs=0.1)


def test_no_pit_is_born_on_a_living_one():
    rng = np.random.default_rng(0)
    start, place = places.births(rng, 400.0, 100.0, (40, 40))
    life = rng.uniform(5, 40, len(start))
    kept = places.apart(start, life, place, 6.0)
    alive, where, ends = start[kept], place[kept], (start + life)[kept]
    for k in range(1, kept.sum()):
        others = ends[:k] > alive[k]
        assert not others.any() or np.hypot(*(where[:k][others] - where[k]).T).min() >= 6.0
    assert places.apart(start, life, place, 0.0).all()


def test_pits_wander_and_cross():
    rng = np.random.default_rng(0)
    start, life = np.linspace(0, 20, 300), np.full(300, 60.0)
    place = rng.uniform(0, 400, (300, 2))
    times = np.arange(0, 100, 0.5)
    pit, frame, position = places.paths(rng, start, life, place, times, 0.1)
    first = np.searchsorted(pit, np.arange(300))
    np.testing.assert_array_equal(position[first], place)
    assert (np.diff(frame)[np.diff(pit) == 0] == 1).all()
    steps = np.diff(position, axis=0)[np.diff(pit) == 0]
    assert steps.std() == pytest.approx(0.1 * np.sqrt(0.5), rel=0.02)
    before = position.copy()
    moved = places.cross(rng, 0.1, pit, frame, position, times, 300)
    assert 20 < moved.sum() <= 30
    assert (position[~moved[pit]] == before[~moved[pit]]).all()
    for k in np.flatnonzero(moved):
        own = pit == k
        others = ~own & np.isin(frame, frame[own])
        gaps = position[others][None] - position[own][:, None]
        together = frame[others][None] == frame[own][:, None]
        assert np.hypot(gaps[..., 0], gaps[..., 1])[together].min() < 0.5
        speed = np.hypot(*(position[own][-1] - position[own][0])) / 60
        assert 0.2 < speed < 0.65


def test_the_background_is_uneven_and_the_stage_drifts():
    rng = np.random.default_rng(0)
    y, x = np.indices((64, 80), dtype=float)
    shape = places.uneven(rng, (64, 80), 0.3)(y, x)
    assert 0.7 <= shape.min() < 0.95
    assert 1.05 < shape.max() <= 1.3
    # Smooth: a pixel differs from its neighbour by less than 0.3 · 2π · 1.5 / 64.
    assert np.abs(np.diff(shape, axis=0)).max() < 0.045
    way = places.drift(rng, 2.0, 100)
    np.testing.assert_array_equal(way[0], 0)
    assert np.hypot(*way[-1]) == pytest.approx(2.0)
    np.testing.assert_array_equal(places.drift(rng, 2.0, 1), [[0, 0]])


def test_the_truth_is_a_canonical_table(quick):
    truth, pits = validate(quick.truth), quick.pits
    assert truth.attrs == {
        "channels": ["clathrin", "auxilin"],
        "seconds_per_frame": 1.0,
        "micrometres_per_pixel": 0.108,
    }
    assert 150 <= len(pits) <= 300
    assert pits["complete"].sum() > 130
    assert truth["y"].between(0, 127).all()
    assert truth["x"].between(0, 127).all()
    rows = truth.groupby("track")
    assert pits["track"].tolist() == list(rows.groups)
    frames = (rows["frame"].max() - rows["frame"].min() + 1).to_numpy()
    np.testing.assert_array_equal(frames, rows.size())
    np.testing.assert_array_equal(rows["lifetime"].first(), frames)
    complete = pits["complete"].to_numpy()
    np.testing.assert_array_equal(rows["category"].first() == 1, complete)
    assert (np.abs(frames[complete] - pits["lifetime"][complete]) <= 1).all()
    assert set(truth["category"]) <= {1, 3, 4}
    inside = rows["frame"].min()[complete]
    assert (inside > 0).all()
    np.testing.assert_allclose(pits["peak"], rows["auxilin_amplitude"].max())
    for name in ("clathrin_p", "auxilin_amplitude_error", "clathrin_background_error"):
        assert truth[name].isna().all()


def test_the_signal_to_noise_ratio_is_what_was_asked_for():
    simulated = simulate_movie("quick", seed=1, snr=5.0, partner_snr=3.0, bleaching=0.0, unevenness=0.0, pits=600)
    pits, noise = simulated.pits[simulated.pits["complete"]], simulated.movie.noise_sd(0, 0).min()
    successful = pits[pits["success"]]
    assert noise == pytest.approx(Camera().noise_sd(160.0), rel=1e-12)
    assert (successful["height"] * 5.0).median() == pytest.approx(5.0, rel=0.1)
    # The brightest frame is above the plateau by the fluctuations, some 8 %.
    assert successful["snr"].median() == pytest.approx(5.4, rel=0.1)
    auxilin = simulated.movie.noise_sd(0, 1).min()
    bursts = pits[pits["burst"]]
    assert (bursts["strength"] / auxilin).median() == pytest.approx(3.0, rel=0.2)
    empty = simulate_movie("quick", seed=1, pits=0, unevenness=0.0, bleaching=0.0, frames=40)
    assert len(empty.pits) == len(empty.truth) == 0
    frames = empty.movie.stack(0).astype(float)
    assert frames.mean() == pytest.approx(260.0, abs=4 * noise / np.sqrt(frames.size))
    assert frames.std() == pytest.approx(noise, rel=4 / np.sqrt(2 * frames.size))


def test_bursts_come_late_and_bleaching_takes_its_share(quick):
    truth, pits = quick.truth, quick.pits
    strong = pits[pits["complete"] & pits["burst"] & (pits["lifetime"] > 20)]
    rows = truth.set_index("track").loc[strong["track"]]
    at = rows.groupby(level=0).apply(lambda one: one["auxilin_amplitude"].to_numpy().argmax() / len(one))
    assert at.median() > 0.6
    assert (at > 0.4).mean() > 0.95
    ratio = quick.movie.expect(199, 0).min() / quick.movie.expect(0, 0).min()
    assert ratio == pytest.approx(0.9, abs=0.005)
    still = simulate_movie("quick", seed=0, bleaching=0.0)
    fading = truth["clathrin_amplitude"] / still.truth["clathrin_amplitude"]
    expected = 0.9 ** (truth["frame"] / 199)
    known = truth["clathrin_amplitude"] > 0
    np.testing.assert_allclose(fading[known], expected[known], rtol=1e-9)


def test_cells_and_seeds_differ_and_repeat(quick):
    again = simulate_movie("quick", seed=0, cell=0)
    pd.testing.assert_frame_equal(again.truth, quick.truth)
    pd.testing.assert_frame_equal(again.pits, quick.pits)
    np.testing.assert_array_equal(again.movie.frame(77, 1), quick.movie.frame(77, 1))
    for other in (simulate_movie("quick", seed=1), simulate_movie("quick", seed=0, cell=1)):
        assert len(other.truth) != len(quick.truth)
        assert (other.movie.frame(77, 1) != quick.movie.frame(77, 1)).mean() > 0.9
    # The noise is not the places' doing: other settings of the camera leave the pits as they are.
    other = simulate_movie("quick", seed=0, camera=Camera(gain=1.0))
    pd.testing.assert_frame_equal(other.truth[["track", "frame", "y", "x"]], quick.truth[["track", "frame", "y", "x"]])


def test_half_the_frame_interval_shows_the_same_pits():
    whole, half = (
        simulate_movie("quick", seed=2, frames=n, seconds_per_frame=s, bleaching=0, drift=0, wander=0, crossings=0)
        for n, s in ((50, 1.0), (100, 0.5))
    )
    shared = half.truth[half.truth["frame"] % 2 == 0]
    both = whole.pits.merge(half.pits, on="birth", suffixes=("", "_half"))
    assert len(both) == len(whole.pits)
    both.iloc[5]
    pair = both.iloc[5]
    one = whole.truth.loc[whole.truth["track"] == pair["track"], "clathrin_amplitude"].to_numpy()
    other = shared.loc[shared["track"] == pair["track_half"], "clathrin_amplitude"].to_numpy()
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_best_r2_of_a_movie(quick):
    assert quick.success is quick.pits
    complete = quick.pits[quick.pits["complete"]]
    assert quick.best_r2() == best_r2(complete["strength"], complete["expected"])
    assert 0.6 < quick.best_r2(bursts=True) < 1


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_data_set_is_the_same_with_any_number_of_workers_and_after_a_stop(tmp_path):
    told = []
    movies = simulate_dataset(tmp_path / "one", "quick", seed=5, progress=lambda *a: told.append(a), **TINY)
    assert [path.name for path in movies] == ["cell1_1s.ome.tif", "cell2_1s.ome.tif"]
    assert told == [(1, 2, "cell1_1s.ome.tif"), (2, 2, "cell2_1s.ome.tif")]
    whole = digests(tmp_path / "one")
    assert sorted(whole) == sorted(
        ["simulation.json", "cell1_1s.ome.tif", "cell2_1s.ome.tif"]
        + [f"truth/cell{k}.{what}.parquet" for k in (1, 2) for what in ("tracks", "pits")]
    )
    simulate_dataset(tmp_path / "two", "quick", seed=5, workers=2, **TINY)
    assert digests(tmp_path / "two") == whole
    # Stopped before the second cell's movie was there: the first stays, the second is made.
    movies[1].unlink()
    (tmp_path / "one" / "truth" / "cell2.pits.parquet").write_bytes(b"half")
    first = movies[0].stat().st_mtime_ns
    told.clear()
    simulate_dataset(tmp_path / "one", "quick", seed=5, progress=lambda *a: told.append(a), **TINY)
    assert told == [(2, 2, "cell2_1s.ome.tif")]
    assert movies[0].stat().st_mtime_ns == first
    assert digests(tmp_path / "one") == whole
    for changes in ({"seed": 6}, {"seed": 5, "snr": 3.0}):
        with pytest.raises(ValueError, match="holds a simulation with other settings or another seed"):
            simulate_dataset(tmp_path / "one", "quick", **(TINY | changes))


def test_a_data_set_is_read_back(tmp_path):
    movies = simulate_dataset(tmp_path, "quick", seed=5, **TINY)
    truth, pits = read_truth(tmp_path)
    assert sorted(truth["cell"].unique()) == ["cell1", "cell2"]
    assert truth.attrs["seconds_per_frame"] == 1.0
    for k, path in enumerate(movies):
        simulated = simulate_movie("quick", seed=5, cell=k, **TINY)
        movie = open_movie(path)
        assert movie.shape == (60, 2, 48, 56)
        assert (movie.channels, movie.seconds_per_frame) == (("clathrin", "auxilin"), 1.0)
        assert movie.micrometres_per_pixel == 0.108
        for c in range(2):
            np.testing.assert_array_equal(movie.stack(c), simulated.movie.stack(c))
        own = truth[truth["cell"] == f"cell{k + 1}"]
        columns = ["track", "frame", "y", "x", "clathrin_amplitude", "auxilin_background"]
        np.testing.assert_array_equal(own[columns], simulated.truth[columns])
        pd.testing.assert_frame_equal(
            pits[pits["cell"] == f"cell{k + 1}"].reset_index(drop=True), simulated.pits, check_dtype=False
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no truth of simulated cells"):
        read_truth(tmp_path / "empty")


def test_the_realistic_preset():
    settings = PRESETS["realistic"]
    assert (settings.size, settings.frames, settings.snr) == ((512, 512), 300, 5.0)
    assert settings_for("realistic", snr=3.0) == dataclasses.replace(settings, snr=3.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "slow"}, "there is no preset 'slow'; choose quick or realistic"),
        ({"seed": -1}, "seed is -1; give a whole number, 0 or more"),
        ({"snr": 0.0}, "snr is 0.0; give a number above 0"),
        ({"bleaching": 1.0}, "bleaching is 1.0; give a share from 0 to below 1"),
        ({"pits": -1}, "pits is -1; give a number from 0 on"),
        ({"size": (8, 64)}, r"size is \(8, 64\); give rows and columns, 16 or more each"),
        ({"background": (1.0,)}, r"background is \(1.0,\); give photoelectrons of clathrin and auxilin"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        simulate_movie(**({"preset": "quick", "seed": 0} | changes))
    assert isinstance(PRESETS["quick"], Settings)
