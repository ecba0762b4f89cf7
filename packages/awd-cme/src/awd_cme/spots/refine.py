"""Sub-pixel positions and widths of spots: Gauss-Newton, many spots at a time.

The model is that of `awd_cme.spots.fit`, with its place free, and its width too where that is asked for. Amplitude and
background are part of the linear system of every step, so a step is a least-squares fit of the model's tangent plane.
It is taken in full, but none is longer than half a σ; most spots converge in four or five.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_cme.spots.windows import batches, cut_windows, half_width
from awd_core.typing import AnyArray, Array

STEPS = 8


@dataclass(frozen=True)
class Refined:
    """Free fits of n spots; NaN where one failed: it left its pixel's surroundings, or did not converge.

    Attributes
    ----------
    y, x : ndarray, shape (n,)
        Places in pixels.
    amplitude, background : ndarray, shape (n,)
        Height of the spot and of what it stands on, in counts.
    sigma : ndarray, shape (n,)
        Width in pixels: as given, unless it was free.
    """

    y: Array
    x: Array
    amplitude: Array
    background: Array
    sigma: Array


def refine(image: AnyArray, iy: npt.ArrayLike, ix: npt.ArrayLike, sigma: float, *, free_width: bool = False) -> Refined:
    """Fit places, amplitudes and backgrounds (and widths) of spots near given pixels.

    Parameters
    ----------
    image : ndarray, shape (height, width)
        Counts; pixels that are not finite are left out.
    iy, ix : array_like of int, shape (n,)
        Pixels at which to start, in the image.
    sigma : float
        Width in pixels, or where to start with it.
    free_width : bool
        Whether the width is fitted.

    Returns
    -------
    Refined
        One fit for each pixel. The image's border may cut its window. A fit fails if it ends more than 1.5σ from where
        it began in y or x, or with a width beyond a factor 2 of what it began with.

    Examples
    --------
    >>> rows, columns = np.mgrid[:21, :21]
    >>> image = 100 + 40 * np.exp(-((rows - 9.7) ** 2 + (columns - 10.2) ** 2) / (2 * 1.5**2))
    >>> found = refine(image, [10], [10], 1.4, free_width=True)
    >>> [values.round(6).item() for values in (found.y, found.x, found.amplitude, found.sigma)]
    [9.7, 10.2, 40.0, 1.5]
    """
    half = half_width(sigma)
    rows, columns = np.asarray(iy, dtype=np.intp), np.asarray(ix, dtype=np.intp)
    result = np.full((5, len(rows)), np.nan)
    for spots in batches(np.arange(len(rows)), 128):
        values, known = cut_windows(image, rows[spots], columns[spots], half)
        found = _fitted(values, known, half, sigma, free_width)
        found[0] += rows[spots]
        found[1] += columns[spots]
        result[:, spots] = found
    return Refined(*result)


def _fitted(windows: Array, known: Array, half: int, sigma: float, free_width: bool) -> Array:
    """Rows y, x (from the middle), amplitude, background, sigma; shape (5, windows)."""
    count = len(windows)
    some = known.reshape(count, -1)
    pixels = np.maximum(some.sum(axis=1), 1.0)
    level = windows.reshape(count, -1).sum(axis=1) / pixels
    flat = (windows.reshape(count, -1) - level[:, None]) * some
    steps = np.arange(-half, half + 1, dtype=np.float64)
    dy, dx, s = np.zeros(count), np.zeros(count), np.full(count, sigma)
    amplitude, background, moved = np.zeros(count), np.zeros(count), np.full(count, np.inf)
    for step in range(STEPS + 1):
        gy, gx = (np.exp((steps - o[:, None]) ** 2 * (-0.5 / s[:, None] ** 2)) for o in (dy, dx))
        ay, ax = steps - dy[:, None], steps - dx[:, None]
        shape = (gy[:, :, None] * gx[:, None, :]).reshape(count, -1) * some
        if step == 0:
            # The first height is that of the fixed place: then the tangent plane stands where the spot is.
            centred = (shape - (shape.sum(axis=1) / pixels)[:, None]) * some
            amplitude = np.einsum("np,np->n", centred, flat) / np.einsum("np,np->n", centred, centred)
        by_y = (shape.reshape(windows.shape) * ay[:, :, None]).reshape(count, -1)
        by_x = (shape.reshape(windows.shape) * ax[:, None, :]).reshape(count, -1)
        columns = [shape, some, by_y, by_x]
        if free_width:
            square = (ay**2)[:, :, None] + (ax**2)[:, None, :]
            columns.append(shape * square.reshape(count, -1))
        design = np.stack(columns, axis=1)
        normal = np.matmul(design, design.transpose(0, 2, 1))
        ridge = 1e-9 * np.einsum("nkk->nk", normal)
        normal += ridge[:, :, None] * np.eye(normal.shape[1])
        solution = np.linalg.solve(normal, np.einsum("nkp,np->nk", design, flat)[:, :, None])[:, :, 0]
        amplitude, background = solution[:, 0], solution[:, 1]
        if step == STEPS:
            break
        # ∂/∂y of A g is A g Δy/σ²: its coefficient over A/σ² is the step. A spot of no height has no place.
        height = np.where(amplitude > 0, amplitude, np.inf)
        limit = 0.5 * s
        to_y, to_x = (np.clip(solution[:, k] * s**2 / height, -limit, limit) for k in (2, 3))
        dy, dx = dy + to_y, dx + to_x
        moved = np.maximum(np.abs(to_y), np.abs(to_x))
        if free_width:
            to_s = np.clip(solution[:, 4] * s**3 / height, -0.2 * s, 0.2 * s)
            s = np.clip(s + to_s, 0.3 * sigma, 3 * sigma)
            moved = np.maximum(moved, np.abs(to_s))
    lost = (np.maximum(np.abs(dy), np.abs(dx)) > 1.5 * sigma) | (moved > 0.02) | (amplitude <= 0)
    lost |= (s < 0.5 * sigma) | (s > 2 * sigma)
    found = np.stack([dy, dx, amplitude, background + level, s])
    found[:, lost] = np.nan
    return found
