"""Counts for a photon from the noise of images, against cameras whose gain is known."""

import numpy as np
import pytest

from awd_cme.movies import Movie
from awd_cme.simulate import Camera, simulate_movie
from awd_cme.spots import estimate_gain
from awd_cme.tracking import extract
from awd_cme.tracks import LossReport

CAMERAS = [Camera(gain=0.5), Camera(gain=2.0), Camera(gain=8.0, read_noise=0.5)]


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_gain_of_a_movie_with_moving_spots_is_found(camera):
    movie = simulate_movie("quick", seed=1, frames=30, camera=camera).movie.in_memory()
    for channel in (0, 1):
        found = estimate_gain(movie.stack(channel))
        assert found.known
        # Its own error is a few percent, and moving spots add some.
        assert found.gain == pytest.approx(camera.gain, rel=0.15)


@pytest.mark.parametrize(("snr", "gain"), [(5.0, 2.0), (20.0, 8.0)])
def test_errors_of_amplitudes_hold_the_truth_without_a_gain_being_given(snr, gain):
    camera = Camera(gain=gain)
    simulated = simulate_movie("quick", seed=2, frames=40, snr=snr, partner_snr=snr, camera=camera, bleaching=0.0)
    movie, truth = simulated.movie.in_memory(), simulated.movie.table
    losses = LossReport()
    shares = []
    for option in ({"losses": losses}, {"gain": 0.0}):
        found = extract(movie, truth, sigma=1.4, channels=["clathrin"], **option)
        both = truth.merge(found, on=["track", "frame"], suffixes=("", "_found"))
        rows = (both["clathrin_amplitude"] > 5 * np.median(simulated.movie.noise_sd(0, 0))) & ~both["crowded"]
        away = (both["clathrin_amplitude_found"] - both["clathrin_amplitude"]).abs()
        shares.append((away < both["clathrin_amplitude_error_found"])[rows].mean())
    measured, none = shares
    # Of several thousand amplitudes; 0.683 of a normal distribution.
    assert 0.65 < measured < 0.72
    assert none < 0.63
    assert any("counts for a photon, measured by how the noise grows" in said for said in losses.assumed)


def test_noise_that_does_not_grow_gives_no_gain():
    images = np.random.default_rng(0).normal(100 + np.arange(64.0), 5, (30, 64, 64))
    assert not estimate_gain(images).known
    assert not estimate_gain(np.full((3, 64, 64), 7.0)).known
    assert not estimate_gain(np.stack([np.arange(4096.0).reshape(64, 64)] * 3)).known


def test_a_movie_that_shows_no_gain_says_so():
    movie = Movie.from_array(np.random.default_rng(0).normal(100, 5, (6, 1, 40, 40)), channels=["a"])
    table = simulate_movie("quick", seed=0, frames=6, size=(40, 40), pits=4).movie.table
    for frames in (6, 2):
        short = Movie.from_array(movie.stack(0)[:frames, None], channels=["a"])
        losses = LossReport()
        extract(short, table[table["frame"] < frames].reset_index(drop=True), sigma=1.4, losses=losses)
        assert any("the movie does not show how many counts" in one for one in losses.assumed)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((64, 64), "images have the shape"), ((4, 64, 64), "three at a time"), ((3, 8, 8), "needs 1000 or more")],
)
def test_images_that_will_not_do(shape, message):
    with pytest.raises(ValueError, match=message):
        estimate_gain(np.ones(shape))
