"""Counts for a photon, from a movie itself: how the noise of a pixel grows with its brightness.

A pixel of mean signal S has the variance gain · S + a constant (`awd_cme.simulate.camera`: the photon transfer curve).
The noise is taken from the second difference of three frames in a row, in which what stays or changes at an even pace
cancels, and which, for noise of one size, is independent of their mean. What moves, blinks or ends adds to it, so the
largest differences of each brightness are left out. The spots of simulated movies still raise the gain by up to 4 %,
by 15 % where they wander five times as fast.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_core.typing import Array

BINS = 20
"""Classes of brightness, of as many pixels each."""

KEPT, KEPT_VARIANCE = 0.9, 0.6226985
"""Share of the second differences that is kept, the smallest ones, and the variance of these if all are normal of
variance 1: 1 − 2 z φ(z)/0.9 with z = 1.645."""

FEWEST = 1000
"""Pixels, three frames of each, below which no line is laid."""

PIXELS = 2**18
"""Pixels of three frames that are looked at, at most, evenly spread."""


@dataclass(frozen=True)
class Gain:
    """Counts for a photon as they were measured.

    Attributes
    ----------
    gain : float
        Slope of the variance over the mean.
    error : float
        Its standard error, from the scatter about the line. It does not know of what moves.
    """

    gain: float
    error: float

    @property
    def known(self) -> bool:
        """Whether it is above 0 by three standard errors."""
        return bool(self.gain > 3 * self.error)


def estimate_gain(images: npt.ArrayLike) -> Gain:
    """Counts for a photon, from frames that follow each other.

    Parameters
    ----------
    images : array_like, shape (3 k, height, width)
        Frames of one channel, three at a time in a row; the threes may lie apart. Ten of them, from all over the movie,
        are plenty.

    Returns
    -------
    Gain

    Raises
    ------
    ValueError
        If their number is no multiple of three, or they have fewer than 1000 pixels.

    Examples
    --------
    >>> from awd_cme.simulate.camera import Camera
    >>> light = np.linspace(20, 200, 128) * np.ones((30, 64, 1))
    >>> images = Camera(gain=2.0).expose(light, np.random.default_rng(0))
    >>> round(estimate_gain(images).gain, 1)
    2.0
    """
    stack = np.asarray(images)
    if stack.ndim != 3 or not len(stack) or len(stack) % 3:
        raise ValueError(
            f"images have the shape (frames, height, width), the frames three at a time in a row; got {stack.shape}"
        )
    step = max(1, stack[0].size // PIXELS)
    means, differences = [], []
    for start in range(0, len(stack), 3):
        one, two, three = (image.ravel()[::step].astype(np.float64) for image in stack[start : start + 3])
        means.append((one + two + three) / 3)
        differences.append((one - 2 * two + three) ** 2 / 6)
    mean, squares = np.concatenate(means), np.concatenate(differences)
    finite = np.isfinite(mean) & np.isfinite(squares)
    mean, squares = mean[finite], squares[finite]
    if len(mean) < FEWEST:
        raise ValueError(f"the images have {len(mean)} pixels that can be used; a gain needs {FEWEST} or more")
    classes = np.array_split(np.argsort(mean, kind="stable"), BINS)
    return _line(
        np.array([mean[rows].mean() for rows in classes]), np.array([_variance(squares[rows]) for rows in classes])
    )


def _variance(squares: Array) -> float:
    kept = np.sort(squares)[: int(KEPT * len(squares))]
    return float(kept.mean()) / KEPT_VARIANCE


def _line(mean: Array, variance: Array) -> Gain:
    """Slope of a line through variances whose errors are in proportion to them."""
    if np.ptp(mean) == 0 or not (variance > 0).all():
        return Gain(0.0, np.inf)
    design = np.column_stack([mean - mean.mean(), np.ones(len(mean))]) / variance[:, None]
    found = np.linalg.lstsq(design, np.ones(len(mean)), rcond=None)[0]
    scatter = np.sum((design @ found - 1) ** 2) / (len(mean) - 2)
    return Gain(float(found[0]), float(np.sqrt(scatter * np.linalg.inv(design.T @ design)[0, 0])))
