"""Distributions of sources and nuisances: against single planes, pyccl's own projection, and what headers tell."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from awd_cosmo.particles import ParticleModel
from awd_cosmo.simulate.design import design_table
from awd_cosmo.simulate.halos import HaloModel
from awd_cosmo.simulate.lensing import empty_beam, lensing_theory
from awd_cosmo.simulate.map_model import map_model
from awd_cosmo.simulate.nuisances import Nuisances
from awd_cosmo.simulate.setup import Setup
from awd_cosmo.simulate.simulation import simulate_suite, theory_table
from awd_cosmo.simulate.sources import Smail, Sources

COSMOLOGY = {"Omega_m": 0.3, "A_s": 2.1}
SMALL = Setup(pixels=16)
TINY = ParticleModel(box=200.0, particles=16, mesh=32, steps=4, maps_per_box=2)
ALL = Nuisances(redshift_shift=(-0.05, 0.05), shear_bias=(-0.02, 0.02), gas_mass=(13.0, 15.0))


def test_a_narrow_distribution_is_a_plane():
    ell = np.array([100.0, 1000.0, 5000.0])
    z = np.linspace(0.98, 1.02, 5)
    narrow = Sources((0.9, *z, 1.1), (0.0, *np.full(5, 0.2), 0.0))
    plane, spread = lensing_theory(COSMOLOGY, 1.0), lensing_theory(COSMOLOGY, narrow)
    np.testing.assert_allclose(spread.spectrum(ell), plane.spectrum(ell), rtol=0.01)
    assert spread.shift == pytest.approx(plane.shift, rel=0.01)
    assert spread.source_redshift == pytest.approx(1.0)


def test_the_spectrum_of_a_distribution_lies_among_those_of_its_planes():
    """With weights w and planes i: the square root of C_ℓ is a norm, so that it is at most the mean of the roots."""
    sources = Smail().sources(1.0)
    assert sources.mean == pytest.approx(1.0, abs=0.01)
    assert sum(sources.weights) == pytest.approx(1.0)
    some = [i for i in range(0, 50) if sources.weights[i] > 1e-3]
    roots = [np.sqrt(lensing_theory(COSMOLOGY, sources.redshifts[i]).spectrum(1000.0)) for i in some]
    mean = np.dot([sources.weights[i] for i in some], roots)
    found = np.sqrt(lensing_theory(COSMOLOGY, sources).spectrum(1000.0))
    assert 0.9 * mean < found < 1.005 * mean
    beams = [empty_beam(COSMOLOGY, z) for z in sources.redshifts]
    assert empty_beam(COSMOLOGY, sources) == pytest.approx(np.dot(sources.weights, beams))


def test_a_shift_moves_the_distribution():
    assert Smail().sources(0.8, 0.1).mean == pytest.approx(Smail().sources(0.8).mean + 0.1, abs=0.005)


def test_gas_takes_small_scales():
    with_gas, without = lensing_theory(COSMOLOGY, gas_mass=14.5), lensing_theory(COSMOLOGY)
    ratio = with_gas.spectrum([100.0, 3000.0]) / without.spectrum([100.0, 3000.0])
    assert ratio[0] == pytest.approx(1.0, abs=0.02)
    assert 0.7 < ratio[1] < 0.95


@pytest.mark.parametrize("setup", [SMALL, replace(SMALL, particles=TINY), replace(SMALL, smail=Smail())])
def test_a_map_with_nuisances_is_that_of_a_setup_with_their_values(setup):
    model = map_model(COSMOLOGY, replace(setup, nuisances=Nuisances(shear_bias=(0.01, 0.05))))
    plain = map_model(COSMOLOGY, setup)
    bias = model.values(3, 0, 1)["shear_bias"]
    assert 0.01 < bias < 0.05
    assert model.values(3, 0, 2)["shear_bias"] != bias
    np.testing.assert_allclose(model.draw(3, 0, 1), (1 + bias) * plain.draw(3, 0, 1), rtol=1e-6)
    # Farther sources see more; the noise is the same.
    moved = map_model(COSMOLOGY, replace(setup, nuisances=Nuisances(redshift_shift=(0.2, 0.25))))
    assert moved.draw(3, 0, 1).std() > 1.1 * plain.draw(3, 0, 1).std()


def test_gas_smooths_maps_of_particles():
    setup = replace(SMALL, side_degrees=0.5, particles=TINY)
    gas = map_model(COSMOLOGY, replace(setup, nuisances=Nuisances(gas_mass=(14.9, 15.0)))).draw(0, 0, 1)
    plain = map_model(COSMOLOGY, setup).draw(0, 0, 1)
    assert 0.5 < gas.std() / plain.std() < 0.999
    assert np.corrcoef(gas.ravel(), plain.ravel())[0, 1] > 0.95


def test_a_nuisance_more_changes_no_other():
    one = Nuisances(shear_bias=(-0.02, 0.02)).draw(np.random.default_rng(5))
    assert ALL.draw(np.random.default_rng(5))["shear_bias"] == one["shear_bias"]
    drawn = [ALL.draw(np.random.default_rng(i)) for i in range(200)]
    for name, (low, high) in (("gas_mass", (13, 15)), ("redshift_shift", (-0.05, 0.05))):
        values = [values[name] for values in drawn]
        assert low < min(values) < low + 0.1 * (high - low) < high - 0.1 * (high - low) < max(values) < high


def test_suites_tell_the_nuisances_of_each_map(tmp_path):
    setup = replace(SMALL, nuisances=ALL, smail=Smail(2.0, 1.5))
    design = design_table({"Omega_m": [0.25, 0.35], "A_s": [2.0, 2.1]})
    table = simulate_suite(tmp_path, seed=1, design=design, realisations=2, setup=setup)
    assert len({round(x, 9) for x in table["gas_mass"]}) == 4
    for row in table:
        cards = fits.getheader(tmp_path / row["file"])
        for card, name in (("DELTA_Z", "redshift_shift"), ("M_BIAS", "shear_bias"), ("LOG10MC", "gas_mass")):
            assert cards[card] == pytest.approx(row[name], rel=1e-9)
        assert (cards["SMAIL_A"], cards["SMAIL_B"]) == (2.0, 1.5)
    again = simulate_suite(tmp_path, seed=1, design=design, realisations=2, setup=setup)
    assert again["shear_bias"].tolist() == table["shear_bias"].tolist()
    assert json.loads((tmp_path / "suite.json").read_text())["setup"]["nuisances"]["gas_mass"] == [13.0, 15.0]
    assert (theory_table(tmp_path)["variance_theory"] > 0).all()
    with pytest.raises(ValueError, match="another setup"):
        simulate_suite(tmp_path, seed=1, design=design, realisations=2, setup=SMALL)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Nuisances(shear_bias=(0.1, 0.1)),
            ValueError,
            "shear_bias is .*give .low, high. that rise",
        ),
        (lambda: Nuisances(gas_mass=14.0), ValueError, "gas_mass is 14.0; give .low, high."),
        (lambda: Nuisances(gas_mass=(10, 14)), ValueError, "within 12.1 to 16"),
        (lambda: Nuisances(redshift_shift=(0, float("nan"))), ValueError, "redshift_shift"),
        (
            lambda: Nuisances.typed("bias=0:1"),
            ValueError,
            "a nuisance is 'bias'; choose one of redshift_shift",
        ),
        (lambda: Nuisances.typed("shear_bias=0"), ValueError, "the nuisance shear_bias is '0'; give NAME=LOW:HIGH"),
        (lambda: Smail(alpha=0.0), ValueError, "alpha is 0"),
        (lambda: Smail.typed("2"), ValueError, "smail is '2'; give two numbers"),
        (lambda: Setup(smail=(2, 1.5)), TypeError, "smail is a tuple.*give a Smail"),
        (lambda: Setup(nuisances={"a": 1}), TypeError, "nuisances is a dict.*give a Nuisances"),
        (lambda: Setup(halos=HaloModel(), nuisances=ALL), ValueError, "halos come with nuisances"),
        (
            lambda: Setup(source_redshift=0.2, nuisances=Nuisances(redshift_shift=(-0.25, 0.0))),
            ValueError,
            "moves sources at 0.2 beyond 0 to 3.5",
        ),
    ],
)
def test_nuisances_and_sources_that_cannot_be_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
