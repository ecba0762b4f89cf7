"""Maps at another pixel scale: means by area, against a sum over pairs of pixels, block means and what is observed."""

import numpy as np
import pytest

from awd_cosmo.maps.preprocessing import block_means
from awd_cosmo.maps.regrid import regrid


def by_pairs(image, ratio):
    """The same, from the area that each pair of pixels shares."""

    def shares(size):
        n = int(size / ratio + 1e-9)
        start = (size - n * ratio) / 2 + ratio * np.arange(n)
        left = np.maximum(start[:, None], np.arange(size))
        return np.maximum(np.minimum(start[:, None] + ratio, np.arange(size) + 1) - left, 0)

    rows, columns = shares(image.shape[0]), shares(image.shape[1])
    seen = np.isfinite(image)
    total, area = (rows @ one @ columns.T for one in (np.where(seen, image, 0), seen.astype(float)))
    return np.where(area >= 0.5 * ratio**2 - 1e-9, total / np.maximum(area, 1e-9), np.nan)


@pytest.mark.parametrize("ratio", [0.8, 0.97, 1.0, 1.43, 2.0, 3.7])
@pytest.mark.parametrize("holes", [0, 0.3])
def test_pixels_are_means_by_area(ratio, holes):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((37, 50))
    image[rng.random(image.shape) < holes] = np.nan
    np.testing.assert_allclose(regrid(image, ratio), by_pairs(image, ratio), atol=1e-12)


def test_a_whole_ratio_is_a_mean_over_blocks_and_a_constant_stays():
    image = np.random.default_rng(1).standard_normal((24, 36))
    np.testing.assert_allclose(regrid(image, 3.0), block_means(image[None], 3)[0], atol=1e-13)
    np.testing.assert_allclose(regrid(np.full((20, 20), 0.3), 1.37), 0.3, rtol=1e-12)
    # With a ratio that divides the sides, the whole map's mean is kept.
    assert regrid(image, 1.5).mean() == pytest.approx(image.mean(), abs=1e-14)


def test_what_is_not_there_is_not_made_up():
    with pytest.raises(ValueError, match=r"2 times finer, and no more than 1\.25.*train a model"):
        regrid(np.zeros((8, 8)), 0.5)
    with pytest.raises(ValueError, match=r"8 × 8 pixels, less than one of 9 × 9"):
        regrid(np.zeros((8, 8)), 9)
