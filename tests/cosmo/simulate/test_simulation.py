"""Maps against the spectrum and the moments that they are asked for; suites that resume and do not depend on order."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from awd_cosmo.formats.fits import read_map
from awd_cosmo.formats.layouts import list_maps, recognise
from awd_cosmo.simulate.design import design_table, sobol
from awd_cosmo.simulate.halos import HaloModel
from awd_cosmo.simulate.lensing import empty_beam, lensing_theory
from awd_cosmo.simulate.lognormal import Grid, lognormal_field
from awd_cosmo.simulate.map_model import map_model
from awd_cosmo.simulate.setup import Setup
from awd_cosmo.simulate.simulation import PRESETS, simulate_maps, simulate_suite, theory_table

FIDUCIAL = {"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1}
STRONG = {"M_nu": 0.0, "Omega_m": 0.42, "A_s": 2.6}  # far from Gaussian
WEAK = {"M_nu": 0.6, "Omega_m": 0.2, "A_s": 1.5}
COSMOLOGIES = {"fiducial": FIDUCIAL, "strong": STRONG, "weak": WEAK}
SMALL = Setup(pixels=16)
DESIGN = design_table({"M_nu": [0.0, 0.1, 0.3], "Omega_m": [0.25, 0.3, 0.35], "A_s": [2.0, 2.1, 1.9]})


def stack(model, n):
    return np.stack([model.draw(0, 0, i) for i in range(n)])


@cache
def drawn(name):
    """Periodic maps of a cosmology, enough of them to measure a per cent."""
    return stack(map_model(COSMOLOGIES[name], Setup(pixels=64, padding=1.0)), 3000)


def modes(setup):
    step = 2 * math.pi / math.radians(setup.side_degrees)
    n = setup.pixels
    return step * np.hypot(np.fft.fftfreq(n, 1 / n)[:, None], np.fft.rfftfreq(n, 1 / n)[None, :])


def periodograms(maps, setup):
    """Power of each map in steradians, written out from the definition."""
    pixel = math.radians(setup.side_degrees) / setup.pixels
    return np.abs(np.fft.rfft2(maps)) ** 2 * pixel**2 / setup.pixels**2


def in_rings(values, setup):
    """Means over rings one fundamental wide, from the fundamental to half of the Nyquist multipole."""
    ring = np.round(modes(setup) / modes(setup)[0, 1]).astype(int)
    return np.stack([values[..., ring == i].mean(axis=-1) for i in range(1, setup.pixels // 4 + 1)], axis=-1)


def check_power(maps, setup, wanted):
    """Within 5 % in every ring, by measurements that are exact to less than a third of that."""
    found = in_rings(periodograms(maps, setup), setup)
    ratio = found.mean(axis=0) / in_rings(wanted, setup)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(maps)) / in_rings(wanted, setup)
    assert error.max() < 0.016
    assert np.abs(ratio - 1).max() < 0.05
    # All rings together say much more: a lost window or a wrong norm of a per cent shows.
    assert abs((ratio - 1).mean()) < 4 * error.mean() / np.sqrt(len(error)) + 2e-3


@pytest.mark.parametrize("name", list(COSMOLOGIES))
def test_maps_have_the_power_that_pyccl_gives(name):
    setup = Setup(pixels=64, padding=1.0)
    theory = lensing_theory(COSMOLOGIES[name])
    step, n = modes(setup)[0, 1], 64
    x, y = step * np.fft.rfftfreq(n, 1 / n), step * np.fft.fftfreq(n, 1 / n)[:, None]
    side = math.radians(3.5) / 64
    window = (np.sinc(x * side / (2 * math.pi)) * np.sinc(y * side / (2 * math.pi))) ** 2
    check_power(drawn(name), setup, theory.spectrum(np.hypot(x, y)) * window)


def test_maps_with_halos_have_the_same_power():
    # Few shells: the sum is right by construction, whatever the halos are.
    setup = Setup(pixels=32, padding=1.0, halos=HaloModel(3e13, shells=5, mass_bins=6))
    model = map_model(FIDUCIAL, setup)
    assert model.halos is not None
    ring = modes(setup) < 0.5 * model.grid.nyquist
    # Else the line below would say little of halos.
    assert model.halos.power[ring].sum() > 0.25 * model.wanted[ring].sum()
    check_power(stack(model, 3000), setup, model.wanted)


def test_maps_cut_from_a_larger_grid_have_its_power_smeared():
    setup = Setup(pixels=32, padding=2.0)
    model = map_model(FIDUCIAL, setup)
    assert model.grid.size == 64
    check_power(stack(model, 3500), setup, model.periodogram())


@pytest.mark.parametrize("parameters", [FIDUCIAL, STRONG, WEAK, {"Omega_m": 0.18, "A_s": 1.29, "M_nu": 0.62}])
@pytest.mark.parametrize("halos", [None, HaloModel()])
def test_what_clipping_costs_is_known_and_small(parameters, halos):
    for setup in (Setup(pixels=128, halos=halos), Setup(pixels=64, padding=1.0, halos=halos)):
        # The promise is 5 %, and a test of drawn maps cannot be as sharp as this.
        assert map_model(parameters, setup).power_deviation < 0.01


@pytest.mark.parametrize("name", list(COSMOLOGIES))
def test_mean_variance_and_skewness_are_those_of_the_theory(name):
    model, maps, parameters = (
        map_model(COSMOLOGIES[name], Setup(pixels=64, padding=1.0)),
        drawn(name),
        COSMOLOGIES[name],
    )
    first, second, third = ((maps**k).mean(axis=(1, 2), dtype=np.float64) for k in (1, 2, 3))

    def error(of_maps):
        return of_maps.std(ddof=1) / np.sqrt(len(of_maps))

    assert abs(first.mean()) < 4 * error(first)
    assert error(first) < 1e-3 * math.sqrt(model.variance)
    assert abs(second.mean() - model.variance) < 4 * error(second)
    assert error(second) < 0.005 * model.variance
    # The lognormal's own formula: 3 v + v³ with v the standard deviation over the shift.
    v = math.sqrt(model.variance) / -empty_beam(parameters)
    assert model.skewness == pytest.approx(3 * v + v**3, rel=1e-9)
    assert abs(third.mean() - model.skewness * model.variance**1.5) < 4 * error(third)
    fourth = (maps**4).mean(axis=(1, 2), dtype=np.float64)
    assert abs(fourth.mean() - (model.kurtosis + 3) * model.variance**2) < 4 * error(fourth)
    assert error(third) < (0.08 if name == "weak" else 0.03) * third.mean()  # the weak one is nearly Gaussian
    assert maps.min() > empty_beam(parameters)


@pytest.mark.parametrize(("shift", "value"), [("hilbert", 0.02975), (0.05, 0.05), (np.float32(0.5), 0.5)])
def test_a_shift_of_ones_own_makes_other_maps_of_the_same_power_and_noise(shift, value):
    setup = Setup(pixels=32, shift=shift)
    model, usual = (
        map_model({"Omega_m": 0.3, "A_s": 2.1}, setup),
        map_model({"Omega_m": 0.3, "A_s": 2.1}, Setup(pixels=32)),
    )
    assert model.shift == pytest.approx(value)
    assert model.variance == pytest.approx(usual.variance, rel=0.01)
    v = math.sqrt(model.variance) / value
    assert model.skewness == pytest.approx(3 * v + v**3, rel=1e-9)
    one, other = (made.draw(1, 0, 1) for made in (model, usual))
    assert one.min() > -value
    ranks = [kappa.ravel().argsort().argsort() for kappa in (one, other)]
    assert np.corrcoef(*ranks)[0, 1] > 0.98  # the same Gaussian field but for the shape of its spectrum


def test_halos_stand_on_what_the_shift_leaves():
    model = map_model({"Omega_m": 0.3, "A_s": 2.1}, Setup(pixels=32, shift=0.1, halos=HaloModel()))
    assert model.shift == pytest.approx(0.1)
    assert model.field.shift < 0.1


@pytest.mark.parametrize("shift", ["empty", "a number", 0.0, "-1", math.nan, True])
def test_refuses_shifts_that_are_none(shift):
    with pytest.raises(
        (ValueError, TypeError), match=r"shift is .*(empty-beam, hilbert, a number|above 0|number itself)"
    ):
        Setup(shift=shift)


def test_a_suite_that_is_older_than_the_shift_goes_on(tmp_path):
    options = {"seed": 0, "setup": SMALL, "design": design_table({"Omega_m": [0.3], "A_s": [2.1]})}
    simulate_suite(tmp_path, realisations=1, **options)
    told = json.loads((tmp_path / "suite.json").read_text())
    assert told["setup"].pop("shift") == "empty-beam"
    (tmp_path / "suite.json").write_text(json.dumps(told))
    assert len(simulate_suite(tmp_path, realisations=2, **options)) == 2
    with pytest.raises(ValueError, match="another setup"):
        simulate_suite(tmp_path, realisations=2, **options | {"setup": replace(SMALL, shift="hilbert")})


def test_variance_is_the_sum_of_the_power_over_modes():
    setup = Setup(pixels=64, padding=1.0)
    model = map_model(FIDUCIAL, setup)
    full = np.fft.fftfreq(64, 1 / 64) * modes(setup)[0, 1]
    ell = np.hypot(full[:, None], full)
    side = math.radians(3.5) / 64
    window = np.sinc(full * side / (2 * math.pi)) ** 2
    wanted = (lensing_theory(FIDUCIAL).spectrum(ell) * window * window[:, None]).sum() / math.radians(3.5) ** 2
    assert model.variance == pytest.approx(wanted, rel=1e-3)  # what clipping the mode 0 costs


def test_padded_maps_are_not_periodic():
    def jump(padding):
        maps = simulate_maps(FIDUCIAL, 20, seed=0, setup=Setup(pixels=64, padding=padding))
        return np.abs(maps[:, 0] - maps[:, -1]).mean() / np.abs(maps[:, 1] - maps[:, 0]).mean()

    assert jump(1.0) == pytest.approx(1, abs=0.1)
    assert jump(2.0) > 1.5


def test_a_map_depends_on_its_numbers_alone():
    three = simulate_maps(FIDUCIAL, 3, seed=5, setup=SMALL)
    assert three.dtype == np.float32
    np.testing.assert_array_equal(simulate_maps(FIDUCIAL, 1, seed=5, setup=SMALL, first=3)[0], three[2])
    numbers = [(5, 0, 1), (5, 0, 2), (5, 1, 1), (6, 0, 1), (5, 1, 0), (0, 0, 0), (0, 0, 1)]
    model = map_model(FIDUCIAL, SMALL)
    maps = [model.draw(*number) for number in numbers]
    for i, one in enumerate(maps):
        assert not any(np.allclose(one, other) for other in maps[:i])


def test_phases_are_shared_on_demand_only():
    def alike(shared):
        setup = Setup(pixels=64, shared_phases=shared)
        a, b = (simulate_maps(p, 8, seed=0, setup=setup, cosmology=i) for i, p in enumerate((FIDUCIAL, STRONG)))
        return np.mean([np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)])

    assert alike(shared=True) > 0.95
    assert abs(alike(shared=False)) < 0.15


def test_a_suite_is_read_back_as_massivenus(tmp_path):
    table = simulate_suite(tmp_path / "suite", seed=3, design=DESIGN, realisations=2, setup=SMALL)
    listing = list_maps(recognise(tmp_path / "suite"))
    assert recognise(tmp_path / "suite").name == "massivenus"
    assert listing.problems == []
    assert len(listing.table) == len(table) == 6
    assert sorted({float(x) for x in listing.table["Omega_m"]}) == [0.25, 0.3, 0.35]
    assert sorted(set(listing.table["realisation"].tolist())) == [1, 2]
    for row in table:
        path = Path(table.meta["root"]) / row["file"]
        kappa, header = read_map(path)
        np.testing.assert_array_equal(
            kappa,
            map_model({k: v for k, v in header.parameters.items() if k != "sigma8"}, SMALL).draw(
                3, row["cosmology"], row["realisation"]
            ),
        )
        assert header.parameters["M_nu"] == row["M_nu"].to_value("eV")
        assert header.source_redshift == row["z_s"] == 1.0
        assert header.arcmin_per_pixel == pytest.approx(210 / 16)
        cards = fits.getheader(path)
        assert (cards["SEED"], cards["COSMO"], cards["REALIS"]) == (3, row["cosmology"], row["realisation"])
        assert cards["SHIFT"] == pytest.approx(-empty_beam({"Omega_m": row["Omega_m"]}), rel=1e-9)
        assert cards["PHASES"] == "independent"


def contents(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(Path(root).rglob("*.fits"))}


def test_an_interrupted_suite_goes_on_to_the_same_maps(tmp_path):
    whole = simulate_suite(tmp_path / "whole", seed=1, design=DESIGN, realisations=3, setup=SMALL)

    def interrupt(done, total):
        assert total == 9
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_suite(tmp_path / "part", seed=1, design=DESIGN, realisations=3, setup=SMALL, progress=interrupt)
    there = contents(tmp_path / "part")
    assert len(there) == 3
    lost = next(iter(there))
    (tmp_path / "part" / lost).unlink()
    (tmp_path / "part" / lost).with_name(f".{lost.stem}.0a1b2c3d.tmp.fits").write_bytes(b"half a map")
    kept = [tmp_path / "part" / name for name in list(there)[1:]]
    before = [path.stat().st_mtime_ns for path in kept]
    calls = []
    resumed = simulate_suite(
        tmp_path / "part", seed=1, design=DESIGN, realisations=3, setup=SMALL, progress=lambda *x: calls.append(x)
    )
    assert calls[-1] == (9, 9)
    assert [path.stat().st_mtime_ns for path in kept] == before
    maps = {name: content for name, content in contents(tmp_path / "part").items() if not name.name.startswith(".")}
    assert maps == contents(tmp_path / "whole")
    for name in set(whole.colnames) - {"file"}:
        assert np.array_equal(resumed[name], whole[name])
    again = simulate_suite(tmp_path / "part", seed=1, design=DESIGN, realisations=3, setup=SMALL)
    assert again["sigma8"].tolist() == whole["sigma8"].tolist()


def test_a_killed_suite_goes_on_too(tmp_path):
    script = (
        "import os, sys; from awd_cosmo.simulate.simulation import *; from awd_cosmo.simulate.setup import Setup\n"
        "simulate_suite(sys.argv[1], seed=2, preset='tiny', realisations=2, setup=Setup(pixels=16),\n"
        "               progress=lambda done, total: done >= 8 and os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "part")], check=False)
    assert killed.returncode == -9
    assert 8 <= len(contents(tmp_path / "part")) < 32
    for name in ("part", "whole"):
        simulate_suite(tmp_path / name, seed=2, preset="tiny", realisations=2, setup=SMALL)
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")


def test_workers_change_nothing(tmp_path):
    setup = Setup(pixels=16, halos=HaloModel(1e14))
    tables = [
        simulate_suite(tmp_path / str(workers), seed=1, design=DESIGN, realisations=2, setup=setup, workers=workers)
        for workers in (1, 2)
    ]
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert tables[0]["cosmology"].tolist() == tables[1]["cosmology"].tolist() == [0, 0, 1, 1, 2, 2]
    assert fits.getheader(tmp_path / "1" / tables[0]["file"][0])["HALOMIN"] == 1e14


def test_a_suite_can_be_given_more_maps_but_nothing_else(tmp_path):
    simulate_suite(tmp_path, seed=1, design=DESIGN, realisations=1, setup=SMALL)
    first = contents(tmp_path)
    assert len(simulate_suite(tmp_path, seed=1, design=DESIGN, realisations=2, setup=SMALL)) == 6
    more = contents(tmp_path)
    assert len(more) == 6
    assert {name: more[name] for name in first} == first
    assert json.loads((tmp_path / "suite.json").read_text())["realisations"] == 2
    for change, message in (
        ({"seed": 2}, "another seed"),
        ({"setup": Setup(pixels=32)}, "another setup"),
        ({"design": DESIGN[:2]}, "another cosmologies"),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_suite(tmp_path, **{"seed": 1, "design": DESIGN, "realisations": 1, "setup": SMALL, **change})


def test_a_design_in_sigma8_finds_its_amplitudes(tmp_path):
    design = sobol({"Omega_m": (0.25, 0.35), "sigma8": (0.7, 0.9)}, 2, seed=0)
    table = simulate_suite(tmp_path, seed=0, design=design, realisations=1, setup=SMALL)
    np.testing.assert_allclose(table["sigma8"], design["sigma8"], rtol=1e-9)
    assert [Path(f).parts[0] for f in table["file"]] == [
        f"convergence_gal_mnv0.00000_om{row['Omega_m']:.5f}_As{row['A_s']:.4f}" for row in table
    ]


def test_the_table_of_theory_reports_what_maps_have(tmp_path):
    simulate_suite(tmp_path, seed=4, design=DESIGN, realisations=40, setup=Setup(pixels=32))
    table = theory_table(tmp_path)
    assert table["maps"].tolist() == [40, 40, 40]
    assert np.abs(table["variance"] - table["variance_theory"]).max() < 4 * table["variance_error"].max()
    assert (table["variance_error"] < 0.05 * table["variance_theory"]).all()
    assert (np.abs(table["skewness"] - table["skewness_theory"]) < 4 * table["skewness_error"]).all()
    assert (np.abs(table["power_ratio"] - 1) < 4 * table["power_ratio_error"]).all()
    assert (table["power_ratio_error"] < 0.03).all()
    assert (table["power_deviation"] < 1e-3).all()
    assert theory_table(tmp_path, cosmologies=[1])["Omega_m"].tolist() == [0.3]


def test_theory_needs_maps(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no suite\.json|there is no suite"):
        theory_table(tmp_path)
    table = simulate_suite(tmp_path, seed=0, design=DESIGN[:1], realisations=1, setup=SMALL)
    assert np.isnan(theory_table(tmp_path)["variance_error"][0])
    (tmp_path / table["file"][0]).unlink()
    with pytest.raises(FileNotFoundError, match="no maps of cosmology 0"):
        theory_table(tmp_path)


def test_presets_are_whole():
    for preset in PRESETS.values():
        assert len(preset.table(seed=0)) == preset.cosmologies
    quick = PRESETS["quick"]
    assert quick.cosmologies * quick.realisations == 2048


def test_folders_of_something_else_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="is not empty and holds no suite"):
        simulate_suite(tmp_path, seed=0, design=DESIGN, setup=SMALL)


def test_suites_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"preset is .*; choose one of tiny, quick"):
        simulate_suite(tmp_path, seed=0, preset="huge")
    with pytest.raises(ValueError, match="realisations is 0; give a positive whole number"):
        simulate_suite(tmp_path, seed=0, realisations=0)
    with pytest.raises(ValueError, match="workers is 0; at least one process"):
        simulate_suite(tmp_path, seed=0, workers=0)
    with pytest.raises(ValueError, match="seed is -1; give a whole number, 0 or more"):
        simulate_suite(tmp_path, seed=-1)
    same = design_table({"Omega_m": [0.3, 0.3], "A_s": [2.1, 2.1], "h": [0.7, 0.68]})
    with pytest.raises(ValueError, match="the cosmologies 0 and 1 have the same name"):
        simulate_suite(tmp_path, seed=0, design=same, setup=SMALL)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": 4}, "pixels is 4; give a whole number, 8 or more"),
        ({"side_degrees": 90.0}, "side_degrees is .* above 0 and up to 20"),
        ({"padding": 0.5}, "padding is .* from 1 to 8"),
        ({"source_redshift": 0.0}, "source_redshift is .* above 0 and up to 3.5"),
        ({"transfer": "class"}, "transfer is .*; choose one of"),
        ({"nonlinear": "mead"}, "nonlinear is .*; choose one of"),
    ],
)
def test_setups_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Setup(**change)


def test_fields_that_cannot_be_are_refused():
    grid = Grid(16, 3.5, padding=1.0)
    flat = np.full(grid.ell.shape, 1e-10)
    with pytest.raises(ValueError, match="shape of the grid's modes"):
        lognormal_field(flat[1:], grid, 0.06)
    with pytest.raises(ValueError, match="finite and not negative"):
        lognormal_field(-flat, grid, 0.06)
    with pytest.raises(ValueError, match="shift must be positive"):
        lognormal_field(flat, grid, 0.0)
    narrow = np.zeros(grid.ell.shape)
    narrow[0, 1] = 1.0  # one mode: as much below the mean as above
    with pytest.raises(ValueError, match="Take a larger shift"):
        lognormal_field(narrow, grid, 0.06)
