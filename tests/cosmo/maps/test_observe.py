"""What a survey would see: block means, tiles, smoothing, noise, turns; what was not observed stays so."""

import numpy as np
import pytest
from astropy import units
from scipy import ndimage

from awd_cosmo.maps import observe

NAN = np.nan


@pytest.fixture
def maps():
    return np.random.default_rng(1).normal(0, 0.02, (3, 12, 18))


def test_block_means_are_means_of_blocks(maps):
    found = observe.downsample(maps, 3)
    expected = [[[m[3 * y : 3 * y + 3, 3 * x : 3 * x + 3].mean() for x in range(6)] for y in range(4)] for m in maps]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-17)  # rounding of a sum of nine
    assert observe.downsample(maps.astype(np.float32), 3).dtype == np.float32
    np.testing.assert_array_equal(observe.downsample(maps, 1), maps)


@pytest.mark.parametrize(("least", "expected"), [(0.25, [1.0, 5.0]), (0.5, [NAN, 5.0]), (0.75, [NAN, NAN])])
def test_block_means_are_of_what_was_observed(least, expected):
    stack = np.array([[[1.0, NAN, 4.0, NAN], [NAN, NAN, NAN, 6.0]]])
    np.testing.assert_array_equal(observe.downsample(stack, 2, least=least), [[expected]])


def test_factors_that_do_not_divide_are_refused(maps):
    with pytest.raises(ValueError, match=r"factor = 5 must divide the sides of 12 × 18 maps; 1, 2, 3, 6 do"):
        observe.downsample(maps, 5)
    with pytest.raises(ValueError, match=r"least is 0; give a share above 0 and up to 1"):
        observe.downsample(maps, 2, least=0)
    with pytest.raises(ValueError, match=r"must be a stack of floats of shape \(n, ny, nx\), got float64 \(12, 18\)"):
        observe.downsample(maps[0], 2)


def test_tiles_put_together_are_the_map(maps):
    corners = observe.tile_corners((12, 18), 6)
    tiles = observe.cut_tiles(maps, 6).reshape(3, len(corners), 6, 6)
    back = np.full_like(maps, NAN)
    for i, (y, x) in enumerate(corners):
        back[:, y : y + 6, x : x + 6] = tiles[:, i]
    np.testing.assert_array_equal(back, maps)


def test_what_fills_no_tile(maps):
    with pytest.raises(ValueError, match=r"tiles of 5 pixels do not fill 12 × 18"):
        observe.cut_tiles(maps, 5)
    assert observe.cut_tiles(maps, 5, rest="drop").shape == (3 * 2 * 3, 5, 5)
    with pytest.raises(ValueError, match=r"tiles of 13 pixels do not fit into 12 × 18; take 1 to 12"):
        observe.tile_corners((12, 18), 13)


def test_smoothing_is_a_gaussian_of_that_width():
    stack = np.zeros((1, 65, 65))
    stack[0, 32, 32] = 1.0
    found = observe.smooth(stack, pixel_scale=0.5 * units.arcmin / units.pixel, sigma_arcmin=2.0)[0]
    y, x = np.mgrid[-32:33, -32:33] * 0.5
    expected = np.exp(-(x**2 + y**2) / (2 * 2.0**2))
    # cut at four standard deviations, where the Gaussian has fallen to 3e-4
    np.testing.assert_allclose(found / found[32, 32], expected, atol=4e-4)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    by_fwhm = observe.smooth(stack, pixel_scale=0.5, fwhm_arcmin=2.0 * 2.3548200450309493)[0]
    np.testing.assert_allclose(by_fwhm, found, rtol=0, atol=1e-15)


def test_smoothing_with_and_without_a_mask(maps):
    whole = observe.smooth(maps, pixel_scale=0.4, sigma_arcmin=0.6)
    np.testing.assert_allclose(whole, ndimage.gaussian_filter(maps, (0, 1.5, 1.5), mode="reflect"), rtol=0, atol=1e-15)
    one = observe.smooth(np.where(np.arange(18) < 9, 1.0, NAN) * np.ones((1, 12, 1)), pixel_scale=0.4, sigma_arcmin=0.8)
    # a constant stays a constant up to the edge of the mask: nothing leaks in from what was not observed
    np.testing.assert_allclose(one[0, :, :9], 1.0, rtol=0, atol=1e-12)
    assert np.isnan(one[0, :, 9:]).all()
    np.testing.assert_array_equal(observe.smooth(maps, pixel_scale=0.4, sigma_arcmin=0.0), maps)


def test_periodic_edges(maps):
    shifted = np.roll(maps, (5, 7), (1, 2))
    found = observe.smooth(shifted, pixel_scale=1, sigma_arcmin=1.2, edge="wrap")
    expected = np.roll(observe.smooth(maps, pixel_scale=1, sigma_arcmin=1.2, edge="wrap"), (5, 7), (1, 2))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-16)


@pytest.mark.parametrize("widths", [{}, {"sigma_arcmin": 1.0, "fwhm_arcmin": 1.0}])
def test_one_width_must_be_given(maps, widths):
    with pytest.raises(ValueError, match="as sigma_arcmin or as fwhm_arcmin, exactly one"):
        observe.smooth(maps, pixel_scale=0.5, **widths)


def test_bad_widths_and_edges(maps):
    with pytest.raises(ValueError, match=r"the width is .*; give a number of arcmin from 0 on"):
        observe.smooth(maps, pixel_scale=0.5, sigma_arcmin=-1.0)
    with pytest.raises(ValueError, match="edge is 'zero'; choose one of reflect, wrap"):
        observe.smooth(maps, pixel_scale=0.5, sigma_arcmin=1.0, edge="zero")


def test_conventions_of_shape_noise():
    options = {"galaxies_per_arcmin2": 30.0, "pixel_scale": 2 * units.arcmin}
    assert observe.shape_noise_sigma("fair", **options) == pytest.approx(0.4 / np.sqrt(2 * 30 * 4), rel=1e-15)
    lenstools = observe.shape_noise_sigma("lenstools", source_redshift=1.0, **options)
    assert lenstools == pytest.approx(0.185 / np.sqrt(120), rel=1e-15)
    with pytest.raises(ValueError, match="'lenstools' needs the redshift of the sources, got None"):
        observe.shape_noise_sigma("lenstools", **options)
    with pytest.raises(ValueError, match="convention is 'default'; choose one of lenstools, fair"):
        observe.shape_noise_sigma("default", **options)
    with pytest.raises(ValueError, match="galaxies_per_arcmin2 is 0; give a number above 0"):
        observe.shape_noise_sigma("fair", galaxies_per_arcmin2=0, pixel_scale=1)


def test_noise_has_its_width_and_belongs_to_its_map():
    stack = np.zeros((2, 200, 200))
    found = observe.add_noise(stack, [0.1, 0.3], seed=5, items=[2**63, 4])
    # of 40,000 values the standard deviation is known to 0.35 %: five of those
    np.testing.assert_allclose(found.std(axis=(1, 2)), [0.1, 0.3], rtol=0.018)
    alone = observe.add_noise(stack[:1], 0.3, seed=5, items=[4])
    np.testing.assert_array_equal(alone[0], found[1])
    assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 0.025  # five times 1/200
    assert not np.array_equal(observe.add_noise(stack[:1], 0.3, seed=6, items=[4]), alone)
    stack[0, 0, 0] = NAN
    assert np.isnan(observe.add_noise(stack, 0.1, seed=0, items=[0, 1])).sum() == 1


def test_noise_that_makes_no_sense(maps):
    with pytest.raises(ValueError, match="2 items were given for 3 maps"):
        observe.add_noise(maps, 0.1, seed=0, items=[0, 1])
    with pytest.raises(ValueError, match="sigma must be finite"):
        observe.add_noise(maps, NAN, seed=0, items=[0, 1, 2])


def test_the_eight_symmetries():
    stack = np.arange(16.0).reshape(1, 4, 4)
    turned = [observe.turn(stack, element) for element in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    np.testing.assert_array_equal(turned[0], stack)
    np.testing.assert_array_equal(observe.turn(turned[1], 3), stack)
    # from x towards y: what lies at (y, x) = (1, 3), right of the centre, goes to the upper half
    assert np.argwhere(turned[1][0] == stack[0, 1, 3]).tolist() == [[3, 2]]
    np.testing.assert_array_equal(turned[4], stack[:, :, ::-1])
    with pytest.raises(ValueError, match="element is 8; give a whole number from 0 to 7"):
        observe.turn(stack, 8)
    with pytest.raises(ValueError, match=r"4 × 2 cannot be turned by a quarter"):
        observe.turn(stack[:, :, :2], 1)


def test_turns_at_random_belong_to_their_map(maps):
    square = np.random.default_rng(0).normal(size=(40, 5, 5))
    found = observe.turn_at_random(square, seed=3, items=list(range(40)))
    one = observe.turn_at_random(square[7:8], seed=3, items=[7])
    np.testing.assert_array_equal(found[7], one[0])
    which = [
        next(e for e in range(8) if np.array_equal(observe.turn(square[i : i + 1], e)[0], found[i])) for i in range(40)
    ]
    assert set(which) == set(range(8))
    assert observe.turn_at_random(maps, seed=0, items=[0, 1, 2]).shape == maps.shape


def test_noise_and_turns_share_no_draws():
    items = list(range(400))
    elements = np.array(observe.turns((8, 8), seed=3, items=items))
    noise = observe.add_noise(np.zeros((400, 1, 1)), 1.0, seed=3, items=items)[:, 0, 0]
    # what noise begins with is decided by the first bits that a generator gives, as a turn is: in one stream the signs
    # of one would follow from the other
    for element in range(8):
        assert 0 < (noise[elements == element] > 0).sum() < (elements == element).sum()
    same = [int(np.random.default_rng([3, item]).integers(8)) for item in items]
    assert (elements == same).mean() < 0.25  # an eighth by chance
    for call in (observe.turn_at_random, observe.add_noise):
        with pytest.raises(ValueError, match="seed is -1; give a whole number, 0 or more"):
            call(np.zeros((1, 4, 4)), *((0.1,) if call is observe.add_noise else ()), seed=-1, items=[0])


def test_masks(maps):
    mask = np.zeros((12, 18), bool)
    mask[2:, 3:] = True
    found = observe.apply_mask(maps, mask)
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(~mask, maps.shape))
    with pytest.raises(TypeError, match="a mask must be of bool"):
        observe.apply_mask(maps, mask.astype(int))
    with pytest.raises(ValueError, match=r"a mask of shape \(11, 18\) does not fit"):
        observe.apply_mask(maps, mask[1:])
