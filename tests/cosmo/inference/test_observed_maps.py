"""Observed maps are cut into tiles as training maps were: smoothed whole, then cut."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from awd_core.run.folder import RunFolder
from awd_core.workers.mapping import Serial
from awd_cosmo.inference import observed_maps
from awd_cosmo.inference.estimators import CountRidge
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.observed_maps import tiles_of
from awd_cosmo.inference.predict import predict_map
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.maps.observe import cut_tiles, downsample, smooth
from awd_cosmo.maps.preprocessing import Preprocessing
from awd_cosmo.run.job import PRESETS
from awd_cosmo.run.prepare import open_data, prepare
from awd_cosmo.statistics.scales import ScaleCounts
from awd_cosmo.statistics.spectrum import PowerSpectrum
from suite_files import write_layout

SCALE, TILE = 0.5, 16
"""Arcmin per pixel of the maps, and side of a tile in pixels after means over blocks of 2 × 2."""
STEPS = Preprocessing(downsample=2, smoothing_arcmin=1.4)


def field(seed, *shape):
    return np.random.default_rng(seed).normal(0, 0.02, shape)


def trained(ready, target, **more):
    """A model of prepared tiles."""
    statistics = [
        PowerSpectrum(2 * SCALE, bins=4).fit(ready),
        ScaleCounts("db2", levels=2, bins=5, per="pixel").fit(ready),
    ]
    features = np.hstack([statistic.transform(ready) for statistic in statistics])
    options = {"shape": (2 * TILE, 2 * TILE), "pixel_scale": SCALE, "preprocessing": STEPS} | more
    return Model(
        parameters=["Omega_m"],
        statistics=statistics,
        regressor=CountRidge(transform="none").fit(features, target).calibrate(features, target),
        training=TrainingDistribution.from_features(features),
        **options,
    )


@pytest.fixture(scope="module")
def model():
    maps = field(0, 60, 2 * TILE, 2 * TILE)
    return trained(STEPS.apply(maps, pixel_scale=SCALE), np.repeat(np.linspace(0.2, 0.4, 10), 6))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a run prepares of maps of 2 × 2 tiles: the maps as they lie there, and the prepared ones."""
    root = tmp_path_factory.mktemp("suite")
    omega = np.repeat(np.linspace(0.2, 0.4, 10), 3)
    kappa = [10 * value * field([k // 3, k % 3 + 1], 4 * TILE, 4 * TILE) for k, value in enumerate(omega)]
    parameters = {"Omega_m": omega, "sigma8": np.full(30, 0.8)}
    write_layout(root / "maps", "names", np.array(kappa, np.float32), parameters, pixel_scale=SCALE)
    job = PRESETS["tiny"].changed(downsample=2, smoothing=STEPS.smoothing_arcmin, tile=TILE)
    maps = open_data(job, root / "maps", Serial())
    with RunFolder.open(root / "run", program="awd-cosmo", settings={}, quiet=True) as folder:
        return maps, prepare(folder, job, root / "maps", maps, Serial())


def test_features_of_an_observed_map_are_those_that_training_made_of_its_tiles(run):
    maps, prepared = run
    assert prepared.maps.shape == (TILE, TILE)
    assert len(prepared.maps) == 4 * len(maps)
    model = trained(
        prepared.maps.read(), prepared.target,
        shape=prepared.raw_shape, pixel_scale=prepared.raw_scale, preprocessing=prepared.preprocessing,
    )  # fmt: skip
    kappa = maps.read([5])[0].astype(np.float64)
    expected = prepared.maps.read([20, 21, 22, 23])
    tiles, shares = tiles_of(model, kappa, SCALE, "")
    assert shares.tolist() == [1, 1, 1, 1]
    # Training maps are kept as float32: seven digits of values up to 0.1.
    np.testing.assert_allclose(tiles, expected, rtol=0, atol=1e-8)
    trained_on = np.hstack([statistic.transform(expected) for statistic in model.statistics])
    # A count moves by one where float32 rounds over the limit of a bin: none does here.
    np.testing.assert_allclose(model.measure(tiles), trained_on, rtol=1e-5, atol=1e-7)
    found = predict_map(model, kappa, pixel_scale=SCALE)
    assert found.tiles == 4
    assert found.estimate == pytest.approx(model.regressor.predict(trained_on).mean(), rel=1e-5)


@pytest.mark.parametrize("holes", [False, True])
def test_maps_are_smoothed_whole_and_then_cut(model, holes):
    kappa = field(1, 4 * TILE, 4 * TILE)
    if holes:
        kappa[20:30, 26:40] = np.nan  # across the border of two tiles
    whole = smooth(downsample(kappa[None], 2), pixel_scale=2 * SCALE, sigma_arcmin=STEPS.smoothing_arcmin)
    tiles, shares = tiles_of(model, kappa, SCALE, "")
    np.testing.assert_array_equal(tiles, cut_tiles(whole, TILE))
    np.testing.assert_allclose(shares, np.isfinite(cut_tiles(kappa[None], 2 * TILE)).mean(axis=(1, 2)))
    assert np.isnan(tiles).any() == holes
    # Cut first, every tile would be mirrored at its border.
    alone = STEPS.apply(cut_tiles(kappa[None], 2 * TILE), pixel_scale=SCALE)
    assert np.nanmax(np.abs(tiles - alone)) > 1e-3


def test_what_a_mask_hides_has_no_weight_in_other_tiles(model):
    kappa = field(2, 4 * TILE, 4 * TILE)
    seen = np.ones(kappa.shape, bool)
    seen[: 2 * TILE, : 2 * TILE] = False
    hidden = np.where(seen, kappa, 1e3)
    found, blank = (predict_map(model, one, pixel_scale=SCALE, mask=seen) for one in (hidden, kappa))
    assert found == blank
    assert (found.tiles, found.observed) == (3, 0.75)


def test_pixels_that_fill_no_tile_are_left_at_all_edges_alike(model):
    coarse = replace(model, preprocessing=Preprocessing(downsample=2))
    kappa = field(3, 4 * TILE + 7, 2 * TILE + 2)
    # Seven pixels more than two tiles: three are left below, and blocks begin there.
    expected = downsample(cut_tiles(kappa[None, 3 : 3 + 4 * TILE, 1 : 1 + 2 * TILE], 2 * TILE), 2)
    np.testing.assert_array_equal(tiles_of(coarse, kappa, SCALE, "")[0], expected)
    fine = np.repeat(np.repeat(kappa, 2, axis=0), 2, axis=1)
    assert np.shape(tiles_of(coarse, fine, SCALE / 2, "")[0]) == (2, TILE, TILE)


def test_a_model_of_maps_that_its_blocks_do_not_fill(model):
    odd = replace(model, shape=(2 * TILE - 1, 2 * TILE - 1))
    with pytest.raises(ValueError, match="blocks of 2 pixels do not fill the model's training maps of 31 × 31"):
        tiles_of(odd, field(4, 40, 40), SCALE, "")


def test_a_map_alone_is_measured_as_before(model):
    kappa = field(5, 2 * TILE, 2 * TILE)
    tiles, _ = tiles_of(model, kappa, SCALE, "")
    np.testing.assert_array_equal(model.measure(tiles), model.features(kappa))


def test_a_large_map_is_held_little_more_than_once(model, monkeypatch):
    """Beside the map of the caller, one of our own and some tiles: not a copy of every kind."""
    monkeypatch.setattr(observed_maps, "TOGETHER", 16)  # so that tiles are few beside a map that is large for a test
    model = replace(model, preprocessing=replace(model.preprocessing, smoothing_arcmin=0.0))
    kappa = np.tile(field(5, 8 * TILE, 8 * TILE).astype(np.float32), (8, 8))
    predict_map(model, kappa[: 2 * TILE, : 2 * TILE], pixel_scale=SCALE)
    tracemalloc.start()
    told = predict_map(model, kappa, pixel_scale=SCALE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.tiles == 32**2
    assert peak < 2.5 * kappa.nbytes
