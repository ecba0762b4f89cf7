"""Particles painted on a mesh and fields read at particles, by clouds in cells; lengths are in cells of the mesh."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse

from awd_core.typing import Array

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int32]

_TOGETHER = 1 << 16
"""Particles whose eight weights are held at a time."""


def wavenumbers(n: int) -> tuple[Floats, Floats, Floats]:
    """Along each axis those of a grid of step 1, as `rfftn` orders them."""
    full = (2 * np.pi * fft.fftfreq(n)).astype(np.float32)
    half = (2 * np.pi * fft.rfftfreq(n)).astype(np.float32)
    return full[:, None, None], full[None, :, None], half[None, None, :]


def wrapped(place: Floats, mesh: int) -> Floats:
    """Places in the periodic box. One just below 0 may be rounded to the far side itself."""
    result: Floats = np.mod(place, np.float32(mesh))
    return result


def force(place: Floats, mesh: int, strength: float) -> Floats:
    """Force on each particle, −∇φ with ∇²φ = strength · δ.

    Parameters
    ----------
    place : ndarray of float32, shape (3, particles)
        From 0 to `mesh`.
    mesh : int
        Cells along a side.
    strength : float
        Of gravity.

    Returns
    -------
    ndarray of float32, shape (3, particles)
    """
    modes, k = _inverse_laplacian(place, mesh, strength), wavenumbers(mesh)
    fields = [fft.irfftn(1j * one * modes, s=(mesh, mesh, mesh), overwrite_x=True).ravel() for one in k]
    result = np.empty_like(place)
    for part, index, weight in _clouds(place, mesh):
        rows = np.arange(0, index.size + 1, 8, dtype=np.int32)
        weights = sparse.csr_array((weight, index, rows), shape=(len(rows) - 1, mesh**3))
        for axis, field in enumerate(fields):
            result[axis, part] = weights @ field
    return result


def _inverse_laplacian(place: Floats, mesh: int, strength: float) -> npt.NDArray[np.complex64]:
    """Modes of −φ, with ∇²φ = strength · δ."""
    density = np.zeros(mesh**3, dtype=np.float32)
    for _, index, weight in _clouds(place, mesh):
        np.add.at(density, index, weight)
    modes: npt.NDArray[np.complex64] = fft.rfftn(density.reshape(mesh, mesh, mesh))
    k = wavenumbers(mesh)
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    square[0, 0, 0] = 1.0
    modes *= np.float32(strength * mesh**3 / place.shape[1]) / square
    modes[0, 0, 0] = 0.0
    return modes


def projected(place: Floats, mesh: int, axis: int, slab: tuple[float, float], pixels: int) -> Floats:
    """Density contrast of a slab of the box along one axis.

    Parameters
    ----------
    place : ndarray of float32, shape (3, particles)
        From 0 to `mesh`.
    mesh : int
        Side of the box.
    axis : int
        Which is projected out.
    slab : (start, depth)
        A slab that goes through the side of the box goes on at the other.
    pixels : int
        Along a side of the result.

    Returns
    -------
    ndarray of float32, shape (pixels, pixels)
        Relative to the mean of the box, not to that of the slab.
    """
    start, depth = slab
    inside = np.mod(place[axis] - np.float32(start), np.float32(mesh)) < depth
    flat = np.stack([place[other][inside] for other in range(3) if other != axis]) * np.float32(pixels / mesh)
    near, far, lower, upper = _cells(flat, pixels)
    count = np.zeros(pixels**2)
    for y, height in ((near[0], lower[0]), (far[0], upper[0])):
        for x, width in ((near[1], lower[1]), (far[1], upper[1])):
            count += np.bincount(y * pixels + x, weights=height * width, minlength=pixels**2)
    mean = place.shape[1] * depth / mesh / pixels**2
    contrast: Array = count / mean - 1
    return contrast.astype(np.float32).reshape(pixels, pixels)


def _clouds(place: Floats, mesh: int) -> Iterator[tuple[slice, Numbers, Floats]]:
    """Eight cells of each particle and their weights, one particle after the other, some particles at a time."""
    for start in range(0, place.shape[1], _TOGETHER):
        part = slice(start, start + _TOGETHER)
        near, far, lower, upper = _cells(place[:, part], mesh)
        index = np.empty((near.shape[1], 8), dtype=np.int32)
        weight = np.empty((near.shape[1], 8), dtype=np.float32)
        sides = [((near[axis], lower[axis]), (far[axis], upper[axis])) for axis in range(3)]
        corner = 0
        for i, u in sides[0]:
            for j, v in sides[1]:
                row, share = (i * mesh + j) * mesh, u * v
                for k, w in sides[2]:
                    index[:, corner], weight[:, corner] = row + k, share * w
                    corner += 1
        yield part, index.ravel(), weight.ravel()


def _cells(place: Floats, mesh: int) -> tuple[Numbers, Numbers, Floats, Floats]:
    """The cells on either side along each axis, and their weights."""
    floor = np.floor(place)
    upper = place - floor
    near = floor.astype(np.int32) % mesh
    return near, (near + 1) % mesh, 1 - upper, upper
