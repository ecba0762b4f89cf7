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
    distance : ndarray, shape (planes,)
        Of the middle of each slab, in Mpc.
    weight : ndarray, shape (planes,)
        Convergence of a contrast of 1.
    box : float
        Side of a plane in Mpc.
    """

    contrast: Floats
    distance: Array
    weight: Array
    box: float

    def look(self, pixels: int, pixel: float, rng: np.random.Generator) -> Array:
        """One map.

        Parameters
        ----------
        pixels : int
            Along a side.
        pixel : float
            Side of a pixel in radians.
        rng : numpy.random.Generator
            Axes, orientations and places come from it.

        Returns
        -------
        ndarray, shape (pixels, pixels)
            Convergence, averaged over pixels.
        """
        side = self.contrast.shape[-1]
        step = self.box / side
        kappa = np.zeros((pixels, pixels))
        for planes, distance, weight in zip(self.contrast, self.distance, self.weight, strict=True):
            plane = np.rot90(planes[rng.integers(3)], int(rng.integers(4)))
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
    kernel: Callable[[Array], Array],
    rng: np.random.Generator,
) -> LightCone:
    """Simulate a box and cut its lens planes.

    Parameters
    ----------
    cosmology, linear, model
        As in `simulate_particles`.
    farthest : float
        Distance of the farthest source, in Mpc.
    kernel : callable
        Weight of the density contrast in the convergence, in 1/Mpc, at distances in Mpc: κ = ∫ W δ dχ.
    rng : numpy.random.Generator
        Initial noise and places of the slabs come from it.

    Returns
    -------
    LightCone
    """
    number = math.ceil(farthest / model.box * (1 - 1e-12))
    depth = farthest / number
    edges = depth * np.arange(number + 1)
    nodes, shares = np.polynomial.legendre.leggauss(8)
    inside = edges[:-1, None] + 0.5 * depth * (nodes + 1)
    weight = (kernel(inside.ravel()).reshape(inside.shape) * shares).sum(axis=1) * 0.5 * depth
    distance = 0.5 * (edges[:-1] + edges[1:])
    when = cosmology.scale_factor_of_chi(distance)
    side = 2 * model.mesh
    start = rng.random((number, 3)) * model.mesh
    contrast = np.empty((number, 3, side, side), dtype=np.float32)
    boxes = simulate_particles(cosmology, linear, model, when[::-1].tolist(), rng)
    for plane, place in zip(reversed(range(number)), boxes, strict=True):
        for axis in range(3):
            slab = (float(start[plane, axis]), depth / model.cell)
            contrast[plane, axis] = projected(place, model.mesh, axis, slab, side)
    return LightCone(contrast, distance, weight, model.box)
