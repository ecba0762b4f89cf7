"""Where and when the pits of a simulated cell are: birth, place, motion, crossings, drift, background."""

from collections.abc import Callable

import numpy as np

from awd_cme.simulate.pits import LONGEST
from awd_core.typing import Array, Flags, Rows

_MEETING = 10.0  # seconds that two pits must share to cross, half before and half after they meet
_SPEED = (0.25, 0.6)  # pixels per second of a pit that crosses another


def births(rng: np.random.Generator, expected: float, duration: float, size: tuple[int, int]) -> tuple[Array, Array]:
    """Times and places of birth, Poisson in space and time.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the random numbers come from.
    expected : float
        Mean number of births during the movie. As many per second are born before it, so that it begins in the midst.
    duration : float
        Of the movie, in seconds.
    size : tuple of int
        Rows and columns of the frames.

    Returns
    -------
    start : ndarray, shape (n,)
        Seconds from the first frame, in order, from −`LONGEST` on.
    place : ndarray, shape (n, 2)
        y and x in pixels, anywhere in the frames.
    """
    count = int(rng.poisson(expected * (duration + LONGEST) / duration))
    start = np.sort(rng.uniform(-LONGEST, duration, count))
    return start, rng.uniform(0, np.array(size) - 1.0, (count, 2))


def apart(start: Array, lifetime: Array, place: Array, distance: float) -> Flags:
    """Which pits are born where none is alive within a distance in pixels: the others never come to be."""
    kept = np.zeros(len(start), dtype=bool)
    alive: list[int] = []
    for k in range(len(start)):
        alive = [j for j in alive if start[j] + lifetime[j] > start[k]]
        near = place[alive] - place[k]
        if not alive or (near**2).sum(axis=1).min() >= distance**2:
            kept[k] = True
            alive.append(k)
    return kept


def paths(
    rng: np.random.Generator, start: Array, lifetime: Array, place: Array, times: Array, wander: float
) -> tuple[Rows, Rows, Array]:
    """Positions of the pits in the frames in which they live, before drift.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the random numbers come from.
    start, lifetime : ndarray, shape (n,)
        Seconds.
    place : ndarray, shape (n, 2)
        Of birth, y and x in pixels.
    times : ndarray, shape (frames,)
        Of the frames, in seconds, evenly spaced.
    wander : float
        Standard deviation of a pit's random walk after one second, along each axis, in pixels.

    Returns
    -------
    pit, frame : ndarray of int64, shape (rows,)
        One row a pit and frame, sorted.
    position : ndarray, shape (rows, 2)
        y and x in pixels.
    """
    interval = times[1] - times[0] if len(times) > 1 else 1.0
    first = np.clip(np.ceil(start / interval), 0, len(times)).astype(np.int64)
    stop = np.clip(np.ceil((start + lifetime) / interval), first, len(times)).astype(np.int64)
    length = stop - first
    pit = np.repeat(np.arange(len(start)), length)
    begin = np.cumsum(length) - length
    frame = np.arange(length.sum()) - np.repeat(begin - first, length)
    walk = np.cumsum(rng.standard_normal((len(pit), 2)) * wander * np.sqrt(interval), axis=0)
    # Each pit's walk starts where it is born: the sum of all steps before it is taken off.
    before = walk[np.maximum(begin, 0)[length > 0]]
    walk -= np.repeat(before, length[length > 0], axis=0)
    return pit, frame, place[pit] + walk


def cross(
    rng: np.random.Generator, share: float, pit: Rows, frame: Rows, position: Array, times: Array, count: int
) -> Flags:
    """Move some pits so that each passes through the place of another one, in place of `position`.

    A pit that crosses goes straight, at a quarter to two thirds of a pixel per second, and meets the other one in the
    middle of the time that both are there.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the random numbers come from.
    share : float
        Share of the pits that are moved; fewer if there are no others at that time.
    pit, frame, position
        As `paths` returns them; the positions are changed.
    times : ndarray, shape (frames,)
        Of the frames, in seconds.
    count : int
        Number of pits.

    Returns
    -------
    ndarray of bool, shape (count,)
        Which pits were moved.
    """
    moved = np.zeros(count, dtype=bool)
    met = np.zeros(count, dtype=bool)
    first, stop = np.searchsorted(pit, np.arange(count)), np.searchsorted(pit, np.arange(count), side="right")
    present = stop > first
    begin, end = np.zeros(count), np.full(count, -1.0)
    begin[present], end[present] = times[frame[first[present]]], times[frame[stop[present] - 1]]
    for k in rng.permutation(np.flatnonzero(present))[: round(share * present.sum())]:
        shared = np.minimum(end, end[k]) - np.maximum(begin, begin[k])
        others = np.flatnonzero((shared >= _MEETING) & ~moved)
        others = others[others != k]
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(*_SPEED)
        choice = rng.random()
        if met[k] or not len(others):
            continue
        # The nearest few are candidates: a pit is born where it would be, near the one that it meets.
        near = ((position[first[others]] - position[first[k]]) ** 2).sum(axis=1)
        other = others[np.argsort(near, kind="stable")][int(choice * min(4, len(others)))]
        meeting = (max(begin[k], begin[other]) + min(end[k], end[other])) / 2
        own = slice(first[k], stop[k])
        theirs = slice(first[other], stop[other])
        there = position[theirs][np.argmin(np.abs(times[frame[theirs]] - meeting))]
        here = position[own][np.argmin(np.abs(times[frame[own]] - meeting))]
        straight = speed * (times[frame[own]] - meeting)[:, None] * [np.sin(angle), np.cos(angle)]
        position[own] += there - here + straight
        moved[k] = met[other] = True
    return moved


def drift(rng: np.random.Generator, pixels: float, frames: int) -> Array:
    """Drift of the stage in y and x, (frames, 2): straight, with a slow bend, `pixels` from first to last frame."""
    angle, bend, phase = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3), rng.uniform(0, 2 * np.pi)
    s = np.linspace(0.0, 1.0, frames) if frames > 1 else np.zeros(1)
    along = np.array([np.sin(angle), np.cos(angle)])
    across = np.array([-along[1], along[0]])
    wave = np.sin(2 * np.pi * s + phase) - np.sin(phase)
    return np.asarray(pixels * (s[:, None] * along + bend * wave[:, None] * across))


def uneven(rng: np.random.Generator, size: tuple[int, int], unevenness: float) -> Callable[[Array, Array], Array]:
    """Shape of the background: smooth, within ± `unevenness` of 1, given y and x."""
    waves = 6
    angle, phase = rng.uniform(0, 2 * np.pi, waves), rng.uniform(0, 2 * np.pi, waves)
    # Half a period to one and a half across the frame: far wider than a spot.
    periods = rng.uniform(0.5, 1.5, waves)
    weight = rng.dirichlet(np.ones(waves))
    along_y, along_x = (periods * f(angle) * 2 * np.pi / n for f, n in zip((np.sin, np.cos), size, strict=True))

    def shape(y: Array, x: Array) -> Array:
        total = sum(w * np.sin(a * y + b * x + p) for w, a, b, p in zip(weight, along_y, along_x, phase, strict=True))
        return np.asarray(1 + unevenness * total)

    return shape
