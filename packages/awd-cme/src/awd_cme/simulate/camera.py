"""A camera: offset, gain, read noise and shot noise.

A pixel that should detect λ photoelectrons reads

    counts = round(offset + gain · (P + R)),   P ~ Poisson(λ),   R ~ Normal(0, read_noise²),

cut to what the bits hold. So, away from the ends, the mean is offset + gain·λ and the variance
gain² · (λ + read_noise²) + 1/12, the last of rounding: the photon transfer curve (Janesick 2007, "Photon transfer",
chapter 5; Huang et al. 2013, Nature Methods 10, equation 1 of the supplement, for one pixel).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_kind, real_number, whole_number
from awd_core.typing import Array

_ROUNDING = 1 / 12
_MOST = 1e15  # above, numpy's Poisson numbers leave its integers


@dataclass(frozen=True)
class Camera:
    """What a camera makes of light.

    Parameters
    ----------
    offset : float
        Counts of a dark pixel.
    gain : float
        Counts per photoelectron.
    read_noise : float
        Standard deviation of the read noise in photoelectrons.
    bits : int
        Bits of a pixel, 1 to 16; brighter pixels are saturated.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> camera = Camera(offset=100.0, gain=2.0, read_noise=1.5)
    >>> image = camera.expose(np.full((4, 4), 50.0), np.random.default_rng(0))
    >>> image.dtype, float(camera.noise_sd(100.0).round(2))
    (dtype('uint16'), 14.46)
    """

    offset: float = 100.0
    gain: float = 2.0
    read_noise: float = 1.5
    bits: int = 16

    def __post_init__(self) -> None:
        real_number("offset", self.offset, "counts", least=0)
        real_number("read_noise", self.read_noise, "photoelectrons", least=0)
        real_number("gain", self.gain, "counts per photoelectron", above=0)
        whole_number("bits", self.bits, most=16)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """Type of the pixels: uint8 up to 8 bits, else uint16."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    def electrons(self, signal: npt.ArrayLike) -> Array:
        """Photoelectrons of a signal in counts above the offset."""
        return np.asarray(np.asarray(signal, dtype=np.float64) / self.gain)

    def variance(self, signal: npt.ArrayLike) -> Array:
        """Variance of a pixel in counts², given its mean signal in counts above the offset; rounding included."""
        return np.asarray(self.gain**2 * (self.electrons(signal) + self.read_noise**2) + _ROUNDING)

    def noise_sd(self, signal: npt.ArrayLike) -> Array:
        """Standard deviation of a pixel in counts, given its mean signal in counts above the offset."""
        return np.sqrt(self.variance(signal))

    def expose(self, electrons: npt.ArrayLike, rng: np.random.Generator) -> npt.NDArray[np.unsignedinteger]:
        """One image of the light given.

        Parameters
        ----------
        electrons : array_like, shape (y, x) or any other
            Expected photoelectrons λ of each pixel, not negative.
        rng : numpy.random.Generator
            Where the noise comes from.

        Returns
        -------
        ndarray, shape of `electrons`, `dtype`
            Counts.

        Raises
        ------
        ValueError
            If light is negative or not finite.
        """
        check_kind("rng", rng, np.random.Generator)
        light = np.asarray(electrons, dtype=np.float64)
        if light.size and not (light.min() >= 0 and light.max() < _MOST):
            raise ValueError(
                f"photoelectrons must be finite and not negative, got {light.min():g} to {light.max():g}; a spot of "
                "negative amplitude needs a background that is higher"
            )
        counts = rng.poisson(light) * self.gain
        counts += self.offset
        if self.read_noise:
            # Single precision is exact to 1e-7 of the read noise, and takes half of the time.
            counts += rng.standard_normal(light.shape, dtype=np.float32) * np.float32(self.gain * self.read_noise)
        pixels: npt.NDArray[np.unsignedinteger] = np.clip(np.rint(counts), 0, 2**self.bits - 1).astype(self.dtype)
        return pixels
