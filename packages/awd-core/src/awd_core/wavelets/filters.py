"""Filters that can be learnt: torch modules that give the taps of a wavelet, with gradients.

`OrthonormalFilter` is a wavelet at every step of any optimiser, because its parameters are the angles of a lattice of
rotations (`awd_core.wavelets.lattice`). `FreeFilter` has the taps themselves as parameters and needs penalties
(`awd_core.published.losses`) to stay near a wavelet; that is the published form. `FixedFilter` is a wavelet that stays.
"""

import math
from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import pywt
import torch
from torch import Tensor, nn

from awd_core.checks.device import check_device
from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.typing import Array
from awd_core.wavelets.certificate import orthonormality_error
from awd_core.wavelets.lattice import QUARTER_PI
from awd_core.wavelets.wavelet import TOLERANCE, Wavelet

WaveletLike: TypeAlias = Wavelet | str | pywt.Wavelet


def high_pass(low: Tensor) -> Tensor:
    """High-pass filter that belongs to a low-pass filter, by the mirror rule.

    g(n) = (−1)ⁿ⁺¹ h(L − 1 − n), which gives PyWavelets' `dec_hi` bit for bit. (The paper's rule is the negative of
    it; no norm and no transform there and back can tell them apart.)

    Parameters
    ----------
    low : Tensor, shape (L,)
        Low-pass taps h.

    Returns
    -------
    Tensor, shape (L,)
    """
    sign = low.new_ones(low.shape)
    sign[0::2] = -1.0
    return low.flip(0) * sign


def lattice_taps(angles: Tensor) -> Tensor:
    """Taps from lattice angles, differentiably: `awd_core.wavelets.lattice.taps_from_angles` in torch.

    Parameters
    ----------
    angles : Tensor, shape (K,)
        Rotation angles in radians.

    Returns
    -------
    Tensor, shape (2K,)
        Orthonormal taps, of the angles' dtype. The products are formed in float64 wherever the device has it.
    """
    theta = angles if angles.device.type == "mps" else angles.double()
    cosine, sine = theta.cos(), theta.sin()
    rotations = torch.stack([cosine, -sine, sine, cosine], dim=-1).view(-1, 2, 2)
    row = rotations[0, :, :1]
    for rotation in rotations[1:]:
        even, odd = nn.functional.pad(row, (0, 1)), nn.functional.pad(row, (1, 0))
        row = rotation @ torch.stack([even[0], odd[1]])
    return row.t().reshape(-1).to(angles.dtype)


class Filter(nn.Module, ABC):
    """A two-channel filter bank given by its low-pass taps; the high-pass is the mirror."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of taps L."""

    @abstractmethod
    def forward(self) -> Tensor:
        """Low-pass decomposition taps h, shape (L,), in PyWavelets' orientation."""

    @abstractmethod
    def wavelet(self) -> Wavelet:
        """The wavelet as it now stands, as a value of its own."""

    def bank(self, like: Tensor) -> Tensor:
        """Decomposition filters, shape (2, L): low-pass and high-pass, to be applied to `like`.

        Raises
        ------
        TypeError
            If the filter and the signal differ in dtype.
        ValueError
            If they lie on different devices.
        """
        low = self()
        if low.dtype != like.dtype:
            raise TypeError(
                f"the filter is {low.dtype} and the signal {like.dtype}; bring one to the other's dtype, "
                f"for instance with transform.to({like.dtype})"
            )
        if low.device != like.device:
            raise ValueError(
                f"the filter lies on {low.device} and the signal on {like.device}; bring one to the other's device, "
                f"for instance with transform.to({str(like.device)!r})"
            )
        return torch.stack([low, high_pass(low)])


class FixedFilter(Filter):
    """A wavelet that is not learnt. It has no parameters and follows the signal's dtype and device.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    """

    def __init__(self, wavelet: WaveletLike) -> None:
        super().__init__()
        self._wavelet = Wavelet.of(wavelet)
        # Plain lists: torch.compile and torch.export make constants of them.
        self._bank: list[list[float]] = [self._wavelet.dec_lo.tolist(), self._wavelet.dec_hi.tolist()]

    @property
    def length(self) -> int:
        """Number of taps L."""
        return len(self._bank[0])

    def forward(self) -> Tensor:
        """Low-pass decomposition taps h, shape (L,), float64, on the CPU."""
        return torch.tensor(self._bank[0], dtype=torch.float64)

    def wavelet(self) -> Wavelet:
        """The wavelet it was made from."""
        return self._wavelet

    def bank(self, like: Tensor) -> Tensor:
        """Decomposition filters, shape (2, L), of the dtype and on the device of `like`."""
        return torch.tensor(self._bank, dtype=like.dtype, device=like.device)

    def extra_repr(self) -> str:
        """Name of the wavelet."""
        return repr(self._wavelet)


class OrthonormalFilter(Filter):
    """A learnable filter that is orthonormal by construction: the parameters are lattice angles.

    A filter of L taps has L/2 angles that add up to π/4, so L/2 − 1 of them are free; these are the parameter
    `free_angles`, in radians, and the first angle is what is left to the sum. Whatever values an optimiser gives
    them, the taps are orthonormal under even shifts and Σh = √2, to rounding.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet to start from.
    vanishing_moments : int, optional
        Number p of vanishing moments of the wavelet that are held while it is learnt. One holds by construction.
        For more, the angles are moved to the nearest admissible ones by Gauss-Newton steps before they are used,
        differentiably; L/2 − p directions then remain. Between 1 and L/2.
    noise : float, optional
        Standard deviation, in radians, of Gaussian noise on the free angles at the start.
    seed : int, optional
        Seed of that noise; required with noise.
    dtype, device : optional
        Of the parameter; PyTorch's defaults if not given.

    Attributes
    ----------
    free_angles : Parameter, shape (L/2 − 1,)
        All angles but the first.

    Raises
    ------
    ValueError
        If the wavelet is not orthonormal, the number of moments is out of range, or noise comes without a seed.

    Examples
    --------
    >>> filter = OrthonormalFilter("db2", dtype=torch.float64)
    >>> [round(tap, 4) for tap in filter().tolist()]
    [-0.1294, 0.2241, 0.8365, 0.483]
    """

    def __init__(
        self,
        wavelet: WaveletLike,
        *,
        vanishing_moments: int = 1,
        noise: float = 0.0,
        seed: int | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        angles = np.array(Wavelet.of(wavelet).angles)
        if not is_whole_number(vanishing_moments) or not 1 <= vanishing_moments <= len(angles):
            raise ValueError(
                f"vanishing_moments is {vanishing_moments!r}; {2 * len(angles)} taps can hold 1 to {len(angles)}"
            )
        angles[1:] += _noise(len(angles) - 1, noise, seed)
        self.vanishing_moments = int(vanishing_moments)
        self.free_angles = nn.Parameter(_parameter(angles[1:], dtype, device))

    @property
    def length(self) -> int:
        """Number of taps L."""
        return 2 * (len(self.free_angles) + 1)

    @property
    def angles(self) -> Tensor:
        """All L/2 lattice angles in radians, shape (L/2,), with sum π/4; moments held if they are to be."""
        free = self.free_angles
        return _with_sum(free if self.vanishing_moments == 1 else self._admissible(free))

    def forward(self) -> Tensor:
        """Low-pass decomposition taps h, shape (L,)."""
        return lattice_taps(self.angles)

    def wavelet(self) -> Wavelet:
        """The wavelet as it now stands."""
        return Wavelet.from_angles(self.angles.detach().double().cpu().numpy())

    def extra_repr(self) -> str:
        """Number of taps and of moments held."""
        return f"{self.length} taps, vanishing_moments={self.vanishing_moments}"

    def _admissible(self, free: Tensor, steps: int = 50) -> Tensor:
        """Free angles moved to where the moments vanish, by steps of least length.

        Every step is differentiated. Near the solution each one squares the error, of the derivatives too, so two
        steps more than the angles themselves need make the derivatives exact to second order.
        """
        dtype = free.dtype
        theta = free if free.device.type == "mps" else free.double()
        weights = _moment_weights(self.length, self.vanishing_moments).to(theta)
        tolerance = 1e-13 if theta.dtype == torch.float64 else 1e-6

        def moments(angles: Tensor) -> Tensor:
            return weights @ lattice_taps(_with_sum(angles))

        ridge = 1e-14 * torch.eye(len(weights)).to(theta)
        spare = 2
        for _ in range(steps):
            value = moments(theta)
            if value.detach().abs().max() < tolerance:
                spare -= 1
                if spare < 0:
                    return theta.to(dtype)
            jacobian = torch.func.jacrev(moments)(theta)
            # Where no direction changes a moment, the tiny ridge makes the step vanish instead of the solver fail.
            square = jacobian @ jacobian.t() + ridge
            theta = theta - jacobian.t() @ torch.linalg.solve(square, value)
        raise RuntimeError(
            f"found no filter of {self.length} taps with {self.vanishing_moments} vanishing moments near the present "
            "angles; take smaller steps, start from a wavelet that has the moments, or hold fewer"
        )


class FreeFilter(Filter):
    """A learnable filter whose taps are the parameters, as published.

    Nothing holds it to a wavelet but the penalties of `awd_core.published.losses`; reconstruction is exact only as far
    as they succeed.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet to start from.
    noise : float, optional
        Standard deviation of Gaussian noise on the taps at the start.
    seed : int, optional
        Seed of that noise; required with noise.
    dtype, device : optional
        Of the parameter; PyTorch's defaults if not given.

    Attributes
    ----------
    taps : Parameter, shape (L,)
        Low-pass decomposition taps.
    """

    def __init__(
        self,
        wavelet: WaveletLike,
        *,
        noise: float = 0.0,
        seed: int | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        low = Wavelet.of(wavelet).dec_lo
        self.taps = nn.Parameter(_parameter(low + _noise(len(low), noise, seed), dtype, device))

    @property
    def length(self) -> int:
        """Number of taps L."""
        return len(self.taps)

    def forward(self) -> Tensor:
        """Low-pass decomposition taps h, shape (L,)."""
        return self.taps

    def wavelet(self) -> Wavelet:
        """The filter as it now stands, which need not be orthonormal: `certificate()` says how far it is."""
        taps = self.taps.detach().double().cpu().numpy()
        error = max(orthonormality_error(taps), abs(float(taps.sum()) - math.sqrt(2)))
        return Wavelet.from_taps(taps, tolerance=max(TOLERANCE, 2 * error))

    def extra_repr(self) -> str:
        """Number of taps."""
        return f"{self.length} taps"


def as_filter(wavelet: Filter | WaveletLike) -> Filter:
    """The filter itself, or a fixed one for a wavelet."""
    return wavelet if isinstance(wavelet, Filter) else FixedFilter(wavelet)


def _with_sum(free: Tensor) -> Tensor:
    return torch.cat([(QUARTER_PI - free.sum()).unsqueeze(0), free])


def _moment_weights(taps: int, moments: int) -> Tensor:
    """Rows of (−1)ⁿ (n − centre)ᵐ, m = 1 … p − 1, scaled to unit largest element: times h they vanish."""
    position = torch.linspace(-1.0, 1.0, taps, dtype=torch.float64)
    sign = 1.0 - 2.0 * (torch.arange(taps) % 2)
    return torch.stack([sign * position**m for m in range(1, moments)])


def _noise(size: int, scale: float, seed: int | None) -> Array:
    if real_number("noise", scale, "a standard deviation", least=0) == 0:
        return np.zeros(size)
    if seed is None:
        raise ValueError(f"noise is {scale} but no seed is given; give seed=<int> so that the start can be repeated")
    return scale * np.random.default_rng(whole_number("seed", seed, 0)).standard_normal(size)


def _parameter(values: Array, dtype: torch.dtype | None, device: torch.device | str | None) -> Tensor:
    dtype = dtype or torch.get_default_dtype()
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"dtype is {dtype}; a filter is float32 or float64")
    check_device(device)
    return torch.tensor(values, dtype=dtype, device=device)
