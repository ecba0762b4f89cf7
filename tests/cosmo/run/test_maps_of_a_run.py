"""A run and its maps: others are refused at every try, damage is mended, masks are kept, networks are asked first."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from astropy.io import fits
from torch import nn

from awd_cosmo.maps.open import open_maps
from awd_cosmo.run.job import PRESETS
from awd_cosmo.run.pipeline import run_pipeline
from awd_cosmo.run.prepare import open_data
from awd_cosmo.run.teach import _check_answers

SIDE, COSMOLOGIES, REALISATIONS = 16, 10, 4
TINY = PRESETS["tiny"].changed(phases="independent")


def kappa(*seed):
    return np.random.default_rng(seed).normal(0, 0.02, (SIDE, SIDE)).astype(np.float32)


def put(root, change=0, mask=None):
    for model, omega_m in enumerate(np.linspace(0.2, 0.4, COSMOLOGIES)):
        folder = root / f"Om{omega_m:.4f}_si0.800"
        folder.mkdir(parents=True, exist_ok=True)
        for realisation in range(1, REALISATIONS + 1):
            pixels = kappa(model, realisation, change)
            if mask is not None:
                pixels[~mask] = np.nan
            place = folder / f"WLconv_z1.00_{realisation:04d}r.fits"
            fits.PrimaryHDU(pixels, fits.Header({"ANGLE": 1.0})).writeto(place, overwrite=True)
    return root


@pytest.fixture
def suite(tmp_path):
    return put(tmp_path / "suite")


def prepared(data, out, job=TINY, **options):
    return run_pipeline(data, out, job, until="prepare", quiet=True, **options)


def chunk(run):
    return next(place for place in sorted((run / "cache").rglob("maps/c/0/0/0")))


OTHERS = "are not those that this run was begun with"


def test_other_maps_are_refused_at_every_try_whatever_is_gone(suite, tmp_path):
    run = prepared(suite, tmp_path / "run")
    first = (run / "maps.json").read_bytes()
    put(suite, change=1)
    harm = [None, None, lambda: (run / "maps.json").unlink(), lambda: (run / "maps.json").write_bytes(b"{"),
            lambda: (run / "maps.json").write_text("[1]"), lambda: shutil.rmtree(run / "cache")]  # fmt: skip
    for hurt in harm:
        if hurt is not None:
            hurt()
        with pytest.raises(ValueError, match=OTHERS):
            prepared(suite, run)
    put(suite)
    prepared(suite, run)
    assert (run / "maps.json").read_bytes() == first


def test_where_nothing_tells_which_maps_there_were_results_are_nobodys(suite, tmp_path):
    run = prepared(suite, tmp_path / "run")
    (run / "teacher.json").write_text("{}")
    (run / "maps.json").unlink()
    (run / "maps.ecsv").unlink()
    with pytest.raises(ValueError, match=r"maps\.json is damaged or gone.*--overwrite"):
        prepared(suite, run)


@pytest.mark.parametrize("told", [True, False])
def test_a_damaged_cache_is_said_and_mended_and_blames_nobody(suite, tmp_path, told):
    run = prepared(suite, tmp_path / "run")
    first, whole = (run / "maps.json").read_bytes(), chunk(run).read_bytes()
    content = bytearray(whole)
    content[100:104] = np.float32(np.nan).tobytes()
    chunk(run).write_bytes(content)
    if not told:  # interrupted before it was
        (run / "maps.json").unlink()
        (run / "maps.ecsv").unlink()
    prepared(suite, run)
    assert chunk(run).read_bytes() == whole
    assert (run / "maps.json").read_bytes() == first
    assert (run / "log.txt").read_text().count("was damaged: 1 of 1 blocks are read again from the maps") == 1


def test_what_is_left_out_is_counted_and_listed(suite, tmp_path, capsys):
    bad = sorted(suite.glob("*/*.fits"))[:3]
    for place in bad:
        place.write_bytes(b"junk")
    run = run_pipeline(suite, tmp_path / "run", TINY.changed(on_error="skip"), until="prepare")
    said = " ".join(capsys.readouterr().err.split())
    log = (run / "log.txt").read_text()
    assert "Note: 3 maps were left out" in said
    assert "37 maps: layout names" in said
    for place in bad:
        assert f"{place.relative_to(suite)}: no FITS file" in log
    assert len(json.loads((run / "maps.json").read_text())["skipped"]) == 3


def test_masked_maps_are_prepared_by_either_way(suite, tmp_path):
    mask = np.ones((SIDE, SIDE), bool)
    mask[:5] = False
    fits.PrimaryHDU(mask.astype(np.float32)).writeto(tmp_path / "mask.fits")
    by_mask = prepared(suite, tmp_path / "a", training_mask=tmp_path / "mask.fits")
    with pytest.raises(ValueError, match=r"80 of 256 pixels are NaN.*--training-mask \(mask=\), or --invalid mask"):
        prepared(put(tmp_path / "holes", mask=mask), tmp_path / "b")
    by_pixels = prepared(tmp_path / "holes", tmp_path / "c", TINY.changed(invalid="mask"))
    told = [json.loads((run / "maps.json").read_text()) for run in (by_mask, by_pixels)]
    assert told[0]["sha256"] == told[1]["sha256"]
    assert told[0]["processing"] == ["31% of the pixels were not observed"]
    # Another mask is another run.
    fits.PrimaryHDU(mask[::-1].astype(np.float32)).writeto(tmp_path / "mask.fits", overwrite=True)
    with pytest.raises(ValueError, match=r"other settings: job\.mask_digest"):
        prepared(suite, tmp_path / "a", training_mask=tmp_path / "mask.fits")


def test_tiles_that_were_hardly_observed_are_left_out(tmp_path):
    rng, maps = np.random.default_rng(0), []
    for _ in range(COSMOLOGIES):
        maps += [rng.normal(0, 0.02, (32, 48)).astype(np.float32) for _ in range(REALISATIONS)]
    mask = np.ones((32, 48), bool)
    mask[:16, :16], mask[16:, 46:], mask[20:, 16:32] = False, False, False
    np.savez(tmp_path / "maps.npz", kappa=np.array(maps), mask=mask, pixel_scale=2.0,
             Omega_m=np.repeat(np.linspace(0.2, 0.4, COSMOLOGIES), REALISATIONS))  # fmt: skip
    run = prepared(tmp_path / "maps.npz", tmp_path / "run", TINY.changed(tile=16))
    told = json.loads((run / "maps.json").read_text())
    # Of six tiles two are seen to less than 80 %; one, to 87.5 %, is kept.
    assert told["maps"] == 4 * COSMOLOGIES * REALISATIONS
    assert told["processing"][-1] == "80 of 240 tiles, observed to less than 80%, are left out"
    with pytest.raises(ValueError, match=r"no tile was observed to 100%.*smaller tile, or a smaller least_observed"):
        prepared(tmp_path / "maps.npz", tmp_path / "none", TINY.changed(tile=32, least_observed=1.0))


def test_s8_and_columns_of_ones_own_are_targets(tmp_path):
    for k in range(4):
        fits.PrimaryHDU(kappa(k), fits.Header({"ANGLE": 1.0})).writeto(tmp_path / f"{k}.fits")
    rows = [f"{k}.fits,{0.2 + 0.05 * k},0.8,{k}" for k in range(4)]
    (tmp_path / "maps.csv").write_text("\n".join(["file,Omega_m,sigma8,mine", *rows]))
    maps = open_data(TINY.changed(target="S8", more_targets=("mine",)), tmp_path, _here())
    expected = 0.8 * np.sqrt((0.2 + 0.05 * np.arange(4)) / 0.3)
    np.testing.assert_allclose(maps.parameters(["S8", "mine"]), np.stack([expected, np.arange(4)], axis=1), rtol=1e-12)
    assert "S8 is σ8 √(Ω_m / 0.3)" in maps.account
    with pytest.raises(ValueError, match="the maps have no parameter 'theirs'; they have Omega_m, sigma8"):
        open_data(TINY.changed(target="theirs"), tmp_path, _here())


def _here():
    from awd_core.workers import Serial

    return Serial()


class Answers(nn.Module):
    """Takes maps of some channels, and answers as told."""

    def __init__(self, channels, answer):
        super().__init__()
        self.convolution, self.answer = nn.Conv2d(channels, 2, 3), answer

    def forward(self, maps):
        return self.answer(self.convolution(maps).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("network", "output", "match"),
    [
        (Answers(3, lambda x: x), 0, r"takes no maps of the shape \(2, 1, 16, 16\).*expand\(-1, 3, -1, -1\)"),
        (Answers(1, lambda x: x), 2, r"--output is 2, but the network .* has 2, numbered from 0 to 1"),
        (Answers(1, lambda x: x[..., None]), 0, r"answers \(2, 2, 1\) for two maps"),
        (Answers(1, lambda x: (x, x)), 0, "answers tuple for two maps"),
        (Answers(1, lambda x: x.sum()), 0, r"answers \(\) for two maps"),
        (Answers(1, lambda x: x * torch.nan), 0, "answers NaN or infinity"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_any_work(suite, network, output, match):
    job = TINY.changed(teacher="mine:Network", teacher_digest="x", teacher_output=output)
    maps = open_maps(suite)
    prepared = SimpleNamespace(maps=maps, inputs=lambda rows: maps.read(rows)[:, None])
    with pytest.raises(ValueError, match=match):
        _check_answers(network, job, prepared)
    _check_answers(Answers(1, lambda x: x[:, 0]), TINY.changed(teacher="mine:Network"), prepared)


def test_a_report_is_drawn_again_only_where_something_is_new(suite, tmp_path):
    from types import SimpleNamespace

    from awd_cosmo.run.pipeline import Work

    run, versions = tmp_path / "run", {"python": "3"}
    (run / "figures").mkdir(parents=True)
    for name in ("maps.json", "results.json", "report.html"):
        (run / name).write_text("{}")
    before = [{"finished": True, "versions": versions}, {"finished": False, "versions": versions}]

    class Folder(SimpleNamespace):
        def __truediv__(self, name):
            return run / name

    def drawn(redraw=False, sessions=before):
        return Work.drawn(SimpleNamespace(redraw=redraw, run=Folder(sessions=sessions)))

    os.utime(run / "report.html", ns=(2**60, 2**60))
    os.utime(run / "maps.json", ns=(2**59, 2**59))
    os.utime(run / "results.json", ns=(2**59, 2**59))
    assert drawn()
    assert not drawn(redraw=True)
    assert not drawn(sessions=[{**before[0], "versions": {"python": "2"}}, before[1]])
    assert not drawn(sessions=[{**before[0], "finished": False}, before[1]])
    # config.json is written anew where a repeated run is asked another question.
    for name in ("results.json", "config.json"):
        os.utime(run / "results.json", ns=(2**59, 2**59))
        (run / name).write_text("{}")
        os.utime(run / name, ns=(2**60 + 1, 2**60 + 1))
        assert not drawn()
