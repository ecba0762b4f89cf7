"""Linear power spectrum of matter with massive neutrinos.

`"eisenstein_hu"` needs no Boltzmann code: pyccl's formula of Eisenstein and Hu (1998, ApJ 496, 605) with baryon
wiggles, which knows no neutrinos, times the ratio of the transfer functions with and without them of Eisenstein and Hu
(1999, ApJ 511, 5), normalised by A_s. `"camb"` asks CAMB, an optional package, directly: pyccl 3.3's own call fails
for massive neutrinos with NumPy from 1.24 on.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from awd_core.typing import Array

PIVOT = 0.05
"""Wavenumber of A_s, in 1/Mpc."""

WAVENUMBERS = np.geomspace(5e-5, 200.0, 400)
"""Where the spectrum is tabulated, in 1/Mpc. C_ℓ differ by 2e-6 from those of 1200 wavenumbers and 65 redshifts."""

SCALE_FACTORS = np.linspace(0.2, 1.0, 17)
"""When it is tabulated: 0 ≤ z ≤ 4."""

SPEED_OF_LIGHT = 299792.458
"""In km/s."""

WAVENUMBERS.setflags(write=False)
SCALE_FACTORS.setflags(write=False)


def eisenstein_hu_power(massless: Any, values: Mapping[str, float], neutrinos: float) -> Array:
    """Linear power of all matter from fitting formulas.

        k³P/2π² = A_s (k/k₀)^(n_s − 1) · (4/25) (k c/H₀)⁴/Ω_m² · (T D)²,   D → a in the time of matter

    Parameters
    ----------
    massless : pyccl.Cosmology
        Of the same Ω_m, with the transfer function "eisenstein_hu", and without radiation: only then is pyccl's
        growth D → a, as the formula has it.
    values : mapping
        All parameters; A_s is 10⁹ A_s.
    neutrinos : float
        Ω_ν.

    Returns
    -------
    ndarray, shape (len(SCALE_FACTORS), len(WAVENUMBERS))
        P in Mpc³.
    """
    matter, k = values["Omega_m"], WAVENUMBERS
    shape = massless.linear_matter_power(k, 1.0) / k ** values["n_s"]
    transfer_squared = shape / shape[0]  # T is 1 to 1e-4 at the smallest k
    primordial = 1e-9 * values["A_s"] * (k / PIVOT) ** (values["n_s"] - 1) * 2 * np.pi**2 / k**3
    potential = 0.16 * (k * SPEED_OF_LIGHT / (100 * values["h"])) ** 4 / matter**2
    growth = massless.growth_factor_unnorm(SCALE_FACTORS)
    scale_dependent = growth[:, None] * np.ones_like(k)
    if neutrinos > 0:
        args = (k, growth, matter * values["h"] ** 2, values["Omega_b"] / matter)
        scale_dependent *= mixed_transfer(*args, neutrinos / matter) / mixed_transfer(*args, 0.0)
    result: Array = primordial * potential * transfer_squared * scale_dependent**2
    return result


def mixed_transfer(k: Array, growth: Array, density: float, baryons: float, neutrinos: float) -> Array:
    """Transfer function of all matter, growth relative to that without neutrinos included.

    Eisenstein and Hu (1999), equations 1 to 5, 11 to 15 and 17 to 24, with the numbers of their program and
    T_CMB = 2.7255 K, for three neutrinos of equal mass and no wiggles.

    Parameters
    ----------
    k : ndarray, shape (nk,)
        Wavenumbers in 1/Mpc.
    growth : ndarray, shape (na,)
        Growth factor of cold matter, D → a in the time of matter.
    density : float
        Ω_m h².
    baryons, neutrinos : float
        Their shares f_b and f_ν of all matter.

    Returns
    -------
    ndarray, shape (na, nk)
        1 where k → 0.

    Examples
    --------
    >>> k, now = np.array([1e-4, 1.0]), np.array([0.78])
    >>> ratio = mixed_transfer(k, now, 0.147, 0.15, 0.04) / mixed_transfer(k, now, 0.147, 0.15, 0.0)
    >>> (ratio**2).round(2)  # about 1 and 1 − 8 f_ν
    array([[1.  , 0.68]])
    """
    species, theta2 = 3.0, (2.7255 / 2.7) ** 2
    f_nu = max(neutrinos, 1e-9)  # the formulas divide by it
    f_c = 1 - baryons - f_nu
    f_cb, f_bnu = f_c + baryons, baryons + f_nu
    equality = 2.5e4 * density / theta2**2
    b1 = 0.313 * density**-0.419 * (1 + 0.607 * density**0.674)
    b2 = 0.238 * density**0.223
    drag = 1291 * density**0.251 / (1 + 0.659 * density**0.828) * (1 + b1 * (baryons * density) ** b2)
    y_drag = equality / (1 + drag)
    sound = 44.5 * math.log(9.83 / density) / math.sqrt(1 + 10 * (baryons * density) ** 0.75)  # Mpc
    p_c, p_cb = (0.25 * (5 - math.sqrt(1 + 24 * f)) for f in (f_c, f_cb))
    alpha = f_c / f_cb * (5 - 2 * (p_c + p_cb)) / (5 - 4 * p_cb) * (1 + y_drag) ** (p_cb - p_c)
    alpha *= 1 + f_bnu * (-0.553 + 0.126 * f_bnu**2)
    alpha /= 1 - 0.193 * math.sqrt(f_nu * species) + 0.169 * f_nu * species**0.2
    alpha *= 1 + 0.5 * (p_c - p_cb) * (1 + 1 / ((3 - 4 * p_c) * (7 - 4 * p_cb))) / (1 + y_drag)
    q = k * theta2 / density
    q_eff = q / (math.sqrt(alpha) + (1 - math.sqrt(alpha)) / (1 + (0.43 * k * sound) ** 4))
    log = np.log(2.71828 + 1.84 * math.sqrt(alpha) / (1 - 0.949 * f_bnu) * q_eff)
    cold = log / (log + (14.4 + 325 / (1 + 60.5 * q_eff**1.11)) * q_eff**2)
    q_nu = 3.92 * q * math.sqrt(species / f_nu)
    boost = 1 + 1.2 * f_nu**0.64 * species ** (0.3 + 0.6 * f_nu) / (q_nu**-1.6 + q_nu**0.8)
    early = equality * growth[:, None]  # their D₁, 1 at equality
    free = 17.2 * f_nu * (1 + 0.488 * f_nu ** (-7 / 6)) * (species * q / f_nu) ** 2
    late = (f_cb ** (0.7 / p_cb) + (early / (1 + free)) ** 0.7) ** (p_cb / 0.7) * early**-p_cb
    result: Array = cold * boost * late
    return result


def camb_power(values: Mapping[str, float], neutrinos: float) -> Array:
    """Linear power of all matter from CAMB; parameters and result as those of `eisenstein_hu_power`.

    Raises
    ------
    ModuleNotFoundError
        CAMB is not installed.
    """
    try:
        import camb  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "transfer='camb' needs the package camb, which is not installed: pip install camb, or take "
            "transfer='eisenstein_hu'"
        ) from error
    h2 = values["h"] ** 2
    settings = camb.CAMBparams()
    settings.set_cosmology(
        H0=100 * values["h"],
        ombh2=values["Omega_b"] * h2,
        omch2=(values["Omega_m"] - values["Omega_b"] - neutrinos) * h2,
        mnu=values["M_nu"],
        num_massive_neutrinos=3 if neutrinos > 0 else 0,
        neutrino_hierarchy="degenerate",
    )
    settings.set_dark_energy(w=values["w"], dark_energy_model="ppf")
    settings.InitPower.set_params(As=1e-9 * values["A_s"], ns=values["n_s"], pivot_scalar=PIVOT)
    settings.set_matter_power(redshifts=list(1 / SCALE_FACTORS - 1), kmax=50.0)
    settings.NonLinear = camb.model.NonLinear_none
    tabulated = camb.get_results(settings).get_matter_power_interpolator(
        nonlinear=False, hubble_units=False, k_hunit=False, extrap_kmax=1.01 * WAVENUMBERS[-1]
    )
    power: Array = np.stack([tabulated.P(1 / a - 1, WAVENUMBERS) for a in SCALE_FACTORS])
    return power
