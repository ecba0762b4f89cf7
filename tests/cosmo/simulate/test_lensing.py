"""Spectra against direct integrals and CAMB, the empty beam against quadrature, and what is refused."""

import math

import numpy as np
import pytest
from astropy import units as u
from scipy.integrate import quad, trapezoid

from awd_cosmo.simulate.lensing import empty_beam, lensing_kernel, lensing_theory, matter_cosmology
from awd_cosmo.simulate.transfer import SCALE_FACTORS, WAVENUMBERS, mixed_transfer

FIDUCIAL = {"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1}
ELL = np.array([100.0, 1000.0, 10000.0])

# sigma8 and C_ell at ELL for sources at z = 1, with the linear spectrum of CAMB 2.0.5 in place of the formulas.
CAMB = [
    ({"M_nu": 0.0, "Omega_m": 0.3, "A_s": 2.1}, 0.8499, [8.2798e-09, 4.7468e-10, 1.1259e-11]),
    ({"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1}, 0.8275, [7.8953e-09, 4.4382e-10, 1.0730e-11]),
    ({"M_nu": 0.6, "Omega_m": 0.3, "A_s": 2.1}, 0.7060, [5.9469e-09, 2.8276e-10, 7.6090e-12]),
    ({"M_nu": 0.3, "Omega_m": 0.2, "A_s": 2.9}, 0.6153, [2.8414e-09, 9.3300e-11, 2.7655e-12]),
]


def distance(z, omega_m, w):
    """Comoving distance in units of c/H0, by quadrature."""
    return quad(
        lambda x: 1 / math.sqrt(omega_m * (1 + x) ** 3 + (1 - omega_m) * (1 + x) ** (3 + 3 * w)), 0, z, epsabs=1e-12
    )[0]


@pytest.mark.parametrize(
    ("omega_m", "w", "source"), [(0.3, -1.0, 1.0), (0.18, -1.0, 2.5), (0.42, -1.0, 0.5), (0.3, -0.8, 1.0)]
)
def test_the_empty_beam_is_the_direct_integral(omega_m, w, source):
    chi_s = distance(source, omega_m, w)

    def integrand(z):
        chi = distance(z, omega_m, w)
        expansion = math.sqrt(omega_m * (1 + z) ** 3 + (1 - omega_m) * (1 + z) ** (3 + 3 * w))
        return 1.5 * omega_m * chi * (chi_s - chi) / chi_s * (1 + z) / expansion

    wanted = -quad(integrand, 0, source, epsabs=1e-12)[0]
    # pyccl's distances are splines, good to 1e-5.
    assert empty_beam({"Omega_m": omega_m, "w": w}, source) == pytest.approx(wanted, rel=2e-5)


def test_the_spectrum_is_the_limber_integral():
    theory = lensing_theory(FIDUCIAL, 1.0)
    cosmology = matter_cosmology(FIDUCIAL)
    z = np.linspace(1e-4, 1.0, 4001)
    a = 1 / (1 + z)
    chi = cosmology.comoving_radial_distance(a)
    kernel = lensing_kernel(cosmology, chi, a, 1.0)
    for ell in ELL:
        power = np.array([cosmology.nonlin_matter_power((ell + 0.5) / x, b) for x, b in zip(chi, a, strict=True)])
        curved = (ell * (ell + 1) / (ell + 0.5) ** 2) ** 2  # pyccl keeps the curved sky's factor
        # The table in ell is read as power laws between 120 points.
        assert theory.spectrum(ell) == pytest.approx(curved * trapezoid((kernel / chi) ** 2 * power, chi), rel=2e-3)


@pytest.mark.parametrize(("parameters", "sigma8", "power"), CAMB)
def test_the_formulas_are_near_camb(parameters, sigma8, power):
    theory = lensing_theory(parameters, 1.0)
    assert theory.parameters["sigma8"] == pytest.approx(sigma8, rel=0.02)
    np.testing.assert_allclose(theory.spectrum(ELL), power, rtol=0.05)


def test_camb_itself_is_an_option():
    pytest.importorskip("camb", reason="CAMB is optional")
    parameters, sigma8, power = CAMB[1]
    theory = lensing_theory(parameters, 1.0, transfer="camb")
    assert theory.parameters["sigma8"] == pytest.approx(sigma8, rel=1e-3)
    np.testing.assert_allclose(theory.spectrum(ELL), power, rtol=2e-3)


def test_without_camb_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "camb", None)
    with pytest.raises(ModuleNotFoundError, match="pip install camb"):
        lensing_theory({**FIDUCIAL, "Omega_m": 0.2987}, transfer="camb")


def test_massive_neutrinos_damp_small_scales_only():
    k, growth = np.array([1e-5, 2.0]), np.array([0.78])
    for share in (0.01, 0.03):
        ratio = mixed_transfer(k, growth, 0.147, 0.15, share) / mixed_transfer(k, growth, 0.147, 0.15, 0.0)
        large, small = ratio[0] ** 2
        assert large == pytest.approx(1, abs=2e-3)
        # 8 f_ν is the rule of Hu, Eisenstein and Tegmark (1998); CAMB has 7.1 for f_ν = 0.007, the formulas less.
        assert 5.5 * share < 1 - small < 8.5 * share


def test_the_linear_spectrum_has_the_amplitude_of_the_primordial_one():
    cosmology = matter_cosmology({"Omega_m": 0.3, "A_s": 2.0}, nonlinear="linear")
    k = WAVENUMBERS[0]
    growth = quad(lambda a: (0.3 / a + 0.7 * a**2) ** -1.5, 0, 1)[0] * 2.5 * 0.3  # Heath (1977), D → a
    wanted = 2e-9 * (k / 0.05) ** -0.03 * 2 * math.pi**2 / k**3 * 0.16 * (k * 2997.92458 / 0.7) ** 4 / 0.09 * growth**2
    assert cosmology.linear_matter_power(k, 1.0) == pytest.approx(wanted, rel=1e-3)
    assert SCALE_FACTORS[-1] == 1


def test_sigma8_and_the_primordial_amplitude_are_two_ways_to_say_the_same():
    given = lensing_theory(FIDUCIAL)
    back = lensing_theory({"M_nu": 0.1, "Omega_m": 0.3, "sigma8": given.parameters["sigma8"]})
    assert back.parameters["A_s"] == pytest.approx(2.1, rel=1e-9)
    np.testing.assert_allclose(back.power, given.power, rtol=1e-9)
    # Where a table tells both, A_s counts.
    assert lensing_theory({**FIDUCIAL, "sigma8": 0.5}) is given


def test_a_linear_spectrum_is_proportional_to_its_amplitude():
    one, two = (lensing_theory({"Omega_m": 0.3, "A_s": x}, nonlinear="linear") for x in (1.5, 3.0))
    np.testing.assert_allclose(two.power, 2 * one.power, rtol=1e-6)


def test_units_defaults_and_the_table():
    theory = lensing_theory(FIDUCIAL)
    assert lensing_theory({**FIDUCIAL, "M_nu": 100 * u.meV, "h": 0.7, "n_s": 0.97, "w": -1.0}) is theory
    np.testing.assert_allclose(theory.spectrum(theory.ell), theory.power, rtol=1e-12)
    assert theory.spectrum(0.0) == 0
    assert np.all(np.diff(theory.spectrum(np.geomspace(1, 1e5, 50))) < 0)
    with pytest.raises(ValueError, match="read-only"):
        theory.power[0] = 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Omega_m": 0.3}, "one of A_s"),
        ({"A_s": 2.1}, "needs Omega_m"),
        ({"Omega_m": 0.3, "A_s": 2.1e-9}, "A_s = 2.1e-09 is outside"),
        ({"Omega_m": 3.0, "A_s": 2.1}, "Omega_m = 3 is outside"),
        ({"Omega_m": 0.3, "A_s": math.nan}, "A_s = nan"),
        ({"Omega_m": 0.3, "A_s": 2.1, "S8": 0.8}, "a parameter is 'S8'.*; choose one of"),
        ({"Omega_m": 0.05, "A_s": 2.1, "M_nu": 0.6}, "all matter, neutrinos included"),
    ],
)
def test_cosmologies_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        lensing_theory(parameters)


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"transfer is .*; choose one of"):
        lensing_theory(FIDUCIAL, transfer="class")
    with pytest.raises(ValueError, match=r"nonlinear is .*; choose one of"):
        lensing_theory(FIDUCIAL, nonlinear="emulator")
    for source in (0.0, 5.0):
        with pytest.raises(ValueError, match=r"source_redshift is .*; give a number above 0 and up to 3\.5"):
            lensing_theory(FIDUCIAL, source)
    with pytest.raises(ValueError, match=r"source_redshift is -1\.0; give a number above 0"):
        empty_beam(FIDUCIAL, -1.0)


def test_an_amplitude_that_follows_from_sigma8_may_be_small():
    theory = lensing_theory({"Omega_m": 0.6, "sigma8": 0.4})
    assert theory.parameters["A_s"] < 1
    assert theory.parameters["sigma8"] == pytest.approx(0.4)
    with pytest.raises(ValueError, match=r"A_s = 0.5 is outside its plausible range"):
        lensing_theory({"Omega_m": 0.3, "A_s": 0.5})
