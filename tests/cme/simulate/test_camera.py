"""The point spread function, and the camera's noise."""

import math

import numpy as np
import pytest

from awd_cme.simulate.camera import Camera
from awd_cme.spots.psf import add_spots, reach_in_pixels, spot_sum


@pytest.mark.parametrize("sigma", [0.8, 1.4, 2.3])
def test_the_sum_of_a_spot(sigma):
    rng = np.random.default_rng(0)
    for y, x in rng.uniform(30, 31, (20, 2)):
        image = np.zeros((61, 64))
        add_spots(image, [y], [x], [7.0], sigma)
        # Beyond 4σ along each axis lie 2 · 3.2e-5 of a Gaussian.
        assert image.sum() == pytest.approx(float(spot_sum(7.0, sigma)), rel=2e-4)


def test_a_spot_is_the_gaussian_at_the_centres_of_pixels():
    image = np.full((40, 50), 3.0)
    add_spots(image, [12.3, 20.0], [31.8, 10.0], [100.0, 40.0], 1.4)
    y, x = np.indices(image.shape)
    exact = 3.0 + sum(
        a * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * 1.4**2)) for y0, x0, a in ((12.3, 31.8, 100), (20, 10, 40))
    )
    np.testing.assert_allclose(image, exact, rtol=0, atol=100 * math.exp(-8))
    near = np.hypot(y - 12.3, x - 31.8) < 5
    np.testing.assert_allclose(image[near], exact[near], rtol=1e-12)
    assert image[20, 10] == pytest.approx(43.0, abs=1e-12)


def test_spots_at_and_beyond_the_edges_are_cut_off():
    whole, part = np.zeros((60, 60)), np.zeros((20, 20))
    rng = np.random.default_rng(1)
    y, x = rng.uniform(-12, 32, (2, 200))
    amplitude = rng.uniform(-1, 5, 200)
    add_spots(whole, y + 20, x + 20, amplitude, 1.7)
    add_spots(part, y, x, amplitude, 1.7)
    np.testing.assert_allclose(part, whole[20:40, 20:40], rtol=0, atol=1e-12)
    add_spots(part, [1e9, -1e300], [0.0, 0.0], [1.0, 1.0], 1.7)  # far away: nothing overflows
    np.testing.assert_allclose(part, whole[20:40, 20:40], rtol=0, atol=1e-12)
    add_spots(part, [], [], [], 1.7)


def test_many_spots_add_up_whatever_their_number():
    rng = np.random.default_rng(2)
    y, x, amplitude = rng.uniform(0, 30, (3, 9000))
    together, apart = np.zeros((31, 31)), np.zeros((31, 31))
    add_spots(together, y, x, amplitude, 1.0)
    for part in np.array_split(np.arange(9000), 37):
        add_spots(apart, y[part], x[part], amplitude[part], 1.0)
    np.testing.assert_allclose(together, apart, rtol=1e-12)


def test_bad_spots():
    for image in (np.zeros((4, 4), np.float32), np.zeros((2, 4, 4)), np.zeros((4, 4)).T[::2]):
        with pytest.raises(ValueError, match=r"the image must be a float64 array \(h, w\) in C order"):
            add_spots(image, [1], [1], [1], 1.0)
    with pytest.raises(ValueError, match="y, x and amplitude must be of one length"):
        add_spots(np.zeros((4, 4)), [1, 2], [1], [1], 1.0)
    with pytest.raises(ValueError, match="amplitude must be finite, got nan; leave such spots out"):
        add_spots(np.zeros((4, 4)), [1], [1], [np.nan], 1.0)
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"sigma is {sigma}; give the standard deviation .* above 0"):
            reach_in_pixels(sigma)


@pytest.mark.parametrize("electrons", [0.5, 20.0, 2000.0])
@pytest.mark.parametrize("camera", [Camera(100, 2.0, 1.5), Camera(300, 0.45, 0.0), Camera(1000, 10.0, 3.0)])
def test_mean_and_variance_of_the_noise(camera, electrons):
    n = 200_000
    pixels = camera.expose(np.full(n, electrons), np.random.default_rng(0)).astype(np.float64)
    variance = float(camera.variance(camera.gain * electrons))
    if camera.read_noise == 0 and electrons == 0.5:
        # Counts of a few electrons times 0.45 are rounded all alike, so that rounding is no noise of its own.
        k = np.arange(60)
        p = np.exp(k * math.log(electrons) - electrons - np.cumsum(np.log(np.maximum(k, 1))))
        rounded = np.rint(0.45 * k)
        mean, variance = (p * rounded).sum(), (p * rounded**2).sum() - (p * rounded).sum() ** 2
    else:
        mean = camera.gain * electrons
    # Four standard errors of the mean, and of the variance of numbers whose fourth moment is Poisson's or smaller.
    assert abs(pixels.mean() - camera.offset - mean) < 4 * math.sqrt(variance / n)
    assert pixels.var() == pytest.approx(variance, rel=4 * math.sqrt((2 + 1 / electrons) / n))


def test_the_gain_is_the_slope_of_variance_over_mean():
    camera = Camera(offset=100, gain=2.3, read_noise=2.0)
    levels = np.linspace(10, 1000, 12)
    rng = np.random.default_rng(0)
    frames = [camera.expose(np.full(100_000, level), rng).astype(np.float64) for level in levels]
    slope, intercept = np.polyfit([f.mean() - 100 for f in frames], [f.var() for f in frames], 1, w=1 / levels)
    assert slope == pytest.approx(2.3, rel=0.01)  # 0.4 % of each of 12 variances
    assert intercept == pytest.approx(2.3**2 * 4 + 1 / 12, abs=3)


def test_the_photon_budget_of_a_spot():
    camera = Camera(offset=100, gain=2.0, read_noise=1.5)
    light = np.zeros((41, 41))
    add_spots(light, [20.2], [19.7], [300.0], 1.4)
    total = float(spot_sum(300.0, 1.4))
    rng = np.random.default_rng(3)
    sums = [camera.expose(camera.electrons(light + 40), rng).sum(dtype=np.float64) - 41**2 * 140 for _ in range(400)]
    sd = math.sqrt(float(camera.variance(light + 40).sum()))
    assert abs(np.mean(sums) - total) < 4 * sd / math.sqrt(400)
    assert np.std(sums) == pytest.approx(sd, rel=4 / math.sqrt(800))


def test_pixels_are_cut_at_the_ends():
    camera = Camera(offset=5, gain=1.0, read_noise=4.0, bits=8)
    dark = camera.expose(np.zeros(10_000), np.random.default_rng(0))
    assert dark.dtype == np.uint8
    assert dark.min() == 0
    assert (camera.expose(np.full(100, 1e6), np.random.default_rng(0)) == 255).all()
    assert Camera(bits=12).expose(np.full((2, 2), 1e9), np.random.default_rng(0)).tolist() == [[4095] * 2] * 2


def test_an_exposure_is_a_function_of_its_seed():
    camera, light = Camera(), np.random.default_rng(0).uniform(0, 200, (32, 32))
    first, again, other = (camera.expose(light, np.random.default_rng([7, k])) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": 0.0}, "gain is 0.0; give counts per photoelectron above 0"),
        ({"offset": -1.0}, "offset is -1.0; give counts from 0 on"),
        ({"read_noise": math.inf}, "read_noise is inf; give photoelectrons from 0 on"),
        ({"bits": 17}, "bits is 17; give a whole number from 1 to 16"),
    ],
)
def test_bad_cameras(options, message):
    with pytest.raises(ValueError, match=message):
        Camera(**options)


@pytest.mark.parametrize("light", [-0.1, math.nan, math.inf])
def test_bad_light(light):
    with pytest.raises(ValueError, match="photoelectrons must be finite and not negative"):
        Camera().expose(np.array([1.0, light]), np.random.default_rng(0))
