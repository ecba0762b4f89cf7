"""A set of maps: lazy, in any order, the same for any number of threads; bad maps named or left out."""

import pickle
import tracemalloc

import numpy as np
import pytest
from astropy import units
from astropy.io import fits

from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits import UNSEEN
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.maps import observe
from awd_cosmo.maps.layout_writer import pack_models
from awd_cosmo.maps.open import MapSet, open_maps
from suite_files import write_layout

SIDE = 12
N = 60


def stack(n=N):
    return np.random.default_rng(3).normal(0, 0.02, (n, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Sixty maps of three cosmologies."""
    root = tmp_path_factory.mktemp("suite")
    write_layout(root, "model", stack(), {"Omega_m": [0.2 + 0.1 * (i // 20) for i in range(N)]}, pixel_scale=0.5)
    return root


def file_of(root, row):
    return root / f"model{row // 20 + 1:03d}" / f"WLconv_z1.00_{row % 20 + 1:04d}r.fits"


@pytest.fixture
def copy(suite, tmp_path):
    import shutil

    shutil.copytree(suite, tmp_path / "suite")
    return tmp_path / "suite"


def put(place, values, **cards):
    fits.PrimaryHDU(values, fits.Header({"ANGLE": 0.1, **cards})).writeto(place, overwrite=True)


def test_rows_in_any_order(suite):
    maps = open_maps(suite)
    all_maps = stack()
    assert (len(maps), maps.shape, maps.read().dtype) == (60, (SIDE, SIDE), np.float32)
    for rows in (None, [5, 3, 3, 59], slice(10, 50, 7), np.arange(60) % 2 == 0, [-1], [], 7):
        expected = all_maps if rows is None else all_maps[np.atleast_1d(rows) if isinstance(rows, int) else rows]
        if isinstance(rows, list) and not rows:
            expected = all_maps[:0]
        np.testing.assert_array_equal(maps.read(rows), expected)
        if rows is not None:
            np.testing.assert_array_equal(maps.select(rows).read(), expected)
    again = maps.select(slice(0, None, 2)).select([4, 1])
    np.testing.assert_array_equal(again.read(), all_maps[[8, 2]])
    assert again.table["realisation"].tolist() == [9, 3]
    np.testing.assert_array_equal(np.concatenate(list(maps.batches(17))), all_maps)
    assert [len(batch) for batch in maps.batches(17)] == [17, 17, 17, 9]


def test_maps_are_put_where_the_caller_wants_them(suite, tmp_path):
    maps = open_maps(suite)
    for derived in (maps, maps.downsampled(2), maps.tiles(6), maps.select([5, 1]), maps.cached(tmp_path)):
        out = np.full((2, *derived.shape), 7, np.float32)
        assert derived.read([1, 0], out=out) is out
        np.testing.assert_array_equal(out, derived.read([1, 0]))
        for wrong in (out[:1], out.astype(np.float64), np.repeat(out, 2, 2)[:, :, ::2]):
            with pytest.raises(ValueError, match=r"out must be a writeable, contiguous float32 array of shape \(2, "):
                derived.read([1, 0], out=wrong)


def test_rows_that_are_not_there(suite):
    maps = open_maps(suite)
    with pytest.raises(IndexError, match="there are 60 maps; rows 3 to 60 were asked for"):
        maps.read([3, 60])
    with pytest.raises(IndexError, match=r"a selection of \(3,\) does not fit 60 maps"):
        maps.select([True, False, True])
    with pytest.raises(IndexError, match="rows must be whole numbers"):
        maps.read([0.5])
    with pytest.raises(ValueError, match="a batch must hold at least one map"):
        next(maps.batches(0))


def test_parameters(suite):
    maps = open_maps(suite)
    assert maps.parameters(["Omega_m"]).shape == (60, 1)
    assert maps.parameters([]).shape == (60, 0)
    with pytest.raises(ValueError, match="the maps have no parameter 'sigma8'; they have Omega_m"):
        maps.parameters(["sigma8"])
    with pytest.raises(TypeError, match=r"names must be a sequence of names, as \['Omega_m'\]"):
        maps.parameters("Omega_m")


def test_threads_change_nothing_and_progress_is_told(suite):
    told = []
    one = open_maps(suite, threads=1).read(progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(open_maps(suite, threads=4).read(), one)
    assert told[-1] == (60, 60)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_set_says_what_it_is(suite):
    maps = open_maps(suite)
    assert repr(maps) == "<MapSet: 60 maps of 12 × 12, 0.5 arcmin a pixel, 3 cosmologies>"
    assert repr(maps.downsampled(2)).endswith("3 cosmologies, downsampled(2, least=0.5)>")
    assert maps.pixel_scale == 0.5 * units.arcmin / units.pixel
    assert "60 maps of 12 × 12 pixels, 3 cosmologies, 3 headers read" in maps.account
    assert maps.files[0] == str(suite / "model001" / "WLconv_z1.00_0001r.fits")


def damage(root):
    """Rows 4, 11, 25, 30 and 41, each bad in its own way."""
    place = file_of(root, 4)
    place.write_bytes(place.read_bytes()[:3000])
    put(file_of(root, 11), np.zeros((SIDE, 2 * SIDE), np.float32))
    bad = np.zeros((SIDE, SIDE), np.float32)
    bad[2, 3] = np.nan
    put(file_of(root, 25), bad)
    file_of(root, 30).write_text("<html>", encoding="utf-8")
    bad[2, 3:6] = UNSEEN, np.inf, 0
    put(file_of(root, 41), bad)
    return [4, 11, 25, 30, 41]


REASONS = [
    "truncated: 3000 bytes where its header promises",
    "wrong size: 12 × 24 where 12 × 12 is right",
    "1 of 144 pixels are NaN, infinite or UNSEEN",
    "no FITS file",
    "2 of 144 pixels are NaN, infinite or UNSEEN",
]


@pytest.mark.parametrize("threads", [1, 4])
def test_bad_maps_are_named_when_they_are_read(copy, threads):
    rows = damage(copy)
    maps = open_maps(copy, threads=threads)  # lazy: nothing is known yet
    assert len(maps.read([0, 1])) == 2
    with pytest.raises(BadMap, match="5 maps cannot be used") as caught:
        maps.read()
    assert [file for file, _ in caught.value.bad] == [str(file_of(copy, row)) for row in rows]
    for (_, reason), expected in zip(caught.value.bad, REASONS, strict=True):
        assert reason.startswith(expected)
    assert pickle.loads(pickle.dumps(caught.value)).bad == caught.value.bad  # noqa: S301 - as a process pool sends it
    with pytest.raises(BadMap, match="5 maps cannot be used"):
        open_maps(copy, check=True)


@pytest.mark.parametrize("threads", [1, 4])
def test_bad_maps_are_left_out_and_listed(copy, threads):
    rows = damage(copy)
    told = []
    maps = open_maps(copy, on_error="skip", threads=threads, progress=lambda done, total: told.append(done))
    assert told[-1] == 60
    assert [file for file, _ in maps.skipped] == [str(file_of(copy, row).relative_to(copy)) for row in rows]
    for (_, reason), expected in zip(maps.skipped, REASONS, strict=True):
        assert reason.startswith(expected)
    np.testing.assert_array_equal(maps.read(), np.delete(stack(), rows, axis=0))
    assert len(maps.table) == 55


def test_a_truncated_file_among_a_thousand_is_named(tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    write_map(root / "map_0001.fits", stack(1)[0], pixel_scale=0.5)
    content = (root / "map_0001.fits").read_bytes()
    for i in range(1, 1001):
        (root / f"map_{i:04d}.fits").write_bytes(content if i != 777 else content[:-2800])
    maps = open_maps(root, on_error="skip")
    assert [file for file, _ in maps.skipped] == ["map_0777.fits"]
    assert len(maps) == 999


def test_a_file_that_vanishes_is_named(copy):
    maps = open_maps(copy)
    file_of(copy, 9).unlink()
    with pytest.raises(BadMap, match=r"WLconv_z1\.00_0010r\.fits: unreadable: No such file"):
        maps.read()


def test_options_that_are_none(suite):
    with pytest.raises(ValueError, match="on_error is 'warn'; choose one of raise, skip"):
        open_maps(suite, on_error="warn")
    with pytest.raises(ValueError, match="invalid is 'ignore'; choose one of raise, mask, zero"):
        open_maps(suite, invalid="ignore")
    with pytest.raises(ValueError, match=r"the mask has the shape \(3, 3\), but the maps have \(12, 12\)"):
        open_maps(suite, mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="a mask must hold 1 where observed and 0 elsewhere"):
        open_maps(suite, mask=np.full((SIDE, SIDE), 0.5))


def test_pixels_that_were_not_observed_are_never_silently_zero(copy):
    kappa = stack(1)[0]
    kappa[2, 3], kappa[5, 5], kappa[0, 0] = np.nan, UNSEEN, -np.inf
    put(file_of(copy, 0), kappa.astype(np.float64))
    wrong = np.zeros((SIDE, SIDE), bool)
    wrong[[2, 5, 0], [3, 5, 0]] = True
    expected = np.where(wrong, np.nan, stack(1)[0])
    options = {"pixel_scale": 0.5}
    with pytest.raises(BadMap, match=r"3 of 144 pixels are NaN.* --training-mask \(mask=\), or --invalid mask"):
        open_maps(copy, **options).read([0])
    np.testing.assert_array_equal(open_maps(copy, invalid="mask", **options).read([0])[0], expected)
    np.testing.assert_array_equal(open_maps(copy, invalid="zero", **options).read([0])[0], np.nan_to_num(expected))
    mask = ~wrong
    mask[:, -1] = False
    masked = open_maps(copy, mask=mask, **options)
    np.testing.assert_array_equal(masked.read([0])[0], np.where(mask, expected, np.nan))
    mask[2, 3] = True  # the mask says that it was observed, but there is no value
    with pytest.raises(BadMap, match="1 of 144 pixels"):
        open_maps(copy, mask=mask, **options).read([0])


def test_derived_sets_are_what_the_functions_make(suite):
    maps, all_maps = open_maps(suite), stack()
    half = maps.downsampled(2)
    assert (half.shape, half.arcmin_per_pixel) == ((6, 6), 1.0)
    np.testing.assert_array_equal(half.read(), observe.downsample(all_maps, 2))
    smooth = half.smoothed(fwhm_arcmin=3.0)
    expected = observe.smooth(observe.downsample(all_maps, 2), pixel_scale=1.0, fwhm_arcmin=3.0)
    np.testing.assert_array_equal(smooth.read(), expected)
    np.testing.assert_array_equal(smooth.select([7, 2]).read(), expected[[7, 2]])
    assert smooth.processing == ("downsampled(2, least=0.5)", "smoothed(fwhm_arcmin=3.0, edge=reflect)")


def test_options_of_derived_sets_are_refused_before_anything_is_read(suite, monkeypatch):
    maps = open_maps(suite)
    monkeypatch.setattr("awd_cosmo.maps.sources.read_bytes", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(ValueError, match="factor = 5 must divide"):
        maps.downsampled(5)
    with pytest.raises(ValueError, match="exactly one of them"):
        maps.smoothed()
    with pytest.raises(ValueError, match="do not fill 12 × 12"):
        maps.tiles(5)
    with pytest.raises(ValueError, match="convention is 'mine'; choose one of lenstools, fair"):
        maps.with_shape_noise("mine", galaxies_per_arcmin2=30, seed=1)


def test_tiles_remember_their_parent(suite):
    maps = open_maps(suite)
    tiles = maps.tiles(4)
    assert (len(tiles), tiles.shape) == (60 * 9, (4, 4))
    all_maps = stack()
    rows = np.random.default_rng(0).permutation(len(tiles))[:100]
    for pixels, row in zip(tiles.read(rows), tiles.table[rows], strict=True):
        parent = (np.asarray(maps.table["file"]) == row["file"]).nonzero()[0][0]
        y, x = row["tile_y"], row["tile_x"]
        np.testing.assert_array_equal(pixels, all_maps[parent, y : y + 4, x : x + 4])
        assert row["realisation"] == maps.table["realisation"][parent]
    np.testing.assert_array_equal(tiles.read(), observe.cut_tiles(all_maps, 4))
    np.testing.assert_array_equal(tiles.select(slice(9, 18)).read(), observe.cut_tiles(all_maps[1:2], 4))
    assert tiles.parameters(["Omega_m"]).shape == (540, 1)
    with pytest.raises(ValueError, match="tiles already"):
        tiles.tiles(2)


def test_each_parent_of_tiles_is_read_once(suite, monkeypatch):
    tiles = open_maps(suite).tiles(4)
    reads = []
    from awd_cosmo.maps import sources

    original = sources.read_bytes
    monkeypatch.setattr(sources, "read_bytes", lambda path: reads.append(path) or original(path))
    tiles.read(np.random.default_rng(0).permutation(len(tiles)))
    assert len(reads) == 60


def test_noise_belongs_to_the_map_and_not_to_the_order(suite, tmp_path):
    maps = open_maps(suite)
    noisy = maps.with_shape_noise("fair", galaxies_per_arcmin2=30, seed=4)
    noise = noisy.read() - maps.read()
    # 8,640 values: σ is known to 0.8 %, four of those; κ and its noise are rounded to float32
    assert noise.std() == pytest.approx(0.4 / np.sqrt(2 * 30 * 0.25), rel=0.03)
    np.testing.assert_array_equal(noisy.read([33, 2]), noisy.read()[[33, 2]])
    subset = maps.select([2, 33]).with_shape_noise("fair", galaxies_per_arcmin2=30, seed=4)
    np.testing.assert_array_equal(subset.read(), noisy.read([2, 33]))
    pack = maps.with_shape_noise("lenstools", galaxies_per_arcmin2=30, seed=4).read() - maps.read()
    assert pack.std() / noise.std() == pytest.approx(0.185 / (0.4 / np.sqrt(2)), rel=1e-3)
    with pytest.raises(ValueError, match="'lenstools' needs the redshift"):
        MapSet.from_arrays(stack(), pixel_scale=1).with_shape_noise("lenstools", galaxies_per_arcmin2=1, seed=0)


def test_turned_maps_are_turned_maps(suite):
    maps = open_maps(suite)
    turned = maps.turned(seed=0).read()
    np.testing.assert_allclose(
        turned.sum(axis=(1, 2)), maps.read().sum(axis=(1, 2)), atol=1e-6
    )  # float32 in another order
    assert not np.array_equal(turned, maps.read())


def test_masks_follow_what_is_done(suite):
    mask = np.ones((SIDE, SIDE), bool)
    mask[:3, :5] = False
    maps = open_maps(suite, mask=mask)
    for derived in (
        maps.downsampled(2), maps.downsampled(3, least=1.0), maps.smoothed(sigma_arcmin=1.0), maps.turned(seed=1),
        maps.tiles(6), maps.tiles(6).downsampled(3), maps.turned(seed=1).select([5, 3]), maps.tiles(4).turned(seed=2),
        maps.with_shape_noise("fair", galaxies_per_arcmin2=10, seed=0), maps.downsampled(2).tiles(3),
    ):  # fmt: skip
        seen = np.isfinite(derived.read())
        np.testing.assert_array_equal(np.broadcast_to(derived.mask, seen.shape), seen)
        assert 0 < seen.sum() < seen.size


def test_arrays_make_a_set():
    maps = MapSet.from_arrays(
        stack(6),
        pixel_scale=0.5 * units.arcmin,
        parameters={"Omega_m": [0.2, 0.3] * 3, "M_nu": 0.1},
        realisation=[0, 0, 1, 1, 2, 2],
    )
    assert maps.table["cosmology"].tolist() == [0, 1] * 3
    assert maps.table["M_nu"].unit == units.eV
    np.testing.assert_array_equal(maps.tiles(6).read()[4:8], observe.cut_tiles(stack(6)[1:2], 6))
    with pytest.raises(ValueError, match=r"maps must be floats of shape \(n, ny, nx\), got float32 \(12, 12\)"):
        MapSet.from_arrays(stack()[0], pixel_scale=0.5)
    with pytest.raises(ValueError, match="unknown parameter 'Om'"):
        MapSet.from_arrays(stack(), pixel_scale=0.5, parameters={"Om": 0.3})


def test_the_mask_of_arrays_is_applied(tmp_path):
    mask = np.ones((SIDE, SIDE), bool)
    mask[:3, :5] = False
    outside = np.where(mask, stack(6), 1e6).astype(np.float32)
    write_map(tmp_path / "mask.fits", mask.astype(np.float32), pixel_scale=0.5)
    expected = np.where(mask, stack(6), np.nan)
    plain = MapSet.from_arrays(expected, pixel_scale=0.5)
    for given in (mask, mask.astype(int), tmp_path / "mask.fits"):
        maps = MapSet.from_arrays(outside, pixel_scale=0.5, mask=given)
        np.testing.assert_array_equal(maps.read(), expected)
        np.testing.assert_array_equal(maps.select([3]).read(), expected[[3]])
        np.testing.assert_array_equal(maps.mask, mask)
    for derive in (
        lambda maps: maps.smoothed(sigma_arcmin=1.0), lambda maps: maps.downsampled(2), lambda maps: maps.tiles(4),
        lambda maps: maps.turned(seed=1), lambda maps: maps.cached(tmp_path / "cache"),
    ):  # fmt: skip
        np.testing.assert_array_equal(derive(maps).read(), derive(plain).read())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(maps)).read(), expected)  # noqa: S301 - to a process
    np.testing.assert_array_equal(
        maps.source.part(np.array([2])).part(np.array([0]))(np.array([0]), 1, None)[0], expected[2]
    )


def test_infinite_pixels_of_arrays_are_bad_where_observed():
    maps = stack(4)
    maps[1, 2, 3], maps[2, 0, 0], maps[3, 5, 5] = np.inf, UNSEEN, -np.inf
    with pytest.raises(BadMap, match=r"(?s)row 1: 1 of 144 pixels are infinite or UNSEEN.*row 2: .*row 3: "):
        MapSet.from_arrays(maps, pixel_scale=0.5).read()
    mask = np.isfinite(maps).all(axis=0) & (maps > -1).all(axis=0)
    np.testing.assert_array_equal(
        MapSet.from_arrays(maps.astype(np.float64), pixel_scale=0.5, mask=mask).read(), np.where(mask, maps, np.nan)
    )


def test_maps_with_and_without_a_mask_have_caches_of_their_own(tmp_path):
    mask = np.ones((SIDE, SIDE), bool)
    mask[4] = False
    for seen in (None, mask, ~mask):
        maps = MapSet.from_arrays(stack(6), pixel_scale=0.5, mask=seen)
        np.testing.assert_array_equal(maps.cached(tmp_path / "cache").read(), maps.read())


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        (
            {"Omega_m": [0.2, np.nan]},
            r"parameters: Omega_m = nan \(row 1\) is outside its plausible range, 0.05 to 0.6",
        ),
        ({"Omega_m": np.inf}, "Omega_m = inf"),
        ({"Omega_m": 30.0}, "Omega_m = 30 .*is outside its plausible range"),
        ({"A_s": 2.1e-9}, "A_s = 2.1e-09 .*outside.*A_s as 10⁹ A_s"),
        ({"Omega_m": [0.8, 0.82], "sigma8": [0.31, 0.3]}, "with Omega_m and sigma8 exchanged every value fits"),
        ({"M_nu": [0.1, 60.0]}, r"M_nu = 60 \(row 1\)"),
    ],
)
def test_parameters_of_arrays_are_plausible_as_those_of_files(parameters, match):
    with pytest.raises(ValueError, match=match):
        MapSet.from_arrays(stack(2), pixel_scale=0.5, parameters=parameters)


def test_parameters_of_arrays_may_have_units():
    maps = MapSet.from_arrays(stack(2), pixel_scale=0.5, parameters={"M_nu": [60, 100] * units.meV})
    np.testing.assert_allclose(maps.parameters(["M_nu"])[:, 0], [0.06, 0.1], rtol=1e-15)
    with pytest.raises(units.UnitConversionError, match="not convertible"):
        MapSet.from_arrays(stack(2), pixel_scale=0.5, parameters={"M_nu": 1 * units.kg})


def test_realisations_are_finite():
    with pytest.raises(ValueError, match="realisation must hold whole numbers"):
        MapSet.from_arrays(stack(2), pixel_scale=0.5, realisation=np.inf)


def test_a_mask_takes_no_memory_for_each_map():
    side, n = 128, 1000
    mask = np.zeros((side, side), bool)
    mask[5:, :50] = True
    maps = MapSet.from_arrays(np.broadcast_to(np.float32(0), (n, side, side)), pixel_scale=0.5, mask=mask)
    for derive in (
        lambda maps: maps.tiles(32), lambda maps: maps.turned(seed=1), lambda maps: maps.tiles(64).turned(seed=1),
        lambda maps: maps.tiles(32).downsampled(2), lambda maps: maps.select(slice(1, None)),
    ):  # fmt: skip
        tracemalloc.start()
        derived = derive(maps)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < n * side**2 / 3  # a byte for each pixel and map would be three times as much
        rows = np.arange(5, len(derived), 999)
        np.testing.assert_array_equal(derived.mask[rows] if derived.mask.ndim == 3 else
                                      np.broadcast_to(derived.mask, (len(rows), *derived.shape)),
                                      np.isfinite(derived.read(rows)))  # fmt: skip


def test_a_set_goes_to_another_process(suite, tmp_path):
    maps = open_maps(suite).downsampled(2).with_shape_noise("fair", galaxies_per_arcmin2=30, seed=1).tiles(3)
    other = pickle.loads(pickle.dumps(maps))  # noqa: S301 - as a process pool sends it
    np.testing.assert_array_equal(other.read([5, 1]), maps.read([5, 1]))


def test_tars_are_read_in_place_by_many_threads(tmp_path):
    parameters = {"M_nu": np.zeros(N), "Omega_m": np.full(N, 0.3), "A_s": np.full(N, 2.1)}
    write_layout(tmp_path, "massivenus", stack(), parameters, pixel_scale=0.5)
    (tar,) = pack_models(tmp_path, remove=True)
    maps = open_maps(tmp_path, threads=4)
    np.testing.assert_array_equal(maps.read(), stack())
    assert maps.table["file"][0] == f"{tar.name}!Maps10/WLconv_z1.00_0001r.fits"
    assert [path.name for path in tmp_path.iterdir()] == [tar.name]
