"""Maps of particles as a model of the simulation: seeded, resumable, told in headers, refused where nothing fits."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from awd_cosmo.particles import ParticleModel
from awd_cosmo.run.job import Job
from awd_cosmo.simulate.design import design_table
from awd_cosmo.simulate.halos import HaloModel
from awd_cosmo.simulate.map_model import map_model
from awd_cosmo.simulate.setup import Setup
from awd_cosmo.simulate.simulation import PRESETS, simulate_suite, theory_table

COSMOLOGY = {"Omega_m": 0.3, "A_s": 2.1}
TINY = ParticleModel(box=200.0, particles=16, mesh=32, steps=4, maps_per_box=2)
SETUP = Setup(pixels=16, particles=TINY)
DESIGN = design_table({"Omega_m": [0.25, 0.35], "A_s": [2.0, 2.1]})


@pytest.fixture(scope="module")
def maps():
    model = map_model(COSMOLOGY, SETUP)
    return np.stack([model.draw(0, 0, i) for i in range(1, 7)])


def test_maps_do_not_depend_on_what_was_drawn_before(maps):
    model = map_model(COSMOLOGY, SETUP)
    for realisation in (6, 2, 1):
        np.testing.assert_array_equal(model.draw(0, 0, realisation), maps[realisation - 1])
    assert len({kappa.tobytes() for kappa in maps}) == 6
    assert not np.array_equal(model.draw(1, 0, 1), maps[0])
    assert not np.array_equal(model.draw(0, 1, 1), maps[0])


def test_phases_are_shared_where_they_are_to_be():
    shared = map_model(COSMOLOGY, Setup(pixels=16, particles=TINY, shared_phases=True))
    np.testing.assert_array_equal(shared.draw(0, 0, 1), shared.draw(0, 1, 1))


def test_maps_are_skewed_and_above_the_empty_beam(maps):
    model = map_model(COSMOLOGY, SETUP)
    assert maps.dtype == np.float32
    assert maps.min() > -model.shift
    # Particles 12 Mpc apart on a mesh of 6 Mpc: some of the power, and no more than there is.
    assert 0.1 < maps.var() / model.variance < 2
    assert ((maps - maps.mean()) ** 3).mean() > 0


def contents(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(Path(root).rglob("*.fits"))}


def test_workers_and_interruptions_change_nothing(tmp_path):
    common = {"seed": 1, "design": DESIGN, "setup": SETUP}
    simulate_suite(tmp_path / "one", **common, realisations=3)
    simulate_suite(tmp_path / "two", **common, realisations=3, workers=2)
    simulate_suite(tmp_path / "more", **common, realisations=1)
    table = simulate_suite(tmp_path / "more", **common, realisations=3)
    (tmp_path / "more" / table["file"][1]).unlink()
    simulate_suite(tmp_path / "more", **common, realisations=3)
    assert len(contents(tmp_path / "one")) == 6
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "more")
    cards = fits.getheader(tmp_path / "one" / table["file"][0])
    assert (cards["BOX"], cards["PARTICLE"], cards["MESH"], cards["REALIS"]) == (200.0, 16, 32, 1)
    assert "SHIFT" not in cards
    assert json.loads((tmp_path / "one" / "suite.json").read_text())["setup"]["particles"]["steps"] == 4
    theory = theory_table(tmp_path / "one")
    assert theory["maps"].tolist() == [3, 3]
    assert all(math.isnan(x) for name in ("skewness_theory", "power_deviation") for x in theory[name])
    assert (theory["variance_theory"] > 0).all()
    with pytest.raises(ValueError, match="another setup"):
        simulate_suite(tmp_path / "one", **{**common, "setup": Setup(pixels=16)}, realisations=3)


def test_the_preset_is_of_particles():
    assert PRESETS["particles"].setup.particles is not None
    assert PRESETS["particles"].cosmologies == 64
    assert PRESETS["particles"].realisations == PRESETS["particles"].setup.together


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"particles": True}, TypeError, "particles is a bool, True; give a ParticleModel"),
        ({"particles": TINY, "halos": HaloModel()}, ValueError, "particles come with halos"),
        ({"particles": TINY, "shift": "hilbert"}, ValueError, "particles come with a shift of 'hilbert'"),
    ],
)
def test_setups_that_cannot_be_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        Setup(**change)


def test_a_run_of_particles_has_no_shift():
    with pytest.raises(ValueError, match=r"shift.* is 0.03, and .*suite.* is particles"):
        Job(suite="particles", suite_shift="0.03")
