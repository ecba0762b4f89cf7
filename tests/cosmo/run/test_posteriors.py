"""A small run with two targets: rows of the field's statistics, posteriors, chains, and predictions from them."""

import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from awd_core.run import RunFolder
from awd_core.wavelets import Wavelet
from awd_core.workers import Serial
from awd_cosmo.app.main import app
from awd_cosmo.field_statistics import JointStatistic
from awd_cosmo.inference.model import Model
from awd_cosmo.maps.open import open_maps
from awd_cosmo.posterior import MapPosterior, read_chains
from awd_cosmo.posterior.results import Posteriors
from awd_cosmo.report.artefacts import chains_of
from awd_cosmo.report.posteriors import (
    contours_figure,
    coverage_figure,
    credible_heights,
    density_on_grid,
    posteriors_sentence,
    posteriors_table,
)
from awd_cosmo.run.forms import CLASSICAL_NAMES, FIELD_NAMES, classical_statistics
from awd_cosmo.run.job import FIELD_STATISTICS, PRESETS
from awd_cosmo.run.pipeline import Work, run_pipeline
from awd_cosmo.run.posteriors import write_posteriors
from awd_cosmo.simulate.simulation import PRESETS as SUITES
from awd_cosmo.simulate.simulation import simulate_suite
from commands import invoke

JOB = PRESETS["tiny"].changed(more_targets=("S8",), field_statistics=("pdf", "joint"), epochs=1)
CHOSEN = {"classical": {"power_spectrum": [0, "ridge"], "pdf": [0, "ridge"], "joint": [0, "ridge"]}}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """24 cosmologies of two maps of 32² each."""
    folder = tmp_path_factory.mktemp("suite") / "maps"
    design = replace(SUITES["tiny"], cosmologies=24).table(0)
    simulate_suite(folder, seed=0, preset="tiny", design=design, realisations=2)
    return folder


@pytest.fixture(scope="module")
def finished(suite, tmp_path_factory):
    """A run up to its teacher, and then its posteriors, with Haar's numbers: no wavelet is searched."""
    out = tmp_path_factory.mktemp("run") / "run"
    run_pipeline(suite, out, JOB, until="teach", quiet=True)
    settings = json.loads((out / "config.json").read_text())["settings"]
    with RunFolder.open(out, program="awd-cosmo run", settings=settings, options={}, quiet=True) as run:
        options = {"data": str(suite), "weights": None, "gradients": None, "observed": [], "training_mask": None}
        work = Work(run, JOB, options, None, False, Serial(), False)
        assert work.has_posterior
        student = SimpleNamespace(wavelet=Wavelet.of("haar"))
        write_posteriors(run, work.comparison, student, CHOSEN, work.taught, lambda *told: None)
    return out


def call(*arguments):
    return invoke(app, arguments)


def test_s8_of_simulated_maps_is_that_of_their_headers(finished, suite):
    rows = [line for line in (finished / "maps.ecsv").read_text().splitlines() if not line.startswith("#")]
    table = list(csv.DictReader(io.StringIO("\n".join(rows)), delimiter=" "))
    s8 = np.array([float(row["S8"]) for row in table])
    omega, sigma8 = (np.array([float(row[name]) for row in table]) for name in ("Omega_m", "sigma8"))
    np.testing.assert_allclose(s8, sigma8 * np.sqrt(omega / 0.3), rtol=1e-12)
    assert 0.3 < s8.min() < s8.max() < 1.5
    assert "sigma8" not in open_maps(suite).table.colnames


def test_posteriors_are_told_for_every_statistic(finished):
    found = Posteriors.load(finished / "posteriors.json")
    assert found.names == ("Omega_m", "M_nu", "A_s")
    assert found.shown == ("Omega_m", "S8")
    assert {row.key for row in found.rows} == {"awd", *CHOSEN["classical"], "teacher"}
    for row in found.rows:
        assert set(row.rmse) == set(row.ranks) == {"Omega_m", "S8"}
        assert row.figure_of_merit > 0
        assert row.widening > 0
        assert 0 <= row.tarp.deviation <= 1


def test_chains_of_shown_maps_hold_the_derived_parameter(finished):
    found = Posteriors.load(finished / "posteriors.json")
    for one in found.maps:
        chain = read_chains(finished / "chains" / f"awd-map{one.row}")
        assert chain.names == ("Omega_m", "M_nu", "A_s", "S8")
        assert chain.derived == ("S8",)
        assert (chain.values[:, 0] >= chain.low[0]).all()
        assert set(one.truth) == {"Omega_m", "S8"}


def test_the_saved_posterior_is_that_of_the_numbers(finished, suite):
    model = Model.load(finished / "posterior.json")
    posterior = MapPosterior.load(finished)
    maps = open_maps(suite)
    features = model.features(maps.read([0, 5]))
    one, other = posterior.sample(features, samples=128, seed=3)
    assert one.names == ("Omega_m", "M_nu", "A_s", "S8")
    np.testing.assert_array_equal(posterior.sample(features[:1], samples=128, seed=3)[0].values, one.values)
    assert not np.array_equal(one.values, other.values)


def test_the_report_draws_contours_and_their_table(finished):
    found = Posteriors.load(finished / "posteriors.json")
    chains = chains_of(finished / "chains", found)
    assert {key for key, _ in chains} == {"awd", "power_spectrum"}
    figure = contours_figure(found, chains, {row.key: row.name for row in found.rows})
    assert len(figure.axes) == len(found.maps)
    assert figure.axes[0].get_xlabel() == r"$\Omega_\mathrm{m}$"
    lines = coverage_figure(found).axes[0].lines
    assert [line.get_label() for line in lines[1:]] == [r.name for r in found.rows if r.key != "pdf"]
    table = posteriors_table(found, {})
    assert len(table.rows) == len(found.rows)
    assert table.rows[table.marked][0] == "AWD"
    assert "AWD's 68 % regions hold" in posteriors_sentence(found, {})


def test_contours_hold_the_shares_that_they_say():
    values = np.random.default_rng(0).multivariate_normal([0.3, 0.8], [[4e-4, -3e-4], [-3e-4, 9e-4]], 4000)
    x, y, density = density_on_grid(values, np.array([0.2, 0.6]), np.array([0.4, 1.0]))
    for level, height in zip((0.95, 0.68), credible_heights(density), strict=True):
        inside = density[np.searchsorted(y, values[:, 1]).clip(0, 63), np.searchsorted(x, values[:, 0]).clip(0, 63)]
        assert np.mean(inside > height) == pytest.approx(level, abs=0.04)


def test_predict_draws_chains_of_maps_and_of_all_together(finished, suite, tmp_path):
    maps = sorted(suite.glob("*/Maps10"))[3]
    done = call("predict", finished, maps, "--chains", tmp_path / "chains", "--combine", "--samples", 256)
    assert done.exit_code == 0, done.stderr
    assert "2 maps together" in done.stdout
    names = sorted(path.stem for path in (tmp_path / "chains").glob("*.txt"))
    assert names == ["WLconv_z1.00_0001r", "WLconv_z1.00_0002r", "combined"]
    assert read_chains(tmp_path / "chains" / "combined").names[-1] == "S8"
    one = next(maps.glob("*.fits"))
    for arguments, message in (
        ([finished, one, one, "--chains", tmp_path / "x", "--combine"], "show the same sky"),
        ([finished, one, "--chains", tmp_path / "x", "--combine"], "is the only map"),
        ([finished, one, "--combine"], "give --chains DIR"),
        ([finished, one, "--chains", tmp_path / "x", "--out", "a.csv"], "leave --out, --workers, --scheduler out"),
        ([finished, one, "--chains", tmp_path / "x", "--regrid"], "leave --regrid out, or regrid the maps first"),
        ([finished, one, "--chains", tmp_path / "x", "--samples", 3], "--samples"),
    ):
        done = call("predict", *arguments)
        assert done.exit_code == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_every_statistic_that_can_be_asked_for_has_a_form_and_a_name():
    assert set(FIELD_NAMES) == set(FIELD_STATISTICS)
    maps = np.random.default_rng(0).normal(0, 0.02, (6, 32, 32))
    for key in (*CLASSICAL_NAMES, *FIELD_NAMES):
        for form in classical_statistics(key, 1.0, 32)[-1:]:
            assert np.isfinite(form.fit_transform(maps)).all()
            assert isinstance(form, JointStatistic) == (key == "joint")
    assert PRESETS["tiny"].changed(field_statistics=("all",)).field_statistics == FIELD_STATISTICS
    with pytest.raises(ValueError, match="field_statistics names bispectrum; choose among minima, pdf"):
        PRESETS["tiny"].changed(field_statistics=("bispectrum",))
