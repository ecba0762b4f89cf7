"""Series of every track in every channel: what a movie holds at the places of a table of tracks.

Where a track has no position of its own, one is made: in gaps on the straight line between the positions around it, in
frames before and after the track its first and last position, held. Whether the light there is any of the track's is
for the p-values to say.
"""

import os
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.movies.movie import Movie
from awd_cme.spots.apertures import ApertureSums as ApertureSums
from awd_cme.spots.apertures import aperture_sums as aperture_sums
from awd_cme.spots.fit import Neighbours
from awd_cme.spots.fit import SpotFits as SpotFits
from awd_cme.spots.fit import fit_spots as fit_spots
from awd_cme.spots.windows import checked_sigma, inside
from awd_cme.tracking.measure import FLAGS, Measurement, Method, Test, measured, measured_in_parts
from awd_cme.tracking.movie_spots import measured_gain
from awd_cme.tracking.on_spots import off_spots
from awd_cme.tracking.positions import frames_of_tracks, shifts_of_channels
from awd_cme.tracks.losses import counted
from awd_cme.tracks.table import MEASURES, LossReport, columns, validate
from awd_core.checks import check_choice, check_kind, warn, whole_number
from awd_core.typing import AnyArray, Array, Flags
from awd_core.workers import Progress, Workers, open_workers

__all__ = ["ApertureSums", "SpotFits", "aperture_sums", "extract", "fit_spots"]


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
    gain: float | Mapping[str, float] | None = None,
    threads: int = 2,
    losses: LossReport | None = None,
    progress: bool | Progress = False,
    workers: int | Workers = 1,
    folder: str | os.PathLike[str] | None = None,
    check_places: bool = True,
) -> pd.DataFrame:
    """Amplitude and background of every track in every channel.

    Parameters
    ----------
    movie : Movie
        Of the one cell that the table is about.
    table : DataFrame
        Canonical table (`awd_cme.tracks.table`) with positions. What it says of channels is replaced.
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
        the residuals, as in cmeAnalysis (for features that count such frames). See `awd_cme.spots.fit`.
    neighbours : {"joint", "exclude", "flag"}
        What becomes of other tracks of the same frame whose light reaches a spot; as `fit_spots`.
    gain : float or mapping of str to float, optional
        Counts for one photon, for the shot noise of the spots in their errors; by the movie's channels where they
        differ. Default: measured in the movie (`estimate_gain`), channel by channel. 0 leaves shot noise out, and the
        errors of bright spots come out too small.
    threads : int
        Images that are worked on at a time, where one process does it. Reading is one at a time.
    losses : LossReport, optional
        Gets what is dropped and assumed. Without it, what is dropped raises a warning.
    progress : bool or callable
        Whether to show a progress bar; or called with (done, in all, what).
    workers : int or Workers
        Processes, each of which takes ranges of frames. The table does not depend on them.
    folder : path, optional
        For what they measure until all is there; they must all reach it. A temporary one if not given.
    check_places : bool
        Whether `losses` gets a doubt where the places cannot be those of spots (`awd_cme.tracking.on_spots`).

    Returns
    -------
    DataFrame
        Canonical table with a row for every frame of every track, gaps included (with positions), and these columns
        more, true if true in any channel: `crowded`, whether another track is nearer than 3σ, `edge`, whether the
        image's border cuts the window (both false for apertures), and `saturated`, whether pixels of the spot have the
        largest value that the camera gives. Rows whose places lie outside the image stay, with NaN; so do rows in
        frames that are all of one value, or of no known one.

    Raises
    ------
    ValueError
        If the table is not canonical or holds more than one cell, an option names what is not there, or there are
        several workers and the movie lies in no file.
    LostItemError
        If a range of frames has killed its workers.

    Warns
    -----
    UserWarning
        If frames are dropped, or are empty or saturated, and `losses` is None.
    """
    names = _names(movie, channels)
    widths = {name: checked_sigma(_one(sigma, name, "sigma")) for name in names}
    check_choice("method", method, get_args(Method), required=True)
    check_choice("test", test, get_args(Test), required=True)
    check_choice("neighbours", neighbours, get_args(Neighbours), required=True)
    if method == "aperture" and test == "noise":
        raise ValueError("test='noise' compares an amplitude with residuals, and a sum has none; use method='fit'")
    before, after = whole_number("before", before, 0), whole_number("after", after, 0)
    threads = whole_number("threads", threads)
    count, _, height, width = movie.shape
    moved = shifts_of_channels(shifts, movie.channels, count)
    report = LossReport() if losses is None else losses
    rows = frames_of_tracks(validate(table), count, before, after, movie.seconds_per_frame, report)
    del table  # of a long movie, each table goes when the next is there
    if losses is None and report.dropped:
        _warn(report)
    y, x = rows["y"].to_numpy(), rows["x"].to_numpy()
    order = np.argsort(rows["frame"].to_numpy(), kind="stable")
    listed = [rows["frame"].to_numpy()[order].astype(np.float64)]
    for name in names:
        listed += [c[order] + moved[name][rows["frame"].to_numpy()[order], axis] for axis, c in enumerate((y, x))]
    places = np.column_stack(listed)
    del listed
    with open_workers(workers) as crew:
        gains = _gains(movie, names, crew, report) if gain is None else [_one(gain, name, "gain") for name in names]
        how = Measurement(
            tuple(movie.channels.index(name) for name in names), tuple(widths.values()), tuple(gains), method, test,
            neighbours,
        )  # fmt: skip
        if crew.here:
            measures = measured(movie, places, how, threads=threads, progress=progress)
        else:
            told = progress if callable(progress) else None
            measures = measured_in_parts(movie, places, how, crew, folder=folder, progress=told)
    own = _own_places(rows, order)
    del places
    back = np.empty(len(order), dtype=np.intp)
    back[order] = np.arange(len(order))
    for measure in measures:
        measure[:] = measure[back]
    found = dict(zip(names.values(), measures[: -len(FLAGS)].reshape(len(names), len(MEASURES), -1), strict=True))
    outside = ~inside(y, x, (height, width))
    if outside.any():
        report.assume(f"{int(outside.sum())} places outside the image have no values (NaN).")
    if test == "noise":
        report.assume("p-values test the amplitude against 1.96 standard deviations of the residuals.")
    flags = measures[-len(FLAGS) :] == 1
    _say_damage(rows, flags, report)
    if losses is None and report.doubts:
        warn(". ".join(report.doubts))
    if losses is not None and check_places and (doubt := off_spots(movie, how.channels, own, how.sigma)):
        report.doubt(doubt)
    return _filled(rows, found, flags, movie)


def _own_places(rows: pd.DataFrame, order: npt.NDArray[np.intp]) -> Array:
    """Frame, y, x of the rows of the tracks themselves, by frames."""
    own = order[(rows["part"].to_numpy() == "track")[order]]
    return np.asarray(rows[["frame", "y", "x"]].to_numpy(dtype=np.float64)[own])


def _say_damage(rows: pd.DataFrame, flags: Flags, report: LossReport) -> None:
    frames = np.unique(rows["frame"].to_numpy()[flags[2]])
    if len(frames):
        some = ", ".join(map(str, frames[:5])) + (", …" if len(frames) > 5 else "")
        report.doubt(
            f"frames that are empty in a channel, of one value alone or of none: {len(frames)} ({some}, from 0); the "
            f"amplitudes of {counted(int(flags[2].sum()), 'places')} there are unknown"
        )
    if saturated := int(flags[3].sum()):
        report.doubt(
            f"pixels are saturated at {counted(saturated, 'places')} of {len(rows)}, where amplitudes are too small "
            "(column saturated)"
        )


def _names(movie: Movie, channels: Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    chosen = check_kind("movie", movie, Movie).channels if channels is None else channels
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


def _gains(movie: Movie, names: Mapping[str, str], crew: Workers, report: LossReport) -> list[float]:
    """Counts for a photon of each channel, measured; 0 where the movie does not show them."""
    found = {name: measured_gain(movie, movie.channels.index(name), workers=crew) for name in names}
    for name, gain in found.items():
        report.assume(
            f"{names[name]}: {gain.gain:.3g} ± {gain.error:.2g} counts for a photon, measured by how the noise "
            "grows with brightness, are in the errors of amplitudes."
            if gain.known
            else f"{names[name]}: the movie does not show how many counts a photon makes, so the errors of amplitudes "
            "leave out the spots' shot noise, and those of bright spots are too small; give the gain."
        )
    return [gain.gain if gain.known else 0.0 for gain in found.values()]


def _filled(rows: pd.DataFrame, found: dict[str, Array], flags: Flags, movie: Movie) -> pd.DataFrame:
    measured: dict[str, AnyArray] = {
        f"{name}_{measure}": column
        for name, values in found.items()
        for measure, column in zip(MEASURES, values, strict=True)
    }
    measured |= {"crowded": flags[0], "edge": flags[1], "saturated": flags[3]}
    order = [*columns(list(found)), "crowded", "edge", "saturated"]
    result = pd.DataFrame({name: measured.get(name, rows.get(name)) for name in order}, copy=False)
    known = rows.attrs
    result.attrs = {
        "channels": list(found),
        "seconds_per_frame": known.get("seconds_per_frame") or movie.seconds_per_frame,
        "micrometres_per_pixel": known.get("micrometres_per_pixel") or movie.micrometres_per_pixel,
    }
    return validate(result)


def _warn(report: LossReport) -> None:
    what = "; ".join(f"{how_many} {thing} ({why})" for thing, how_many, why in report.dropped)
    warn(f"dropped: {what}. Pass losses=LossReport() to have this counted instead")
