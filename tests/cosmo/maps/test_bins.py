"""Maps in several redshift bins: of an axis of stacks, of numbered arrays, of files of several source redshifts."""

import h5py
import numpy as np
import pytest
import zarr

from awd_cosmo.formats import write_map
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.maps.bins import redshifts_of, together
from awd_cosmo.maps.open import open_maps

N, BINS, NY, NX = 6, 3, 12, 8
Z = [0.5, 1.0, 2.0]
OMEGA = np.linspace(0.2, 0.4, N)


def kappa():
    return np.random.default_rng(0).normal(0, 0.02, (N, BINS, NY, NX)).astype(np.float32)


def write(kind, root):
    """Stacks of all kinds; what a user's own program writes."""
    maps = kappa()
    if kind == "npz":
        np.savez(root / "maps.npz", kappa=maps, Omega_m=OMEGA, z_s=Z, pixel_scale=2.0)
    elif kind == "bins first":
        np.savez(root / "maps.npz", kappa=maps.swapaxes(0, 1), Omega_m=OMEGA, z_s=Z, pixel_scale=2.0)
    elif kind == "numbered":
        arrays = {f"kappa_bin{b + 1}": maps[:, b] for b in range(BINS)}
        np.savez(root / "maps.npz", **arrays, Omega_m=OMEGA, z_s=Z, pixel_scale=2.0)
    elif kind == "h5":
        with h5py.File(root / "maps.h5", "w") as file:
            file.create_dataset("kappa", data=maps).attrs["z_s"] = Z
            file["Omega_m"], file["pixel_scale"] = OMEGA, 2.0
    elif kind == "zarr":
        group = zarr.open_group(root / "maps.zarr", mode="w")
        group.create_array("kappa", data=maps)
        group.create_array("Omega_m", data=OMEGA)
        group.create_array("z_s", data=np.array(Z))
    elif kind == "npy of cosmologies":
        np.save(root / "maps.npy", maps.reshape(N // 2, 2, BINS, NY, NX))
        np.save(root / "label.npy", OMEGA.reshape(N // 2, 2, 1))


@pytest.mark.parametrize("kind", ["npz", "bins first", "numbered", "h5", "zarr", "npy of cosmologies"])
def test_an_axis_without_labels_is_one_of_bins(tmp_path, kind):
    write(kind, tmp_path)
    told = {"columns": ["Omega_m"], "bins": Z} if kind.startswith("npy") else {}
    maps = open_maps(tmp_path, pixel_scale=2.0, **told)
    assert (len(maps), maps.apart, redshifts_of(maps)) == (N * BINS, BINS, Z)
    assert f"in {BINS} redshift bins" in maps.account
    assert "sources at z = 0.5, 1, 2" in maps.account
    np.testing.assert_array_equal(maps.read(), kappa().reshape(-1, NY, NX))
    whole = together(maps)
    assert (len(whole), whole.bins, whole.sample_shape) == (N, BINS, (BINS, NY, NX))
    np.testing.assert_array_equal(whole.read([4, 1]), kappa()[[4, 1]])
    np.testing.assert_allclose(whole.parameters(["Omega_m"])[:, 0], OMEGA)
    assert np.isnan(whole.table["z_s"]).all()


def test_what_is_done_to_single_maps_keeps_bins_together(tmp_path):
    write("npz", tmp_path)
    mask = np.ones((NY, NX), bool)
    mask[0, :3] = False
    maps = open_maps(tmp_path, mask=mask)
    cut = together(maps.downsampled(2).tiles(2, rest="drop").cached(tmp_path / "cache"))
    expected = np.where(mask, kappa(), np.nan).reshape(N, BINS, NY // 2, 2, NX // 2, 2)
    expected = np.nanmean(np.where(np.isnan(expected).sum((3, 5), keepdims=True) > 2, np.nan, expected), axis=(3, 5))
    assert len(cut) == N * 6
    np.testing.assert_allclose(cut.read([1])[0], expected[0, :, :2, 2:4], rtol=1e-6)
    np.testing.assert_allclose(cut.read([6 * 5 + 2])[0], expected[5, :, 2:4, :2], rtol=1e-6)
    # Each bin has the noise of its redshift, and noise of its own.
    noise = maps.with_shape_noise("lenstools", galaxies_per_arcmin2=10, seed=0).read([0, 1, 2]) - maps.read([0, 1, 2])
    sigma = [(0.15 + 0.035 * z) / np.sqrt(10 * 4) for z in Z]
    np.testing.assert_allclose(np.nanstd(noise, axis=(1, 2)), sigma, rtol=0.3)
    assert np.abs(np.corrcoef(noise[:, mask])[0, 1]) < 0.5
    with pytest.raises(ValueError, match="3 bins for each map; choose all bins"):
        together(maps.select([0, 1, 2, 4]))
    with pytest.raises(ValueError, match="downsampled is of single maps, and these are 3 bins each"):
        together(maps).downsampled(2)


def test_every_bin_may_have_a_mask_of_its_own(tmp_path):
    write("npz", tmp_path)
    masks = np.ones((BINS, NY, NX), np.uint8)
    masks[1, 2], masks[2, :, 3] = 0, 0
    np.save(tmp_path / "mask.npy", masks)
    maps = open_maps(tmp_path)
    np.testing.assert_array_equal(together(maps).read(), np.where(masks == 1, kappa(), np.nan))
    seen = np.broadcast_to(masks == 1, (N, *masks.shape)).reshape(-1, NY, NX)
    np.testing.assert_array_equal(maps.mask, seen)
    np.testing.assert_array_equal(maps.tiles(4).mask, np.isfinite(maps.tiles(4).read()))
    np.savez(tmp_path / "maps.npz", kappa=kappa(), kappa_masked=kappa(), Omega_m=OMEGA, pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"the mask 'kappa_masked' has the shape .*call it otherwise"):
        open_maps(tmp_path)


def test_a_bad_bin_takes_its_map_along_and_no_other(tmp_path):
    bad = kappa()
    bad[2, 1, 4, 4], bad[3, 2] = np.nan, 0.0
    np.savez(tmp_path / "maps.npz", kappa=bad, Omega_m=OMEGA, z_s=Z, pixel_scale=2.0)
    with pytest.raises(BadMap, match=r"maps\.npz\[2,1\]: 1 of 96 pixels hold no convergence"):
        open_maps(tmp_path).read()
    with pytest.raises(BadMap, match=r"maps\.npz\[3,2\]: all its pixels are 0"):
        open_maps(tmp_path, invalid="mask", constant=False).read()
    maps = open_maps(tmp_path, on_error="skip", constant=False)
    assert [name for name, _ in maps.skipped] == ["maps.npz[2,1]", "maps.npz[3,2]"]
    np.testing.assert_array_equal(together(maps).read(), kappa()[[0, 1, 4, 5]])


def folder(root, z, gone=()):
    for model, omega in enumerate((0.2, 0.3)):
        place = root / f"Om{omega:.3f}_si0.800"
        place.mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            if (model, number) not in gone:
                name = place / f"WLconv_z{z:.2f}_{number:04d}r.fits"
                write_map(name, np.full((8, 8), z + omega + number, np.float32), pixel_scale=0.5)


def test_files_of_several_source_redshifts_are_bins(tmp_path):
    for z in (0.5, 1.0, 1.5):
        folder(tmp_path, z, gone=[(1, 2)] if z == 1.5 else ())
    maps = together(open_maps(tmp_path, bins=[1.0, 0.5]))
    np.testing.assert_allclose(maps.read()[:, :, 0, 0], [[2.2, 1.7], [3.2, 2.7], [2.3, 1.8], [3.3, 2.8]], rtol=1e-6)
    assert maps.account.startswith("layout")
    assert "4 maps in 2 redshift bins, z = 1, 0.5" in maps.account
    with pytest.raises(BadMap, match=r"WLconv_z0\.50_0002r\.fits: the same map is not there at z = 1\.5"):
        open_maps(tmp_path, bins=[0.5, 1.5])
    maps = open_maps(tmp_path, bins=[0.5, 1.5], on_error="skip")
    assert (len(maps), len(maps.skipped)) == (6, 1)
    with pytest.raises(ValueError, match=r"no maps of source redshift 0\.7"):
        open_maps(tmp_path, bins=[0.5, 0.7])


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"bins": [1.0]}, r"give the source redshifts of two or more bins, each once"),
        ({"bins": [1.0, 1.0, 2.0]}, r"two or more bins, each once"),
        ({"bins": [1.0, 2.0]}, r"2 redshifts are given for bins .* has \(6, 3, 12, 8\), with 3 bins"),
        ({"bins": Z, "source_redshift": 1.0}, r"leave --source-redshift"),
        ({"bins": [0.5, 1.0, 1.5]}, r"tells the source redshifts 0\.5, 1, 2, and 0\.5, 1, 1\.5 are asked for"),
        ({"hdu": "other"}, r"has no array 'other' \(--hdu, hdu=\); it holds kappa \(6, 3, 12, 8\)"),
        ({"mask": np.ones((2, NY, NX))}, r"there are 2 masks for 3 bins"),
    ],
)
def test_bins_that_are_not_there_are_refused(tmp_path, told, match):
    write("npz", tmp_path)
    with pytest.raises(ValueError, match=match):
        open_maps(tmp_path, **told)


def test_realisations_are_not_taken_for_bins(tmp_path):
    """Labels of cosmologies alone: nothing says whether the other axis is one of bins."""
    np.savez(tmp_path / "maps.npz", kappa=kappa(), Omega_m=OMEGA, pixel_scale=2.0)
    with pytest.raises(
        ValueError, match=r"but axis 1, of 3\. If these are redshift bins, give .*--bins.*if they are real"
    ):
        open_maps(tmp_path)
    assert together(open_maps(tmp_path, bins=Z)).bins == BINS
    repeated = np.repeat(OMEGA[:, None], BINS, axis=1)
    np.savez(tmp_path / "maps.npz", kappa=kappa(), Omega_m=repeated, pixel_scale=2.0)
    assert (len(maps := open_maps(tmp_path)), maps.apart) == (N * BINS, 1)
    np.savez(tmp_path / "maps.npz", kappa_1=kappa()[:, 0], kappa_2=kappa()[:, 1], Omega_m=OMEGA, pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"several arrays that may be the maps: kappa_1, kappa_2"):
        open_maps(tmp_path)


def test_what_a_stack_tells_of_redshifts_is_not_overruled_by_choosing(tmp_path):
    maps = kappa()[:, 0]
    np.savez(tmp_path / "maps.npz", kappa=maps, Omega_m=OMEGA, z_s=0.5, pixel_scale=2.0)
    assert open_maps(tmp_path).table["z_s"].tolist() == [0.5] * N
    with pytest.raises(ValueError, match=r"tells the source redshifts 0\.5, and 1 are asked for"):
        open_maps(tmp_path, source_redshift=1.0)
    assert open_maps(tmp_path, relabel_redshift=1.0).table["z_s"][0] == 1.0
    np.savez(tmp_path / "maps.npz", kappa=maps, Omega_m=OMEGA, z_s=np.linspace(0.5, 1, N), pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"tells source redshifts from 0\.5 to 1 of its maps, and a stack is of one"):
        open_maps(tmp_path)


def test_arrays_that_may_both_be_the_maps_are_not_guessed(tmp_path):
    maps = kappa()[:, 0]
    np.savez(tmp_path / "maps.npz", kappa=maps, noise=maps * 2, Omega_m=OMEGA, pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"several arrays that may be the maps: kappa, noise; say which with --hdu"):
        open_maps(tmp_path)
    np.testing.assert_array_equal(open_maps(tmp_path, hdu="noise").read(), maps * 2)
    np.save(tmp_path / "more.npy", maps)
    assert len(open_maps(tmp_path, hdu="kappa", pattern="maps.*")) == N
    np.save(tmp_path / "deep.npy", np.zeros((2, 2, 2, 2, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"deep\.npy has the shape .*one axis more for redshift bins"):
        open_maps(tmp_path / "deep.npy", pixel_scale=1.0)
