"""Series of every track in every channel: what a movie holds at the places of a table of tracks.

Each pair of frame and channel is read once, when its turn comes, and let go. Where a track has no position of its own,
one is made: in gaps on the straight line between the positions around it, in frames before and after the track its
first and last position, held. Whether the light there is any of the track's is for the p-values to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.apertures import ApertureSums as ApertureSums
from awd_cme.apertures import aperture_sums as aperture_sums
from awd_cme.frames import Movie
from awd_cme.places import frames_of_tracks, shifts_of_channels
from awd_cme.spots import Neighbours
from awd_cme.spots import SpotFits as SpotFits
from awd_cme.spots import fit_spots as fit_spots
from awd_cme.tracks import MEASURES, LossReport, columns, validate
from awd_cme.windows import Floats, checked_sigma, inside

__all__ = ["ApertureSums", "SpotFits", "aperture_sums", "extract", "fit_spots"]

Method = Literal["fit", "aperture"]
Test = Literal["amplitude", "noise"]
RADII = (2.0, 3.0, 5.0)
"""Radii of disc and ring for `method="aperture"`, in units of σ."""


def extract(
    movie: Movie,
    table: pd.DataFrame,
    *,
    sigma: float | Mapping[str, float],
    before: int = 0,
    after: int = 0,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    shifts: Mapping[str, npt.ArrayLike] | None = None,
    method: Method = "fit",
    test: Test = "amplitude",
    neighbours: Neighbours = "joint",
    gain: float | Mapping[str, float] = 0.0,
    threads: int = 2,
    losses: LossReport | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Amplitude and background of every track in every channel.

    Parameters
    ----------
    movie : Movie
        Of the one cell that the table is about.
    table : DataFrame
        Canonical table (`awd_cme.tracks`) with positions. What it says of channels is replaced.
    sigma : float or mapping of str to float
        Standard deviation of the spots in pixels; by the movie's channels where they differ.
    before, after : int
        Frames to add before and after each track, in `part` "before" and "after". Those that the table has stay.
    channels : sequence of str or mapping of str to str, optional
        Which of the movie's channels, and under which names in the table, the master first. Default: all.
    shifts : mapping of str to array_like, shape (2,) or (frames, 2), optional
        By the movie's channels: (Δy, Δx) in pixels from a position of the table to the same place there; one for all
        frames or one a frame. Default: none.
    method : {"fit", "aperture"}
        A Gaussian of width sigma, or the net sum over a disc of 2σ with a ring of 3σ to 5σ: then `amplitude` is a sum.
    test : {"amplitude", "noise"}
        What p is of: an amplitude above 0 (uniform where there is nothing), or one above 1.96 standard deviations of
        the residuals, as in cmeAnalysis (for features that count such frames). See `awd_cme.spots`.
    neighbours : {"joint", "exclude", "flag"}
        What becomes of other tracks of the same frame whose light reaches a spot; as `fit_spots`.
    gain : float or mapping of str to float
        Counts for one photon, for the shot noise of the spots in their errors; by the movie's channels where they
        differ.
    threads : int
        Images that are worked on at a time. Reading is one at a time.
    losses : LossReport, optional
        Gets what is dropped and assumed. Without it, what is dropped raises a warning.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    DataFrame
        Canonical table with a row for every frame of every track, gaps included (with positions), and these columns
        more, true if true in any channel: `crowded`, whether another track is nearer than 3σ, and `edge`, whether the
        image's border cuts the window (both false for apertures). Rows whose places lie outside the image stay, with
        NaN.

    Raises
    ------
    ValueError
        If the table is not canonical or holds more than one cell, or an option names what is not there.

    Warns
    -----
    UserWarning
        If frames are dropped and `losses` is None.
    """
    names = _names(movie, channels)
    widths = {name: checked_sigma(_one(sigma, name, "sigma")) for name in names}
    gains = {name: _one(gain, name, "gain") for name in names}
    for value, allowed, what in ((method, Method, "method"), (test, Test, "test")):
        if value not in get_args(allowed):
            raise ValueError(f"{what} must be one of {get_args(allowed)}, got {value!r}")
    if method == "aperture" and test == "noise":
        raise ValueError("test='noise' compares an amplitude with residuals, and a sum has none; use method='fit'")
    if before < 0 or after < 0 or threads < 1:
        raise ValueError(f"before and after must be 0 or more, threads 1 or more, got {before}, {after}, {threads}")
    count, _, height, width = movie.shape
    moved = shifts_of_channels(shifts, movie.channels, count)
    report = LossReport() if losses is None else losses
    rows = frames_of_tracks(validate(table), count, before, after, movie.seconds_per_frame, report)
    if losses is None and report.dropped:
        _warn(report)
    y, x = rows["y"].to_numpy(), rows["x"].to_numpy()
    found = {name: np.full((len(MEASURES), len(rows)), np.nan) for name in names}
    flags = np.zeros((2, len(rows)), dtype=bool)
    lock = Lock()

    def measure(task: tuple[int, npt.NDArray[np.intp], str]) -> None:
        frame, here, name = task
        with lock:
            image = movie.frame(frame, movie.channels.index(name))
        dy, dx = moved[name][frame]
        place, s = (y[here] + dy, x[here] + dx), widths[name]
        if method == "aperture":
            radius, inner, outer = (max(0.5, r * s) for r in RADII)
            sums = aperture_sums(image, *place, radius=radius, inner=inner, outer=outer, gain=gains[name])
            found[name][:, here] = (sums.net, sums.background, sums.net_error, sums.background_error, sums.p)
            return
        fits = fit_spots(image, *place, s, neighbours=neighbours, gain=gains[name])
        p = fits.p if test == "amplitude" else fits.p_noise
        found[name][:, here] = (fits.amplitude, fits.background, fits.amplitude_error, fits.background_error, p)
        with lock:
            flags[:, here] |= (fits.crowded, fits.edge)

    tasks = [(f, here, name) for f, here in _by_frame(rows["frame"].to_numpy()) for name in names]
    with ThreadPoolExecutor(threads) as pool:
        for _ in _shown(pool.map(measure, tasks), len(tasks), progress):
            pass
    outside = ~inside(y, x, (height, width))
    if outside.any():
        report.assume(f"{int(outside.sum())} places outside the image have no values (NaN).")
    if test == "noise":
        report.assume("p-values test the amplitude against 1.96 standard deviations of the residuals.")
    return _filled(rows, {names[name]: values for name, values in found.items()}, flags, movie)


def _names(movie: Movie, channels: Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    chosen = movie.channels if channels is None else channels
    if isinstance(chosen, str):
        raise ValueError(f"channels must be a list of names, got {chosen!r}; write [{chosen!r}]")
    names = dict(chosen) if isinstance(chosen, Mapping) else {name: name for name in chosen}
    if unknown := [name for name in names if name not in movie.channels]:
        raise ValueError(f"the movie has the channels {list(movie.channels)}, not {unknown}; name some of them")
    if not names or len(set(names.values())) < len(names):
        raise ValueError(f"channels must be one at least, each of a name of its own in the table, got {names}")
    return names


def _one(value: float | Mapping[str, float], name: str, what: str) -> float:
    if not isinstance(value, Mapping):
        return float(value)
    if name not in value:
        raise ValueError(f"{what} has no value for the channel {name!r}, only for {list(value)}; add it")
    return float(value[name])


def _by_frame(frame: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    order = np.argsort(frame, kind="stable")
    frames, first = np.unique(frame[order], return_index=True)
    for number, here in zip(frames, np.split(order, first[1:]), strict=True) if len(frames) else ():
        yield int(number), here


def _filled(rows: pd.DataFrame, found: dict[str, Floats], flags: npt.NDArray[np.bool_], movie: Movie) -> pd.DataFrame:
    measured = {
        f"{name}_{measure}": column
        for name, values in found.items()
        for measure, column in zip(MEASURES, values, strict=True)
    }
    order = [*columns(list(found)), "crowded", "edge"]
    result = rows.assign(**measured, crowded=flags[0], edge=flags[1])[order]
    known = rows.attrs
    result.attrs = {
        "channels": list(found),
        "seconds_per_frame": known.get("seconds_per_frame") or movie.seconds_per_frame,
        "micrometres_per_pixel": known.get("micrometres_per_pixel") or movie.micrometres_per_pixel,
    }
    return validate(result)


def _shown(results: Iterator[None], count: int, progress: bool) -> Iterator[None]:
    if not progress:
        return results
    from rich.progress import track

    return iter(track(results, "Series", total=count))


def _warn(report: LossReport) -> None:
    import warnings

    what = "; ".join(f"{how_many} {thing} ({why})" for thing, how_many, why in report.dropped)
    warnings.warn(f"dropped: {what}. Pass losses=LossReport() to have this counted instead", UserWarning, stacklevel=3)
