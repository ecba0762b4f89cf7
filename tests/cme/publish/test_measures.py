import numpy as np
import pandas as pd
import pytest

from awd_cme.publish import cohort_means, lifetime_distribution, measure_cells, measure_tracks, partner_onsets
from awd_cme.simulate.simulation import simulate_movie
from awd_cme.tracking.intensities import extract
from awd_cme.tracks import LossReport, concat, make_table


def tracks_of(lifetimes, *, begins=None, cell="a", seconds=2.0, size=0.1, p=None, category=1):
    """One track a lifetime, in frames, at the corners of a square of 100 pixels."""
    count = len(lifetimes)
    begins = np.arange(count) + 1 if begins is None else np.asarray(begins)
    track = np.repeat(np.arange(count), lifetimes)
    age = np.concatenate([np.arange(n) for n in lifetimes])
    corner = np.array([[0, 0], [0, 100], [100, 0], [100, 100]])[np.arange(count) % 4]
    p = np.full(len(track), 0.5) if p is None else p(track, age)
    return make_table(
        track=track, frame=begins[track] + age, y=corner[track, 0].astype(float), x=corner[track, 1].astype(float),
        cell=cell, category=None if category is None else [category] * len(track), seconds_per_frame=seconds,
        micrometres_per_pixel=size,
        signals={"clathrin_amplitude": 10.0 + age, "auxilin_amplitude": 1.0 * age, "auxilin_p": p},
    )  # fmt: skip


def test_lifetimes_are_in_seconds_and_complete_by_category():
    table = tracks_of([5, 10], category=3)
    found = measure_tracks(table)
    assert found["lifetime"].tolist() == [10, 20]
    assert found["unit"].tolist() == ["s", "s"]
    assert not found["complete"].any()


def test_without_categories_the_ends_of_the_movie_tell_what_is_complete():
    table = tracks_of([5, 5, 5, 5], begins=[0, 3, 10, 45], category=None)
    losses = LossReport()
    found = measure_tracks(table, losses)
    assert found["complete"].tolist() == [False, True, True, False]
    assert any("without a category" in said for said in losses.assumed)


def test_an_unknown_frame_interval_leaves_frames():
    found = measure_tracks(tracks_of([5, 10], seconds=None))
    assert found["lifetime"].tolist() == [5, 10]
    assert found["unit"].iloc[0] == "frames"


def test_a_partner_needs_more_significant_frames_than_chance_makes():
    # Of 20 frames at 5 %, the 95 % quantile of the binomial distribution is 3.
    hits = np.array([3, 4])
    found = measure_tracks(tracks_of([20, 20], p=lambda track, age: np.where(age < hits[track], 0.01, 0.5)))
    assert found["partner"].tolist() == [0, 1]
    assert found["significant"].tolist() == [0.15, 0.2]


def test_initiation_is_per_area_and_time():
    table = tracks_of([5, 5, 5, 5], begins=[0, 30, 20, 55])
    row = measure_cells(table, measure_tracks(table, onsets=False)).iloc[0]
    # Three begin after the first frame, on 100 µm², within 59 frames of 2 s.
    assert row["initiation"] == pytest.approx(3 / (100 / 1000) / (59 * 2 / 60))
    assert row["initiation_unit"] == "per 1,000 µm² and min"
    told = measure_cells(table, measure_tracks(table, onsets=False), areas=200.0).iloc[0]
    assert told["initiation"] == pytest.approx(row["initiation"] / 2)
    with pytest.raises(ValueError, match=r"the area of a is nan; give square micrometres of every cell"):
        measure_cells(table, measure_tracks(table, onsets=False), areas={"b": 3.0})


def test_areas_in_square_micrometres_need_no_size_of_a_pixel():
    table = tracks_of([5, 5, 5, 5], begins=[0, 30, 20, 55])
    known = measure_cells(table, measure_tracks(table, onsets=False), areas=200.0).iloc[0]
    table = tracks_of([5, 5, 5, 5], begins=[0, 30, 20, 55], size=None)
    losses = LossReport()
    row = measure_cells(table, measure_tracks(table, onsets=False), losses, areas=200.0).iloc[0]
    assert row["initiation_unit"] == "per 1,000 µm² and min"
    assert row["initiation"] == known["initiation"]
    assert not losses.assumed
    row = measure_cells(table, measure_tracks(table, onsets=False), losses).iloc[0]
    assert row["initiation_unit"] == "per 1,000 px² and min"
    assert any("per 1,000 square pixels" in said for said in losses.assumed)


def test_the_length_of_the_movie_does_not_favour_short_lifetimes():
    """Tracks of 10 and of 60 frames begin equally often; of the long ones a movie of 80 frames sees few."""
    rng = np.random.default_rng(0)
    begins = rng.integers(-60, 80, 6000)
    frames = np.where(np.arange(6000) % 2, 10, 60)
    whole = (begins >= 1) & (begins + frames <= 79)
    table = tracks_of(frames[whole], begins=begins[whole], seconds=1.0)
    found = lifetime_distribution(
        measure_tracks(pd.concat([table]), onsets=False).assign(first=0, last=79), width=10.0, longest=70
    )
    share = found["mean"] * 10
    assert share[found["lifetime"] == 15].item() == pytest.approx(0.5, abs=0.04)
    assert share[found["lifetime"] == 65].item() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(("align", "first", "last"), [("start", 10, 19), ("end", 10, 19)])
def test_cohorts_are_means_over_cells(align, first, last):
    tables = [tracks_of([10, 10], cell="a", seconds=1.0), tracks_of([10], cell="b", seconds=1.0)]
    tables[1]["clathrin_amplitude"] += 4.0
    table = concat(tables)
    found = cohort_means(table, measure_tracks(table, onsets=False), edges=(5, 15), align=align)
    own = found[found["channel"] == "clathrin"]
    assert own["time"].tolist() == list(range(10) if align == "start" else range(-9, 1))
    # One cell has 10 to 19, the other four more: not the mean over three tracks.
    assert own["mean"].tolist() == list(np.arange(first, last + 1) + 2.0)
    assert own["error"].to_numpy() == pytest.approx(np.full(10, 2.0))
    assert set(own["over"]) == {"cells"}
    assert set(own["tracks"]) == {3}


def test_a_step_and_a_ramp_have_their_onset_where_they_begin():
    rng = np.random.default_rng(1)
    frame, step = np.arange(60), []
    for at in (20, 30, 40):
        step.append(np.where(frame >= at, 100.0, 0.0) + rng.normal(0, 8, 60))
    table = make_table(
        track=np.repeat([1, 2, 3], 60), frame=np.tile(frame + 5, 3), y=[1.0] * 180, x=[1.0] * 180,
        signals={"auxilin_amplitude": np.concatenate(step)},
    )  # fmt: skip
    found = partner_onsets(table)
    assert found.frame == pytest.approx([25, 35, 45], abs=2)
    assert (found.evidence > 50).all()


def test_short_and_constant_tracks_have_no_onset():
    table = make_table(
        track=[1] * 4 + [2] * 20, frame=[*range(4), *range(20)], y=[1.0] * 24, x=[1.0] * 24,
        signals={"auxilin_amplitude": [1.0, 2, 3, 4] + [7.0] * 20},
    )  # fmt: skip
    assert np.isnan(partner_onsets(table).frame).all()
    with pytest.raises(ValueError, match=r"no partner dynamin; give another"):
        partner_onsets(table, "dynamin")


def test_the_onset_is_within_a_frame_on_the_realistic_preset():
    """A part of the field; intensities are measured in the images, at the true positions."""
    simulated = simulate_movie("realistic", seed=1, size=(112, 112), pits=170)
    table = extract(simulated.movie, simulated.truth, sigma=1.4, before=5, after=5, threads=1, losses=LossReport())
    found = measure_tracks(table)
    pits = simulated.pits
    true = pits.assign(true=pits["birth"] + pits["burst_seconds"] - 2 * pits["burst_width"])
    both = found.merge(true[["track", "true", "burst"]], on="track")
    known = both[both["burst"] & both["complete"] & both["onset"].notna()]
    away = known["first"] + known["onset"] - known["true"]
    assert len(known) > 50
    assert abs(away.median()) < 0.5
    # Measured: 89 % within a frame.
    assert (away.abs() <= 1).mean() > 0.75
    assert not both.loc[~both["burst"], "partner"].any()
