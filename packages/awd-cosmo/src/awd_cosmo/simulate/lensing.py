"""Weak lensing of one source plane: the power spectrum of the convergence, and the convergence of an empty beam.

From M_ν, Ω_m and A_s (or σ8) of a flat cosmology, as in the simulations of MassiveNuS (Liu et al. 2018, JCAP 03, 049):
h = 0.7, n_s = 0.97, w = −1, Ω_b = 0.046, three neutrinos of equal mass. Background, growth, halofit (Takahashi et al.
2012, with massive neutrinos) and the projection (Limber) are pyccl's (Chisari et al. 2019, ApJS 242, 2); the linear
spectrum comes from `awd_cosmo.simulate.transfer`.
"""

import atexit
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, check_kind, real_number
from awd_core.typing import Array
from awd_cosmo.formats.parameters import MASSIVENUS_FIDUCIAL, RANGES, check_parameters
from awd_cosmo.simulate.sources import FARTHEST, Sources, one_plane
from awd_cosmo.simulate.transfer import SCALE_FACTORS, SPEED_OF_LIGHT, WAVENUMBERS, camb_power, eisenstein_hu_power

DEFAULTS: dict[str, float] = {"M_nu": 0.0, **MASSIVENUS_FIDUCIAL, "Omega_b": 0.046}
"""Values of parameters that are not given, those of MassiveNuS; M_ν in eV. Ω_m and A_s or σ8 have to be given."""

TRANSFERS = ("eisenstein_hu", "camb")
NONLINEAR = ("halofit", "linear")

_Key = tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class LensingTheory:
    """What the convergence of one cosmology follows.

    Parameters
    ----------
    parameters : mapping
        All of them, not to be changed: M_nu [eV], Omega_m, A_s (10⁹ A_s), sigma8, h, n_s, w, Omega_b.
    source_redshift : float
        Of the source plane, or the mean of a distribution.
    ell : ndarray, shape (n,)
        Multipoles, rising.
    power : ndarray, shape (n,)
        C_ℓ of the convergence, in steradians.
    shift : float
        Minus the convergence of a line of sight without matter; positive.
    """

    parameters: Mapping[str, float]
    source_redshift: float
    ell: Array
    power: Array
    shift: float

    def spectrum(self, ell: npt.ArrayLike) -> Array:
        """C_ℓ at any multipoles: a power law between and beyond those of the table, 0 at ℓ = 0.

        Parameters
        ----------
        ell : array_like
            Multipoles, not negative.

        Returns
        -------
        ndarray
            C_ℓ in steradians, of the shape of `ell`.
        """
        wanted = np.asarray(ell, dtype=np.float64)
        x, y = np.log(self.ell), np.log(self.power)
        at = np.log(np.where(wanted > 0, wanted, 1.0))
        left = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
        slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
        return np.where(wanted > 0, np.exp(y[left] + slope * (at - x[left])), 0.0)


def lensing_theory(
    parameters: Mapping[str, Any],
    source_redshift: float | Sources = 1.0,
    *,
    transfer: str = "eisenstein_hu",
    nonlinear: str = "halofit",
    gas_mass: float | None = None,
) -> LensingTheory:
    """Power spectrum and empty-beam convergence of a source plane; those of the last 1024 cosmologies are kept.

    Parameters
    ----------
    parameters : mapping
        `Omega_m` (all matter, neutrinos included), and `A_s` (10⁹ A_s) or `sigma8`; with both, A_s is taken and σ8 is
        computed from it. Others as in `DEFAULTS`. M_nu is in eV, or a quantity that converts to it.
    source_redshift : float or Sources
        Redshift of the source plane, 0 < z ≤ 3.5; or a distribution, as from `Smail`.
    transfer : {"eisenstein_hu", "camb"}
        Where the linear spectrum comes from; see `awd_cosmo.simulate.transfer`.
    nonlinear : {"halofit", "linear"}
        What makes the nonlinear spectrum of it.
    gas_mass : float, optional
        Suppression of small scales by baryons: see `awd_cosmo.simulate.nuisances.Nuisances`. None: matter without gas.

    Returns
    -------
    LensingTheory
        For multipoles from 10 to 60,000.

    Raises
    ------
    ValueError
        A parameter is missing, unknown, or out of range; an unknown transfer function or nonlinear model.
    ModuleNotFoundError
        CAMB is asked for and is not installed.

    Notes
    -----
    Against a linear spectrum from CAMB, over fourteen cosmologies that span the ranges of MassiveNuS (M_ν 0 to
    0.62 eV, Ω_m 0.18 to 0.42) at z = 1, the fitting formulas give C_ℓ within 7 % for 100 ≤ ℓ ≤ 10,000, most within
    4 %, and σ8 within 2 %. The truth of simulated maps is what they were made with, so this matters only for a
    comparison with other maps.
    Distances and growth leave radiation out and count neutrinos as cold, which changes C_ℓ by 3e-4. Halofit is itself
    good to 5 to 10 %, and no baryons are in it.

    Examples
    --------
    >>> theory = lensing_theory({"M_nu": 0.1, "Omega_m": 0.3, "A_s": 2.1})
    >>> print(f"{theory.shift:.4f} {theory.spectrum(1000.0):.2e} {theory.parameters['sigma8']:.3f}")
    0.0644 4.61e-10 0.840
    """
    key = _checked(parameters, amplitude=True)
    return _theory(key, as_sources(source_redshift), transfer, nonlinear, gas_mass)


def as_sources(source_redshift: float | Sources) -> Sources:
    """Sources at one redshift, or those that are given."""
    if isinstance(source_redshift, Sources):
        return source_redshift
    return one_plane(real_number("source_redshift", source_redshift, above=0, most=FARTHEST))


def empty_beam(parameters: Mapping[str, Any], source_redshift: float | Sources = 1.0) -> float:
    """Convergence of a line of sight without matter, where δ = −1 all along it.

        κ_min = −(3/2) Ω_m (H₀/c)² ∫₀^χs χ (χs − χ)/χs (1 + z) dχ

    It bounds the convergence from below, and Taruya et al. (2002, ApJ 571, 638) take it as the shift of a lognormal
    convergence. (Shifts that are fitted to N-body maps on scales of an arcminute are smaller, the maps more skewed.)

    Parameters
    ----------
    parameters : mapping
        As in `lensing_theory`; an amplitude is not needed.
    source_redshift : float or Sources
        Redshift of the source plane, or a distribution.

    Returns
    -------
    float
        κ_min < 0.

    Examples
    --------
    >>> round(empty_beam({"Omega_m": 0.3}), 4)
    -0.0644
    """
    if isinstance(source_redshift, Sources):
        planes = zip(source_redshift.redshifts, source_redshift.weights, strict=True)
        return math.fsum(weight * empty_beam(parameters, z) for z, weight in planes if weight > 0)
    real_number("source_redshift", source_redshift, above=0)
    cosmology = _background(_checked(parameters, amplitude=False))
    # In z the integrand is smooth: 40 nodes of Gauss and Legendre leave nothing but the error of pyccl's distances.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    z = 0.5 * source_redshift * (nodes + 1)
    a = 1 / (1 + z)
    hubble = 100 * cosmology["h"] / SPEED_OF_LIGHT * cosmology.h_over_h0(a)  # 1/Mpc
    kernel = lensing_kernel(cosmology, cosmology.comoving_radial_distance(a), a, source_redshift)
    return -float(np.sum(0.5 * source_redshift * weights * kernel / hubble))


def lensing_kernel(cosmology: Any, distance: Array, scale_factor: Array, source_redshift: float | Sources) -> Array:
    """Weight of the density contrast in the convergence, κ = ∫ W δ dχ.

    Parameters
    ----------
    cosmology : pyccl.Cosmology
        As from `matter_cosmology`.
    distance, scale_factor : ndarray
        Comoving distance in Mpc, and the scale factor there.
    source_redshift : float or Sources
        Redshift of the source plane, or a distribution.

    Returns
    -------
    ndarray
        W = (3/2) Ω_m (H₀/c)² χ ⟨(χs − χ)/χs⟩ / a, in 1/Mpc; nothing from sources that are nearer.
    """
    sources = source_redshift if isinstance(source_redshift, Sources) else one_plane(source_redshift)
    source = cosmology.comoving_radial_distance(1 / (1 + np.array(sources.redshifts)))
    behind = np.maximum(source - np.asarray(distance)[..., None], 0.0) / source @ np.array(sources.weights)
    hubble = 100 * cosmology["h"] / SPEED_OF_LIGHT
    weight: Array = 1.5 * cosmology["Omega_m"] * hubble**2 * distance * behind / scale_factor
    return weight


def baryon_suppression(gas_mass: float) -> Any:
    """Suppression of small scales by baryons (Schneider and Teyssier 2015), by log₁₀ M_c, as pyccl has it."""
    import pyccl

    return pyccl.BaryonsSchneider15(log10Mc=gas_mass)


def matter_cosmology(
    parameters: Mapping[str, Any], *, transfer: str = "eisenstein_hu", nonlinear: str = "halofit"
) -> Any:
    """Cosmology with the linear and nonlinear power of matter, to compute whatever pyccl offers; 8 are kept.

    Parameters
    ----------
    parameters, transfer, nonlinear
        As in `lensing_theory`.

    Returns
    -------
    pyccl.CosmologyCalculator
        Distances, growth, halo mass functions, and power for 0 ≤ z ≤ 4.
    """
    return _matter(_checked(parameters, amplitude=True), transfer, nonlinear)[0]


@lru_cache(maxsize=1024)
def _theory(key: _Key, sources: Sources, transfer: str, nonlinear: str, gas_mass: float | None) -> LensingTheory:
    import pyccl

    cosmology, parameters = _matter(key, transfer, nonlinear)
    if len(sources.redshifts) == 1:
        tracer = pyccl.CMBLensingTracer(cosmology, z_source=sources.mean, n_samples=200)  # of any plane, in fact
    else:
        # As pyccl makes that of one plane, of our own kernel: its splines of n(z) are wrong where planes are few.
        distance = np.linspace(0.0, cosmology.comoving_radial_distance(1 / (1 + sources.farthest)), 400)
        kernel = lensing_kernel(cosmology, distance, cosmology.scale_factor_of_chi(distance), sources)
        tracer = pyccl.Tracer()
        tracer.add_tracer(cosmology, kernel=(distance, kernel), der_bessel=-1, der_angles=1)
    matter = "delta_matter:delta_matter"
    if gas_mass is not None:
        matter = baryon_suppression(gas_mass).include_baryonic_effects(cosmology, cosmology.get_nonlin_power())
    ell = np.geomspace(10.0, 6e4, 120)
    power = pyccl.angular_cl(cosmology, tracer, tracer, ell, p_of_k_a=matter, limber_integration_method="spline")
    for array in (ell, power):
        array.setflags(write=False)  # all who ask for this cosmology share them
    only = sources if len(sources.redshifts) > 1 else sources.mean
    shift = -empty_beam(parameters, only)
    return LensingTheory(MappingProxyType(parameters), sources.mean, ell, power, shift)


@lru_cache(maxsize=8)
def _matter(key: _Key, transfer: str, nonlinear: str) -> tuple[Any, dict[str, float]]:
    check_choice("transfer", transfer, TRANSFERS, required=True)
    check_choice("nonlinear", nonlinear, NONLINEAR, required=True)
    values = dict(key)
    wanted = values.pop("sigma8", None)
    values.setdefault("A_s", 2.1)
    massless = _background(tuple((name, x) for name, x in key if name not in ("A_s", "sigma8")))
    neutrinos = _neutrino_density(values)
    linear = camb_power(values, neutrinos) if transfer == "camb" else eisenstein_hu_power(massless, values, neutrinos)
    values["sigma8"] = float(_calculator(values, massless, linear, "linear").sigma8())
    if wanted is not None:
        factor = (wanted / values["sigma8"]) ** 2
        values |= {"A_s": values["A_s"] * factor, "sigma8": wanted}
        linear = linear * factor
    return _calculator(values, massless, linear, nonlinear), values


@lru_cache(maxsize=8)
def _background(key: _Key) -> Any:
    """Flat universe of cold matter and dark energy, without radiation, with the spectrum of Eisenstein and Hu 1998."""
    import pyccl

    values = dict(key)
    return pyccl.Cosmology(
        Omega_c=values["Omega_m"] - values["Omega_b"],
        Omega_b=values["Omega_b"],
        h=values["h"],
        n_s=values["n_s"],
        w0=values["w"],
        sigma8=0.8,  # any: only the shape is used
        Omega_g=0.0,
        Neff=0.0,
        transfer_function="eisenstein_hu",
        matter_power_spectrum="linear",
    )


# pyccl's objects complain if they are still there when the interpreter takes its modules down.
atexit.register(_matter.cache_clear)
atexit.register(_background.cache_clear)


def _neutrino_density(values: Mapping[str, float]) -> float:
    import pyccl

    if values["M_nu"] == 0:
        return 0.0
    fixed = {"Omega_c": 0.2, "Omega_b": 0.05, "n_s": 1.0, "sigma8": 0.8, "mass_split": "equal"}
    return float(pyccl.CosmologyCalculator(h=values["h"], m_nu=values["M_nu"], **fixed)["Omega_nu_mass"])


def _calculator(values: Mapping[str, float], massless: Any, linear: Array, nonlinear: str) -> Any:
    """The calculator of pyccl with a given linear spectrum, and distances and growth of the massless cosmology."""
    import pyccl

    # Back to where pyccl's own tables of σ(M) begin, which no lensing needs.
    a = np.concatenate([np.geomspace(1e-4, 0.02, 100, endpoint=False), np.linspace(0.02, 1.0, 500)])
    power = {"a": SCALE_FACTORS, "k": WAVENUMBERS, "delta_matter:delta_matter": linear}
    return pyccl.CosmologyCalculator(
        Omega_c=values["Omega_m"] - values["Omega_b"] - _neutrino_density(values),
        Omega_b=values["Omega_b"],
        h=values["h"],
        n_s=values["n_s"],
        w0=values["w"],
        sigma8=values.get("sigma8", 0.8),
        m_nu=values["M_nu"],
        mass_split="equal",
        # Computed once for all of a cosmology's calculators: pyccl needs 0.1 s for distances with neutrinos.
        background={"a": a, "chi": massless.comoving_radial_distance(a), "h_over_h0": massless.h_over_h0(a)},
        growth={"a": a, "growth_factor": massless.growth_factor(a), "growth_rate": massless.growth_rate(a)},
        pk_linear=power,
        pk_nonlin=power if nonlinear == "linear" else None,
        nonlinear_model=None if nonlinear == "linear" else nonlinear,
    )


def _checked(parameters: Mapping[str, Any], *, amplitude: bool) -> _Key:
    """Parameters with their defaults as plain numbers in one order, with A_s or σ8, or with neither."""
    values = dict(DEFAULTS)
    for name, value in check_kind("parameters", parameters, Mapping).items():
        # S8 follows from the others, and would have no effect.
        check_choice("a parameter", name, [*(known for known in RANGES if known != "S8"), "Omega_b"], required=True)
        values[name] = float(value.to_value("eV") if name == "M_nu" and hasattr(value, "to_value") else value)
    # With σ8 beside it, A_s follows, and is small where Ω_m is large; σ8 itself is held against its range.
    known = {"Omega_b", "A_s"} if "sigma8" in values else {"Omega_b"}
    check_parameters({name: x for name, x in values.items() if name not in known}, "the cosmology")
    if "Omega_m" not in values or (amplitude and "A_s" not in values and "sigma8" not in values):
        given = ", ".join(parameters) or "none"
        raise ValueError(f"a cosmology needs Omega_m and one of A_s (10⁹ A_s) and sigma8; given: {given}")
    if "A_s" in values or not amplitude:
        values.pop("sigma8", None)
    if not amplitude:
        values.pop("A_s", None)
    least = values["Omega_b"] + values["M_nu"] / 93.1 / values["h"] ** 2
    if not (math.isfinite(least) and values["Omega_b"] > 0 and values["Omega_m"] > least):
        raise ValueError(
            f"Omega_m = {values['Omega_m']:g} must exceed Omega_b = {values['Omega_b']:g} and the neutrinos, together "
            f"{least:.3g}: it is all matter, neutrinos included"
        )
    return tuple(sorted(values.items()))
