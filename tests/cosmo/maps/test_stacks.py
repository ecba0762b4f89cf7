"""Stacks of maps in NumPy files, HDF5 and Zarr, whole or flattened by a mask, with labels beside or inside."""

import h5py
import numpy as np
import pytest
import zarr

from awd_cosmo.formats.archives import BadMap
from awd_cosmo.maps.open import open_maps

NY, NX, COSMOLOGIES, REALISATIONS = 12, 8, 4, 3
MASK = np.ones((NY, NX), bool)
MASK[:3] = MASK[:, 6:] = MASK[5:7, 2:4] = False
COUNT = COSMOLOGIES * REALISATIONS


def kappa(n=COUNT):
    return np.random.default_rng(0).normal(0, 0.02, (n, NY, NX)).astype(np.float32)


def labels():
    """Ω_m and S8 of each cosmology, and three nuisances of each map."""
    rng = np.random.default_rng(1)
    cube = np.empty((COSMOLOGIES, REALISATIONS, 5))
    cube[..., 0], cube[..., 1] = (
        np.linspace(0.2, 0.4, COSMOLOGIES)[:, None],
        np.linspace(0.7, 0.9, COSMOLOGIES)[:, None],
    )
    cube[..., 2:] = rng.uniform(0, 1, (COSMOLOGIES, REALISATIONS, 3)) + np.array([7.5, 0, 0])
    return cube


def fair(root):
    """As the challenge hands it out: what a participant's own NumPy writes."""
    root.mkdir()
    flat = kappa()[:, MASK].reshape(COSMOLOGIES, REALISATIONS, -1).astype(np.float16)
    np.save(root / "WIDE12H_bin2_2arcmin_kappa.npy", flat)
    np.save(root / "WIDE12H_bin2_2arcmin_mask.npy", MASK)
    np.save(root / "label.npy", labels())
    return root


def test_the_layout_of_the_fair_universe_challenge(tmp_path):
    maps = open_maps(fair(tmp_path / "fair"))
    assert maps.shape == (NY, NX)
    assert maps.arcmin_per_pixel == 2.0
    assert maps.table["cosmology"].tolist() == [c for c in range(COSMOLOGIES) for _ in range(REALISATIONS)]
    assert maps.table["realisation"].tolist() == [*range(REALISATIONS)] * COSMOLOGIES
    np.testing.assert_array_equal(maps.parameters(["Omega_m", "S8", "T_AGN", "f0", "dz"]), labels().reshape(-1, 5))
    np.testing.assert_array_equal(maps.mask, MASK)
    expected = np.where(MASK, kappa().astype(np.float16).astype(np.float32), np.nan)
    np.testing.assert_array_equal(maps.read(), expected)
    np.testing.assert_array_equal(
        maps.select([7, 2]).tiles(4).cached(tmp_path / "cache").read([0, 8])[0, 3], expected[7, 3, :4]
    )
    assert maps.table["file"][4] == "WIDE12H_bin2_2arcmin_kappa.npy[1,1]"
    for told in ("layout stack: 4 × 3 maps of 12 × 8 pixels", "pixels inside a mask, float16", "58 of 96", "T_AGN"):
        assert told.replace("58", str(int(MASK.sum()))) in maps.account
    # By the path of the stack too, and another mask of as many pixels is another sky.
    assert len(open_maps(tmp_path / "fair" / "WIDE12H_bin2_2arcmin_kappa.npy")) == COUNT
    other = open_maps(tmp_path / "fair", mask=MASK[::-1])
    np.testing.assert_array_equal(np.isnan(other.read([0])[0]), ~MASK[::-1])
    with pytest.raises(ValueError, match=r"has the shape \(12, 8\) with 96 pixels inside, but .* has \(4, 3, "):
        open_maps(tmp_path / "fair", mask=np.ones((NY, NX), bool))


def write(kind, root, maps, cube):
    root.mkdir()
    columns = {"Omega_m": cube[:, 0], "S8": cube[:, 1], "mine": cube[:, 2]}
    if kind == "npz":
        np.savez(root / "maps.npz", kappa=maps, arcmin_per_pixel=2.0, z_s=1.0, **columns)
    elif kind == "h5":
        with h5py.File(root / "maps.h5", "w") as file:
            file.create_dataset("data/kappa", data=maps).attrs["pixel_scale"] = 2.0
            for name, column in columns.items():
                file[f"data/{name}"] = column
            file["z_s"] = 1.0
    elif kind == "h5 of labels":
        with h5py.File(root / "maps.hdf5", "w") as file:
            file.create_dataset("kappa", data=maps).attrs["pixel_scale"] = 2.0
            file.create_dataset("params", data=cube[:, :3]).attrs["names"] = list(columns)
            file["z_s"] = 1.0
    elif kind == "zarr":
        group = zarr.create_group(root / "maps.zarr")
        group.create_array("kappa", data=maps).attrs["pixel_scale"] = 2.0
        for name, column in columns.items():
            group.create_array(name, data=column)
        group.create_array("z_s", data=np.array([1.0]))
    elif kind == "npy and csv":
        np.save(root / "maps_2arcmin.npy", maps)
        rows = [",".join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True)]
        (root / "values.csv").write_text("\n".join([",".join(columns), *rows]))
    return root


@pytest.mark.parametrize("kind", ["npz", "h5", "h5 of labels", "zarr", "npy and csv"])
def test_stacks_of_all_kinds(tmp_path, kind):
    cube = labels().reshape(-1, 5)
    root = write(kind, tmp_path / "maps", kappa(), cube)
    maps = open_maps(root, source_redshift=1.0 if kind == "npy and csv" else None)
    np.testing.assert_array_equal(maps.read(), kappa())
    np.testing.assert_array_equal(maps.parameters(["Omega_m", "S8", "mine"]), cube[:, :3])
    assert maps.arcmin_per_pixel == 2.0
    assert maps.table["z_s"].tolist() == [1.0] * COUNT
    assert maps.table["cosmology"].tolist() == [c for c in range(COSMOLOGIES) for _ in range(REALISATIONS)]
    assert maps.mask is None
    # A cache belongs to what the file holds.
    first = maps.cached(tmp_path / "cache").read()
    again = open_maps(write(kind, tmp_path / "other", 2 * kappa(), cube), pixel_scale=2.0)
    np.testing.assert_array_equal(again.cached(tmp_path / "cache").read(), 2 * first)


def test_labels_need_names_and_ranges(tmp_path):
    root = tmp_path / "s"
    root.mkdir()
    np.save(root / "kappa.npy", kappa())
    np.save(root / "params.npy", labels().reshape(-1, 5)[:, :2])
    options = {"pixel_scale": 2.0}
    with pytest.raises(ValueError, match=r"params\.npy has 2 columns of labels without names: .*--columns .*0\.2 0\.7"):
        open_maps(root, **options)
    with pytest.raises(ValueError, match="2 columns, but 1 names were given"):
        open_maps(root, columns=["Omega_m"], **options)
    maps = open_maps(root, columns=["Omega_m", "-"], **options)
    assert maps.parameters(["Omega_m"])[:, 0].tolist() == labels().reshape(-1, 5)[:, 0].tolist()
    with pytest.raises(ValueError, match=r"kappa\.npy\[0\]: .* with S8 and Omega_m exchanged every value fits"):
        open_maps(root, columns=["S8", "Omega_m"], **options)
    with pytest.raises(ValueError, match=r"nothing tells the pixel scale of kappa\.npy: give --pixel-scale"):
        open_maps(root, columns=["Omega_m", "S8"])
    values = labels().reshape(-1, 5)[:, :2]
    values[3, 0], values[5, 1] = 0.95, np.nan
    np.save(root / "params.npy", values)
    with pytest.raises(
        BadMap, match=r"(?s)kappa\.npy\[3\]: Omega_m = 0\.95 is outside.*kappa\.npy\[5\]: it lacks a label"
    ):
        open_maps(root, columns=["Omega_m", "S8"], **options)
    maps = open_maps(root, columns=["Omega_m", "S8"], on_error="skip", **options)
    assert len(maps) == COUNT - 2
    assert [name for name, _ in maps.skipped] == ["kappa.npy[3]", "kappa.npy[5]"]


def test_bad_maps_of_a_stack_are_named(tmp_path):
    maps = kappa()
    maps[2, 4, 4], maps[6] = np.nan, 0.25
    np.save(tmp_path / "kappa_2arcmin.npy", maps)
    with pytest.raises(BadMap, match=r"kappa_2arcmin\.npy\[2\]: 1 of 96 pixels hold no convergence; give --t"):
        open_maps(tmp_path).read()
    some = open_maps(tmp_path, on_error="skip", constant=False)
    assert [name for name, _ in some.skipped] == ["kappa_2arcmin.npy[2]", "kappa_2arcmin.npy[6]"]
    assert np.isnan(open_maps(tmp_path, invalid="mask").read([2])).sum() == 1


def test_what_is_no_stack(tmp_path):
    np.save(tmp_path / "a.npy", kappa())
    np.save(tmp_path / "b.npy", kappa())
    with pytest.raises(ValueError, match=r"must hold one stack of maps .*: a\.npy, b\.npy; pass the path of one"):
        open_maps(tmp_path, pixel_scale=2.0)
    np.save(tmp_path / "a.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"a\.npy holds no stack of maps, but a\.npy \(5,\)"):
        open_maps(tmp_path / "a.npy", pixel_scale=2.0)
    (tmp_path / "a.npy").write_bytes(b"junk")
    with pytest.raises(BadMap, match=r"a\.npy: no arrays of numbers can be read of it"):
        open_maps(tmp_path / "a.npy", pixel_scale=2.0)
    np.save(tmp_path / "c.npy", kappa()[:, MASK])
    with pytest.raises(ValueError, match=r"has the shape .*; a stack is .*pixels inside a mask, give --training-mask"):
        open_maps(tmp_path / "c.npy", pixel_scale=2.0)


def test_the_challenges_own_files_fit_together(real_data, tmp_path):
    """Three maps of its test set; their labels are not told, and those of the training set are for others."""
    root = real_data / "cosmo" / "fair"
    maps = open_maps(root / "sampled_WIDE12H_bin2_2arcmin_kappa_noisy_test.npy")
    assert (len(maps), maps.shape, maps.arcmin_per_pixel) == (3, (1424, 176), 2.0)
    pixels = maps.read()
    seen = np.load(root / "WIDE12H_bin2_2arcmin_mask.npy")
    np.testing.assert_array_equal(np.isfinite(pixels), np.broadcast_to(seen, pixels.shape))
    raw = np.load(root / "sampled_WIDE12H_bin2_2arcmin_kappa_noisy_test.npy")
    np.testing.assert_array_equal(pixels[:, seen], raw.astype(np.float32))
