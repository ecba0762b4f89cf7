"""Height of spots at known places: closed-form least squares, many spots at a time.

A spot at (y₀, x₀) is modelled as A·g + c with g = exp(−((y − y₀)² + (x − x₀)²) / 2σ²), sampled at the centres of the
pixels of a window of ±⌈4σ⌉ around the nearest pixel: the model, and the window, of cmeAnalysis' fit with fixed
position and width (Aguet, Antonescu, Mettlen, Schmid, Danuser 2013, "Advances in analysis of low signal-to-noise
images link dynamin and AP2 to the functions of an endocytic checkpoint", Dev. Cell 26). With place and width known it
is a straight line through the pixels (g, I), so least squares needs the sums of I, I², g·I alone:

    A = Σ(g − ḡ)(I − Ī) / D,   D = Σ(g − ḡ)²,   c = Ī − A ḡ,   RSS = Σ(I − Ī)² − A² D,
    s² = RSS / (n − 2),   var A = s² / D,   var c = s² (1/n + ḡ²/D).

g is a product of a function of y and one of x, so its sums over a whole window are products of sums along the axes.
Everything is float64: in float32 the sums of squares over a background of 10⁴ counts lose the residuals, and it would
save a fifth of the time only, most of which goes into fetching pixels.

Two tests of the amplitude, both one-sided:

- `p`: whether A > 0, by Student's t of A over its standard error with n − 2 degrees of freedom. Exact for Gaussian
  noise of equal variance: p-values are uniform where there is no spot, at places that were not chosen by this image
  (`awd_cme.spots.detect` says what they are of places that were).
- `p_noise`: whether A > k σ_r, where σ_r² = RSS / (n − 1) and k = 1.96: cmeAnalysis' `pval_Ar` (file
  `fitGaussians2D.m` of DanuserLab/cmeAnalysis). With e_A the standard error of A and e_r = k σ_r / √(2(n − 1)) that of
  k σ_r it is the upper tail of Student's t for

      T = (A − k σ_r) / √((e_A² + e_r²)/n)   at   (n − 1)(e_A² + e_r²)² / (e_A⁴ + e_r⁴)

  degrees of freedom. Dividing by n once more makes it a threshold rather than a test: it jumps from 1 to 0 at
  A ≈ k σ_r, five standard errors above 0, and is near 1, not uniform, where there is no spot. Published features that
  count frames with p < 0.05 were made from it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_cme.spots.least_squares import NOISE_LEVEL as NOISE_LEVEL
from awd_cme.spots.least_squares import Found, line, plane
from awd_cme.spots.windows import (
    BATCH,
    batches,
    by_count,
    checked_image,
    checked_positions,
    checked_sigma,
    close_pairs,
    cut_windows,
    half_width,
    inside,
    profile,
    whole_windows,
)
from awd_core.checks import check_choice, real_number, whole_number
from awd_core.typing import AnyArray, Array, Flags, Indices, Rows

Neighbours = Literal["flag", "exclude", "joint"]
FEWEST_PIXELS = 10
"""Pixels below which no fit is made, as in cmeAnalysis."""

CROWDED = 3.0
"""Distance in units of σ below which spots are neighbours that disturb each other."""


@dataclass(frozen=True)
class SpotFits:
    """What was found at each of n places; NaN where no fit was possible.

    Attributes
    ----------
    amplitude, background : ndarray, shape (n,)
        A and c of the model, in counts.
    amplitude_error, background_error : ndarray, shape (n,)
        Their standard errors.
    p, p_noise : ndarray, shape (n,)
        The one-sided tests of the module's description: A > 0, and A > 1.96 σ_r.
    residual_sd : ndarray, shape (n,)
        s, standard deviation of the residuals.
    pixels : ndarray of int, shape (n,)
        How many pixels were fitted; 0 for a place outside the image.
    edge : ndarray of bool, shape (n,)
        Whether the image's border cuts the window.
    crowded : ndarray of bool, shape (n,)
        Whether another place is nearer than 3σ.
    """

    amplitude: Array
    background: Array
    amplitude_error: Array
    background_error: Array
    p: Array
    p_noise: Array
    residual_sd: Array
    pixels: Rows
    edge: Flags
    crowded: Flags

    def __len__(self) -> int:
        return len(self.amplitude)


def fit_spots(
    image: npt.ArrayLike,
    y: npt.ArrayLike,
    x: npt.ArrayLike,
    sigma: float,
    *,
    neighbours: Neighbours = "flag",
    gain: float = 0.0,
    threads: int = 1,
) -> SpotFits:
    """Amplitude and local background of spots at given places.

    Parameters
    ----------
    image : array_like, shape (height, width)
        Counts, of any integer or float type. Pixels that are not finite are left out.
    y, x : array_like, shape (n,)
        Places in pixels, pixel centres at integers from 0. One that is NaN or outside the image gets NaN.
    sigma : float
        Standard deviation of the spots, in pixels.
    neighbours : {"flag", "exclude", "joint"}
        What becomes of other places whose light reaches into the window. "flag": nothing, but `crowded` says where.
        "exclude": pixels nearer to another place than to the own, and within 3σ of it, are left out; light that
        reaches across stays. "joint": the amplitudes of all of them are fitted together, each in a window of its own,
        which leaves no bias; two places closer than 2e-4 σ get NaN.
    gain : float
        Counts for one detected photon (times the excess noise factor of an electron multiplier). Not 0, it adds the
        shot noise of the spot itself to the standard errors: residuals alone are an average over a window that is
        mostly background, and make the errors of bright spots too small. The tests are not concerned.
    threads : int
        How many batches of spots are fitted at a time.

    Returns
    -------
    SpotFits
        One fit for each place, in their order.

    Raises
    ------
    TypeError
        If the image holds no real numbers.
    ValueError
        If it is no image, if y and x differ in length, or another argument is out of its range.

    Examples
    --------
    >>> rows, columns = np.mgrid[:21, :21]
    >>> image = 100 + 40 * np.exp(-((rows - 9.7) ** 2 + (columns - 10.2) ** 2) / (2 * 1.5**2))
    >>> fits = fit_spots(image, [9.7], [10.2], 1.5)
    >>> fits.amplitude.round(6).tolist(), fits.background.round(6).tolist()
    ([40.0], [100.0])
    """
    pixels, sigma = checked_image(image), checked_sigma(sigma)
    rows, columns = checked_positions(y, x)
    check_choice("neighbours", neighbours, get_args(Neighbours), required=True)
    gain = real_number("gain", gain, "counts per photon (0 leaves shot noise out)", least=0)
    threads = whole_number("threads", threads)
    result = _unknown(len(rows))
    usable = np.flatnonzero(inside(rows, columns, pixels.shape))
    rows, columns = rows[usable], columns[usable]
    result.crowded[usable[close_pairs(rows, columns, CROWDED * sigma)[:, 0]]] = True
    view = _View(pixels, rows, columns, sigma, gain)
    result.edge[usable] = view.edge
    # Light of a place 3σ outside the window is 0.011 of its amplitude at the border.
    none = np.empty((0, 2), dtype=np.intp)
    pairs = none if neighbours == "flag" else close_pairs(rows, columns, view.half + 3 * sigma, square=True)
    simple = ~view.edge
    simple[pairs[:, 0]] = False
    with ThreadPoolExecutor(threads) as pool:
        run = pool.map if threads > 1 and len(usable) > BATCH else map
        for spots, found in run(view.alone, batches(np.flatnonzero(simple))):
            _store(result, usable[spots], found)
            # A pixel that is not finite spoils its window here; there it is left out.
            simple[spots[np.isnan(found.residual_sd)]] = False
        together = view.among if neighbours == "joint" else view.apart
        for spots, found in run(together, _groups(pairs, np.flatnonzero(~simple))):
            _store(result, usable[spots], found)
    return result


@dataclass(frozen=True)
class _View:
    """One image and the places in it."""

    pixels: AnyArray
    y: Array
    x: Array
    sigma: float
    gain: float

    @property
    def half(self) -> int:
        return half_width(self.sigma)

    @property
    def edge(self) -> Flags:
        iy, ix = self.middle(slice(None))
        height, width = self.pixels.shape
        low = np.minimum(iy, ix) < self.half
        return np.asarray(low | (iy >= height - self.half) | (ix >= width - self.half))

    def middle(self, spots: Indices | slice) -> tuple[Indices, Indices]:
        return np.rint(self.y[spots]).astype(np.intp), np.rint(self.x[spots]).astype(np.intp)

    def alone(self, spots: Indices) -> tuple[Indices, Found]:
        iy, ix = self.middle(spots)
        gy, gx = (
            profile(self.y[spots] - iy, self.half, self.sigma),
            profile(self.x[spots] - ix, self.half, self.sigma),
        )
        return spots, line(whole_windows(self.pixels, iy, ix, self.half), gy, gx, self.gain)

    def among(self, task: tuple[Indices, Indices]) -> tuple[Indices, Found]:
        spots, others = task
        iy, ix = self.middle(spots)
        everyone = np.column_stack([spots, others])
        gy = profile(self.y[everyone] - iy[:, None], self.half, self.sigma)
        gx = profile(self.x[everyone] - ix[:, None], self.half, self.sigma)
        values, known = cut_windows(self.pixels, iy, ix, self.half)
        return spots, _planes(values, known, gy, gx, self.gain)

    def apart(self, task: tuple[Indices, Indices]) -> tuple[Indices, Found]:
        spots, others = task
        iy, ix = self.middle(spots)
        steps = np.arange(-self.half, self.half + 1)
        values, known = cut_windows(self.pixels, iy, ix, self.half)

        def squares(place: Indices) -> Array:
            dy, dx = (steps + m[:, None] - c[place][:, None] for m, c in ((iy, self.y), (ix, self.x)))
            return np.asarray(dy[:, :, None] ** 2 + dx[:, None, :] ** 2)

        own = squares(spots)
        for other in others.T:
            away = squares(other)
            known[(away < own) & (away < (CROWDED * self.sigma) ** 2)] = 0.0
        gy, gx = (profile((c[spots] - m)[:, None], self.half, self.sigma) for m, c in ((iy, self.y), (ix, self.x)))
        return spots, _planes(values, known, gy, gx, self.gain)


def _planes(values: Array, known: Array, gy: Array, gx: Array, gain: float) -> Found:
    count, spots, _ = gy.shape
    shapes = (gy[..., :, None] * gx[..., None, :]).reshape(count, spots, -1)
    return plane(values.reshape(count, -1), known.reshape(count, -1), shapes, gain)


def _groups(pairs: Indices, spots: Indices) -> Iterator[tuple[Indices, Indices]]:
    for some, others in by_count(pairs, spots):
        # Each window comes with an image of every neighbour, and these should stay in the cache, too.
        size = max(16, BATCH // (others.shape[1] + 2))
        for start in range(0, len(some), size):
            yield some[start : start + size], others[start : start + size]


def _unknown(count: int) -> SpotFits:
    numbers = {field.name: np.full(count, np.nan) for field in fields(Found) if field.name != "pixels"}
    no = np.zeros((2, count), dtype=bool)
    return SpotFits(**numbers, pixels=np.zeros(count, dtype=np.int64), edge=no[0], crowded=no[1])


def _store(result: SpotFits, spots: Indices, found: Found) -> None:
    enough = found.pixels >= FEWEST_PIXELS
    result.pixels[spots] = found.pixels
    for field in fields(Found):
        if field.name != "pixels":
            getattr(result, field.name)[spots] = np.where(enough, getattr(found, field.name), np.nan)
