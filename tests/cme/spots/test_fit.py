"""Closed-form fits of spots against a general solver, known truth, and the statistics that they claim."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from awd_cme.spots.fit import fit_spots
from awd_cme.spots.least_squares import NOISE_LEVEL, plane

SIGMA = 1.5


def shape(size, y, x, sigma=SIGMA):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))


def grid(count, pitch, seed, margin=10):
    """Places more than a window apart, at random within their pixels, and the size of an image that holds them."""
    along = margin + pitch * np.arange(count)
    y, x = (v.ravel() for v in np.meshgrid(along, along, indexing="ij"))
    off = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, count**2))
    return y + off[0], x + off[1], 2 * margin + pitch * (count - 1) + 1


def drawn(size, y, x, amplitude, sigma=SIGMA):
    g = np.arange(size)
    image = np.zeros((size, size))
    for one in zip(y, x, np.broadcast_to(amplitude, len(y)), strict=True):
        cut = tuple(slice(max(0, round(o) - 12), round(o) + 13) for o in one[:2])
        gy, gx = (np.exp(-((g[c] - o) ** 2) / (2 * sigma**2)) for c, o in zip(cut, one[:2], strict=True))
        image[cut] += one[2] * gy[:, None] * gx
    return image


def solved(image, y, x, sigma, others=(), half=None):
    """Amplitude, background and their errors by a general linear solver on the pixels of the window."""
    half = int(np.ceil(4 * sigma)) if half is None else half
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    window = (abs(rows - round(y)) <= half) & (abs(columns - round(x)) <= half) & np.isfinite(image)
    places = [(y, x), *others]
    design = np.column_stack([*(shape(image.shape, *p, sigma)[window] for p in places), np.ones(window.sum())])
    values = image[window].astype(float)
    solution, *_ = np.linalg.lstsq(design, values, rcond=None)
    s2 = ((values - design @ solution) ** 2).sum() / (len(values) - design.shape[1])
    errors = np.sqrt(s2 * np.diag(np.linalg.inv(design.T @ design)))
    return solution[0], solution[-1], errors[0], errors[-1], np.sqrt(s2), len(values)


def as_tuple(fits, k):
    names = ("amplitude", "background", "amplitude_error", "background_error", "residual_sd", "pixels")
    return tuple(getattr(fits, name)[k] for name in names)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int32", "float32", "float64"])
@pytest.mark.parametrize("sigma", [0.8, 1.3, 1.7])
def test_as_a_general_solver_says(dtype, sigma):
    y, x, size = grid(4, 23, seed=1, margin=9)
    noise = np.random.default_rng(2).normal(0, 8, (size, size))
    image = np.clip(drawn(size, y, x, 60.0, sigma) + 100 + noise, 0, 255).astype(dtype)
    fits = fit_spots(image, y, x, sigma)
    for k in range(len(y)):
        # Both solve the same equations in float64.
        assert as_tuple(fits, k) == pytest.approx(solved(image, y[k], x[k], sigma), rel=1e-9)
    assert not fits.edge.any()
    assert not fits.crowded.any()


def test_as_curve_fit_says():
    y, x, size = grid(3, 23, seed=3)
    image = drawn(size, y, x, 60.0) + np.random.default_rng(4).normal(100, 8, (size, size))
    fits = fit_spots(image, y, x, SIGMA)
    for k in range(len(y)):
        cut = slice(round(y[k]) - 6, round(y[k]) + 7), slice(round(x[k]) - 6, round(x[k]) + 7)
        g = shape(image.shape, y[k], x[k])[cut].ravel()
        best, covariance = curve_fit(lambda g, a, c: a * g + c, g, image[cut].ravel(), p0=(1.0, 1.0))
        found = fits.amplitude[k], fits.background[k], fits.amplitude_error[k], fits.background_error[k]
        # curve_fit stops at 1e-8 and takes its derivatives by differences.
        assert found == pytest.approx((*best, *np.sqrt(np.diag(covariance))), rel=1e-5)


def test_high_backgrounds_lose_no_digits():
    y, x, size = grid(2, 23, seed=5)
    image = drawn(size, y, x, 3.0) + np.random.default_rng(6).normal(0, 1, (size, size))
    low, high = fit_spots(image, y, x, SIGMA), fit_spots(image + 2.0**26, y, x, SIGMA)
    # 2²⁶ costs 26 of the image's 53 bits: 1e-8 of a count.
    np.testing.assert_allclose(high.amplitude, low.amplitude, atol=1e-7)
    np.testing.assert_allclose(high.amplitude_error, low.amplitude_error, rtol=1e-7)


def test_windows_cut_by_the_border_and_pixels_that_are_not_finite():
    image = np.random.default_rng(7).normal(100, 5, (40, 50))
    image += 50 * shape((40, 50), 1.3, 48.6) + 70 * shape((40, 50), 20.2, 21.1)
    image[22, 23] = np.nan
    image[18, 18] = np.inf
    y, x = np.array([1.3, 20.2, 39.4, -0.4]), np.array([48.6, 21.1, 25.0, -0.4])
    fits = fit_spots(image, y, x, SIGMA)
    image[18, 18] = np.nan
    for k in range(4):
        assert as_tuple(fits, k) == pytest.approx(solved(image, y[k], x[k], SIGMA), rel=1e-9)
    assert fits.edge.tolist() == [True, False, True, True]
    assert fits.pixels.tolist() == [8 * 7, 167, 7 * 13, 49]


def test_places_without_a_fit_are_nan():
    image = np.random.default_rng(8).normal(100, 5, (30, 30))
    image[:, 20:] = np.nan
    fits = fit_spots(image, [15.0, np.nan, -0.6, 29.6, 15.0, 15.0], [15.0, 4.0, 4.0, 4.0, np.inf, 28.0], SIGMA)
    for name in ("amplitude", "background", "amplitude_error", "background_error", "p", "p_noise", "residual_sd"):
        assert np.isfinite(getattr(fits, name)).tolist() == [True] + 5 * [False], name
    assert fits.pixels.tolist() == [13 * 11, 0, 0, 0, 0, 0]
    assert len(fit_spots(image, [], [], SIGMA)) == 0


def test_p_values_are_uniform_on_empty_background():
    rng = np.random.default_rng(9)
    y, x, size = grid(70, 14, seed=10)
    fits = fit_spots(rng.normal(200, 12, (size, size)), y, x, SIGMA)
    # 4,900 windows that do not overlap. A p-value that is off by 0.03 anywhere would fail.
    assert stats.kstest(fits.p, "uniform").pvalue > 0.01
    for level in (0.001, 0.01, 0.05):
        few = stats.binomtest(int((fits.p < level).sum()), len(fits), level)
        assert few.pvalue > 0.001
    # The threshold of 1.96 σ_r lies five standard errors above 0: no window of pure noise comes near it.
    assert fits.p_noise.min() > 0.99


def test_pulls_and_the_cramer_rao_bound():
    y, x, size = grid(60, 15, seed=11)
    truth = np.random.default_rng(12).uniform(0, 100, len(y))
    image = drawn(size, y, x, truth) + np.random.default_rng(13).normal(500, 10, (size, size))
    fits = fit_spots(image, y, x, SIGMA)
    pull = (fits.amplitude - truth) / fits.amplitude_error
    # 3,600 spots: the standard deviation is known to 1.2 %, the mean to 0.017. Neighbours 15 px off add nothing.
    assert pull.std() == pytest.approx(1.0, abs=0.05)
    assert abs(pull.mean()) < 0.06
    assert np.median(abs(pull)) == pytest.approx(0.6745, abs=0.04)
    assert ((fits.background - 500) / fits.background_error).std() == pytest.approx(1.0, abs=0.05)
    bound = []
    for dy, dx in zip(y - np.rint(y), x - np.rint(x), strict=True):
        g = shape((13, 13), 6 + dy, 6 + dx).ravel()
        bound.append(10 / np.sqrt(((g - g.mean()) ** 2).sum()))
    ratio = fits.amplitude_error / bound
    # The noise is known to 1/√(2 · 167) = 5.5 % in each window, to 0.1 % in all.
    assert ratio.mean() == pytest.approx(1.0, abs=0.005)
    assert ratio.std() == pytest.approx(0.055, abs=0.01)
    assert np.std(fits.amplitude - truth) == pytest.approx(np.mean(bound), rel=0.05)


def test_the_gain_makes_errors_of_bright_spots_true():
    rng = np.random.default_rng(14)
    y, x, size = grid(55, 15, seed=15)
    gain = 2.5
    truth = np.where(np.arange(len(y)) % 2, 500.0, 125.0)
    image = gain * rng.poisson((drawn(size, y, x, truth) + 250) / gain) + rng.normal(0, 3, (size, size))
    plain, shot = fit_spots(image, y, x, SIGMA), fit_spots(image, y, x, SIGMA, gain=gain)
    np.testing.assert_array_equal(plain.amplitude, shot.amplitude)
    np.testing.assert_array_equal(plain.p, shot.p)
    for bright in (125.0, 500.0):
        chosen = truth == bright
        pull = ((shot.amplitude - truth) / shot.amplitude_error)[chosen]
        assert pull.std() == pytest.approx(1.0, abs=0.06)
        assert ((shot.background - 250) / shot.background_error)[chosen].std() == pytest.approx(1.0, abs=0.06)
    assert ((plain.amplitude - truth) / plain.amplitude_error)[truth == 500].std() > 1.2


def test_the_general_form_is_that_of_whole_windows():
    y, x, size = grid(3, 23, seed=16)
    image = drawn(size, y, x, 90.0) + np.random.default_rng(22).normal(100, 5, (size, size))
    whole = fit_spots(image, y, x, SIGMA, gain=0.7)
    half = int(np.ceil(4 * SIGMA))
    middles = [(round(a), round(b)) for a, b in zip(y, x, strict=True)]
    values = np.stack([image[a - half : a + half + 1, b - half : b + half + 1] for a, b in middles])
    offsets = [(y[k] - a, x[k] - b) for k, (a, b) in enumerate(middles)]
    shapes = np.stack([shape((13, 13), half + a, half + b) for a, b in offsets])
    general = plane(values.reshape(9, -1), np.ones((9, 169)), shapes.reshape(9, 1, -1), 0.7)
    for name in ("amplitude", "background", "amplitude_error", "background_error", "p", "p_noise", "residual_sd"):
        np.testing.assert_allclose(getattr(general, name), getattr(whole, name), rtol=1e-9, err_msg=name)


def test_cmeanalysis_test_as_its_formula_says():
    y, x, size = grid(3, 23, seed=17)
    image = drawn(size, y, x, np.linspace(5, 40, 9)) + np.random.default_rng(18).normal(100, 10, (size, size))
    fits = fit_spots(image, y, x, SIGMA)
    for k in range(9):
        n, k_level = fits.pixels[k], stats.norm.ppf(0.975)
        sigma_r = fits.residual_sd[k] * np.sqrt((n - 2) / (n - 1))
        error = fits.amplitude_error[k]
        of_noise = k_level * sigma_r / np.sqrt(2 * (n - 1))
        freedom = (n - 1) * (error**2 + of_noise**2) ** 2 / (error**4 + of_noise**4)
        t = (fits.amplitude[k] - k_level * sigma_r) / np.sqrt((error**2 + of_noise**2) / n)
        assert fits.p_noise[k] == pytest.approx(stats.t.sf(t, freedom), rel=1e-9, abs=1e-300)
    assert pytest.approx(stats.norm.ppf(0.975), abs=1e-15) == NOISE_LEVEL
    assert (fits.p_noise < 0.5).any()
    assert (fits.p_noise > 0.5).any()


@pytest.mark.parametrize("distance", [1.5, 3.0, 4.0])
def test_neighbours(distance):
    rng = np.random.default_rng(19)
    size, pitch = 300, 30
    y, x = (v.ravel().astype(float) for v in np.mgrid[15:290:pitch, 15:290:pitch])
    y, x = np.concatenate([y, y]), np.concatenate([x, x + distance])
    truth = np.repeat([50.0, 80.0], len(y) // 2)
    image = drawn(size, y, x, truth) + rng.normal(100, 5, (size, size))
    flag, exclude, joint = (fit_spots(image, y, x, SIGMA, neighbours=way) for way in ("flag", "exclude", "joint"))
    for fits in (flag, exclude, joint):
        assert fits.crowded.all() == (distance < 3 * SIGMA)
    pull = (joint.amplitude - truth) / joint.amplitude_error
    assert abs(pull.mean()) < 0.25
    assert pull.std() == pytest.approx(1.0, abs=0.15)
    bias = [abs((fits.amplitude - truth)[: len(y) // 2].mean()) for fits in (flag, exclude, joint)]
    assert bias[2] < min(bias[:2])
    # Half way between the two places is the last pixel of each.
    cut = np.where(np.arange(size) > x[0] + distance / 2, np.nan, image)[:, : round(x[0]) + 8]
    own = fit_spots(cut, y[:1], x[:1], SIGMA)
    assert exclude.amplitude[0] == pytest.approx(own.amplitude[0], rel=0.05)
    one = solved(image, y[0], x[0], SIGMA, others=[(y[100], x[100])])
    assert as_tuple(joint, 0) == pytest.approx(one, rel=1e-8)


def test_two_at_one_place_cannot_be_told_apart():
    image = np.random.default_rng(20).normal(100, 5, (30, 30))
    fits = fit_spots(image, [15.0, 15.0, 8.0], [15.0, 15.0, 8.0], SIGMA, neighbours="joint")
    assert np.isnan(fits.amplitude).tolist() == [True, True, False]
    assert np.isfinite(fit_spots(image, [15.0, 15.0], [15.0, 15.0], SIGMA).amplitude).all()


def test_threads_change_nothing():
    rng = np.random.default_rng(21)
    image = rng.normal(100, 5, (200, 200))
    y, x = rng.uniform(-2, 202, (2, 3000))
    for way in ("flag", "joint"):
        one, two = (fit_spots(image, y[:1200], x[:1200], SIGMA, threads=t, neighbours=way) for t in (1, 3))
        for name in one.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_images_without_noise_have_no_p_value():
    fits = fit_spots(np.full((30, 30), 7), [15.0], [15.0], SIGMA)
    assert (fits.amplitude[0], fits.background[0]) == (0.0, 7.0)
    assert np.isnan(fits.p[0])


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"image": np.zeros((2, 9, 9))}, ValueError, "two axes"),
        ({"image": np.zeros((0, 9))}, ValueError, "a pixel at least"),
        ({"image": np.zeros((9, 9), dtype=complex)}, TypeError, "integers or floats"),
        ({"y": [1.0, 2.0]}, ValueError, "same length"),
        ({"sigma": 0.1}, ValueError, "sigma is .*estimate_sigma measures, in pixels from 0.5 to 20"),
        ({"sigma": float("nan")}, ValueError, r"sigma is .* from 0\.5 to 20"),
        ({"neighbours": "mask"}, ValueError, "neighbours is .*; choose one of"),
        ({"gain": -1.0}, ValueError, "gain is -1.0; give counts per photon"),
        ({"threads": 0}, ValueError, "threads is 0; give a positive whole number"),
    ],
)
def test_bad_input(change, error, match):
    given = {"image": np.zeros((20, 20)), "y": [9.0], "x": [9.0], "sigma": SIGMA} | change
    with pytest.raises(error, match=match):
        fit_spots(**given)
