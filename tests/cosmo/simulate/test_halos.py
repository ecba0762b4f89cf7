"""Halos: number, mean, power and third moment against integrals over the mass function and against draws."""

import numpy as np
import pyccl
import pytest
from scipy.integrate import trapezoid

from awd_cosmo.simulate.halos import HaloModel, halo_field
from awd_cosmo.simulate.lensing import empty_beam, lensing_kernel, matter_cosmology
from awd_cosmo.simulate.lognormal import Grid
from awd_cosmo.simulate.map_model import map_model
from awd_cosmo.simulate.setup import Setup

COSMOLOGY = {"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1}
GRID = Grid(128, 3.5, padding=1.0)
FINE = GRID.finer
MODEL = HaloModel(3e13)


@pytest.fixture(scope="module")
def field():
    return halo_field(COSMOLOGY, GRID, 1.0, MODEL)


def integral(ell):
    """Number of halos per steradian, their mean convergence and their power at some multipoles, on a fine grid."""
    cosmology = matter_cosmology(COSMOLOGY)
    function = pyccl.halos.MassFuncTinker08(mass_def="200m")
    nfw = pyccl.halos.HaloProfileNFW(
        mass_def="200m", concentration=pyccl.halos.ConcentrationDuffy08(mass_def="200m"), fourier_analytic=True
    )
    density = cosmology.rho_x(1.0, "matter", is_comoving=True)
    mass = np.geomspace(MODEL.minimum_mass, MODEL.maximum_mass, 200)
    redshift = np.linspace(1e-3, 1.0, 120)
    parts = []
    for z in redshift:
        a = 1 / (1 + z)
        chi = cosmology.comoving_radial_distance(a)
        kernel = lensing_kernel(cosmology, chi, a, 1.0)
        number = function(cosmology, mass, a) * chi**2 * 299792.458 / (70 * cosmology.h_over_h0(a))
        weight = kernel * mass / density / chi**2
        shape = nfw.fourier(cosmology, ell / chi, mass, a) / mass[:, None]
        terms = np.column_stack([number, number * weight, (number * weight**2)[:, None] * shape**2])
        parts.append(trapezoid(terms, np.log10(mass), axis=0))
    return trapezoid(np.stack(parts), redshift, axis=0)


def test_number_mean_and_power_are_integrals_over_the_mass_function(field):
    ell = np.array([100.0, 300.0, 1000.0])
    number, mean, *power = integral(ell)
    # What is left is the depth of the shells.
    assert field.expected.sum() == pytest.approx(number * np.radians(3.5) ** 2, rel=0.003)
    assert field.mean == pytest.approx(mean, rel=0.01)
    for wanted, at in zip(power, ell, strict=True):
        ring = np.abs(np.log(np.where(GRID.ell > 0, GRID.ell, 1) / at)) < 0.15
        # Less than a tenth of the Nyquist multipole: pixels and what is folded back do not matter.
        assert np.exp(np.log(field.power[ring]).mean()) == pytest.approx(wanted, rel=0.04)


def test_a_painted_halo_is_its_pixel_averaged_profile(field):
    heavy = int(np.argmax(field.mass * (field.redshift > 0.3)))
    painted = FINE.to_map(np.tensordot(field.weights[heavy], field.basis, 1))
    cosmology = matter_cosmology(COSMOLOGY)
    a = 1 / (1 + field.redshift[heavy])
    chi = cosmology.comoving_radial_distance(a)
    density = cosmology.rho_x(1.0, "matter", is_comoving=True)
    scale = lensing_kernel(cosmology, chi, a, 1.0) / density
    # All of the mass is on the map, to the 2e-3 of the basis, and none of it is negative but for the fold's rest.
    assert painted.sum() * FINE.pixel**2 == pytest.approx(scale * field.mass[heavy] / chi**2, rel=5e-4)
    assert painted.min() > -2e-3 * painted.max()
    # Off the centre the surface density hardly changes within a pixel: pyccl's own projection gives it.
    nfw = pyccl.halos.HaloProfileNFW(
        mass_def="200m", concentration=pyccl.halos.ConcentrationDuffy08(mass_def="200m"), truncated=True
    )
    pixels = np.array([6, 8, 10, 12])
    wanted = scale * nfw.projected(cosmology, pixels * FINE.pixel * chi, float(field.mass[heavy]), a)
    np.testing.assert_allclose(painted[0, pixels], wanted, rtol=0.06)


def test_drawn_halos_have_the_moments_that_are_foretold(field):
    draws = np.stack([field.draw(np.random.default_rng(i)) for i in range(250)])
    means, seconds, thirds, fourths = (draws**k for k in (1, 2, 3, 4))
    for found, wanted, most in (
        (means, 0.0, np.inf),
        (seconds, GRID.to_map(field.power)[0, 0] / GRID.pixel**2, 0.03),
        (thirds, field.cumulant(3), 0.2),
        # The power spectrum of shot noise is that of a Gaussian field too, and the rarest halos err most.
        (fourths, field.cumulant(4) + 3 * field.cumulant(2) ** 2, np.inf),
    ):
        of_maps = found.mean(axis=(1, 2))
        error = of_maps.std(ddof=1) / np.sqrt(len(of_maps))
        assert abs(of_maps.mean() - wanted) < 4 * error
        assert error < most * abs(wanted) or wanted == 0  # else the line above would say little


def test_the_second_cumulant_is_the_variance_of_the_power(field):
    assert field.cumulant(2) == pytest.approx(GRID.variance(field.power), rel=3e-3)  # but for the mode 0


def test_moments_are_those_of_halos_that_lie_anywhere():
    """At the centres of pixels alone all would have their peaks in one pixel each: half as much again in the fourth."""
    grid = Grid(32, 0.875, padding=1.0)
    field, finer = (
        halo_field(COSMOLOGY, one, 1.0, HaloModel(1e14, shells=6, mass_bins=4)) for one in (grid, grid.finer)
    )
    finest = grid.finer.finer
    # A pixel of the map is 4 × 4 of the finest grid, at each of 16 places.
    painted = np.stack([finest.to_map(profile) for profile in finer.basis])
    for axis in (1, 2):
        painted = sum(np.roll(painted, -i, axis) for i in range(4)) / 4
    for order in (2, 3, 4):
        wanted = sum(
            number * (np.tensordot(weight, painted, 1) ** order).sum()
            for number, weight in zip(finer.expected, finer.weights, strict=True)
        )
        assert field.cumulant(order) == pytest.approx(wanted / finest.size**2, rel=0.06)


def test_pixels_of_the_fine_grid_are_averaged_with_their_power():
    grid = Grid(16, 3.5, padding=1.5)
    fine = grid.finer
    assert (fine.size, fine.pixel) == (2 * grid.size, grid.pixel / 2)
    power = np.zeros(fine.ell.shape)
    for mode in ((3, 2), (20, 5)):  # one that the coarse grid has, and one that it folds back
        power[mode] = 1e-6
    y, x = np.indices((fine.size, fine.size)) * 2 * np.pi / fine.size
    phases = np.random.default_rng(0).random((200, 2)) * 2 * np.pi
    waves = np.stack([np.cos(3 * y + 2 * x + a) + np.cos(20 * y + 5 * x + b) for a, b in phases])
    found = np.mean([grid.means(wave).var() for wave in waves]) / waves[0].var()
    # rfft2 leaves out one of each pair of modes, of which to_map keeps the real part.
    assert found == pytest.approx(grid.variance(grid.coarsened(power)) / fine.variance(power), rel=0.05)


def test_the_same_seed_gives_the_same_halos(field):
    one, two = (field.draw(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, field.draw(np.random.default_rng(8)))


def test_nothing_is_counted_twice():
    model = map_model(COSMOLOGY, Setup(pixels=128, padding=1.0, halos=MODEL))
    assert model.halos is not None
    # Power: the sum of both parts is the spectrum. Matter: the sum is nowhere below the empty beam.
    assert model.power_deviation < 1e-4
    assert model.field.shift + model.halos.mean == pytest.approx(-empty_beam(COSMOLOGY), rel=1e-12)
    kappa = model.draw(seed=0, cosmology=0, realisation=1)
    assert kappa.min() > empty_beam(COSMOLOGY)
    assert model.skewness > 2 * map_model(COSMOLOGY, Setup(pixels=128, padding=1.0)).skewness


def test_fewer_halos_where_neutrinos_are_heavy():
    amplitude = {"Omega_m": 0.3, "A_s": 2.1}
    light, heavy = (halo_field({**amplitude, "M_nu": x}, GRID, 1.0, MODEL).expected.sum() for x in (0.0, 0.6))
    assert heavy < 0.65 * light


def test_halos_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="masses must rise"):
        HaloModel(1e15, 1e14)
    with pytest.raises(ValueError, match="masses must rise"):
        HaloModel(1.0)
    with pytest.raises(ValueError, match="give a whole number, 2 or more"):
        HaloModel(shells=1)
