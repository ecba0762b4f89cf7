"""A run on maps in several redshift bins behind a mask that the teacher sees, and what its model predicts."""

import numpy as np
import pytest

from awd_core.files import read_json
from awd_core.run import SettingError
from awd_cosmo.app.main import app
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.predict import predict_files, predict_map
from awd_cosmo.inference.results import Results
from awd_cosmo.maps.bins import together
from awd_cosmo.maps.open import open_maps
from awd_cosmo.run.job import PRESETS
from awd_cosmo.run.pipeline import run_pipeline
from commands import invoke

COSMOLOGIES, REALISATIONS, BINS, SIDE = 14, 3, 2, 24
JOB = PRESETS["tiny"].changed(
    wavelets=("db2",), baselines=("haar",), epochs=1, distill_maps=16, mask_channel=True, phases="independent",
    shares=(0.0, 1.0), statistics=({"levels": 1, "pixels": "all", "bins": 8},),
)  # fmt: skip


def lognormal():
    """Maps (cosmologies, realisations, bins, ny, nx) whose amplitude goes with Ω_m, and with the bin."""
    rng = np.random.default_rng(0)
    omega = np.linspace(0.15, 0.45, COSMOLOGIES)
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    field = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((COSMOLOGIES, REALISATIONS, BINS, SIDE, SIDE))) / (f + 0.1), s=(SIDE, SIDE)
    )
    scale = omega[:, None, None] * np.array([0.05, 0.1])
    return (scale[..., None, None] * np.expm1(0.3 * field / field.std())).astype(np.float32), omega


MASK = np.ones((SIDE, SIDE), bool)
MASK[:2], MASK[10:13, 8:11] = False, False


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("tomography")
    maps, omega = lognormal()
    (root / "data").mkdir()
    np.savez(
        root / "data" / "maps.npz", kappa=maps, Omega_m=omega[:, None].repeat(REALISATIONS, axis=1), z_s=[0.5, 1.0],
        pixel_scale=2.0,
    )  # fmt: skip
    np.save(root / "mask.npy", MASK)
    return run_pipeline(root / "data", root / "run", JOB, training_mask=root / "mask.npy", quiet=True)


def test_bins_are_channels_of_the_teacher_and_of_the_statistics(run):
    told = read_json(run / "maps.json")
    assert (told["maps"], told["bins"]) == (COSMOLOGIES * REALISATIONS, [0.5, 1.0])
    model = Model.load(run / "model.json")
    names = model.statistics[0].get_feature_names_out().tolist()
    assert model.bins == BINS
    assert len(names) == 2 * 7
    assert model.groups() == ["bin 1"] * 7 + ["bin 2"] * 7
    assert (names[0], names[7]) == ("bin 1: ln shift", "bin 2: ln shift")
    row = Results.read(run).row("held_out", "awd")
    assert row.statistic.endswith("in each of 2 redshift bins")
    assert "2 redshift bins together, sources at z = 0.5, 1" in (run / "report.html").read_text()
    # Two maps and two masks; gradients are of maps alone where they are distilled.
    teacher = read_json(run / "teacher.json")
    assert teacher["settings"]["mask_channel"] is True
    with np.load(run / "attributions.npz") as held:
        assert held["bin"].tolist() == [0, 1, 0, 1]
        assert (held["gradients"][:, ~MASK] == 0).all()
    assert read_json(run / "quality.json")["curves"] is not None


def test_the_model_predicts_maps_of_all_bins(run, tmp_path):
    maps, _ = lognormal()
    model = Model.load(run / "model.json")
    seen = together(open_maps(run.parent / "data", mask=MASK))
    expected = model.predict(seen.read([0, 40])).estimate
    np.save(tmp_path / "stack.npy", maps.reshape(-1, BINS, SIDE, SIDE)[[0, 40]])
    np.save(tmp_path / "flat.npy", maps.reshape(-1, BINS, SIDE, SIDE)[[0, 40]][..., MASK])
    np.save(tmp_path / "one.npy", maps[0, 0])
    files = [tmp_path / name for name in ("stack.npy", "flat.npy", "one.npy")]
    found = predict_files(model, files, mask=run.parent / "mask.npy", pixel_scale=2.0)
    np.testing.assert_allclose([one.estimate for one in found], [*expected, *expected, expected[0]], rtol=1e-9)
    assert "its redshift bins are those of training in their order, sources at z = 0.5, 1" in found[0].warning
    np.save(tmp_path / "wrong.npy", maps[0, 0, 0])
    with pytest.raises(ValueError, match=r"shape \(24, 24\); \(2, ny, nx\), a map in 2 redshift bins, is asked for"):
        predict_files(model, [tmp_path / "wrong.npy"], pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"looks at 2 redshift bins of a map together: give an array \(2, ny, nx\)"):
        predict_map(model, maps[0, 0, 0], pixel_scale=2.0)
    with pytest.raises(ValueError, match=r"give \(n, 2, ny, nx\) or \(2, ny, nx\); got \(24, 24\)"):
        model.predict(maps[0, 0, 0])


def test_a_mask_channel_needs_a_mask(run, tmp_path):
    with pytest.raises(SettingError, match="mask_channel is given, but every pixel was observed: leave it out"):
        run_pipeline(run.parent / "data", tmp_path / "run", JOB, until="prepare", quiet=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("1", "--bins is 1; give the source redshifts of two or more bins, each once"),
        ("1,1,2", "--bins is 1,1,2; give the source redshifts of two or more bins, each once"),
        ("0.5,x", "--bins is '0.5,x'; give source redshifts with commas, such as 0.5,1,2"),
        ("0.5,1,2", "3 redshifts are given for bins (--bins, bins=), and maps.npz has (14, 3, 2, 24, 24), with 2 bins"),
    ],
)
def test_redshifts_of_bins_are_checked(run, tmp_path, given, told):
    done = invoke(app, ["prepare", run.parent / "data", "--bins", given, "--out", tmp_path / "other"])
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr
