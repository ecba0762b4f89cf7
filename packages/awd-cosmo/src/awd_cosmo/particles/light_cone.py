"""The light cone through a box: lens planes at many distances, and maps of the convergence that look through them.

The way to the farthest source is cut into slabs of equal depth, as few as are not deeper than the box. For each, the
box as it is when light passes the middle of the slab is projected along each of its axes, from a random place on. A map
looks at each plane along an axis, in an orientation and from a place of its own, and adds the contrasts with the
weights that the slabs have (Born's approximation: light goes straight).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft
from scipy.ndimage import map_coordinates

from awd_core.typing import Array
from awd_cosmo.particles.box import ParticleModel, simulate_particles
from awd_cosmo.particles.mesh import Floats, projected


@dataclass(frozen=True, eq=False)
class LightCone:
    """Lens planes of one box.

    Parameters
    ----------
    contrast : ndarray of float32, shape (planes, 3, side, side)
        Projected density contrast of each slab along each axis of the box.
    edges : ndarray, shape (planes + 1,)
        Of the slabs, in Mpc.
    box : float
        Side of a plane in Mpc.
    """

    contrast: Floats
    edges: Array
    box: float

    @property
    def distance(self) -> Array:
        """Of the middle of each slab, in Mpc."""
        middle: Array = 0.5 * (self.edges[:-1] + self.edges[1:])
        return middle

    def weights(self, kernel: Callable[[Array], Array]) -> Array:
        """Convergence of a contrast of 1 in each slab, shape (planes,).

        Parameters
        ----------
        kernel : callable
            Weight of the density contrast in 1/Mpc at distances in Mpc: κ = ∫ W δ dχ.
        """
        nodes, shares = np.polynomial.legendre.leggauss(8)
        half = 0.5 * np.diff(self.edges)
        inside = self.distance[:, None] + half[:, None] * nodes
        result: Array = (kernel(inside.ravel()).reshape(inside.shape) * shares).sum(axis=1) * half
        return result

    def look(
        self,
        pixels: int,
        pixel: float,
        weights: Array,
        rng: np.random.Generator,
        transfer: Callable[[int, Array], Array] | None = None,
    ) -> Array:
        """One map.

        Parameters
        ----------
        pixels : int
            Along a side.
        pixel : float
            Side of a pixel in radians.
        weights : ndarray, shape (planes,)
            Convergence of a contrast of 1 in each slab.
        rng : numpy.random.Generator
            Axes, orientations and places come from it.
        transfer : callable, optional
            What the modes of a plane are multiplied with, of its number and of wavenumbers in 1/Mpc.

        Returns
        -------
        ndarray, shape (pixels, pixels)
            Convergence, averaged over pixels.
        """
        side = self.contrast.shape[-1]
        step = self.box / side
        kappa = np.zeros((pixels, pixels))
        wave = 2 * np.pi * np.hypot(fft.fftfreq(side, step)[:, None], fft.rfftfreq(side, step)[None, :])
        for number, (distance, weight) in enumerate(zip(self.distance, weights, strict=True)):
            plane = self.contrast[number, rng.integers(3)]
            if transfer is not None:
                plane = fft.irfft2(fft.rfft2(plane) * transfer(number, wave), s=plane.shape)
            plane = np.rot90(plane, int(rng.integers(4)))
            plane = plane.T if rng.integers(2) else plane
            corner = rng.random(2) * side
            # Points as close as those of the plane, so that the mean over a pixel misses none.
            fine = math.ceil(pixel * distance / step)
            points = (np.arange(pixels * fine) + 0.5) * (pixel * distance / step / fine)
            at = np.stack(np.meshgrid(points + corner[0], points + corner[1], indexing="ij"))
            seen = map_coordinates(plane, at, order=1, mode="grid-wrap", prefilter=False)
            kappa += weight * seen.reshape(pixels, fine, pixels, fine).mean(axis=(1, 3), dtype=np.float64)
        return kappa


def light_cone(
    cosmology: Any,
    linear: Callable[[Array], Array],
    model: ParticleModel,
    farthest: float,
    rng: np.random.Generator,
) -> LightCone:
    """Simulate a box and cut its lens planes.

    Parameters
    ----------
    cosmology, linear, model
        As in `simulate_particles`.
    farthest : float
        Distance of the farthest source, in Mpc.
    rng : numpy.random.Generator
        Initial noise and places of the slabs come from it.

    Returns
    -------
    LightCone
    """
    number = math.ceil(farthest / model.box * (1 - 1e-12))
    depth = farthest / number
    edges: Array = depth * np.arange(number + 1, dtype=np.float64)
    when = cosmology.scale_factor_of_chi(0.5 * (edges[:-1] + edges[1:]))
    side = 2 * model.mesh
    start = rng.random((number, 3)) * model.mesh
    contrast = np.empty((number, 3, side, side), dtype=np.float32)
    boxes = simulate_particles(cosmology, linear, model, when[::-1].tolist(), rng)
    for plane, place in zip(reversed(range(number)), boxes, strict=True):
        for axis in range(3):
            slab = (float(start[plane, axis]), depth / model.cell)
            contrast[plane, axis] = projected(place, model.mesh, axis, slab, side)
    return LightCone(contrast, edges, model.box)
