"""Least squares of a spot on a background, in closed form, for many windows at a time.

The model and its formulas are in `awd_cme.spots.fit`. `line` takes whole windows and one spot in each; `plane` takes
windows of which pixels may be missing, and any number of spots whose light falls into them.

Shot noise. With a gain G the variance of a pixel is v + G·A·g (v: background and camera). The estimates are linear in
the pixels, with weights a for A and b for c, so their variances are v Σa² + G·A Σa²g and v Σb² + G·A Σb²g; and the
residuals' sum of squares has the mean v·(n − 2) + G·A·Σ(1 − h) g, where h is the diagonal of the projection onto the
model, which tells v. The estimate itself stays unweighted: noise does not bias it, and over a background of 100 photons
its standard error exceeds the Cramér–Rao bound by 0.5, 1.3 and 2.9 % for a spot that is 5, 10 and 20 times as high as
the noise of the background. Without the gain, the errors of these would be said to be smaller than they are, by factors
of 1.12, 1.22 and 1.39.
"""

from dataclasses import dataclass

import numpy as np

from awd_core.typing import Array

NOISE_LEVEL = 1.959963984540054
"""k of `p_noise`: the 97.5th percentile of the normal distribution."""

SINGULAR = 1e-8
"""Smallest eigenvalue of the spots' correlations for which they can be told apart: some 2e-4 σ between two."""


@dataclass(frozen=True)
class Found:
    """What `awd_cme.spots.SpotFits` says of each window, for n of them."""

    amplitude: Array
    background: Array
    amplitude_error: Array
    background_error: Array
    p: Array
    p_noise: Array
    residual_sd: Array
    pixels: Array


def line(windows: Array, gy: Array, gx: Array, gain: float) -> Found:
    """Fit one spot in each whole window.

    Parameters
    ----------
    windows : ndarray, shape (n, side, side)
        Counts; they are overwritten. Where one is not finite, all that is found is NaN.
    gy, gx : ndarray, shape (n, side)
        The spot's shape along the axes.
    gain : float
        Counts for a photon; 0 leaves shot noise out.
    """
    count = len(gy)
    flat = windows.reshape(count, -1)
    n = flat.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):
        mean = flat.mean(axis=1)
        flat -= mean[:, None]
        total = np.einsum("np,np->n", flat, flat)
        along = np.matmul(windows, gx[:, :, None])[:, :, 0]
        product = np.einsum("ny,ny->n", along, gy)
    # Sums of g and g² over the window are products of sums along its sides.
    first = gy.sum(axis=1) * gx.sum(axis=1)
    second = np.einsum("ny,ny->n", gy, gy) * np.einsum("nx,nx->n", gx, gx)
    middle = first / n
    spread = second - first * middle
    amplitude = product / spread
    rss = np.maximum(total - amplitude * product, 0.0)
    variances, noise = (1 / spread, 1 / n + middle**2 / spread), None
    if gain:
        third = np.einsum("ny,ny,ny->n", gy, gy, gy) * np.einsum("nx,nx,nx->n", gx, gx, gx)
        squares = third - 2 * middle * second + middle**2 * first  # Σ(g − ḡ)² g
        of_a = squares / spread**2
        of_c = first / n**2 - 2 * middle / n + middle**2 * of_a
        light = gain * np.maximum(amplitude, 0.0)
        noise = (light * of_a, light * of_c, light * (first - first / n - squares / spread))
    return _found(amplitude, mean - amplitude * middle, rss, np.full(count, float(n)), n - 2.0, variances, noise)


def plane(values: Array, known: Array, shapes: Array, gain: float) -> Found:
    """Fit the first of several spots in each window, together with the others.

    Parameters
    ----------
    values : ndarray, shape (n, pixels)
        Counts, 0 where unknown.
    known : ndarray, shape (n, pixels)
        1 where a pixel is to be fitted, else 0.
    shapes : ndarray, shape (n, spots, pixels)
        The shape of each spot in the window, the one that is asked for first.
    gain : float
        Counts for a photon; 0 leaves shot noise out.

    Returns
    -------
    Found
        NaN where fewer than two pixels are left over, or spots cannot be told apart.
    """
    spots = shapes.shape[1]
    pixels = known.sum(axis=1)
    divisor = np.maximum(pixels, 1.0)
    mean = np.einsum("np,np->n", values, known) / divisor
    shapes = shapes * known[:, None]
    middle = shapes.sum(axis=2) / divisor[:, None]
    centred = (shapes - middle[:, :, None]) * known[:, None]
    residual = (values - mean[:, None]) * known
    normal = np.matmul(centred, centred.transpose(0, 2, 1))
    # A neighbour that no known pixel shows is left out: its column, all but zero, is replaced by that of the identity.
    shown = np.einsum("nss->ns", normal) > 1e-12
    shown[:, 0] = True
    centred *= shown[:, :, None]
    normal = np.where(shown[:, :, None] & shown[:, None, :], normal, np.eye(spots))
    scale = np.sqrt(np.maximum(np.einsum("nss->ns", normal), 1e-300))
    correlation = normal / (scale[:, :, None] * scale[:, None, :])
    # Where two neighbours are at one place, how their light is shared out is open, but the first spot may be sure all
    # the same: the inverse leaves out what is open, and the first spot must have no part in that.
    sizes, axes = np.linalg.eigh(correlation)
    is_open = sizes < SINGULAR
    free = pixels - 1 - (shown.sum(axis=1) - is_open.sum(axis=1))
    sound = (free > 0) & (scale[:, 0] > 1e-6) & (np.einsum("ns,ns->n", axes[:, 0] ** 2, is_open) < 1e-6)
    sizes = np.where(is_open, np.inf, sizes)
    inverse = np.matmul(axes / sizes[:, None], axes.transpose(0, 2, 1)) / (scale[:, :, None] * scale[:, None, :])
    product = np.einsum("nsp,np->ns", centred, residual)
    amplitudes = np.einsum("nst,nt->ns", inverse, product)
    background = mean - np.einsum("ns,ns->n", amplitudes, middle)
    rss = np.maximum(np.einsum("np,np->n", residual, residual) - np.einsum("ns,ns->n", amplitudes, product), 0.0)
    lever = np.einsum("ns,nst->nt", middle, inverse)
    variances, noise = (inverse[:, 0, 0], 1 / divisor + np.einsum("nt,nt->n", lever, middle)), None
    if gain:
        light = gain * np.einsum("ns,nsp->np", np.maximum(amplitudes, 0.0) * shown, shapes)
        weights = np.einsum("nst,ntp->nsp", inverse, centred)
        of_a, of_c = weights[:, 0], known / divisor[:, None] - np.einsum("ns,nsp->np", middle * shown, weights)
        leverage = known / divisor[:, None] + np.einsum("nsp,nsp->np", centred, weights)
        noise = (
            np.einsum("np,np,np->n", of_a, of_a, light),
            np.einsum("np,np,np->n", of_c, of_c, light),
            np.einsum("np,np->n", known - leverage, light),
        )
    amplitude = np.where(sound, amplitudes[:, 0], np.nan)
    return _found(amplitude, np.where(sound, background, np.nan), rss, pixels, np.maximum(free, 1.0), variances, noise)


def _found(
    amplitude: Array,
    background: Array,
    rss: Array,
    pixels: Array,
    free: Array | float,
    variances: tuple[Array, Array],
    noise: tuple[Array, Array, Array] | None,
) -> Found:
    """Put errors and tests to estimates.

    `variances` are those of amplitude and background for noise of variance 1; `noise` is what shot noise adds to them
    and to the sum of squares.
    """
    from scipy.special import stdtr

    lost = np.where(np.isnan(amplitude), np.nan, 0.0)
    variance = rss / free + lost
    plain = np.sqrt(variance * variances[0])
    error_a, error_c = plain, np.sqrt(variance * variances[1])
    if noise is not None:
        quiet = np.maximum(rss - noise[2], 0.0) / free + lost
        error_a = np.sqrt(quiet * variances[0] + noise[0])
        error_c = np.sqrt(quiet * variances[1] + noise[1])
    # Pixels without any noise, as in made-up images, leave 0/0: no test can be made of them.
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stdtr(free, -amplitude / plain)
        level = NOISE_LEVEL * np.sqrt(rss / (pixels - 1))
        both = (plain**2, level**2 / (2 * (pixels - 1)))
        together = both[0] + both[1]
        freedom = (pixels - 1) * together**2 / (both[0] ** 2 + both[1] ** 2)
        p_noise = stdtr(freedom, -(amplitude - level) / np.sqrt(together / pixels))
    return Found(amplitude, background, error_a, error_c, p, p_noise, np.sqrt(variance), pixels)
