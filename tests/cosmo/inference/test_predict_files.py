"""`awd-cosmo predict` on folders as they are: bad files among good ones, stacks, source redshifts that nobody knows."""

import json

import h5py
import numpy as np
import pytest
import zarr
from astropy.io import fits

from awd_cosmo.app.main import app
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.inference.estimators import CountRidge
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.predict import predict_files, predict_map
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.maps.regrid import regrid
from awd_cosmo.statistics.scales import ScaleCounts
from commands import invoke

SIDE, SCALE, N = 16, 2.0, 24


def kappa():
    width = np.repeat(np.linspace(0.01, 0.03, N // 3), 3)[:, None, None]
    return (width * np.random.default_rng(0).normal(size=(N, SIDE, SIDE))).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """From the width of noise to a number; its sources are at z = 1."""
    truth = np.repeat(np.linspace(0.2, 0.4, N // 3), 3)
    statistic = ScaleCounts("haar", 1, bins=4, per="pixel").fit(kappa())
    features = statistic.transform(kappa())
    fitted = CountRidge(seed=0).fit(features, truth, cosmology=np.repeat(np.arange(N // 3), 3))
    fitted.calibrate(features, truth)
    training = TrainingDistribution.from_features(features)
    return Model(("Omega_m",), SCALE, (SIDE, SIDE), [statistic], fitted, training, provenance={"z_s": 1.0})


@pytest.fixture
def folder(model, tmp_path):
    """Two maps that can be used, and seven that cannot."""
    model.save(tmp_path / "model.json")
    seen = tmp_path / "seen"
    seen.mkdir()
    for name, row in (("a.fits", 0), ("b.fits", 9)):
        write_map(seen / name, kappa()[row], pixel_scale=SCALE, source_redshift=1.0)
    (seen / "b.fits").rename(seen / "b.FITS")
    (seen / "._a.fits").write_bytes(b"of macOS")
    (seen / "c.fits").write_bytes(b"junk")
    fits.PrimaryHDU(kappa()[0]).writeto(seen / "d.fits")
    write_map(seen / "e.fits", kappa()[0, :8], pixel_scale=SCALE)
    write_map(seen / "f.fits", kappa()[0], pixel_scale=1.4)
    header = fits.Header({"ANGLE": SCALE * SIDE / 60, "ITYPE": "PotentialPlane", "UNIT": "rad2"})
    fits.PrimaryHDU(kappa()[0], header).writeto(seen / "g.fits")
    (seen / "n.npy").write_bytes(b"junk")
    np.savez(seen / "m.npz", kappa())
    (seen / "m.npz").rename(seen / "m.npy")
    return seen


REASONS = {
    "c.fits": "no FITS file",
    "d.fits": "nothing tells its pixel scale (ANGLE, or a WCS); give --pixel-scale",
    "e.fits": "has 8 × 16 pixels of 2 arcmin",
    "f.fits": "the maps have 1.4 arcmin per pixel and the model 2, which is no multiple (1.43 of theirs); regrid",
    "g.fits": "it is no convergence map, but ITYPE = 'PotentialPlane'",
    "n.npy": "it is no array of numbers that NumPy has saved",
    "m.npy": "it is no array of numbers that NumPy has save",
}


def test_a_folder_is_gone_through_and_what_is_bad_is_named(model, folder):
    out = folder.parent / "o.json"
    done = invoke(app, ["predict", folder.parent / "model.json", folder, "--out", out])
    assert done.exit_code == 1
    found = json.loads(out.read_text())
    assert [one["file"].rpartition("/")[2] for one in found] == ["a.fits", "b.FITS"]
    expected = model.predict(kappa()[[0, 9]]).estimate
    np.testing.assert_allclose([one["estimate"] for one in found], expected, rtol=1e-6)
    assert [one["warning"] for one in found] == ["", ""]
    assert "7 of 9 files cannot be used, and are in no table:" in done.stderr
    lines = dict(line.strip().split(": ", 1) for line in done.stderr.splitlines()[1:])
    assert {name: lines[str(folder / name)][: len(reason)] for name, reason in REASONS.items()} == REASONS
    assert "._a" not in done.output


def test_what_is_done_about_bad_files_can_be_said(folder):
    model = folder.parent / "model.json"
    assert invoke(app, ["predict", model, folder, "--on-error", "skip"]).exit_code == 0
    done = invoke(app, ["predict", model, folder, "--on-error", "raise"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "c.fits: no FITS file" in done.stderr
    # Where nothing is left there is no table, and the error is one line.
    for name, reason in REASONS.items():
        done = invoke(app, ["predict", model, folder / name])
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"{name}: {reason}" in done.stderr
    done = invoke(app, ["predict", model, folder, "--pattern", "a*"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "(--pattern)" in invoke(app, ["predict", model, folder, "--pattern", "z*"]).stderr
    assert "it has no HDU 3; it has 0 PRIMARY" in invoke(app, ["predict", model, folder / "a.fits", "--hdu", 3]).stderr
    assert invoke(app, ["predict", model, folder / "g.fits", "--itype", "any"]).exit_code == 0
    with pytest.raises(ValueError, match=r"c\.fits: no FITS file"):
        predict_files(model, [folder])


@pytest.mark.parametrize(
    ("trained", "own", "said"),
    [
        (1.0, 1.0, ""),
        (1.0, 0.5, "its sources are at z = 0.5, those of the training maps at z = 1"),
        (1.0, None, "its source redshift is not known; the sources of the training maps are at z = 1"),
        (None, 0.5, "nothing tells whether its sources are like them (its own are at z = 0.5)"),
        (None, None, "the redshift of the training maps' sources is not known"),
    ],
)
def test_source_redshifts_that_are_not_known_are_told(model, tmp_path, trained, own, said):
    Model(**{**model.__dict__, "provenance": {"z_s": trained}}).save(tmp_path / "model.json")
    write_map(tmp_path / "a.fits", kappa()[0], pixel_scale=SCALE, source_redshift=own)
    (found,) = predict_files(tmp_path / "model.json", [tmp_path / "a.fits"])
    assert said in found.warning
    assert bool(said) == bool(found.warning)
    (found,) = predict_files(tmp_path / "model.json", [tmp_path / "a.fits"], source_redshift=1.0)
    assert bool(found.warning) == (trained is None)


def test_stacks_of_numpy_are_predicted_map_by_map(model, tmp_path):
    mask = np.ones((SIDE, SIDE), bool)
    mask[:2] = False
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "stack.npy", kappa()[:3])
    np.save(tmp_path / "flat.npy", kappa()[:3][:, mask].astype(np.float16))
    options = {"pixel_scale": SCALE, "source_redshift": 1.0}
    whole = predict_files(model, [tmp_path / "stack.npy"], **options)
    np.testing.assert_allclose([one.estimate for one in whole], model.predict(kappa()[:3]).estimate, rtol=1e-6)
    assert [one.file for one in whole] == [f"{tmp_path / 'stack.npy'}[{k}]" for k in range(3)]
    flat = predict_files(model, [tmp_path / "flat.npy"], mask=tmp_path / "mask.npy", **options)
    rounded = kappa()[:3].astype(np.float16).astype(np.float32)
    np.testing.assert_allclose([one.estimate for one in flat], model.predict(rounded, mask=mask).estimate, rtol=1e-6)
    assert all("12% of the pixels were not observed" in one.warning for one in flat)


@pytest.mark.parametrize("ending", ["npz", "h5", "zarr"])
def test_stacks_in_files_of_training_are_predicted_too(model, tmp_path, ending):
    file = tmp_path / f"maps.{ending}"
    if ending == "npz":
        np.savez(file, kappa=kappa()[:3], Omega_m=np.full(3, 0.3), pixel_scale=SCALE)
    elif ending == "h5":
        with h5py.File(file, "w") as into:
            into.create_dataset("data/kappa", data=kappa()[:3]).attrs["pixel_scale"] = SCALE
    else:
        group = zarr.open_group(file, mode="w")
        group.create_array("kappa", data=kappa()[:3])
        group.create_array("pixel_scale", data=np.array([SCALE]))
    np.save(tmp_path / "label.npy", np.zeros((3, 20, 20)))
    expected = model.predict(kappa()[:3]).estimate
    for names in ([file], [tmp_path]):  # of a folder too
        found = predict_files(model, names, source_redshift=1.0)
        np.testing.assert_allclose([one.estimate for one in found], expected, rtol=1e-6)
    file = tmp_path / "several.npz"
    np.savez(file, kappa=kappa()[:3], other=kappa()[:3])
    with pytest.raises(ValueError, match=r"several arrays that may be the maps: kappa, other; say which with --hdu"):
        predict_files(model, [file], pixel_scale=SCALE)
    found = predict_files(model, [file], pixel_scale=SCALE, hdu="other", source_redshift=1.0)
    np.testing.assert_allclose([one.estimate for one in found], expected, rtol=1e-6)


def test_other_pixels_are_brought_to_the_models_scale_if_told_so(model, tmp_path):
    model.save(tmp_path / "model.json")
    image = np.random.default_rng(4).normal(0, 0.02, (24, 24)).astype(np.float32)
    image[:2, 3] = np.nan
    write_map(tmp_path / "a.fits", image, pixel_scale=1.4, source_redshift=1.0)
    write_map(tmp_path / "fine.fits", kappa()[0], pixel_scale=4.0)
    out = tmp_path / "o.json"
    done = invoke(app, ["predict", tmp_path / "model.json", tmp_path / "a.fits", "--out", out])
    assert done.exit_code == 2
    assert "--regrid" in done.stderr
    done = invoke(app, ["predict", tmp_path / "model.json", tmp_path / "a.fits", "--out", out, "--regrid"])
    assert (done.exit_code, done.stderr) == (0, "")
    (found,) = json.loads(out.read_text())
    expected = predict_map(model, regrid(image.astype(float), 2 / 1.4), pixel_scale=2.0, source_redshift=1.0)
    assert (found["estimate"], found["std"]) == pytest.approx((expected.estimate, expected.std))
    assert found["arcmin_per_pixel"] == pytest.approx(1.4)
    assert "pixels of 1.4 arcmin were brought to the model's 2 by means over the area" in found["warning"]
    done = invoke(app, ["predict", tmp_path / "model.json", tmp_path / "fine.fits", "--regrid"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "fine.fits: its pixels would be made 2 times finer" in done.stderr
