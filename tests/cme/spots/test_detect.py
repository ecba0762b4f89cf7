"""Detection: chance on empty images, recall and places on full ones, and the width of spots."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree

from awd_cme.spots.detect import detect_spots, estimate_sigma
from awd_cme.spots.refine import refine

SIGMA = 1.5


def picture(seed, *, size=256, count=60, snr=5.0, sigma=SIGMA, noise=10.0, apart=8.0, level=100.0):
    """Image with spots at random places that are apart, and these."""
    rng = np.random.default_rng(seed)
    places = []
    while len(places) < count:
        place = rng.uniform(4, size - 5, 2)
        if all(np.hypot(*(place - other)) > apart for other in places):
            places.append(place)
    g = np.arange(size)
    image = rng.normal(level, noise, (size, size))
    for y, x in places:
        image += snr * noise * np.exp(-((g - y)[:, None] ** 2 + (g - x) ** 2) / (2 * sigma**2))
    return image, np.array(places)


def matched(spots, places, radius=2.0):
    """True place of each spot, -1 where none is near."""
    away, nearest = cKDTree(places).query(spots[["y", "x"]].to_numpy())
    return np.where(away < radius, nearest, -1), away


@pytest.mark.parametrize("control", ["fdr", "familywise"])
def test_noise_alone_gives_spots_in_at_most_one_image_of_twenty(control):
    images = (np.random.default_rng([1, k]).normal(100, 10, (96, 96)) for k in range(120))
    some = sum(len(detect_spots(image, sigma=SIGMA, control=control)) > 0 for image in images)
    # 5 % of 120 are 6; 14 or more happen once in a thousand.
    assert some < 14


def test_the_false_discovery_rate_holds():
    wrong = found = hit = 0
    for seed in range(8):
        image, places = picture(seed, snr=2.5)
        partner, _ = matched(detect_spots(image, sigma=SIGMA, level=0.1), places)
        found += len(partner)
        wrong += (partner < 0).sum()
        hit += len(set(partner[partner >= 0]))
    # A level of 0.1; at 2.5 times the noise a spot is 6 standard errors high.
    assert wrong <= 0.1 * found
    assert hit > 0.9 * 480


def test_recall_and_places_at_five_times_the_noise():
    found, wrong, errors = 0, 0, []
    for seed in range(4):
        image, places = picture(seed)
        spots = detect_spots(image, sigma=SIGMA)
        partner, away = matched(spots, places)
        wrong += (partner < 0).sum()
        found += len(set(partner[partner >= 0]))
        errors.extend(away[partner >= 0])
        assert spots["amplitude"][partner >= 0].mean() == pytest.approx(50, rel=0.05)
    assert found >= 0.98 * 240
    # At most one in twenty is expected, so 12 of 240; 20 or more would come once in fifty.
    assert wrong < 20
    # The Cramér–Rao bound of a place: noise / (A √(π/2)) an axis, 0.16 px here.
    bound = np.sqrt(2) * 10 / (50 * np.sqrt(np.pi / 2))
    assert np.sqrt(np.mean(np.square(errors))) < 1.2 * bound


def test_uneven_background_does_no_harm():
    image, places = picture(3)
    rows, columns = np.mgrid[:256, :256]
    image += 300 * np.exp(-((rows - 100) ** 2 + (columns - 150) ** 2) / (2 * 60**2)) + 0.5 * rows
    partner, _ = matched(detect_spots(image, sigma=SIGMA), places)
    assert len(set(partner[partner >= 0])) >= 57
    assert (partner < 0).sum() <= 3


def test_separation():
    image, _ = picture(4, count=1, size=60, noise=1.0, snr=0.0)
    rows, columns = np.mgrid[:60, :60]
    for x in (30.0, 35.0):
        image += 60 * np.exp(-((rows - 30) ** 2 + (columns - x) ** 2) / (2 * SIGMA**2))
    assert len(detect_spots(image, sigma=SIGMA)) == 2
    assert len(detect_spots(image, sigma=SIGMA, separation=6.0)) == 1


def test_refine_as_curve_fit_does():
    rows, columns = np.mgrid[:13, :13]

    def model(_, y, x, amplitude, level, sigma):
        return (amplitude * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)) + level).ravel()

    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = (6 + rng.uniform(-0.7, 0.7), 6 + rng.uniform(-0.7, 0.7), 80.0, 100.0, 1.4)
        image = model(None, *truth).reshape(13, 13) + rng.normal(0, 4, (13, 13))
        best, _ = curve_fit(model, None, image.ravel(), p0=truth)
        found = refine(image, [6], [6], 1.5, free_width=True)
        # Ours ends when steps are below 0.02 px, each a tenth of the last or less.
        assert (found.y[0], found.x[0], found.sigma[0]) == pytest.approx((best[0], best[1], best[4]), abs=1e-3)
        assert (found.amplitude[0], found.background[0]) == pytest.approx((best[2], best[3]), rel=1e-3)


def test_refine_gives_up_on_what_is_no_spot():
    image = np.random.default_rng(5).normal(100, 1, (40, 40))
    image[20, 20] = 50
    assert np.isnan(refine(image, [20], [20], 1.5).y).all()


def test_spots_at_the_border_are_found():
    rows, columns = np.mgrid[:40, :60]
    image = np.random.default_rng(7).normal(100, 5, (40, 60))
    places = [(1.2, 20.4), (38.0, 41.3), (20.3, 1.0), (15.2, 57.9), (1.1, 1.3)]
    for y, x in places:
        image += 50 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * SIGMA**2))
    partner, away = matched(detect_spots(image, sigma=SIGMA), np.array(places))
    assert sorted(partner) == [0, 1, 2, 3, 4]
    assert away.max() < 0.7


@pytest.mark.parametrize(("true", "start"), [(1.2, 1.5), (1.5, 2.5), (1.8, 1.0)])
def test_the_width_of_spots(true, start):
    images = np.stack([picture(seed, sigma=true, snr=8.0, apart=14.0)[0] for seed in range(3)])
    width = estimate_sigma(images, start=start)
    assert width.spots > 100
    assert abs(width.sigma - true) < 0.02 + 3 * width.error
    assert width.error < 0.02


def test_widths_need_spots():
    with pytest.raises(ValueError, match="ten are needed"):
        estimate_sigma(np.random.default_rng(6).normal(100, 5, (64, 64)))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"image": np.zeros((3, 9, 9))}, ValueError, "two axes"),
        ({"image": np.full((9, 9), np.nan)}, ValueError, "81 pixels that are not finite"),
        ({"image": np.zeros((9, 9), dtype=bool)}, TypeError, "integers or floats"),
        ({"level": 0.0}, ValueError, "level is .*; give a probability such as 0.05 above 0 and below 1"),
        ({"control": "none"}, ValueError, "control is .*; choose one of"),
        ({"separation": -1.0}, ValueError, "separation is -1.0; give a number of pixels from 0 on"),
        ({"sigma": 0.2}, ValueError, r"sigma is .* from 0\.5 to 20"),
    ],
)
def test_bad_input(change, error, match):
    with pytest.raises(error, match=match):
        detect_spots(**{"image": np.zeros((30, 30)), "sigma": SIGMA} | change)


def test_images_without_spots_or_noise():
    assert len(detect_spots(np.zeros((30, 30), dtype=np.uint16), sigma=SIGMA)) == 0
    assert list(detect_spots(np.zeros((4, 4)), sigma=SIGMA).columns) == [
        "y", "x", "amplitude", "background", "amplitude_error", "background_error", "p",
    ]  # fmt: skip
