"""Tracks from spots, and from a bare movie.

Linking is laptrack's (Fukai and Kawaguchi 2023, "LapTrack: linear assignment particle tracking with tunable metrics",
Bioinformatics 39), the method of Jaqaman et al. 2008 (Nat. Methods 5): spots of successive frames are assigned to each
other at the least sum of squared distances, then ends of tracks to later beginnings, which closes gaps
(`awd_cme.tracking.gaps`). Nothing splits or merges: a clathrin-coated pit does neither, and where two cross, each keeps
a track.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.movies.movie import Movie
from awd_cme.spots.detect import Control
from awd_cme.spots.fit import Neighbours
from awd_cme.spots.windows import checked_sigma
from awd_cme.tracking.gaps import linked
from awd_cme.tracking.intensities import extract
from awd_cme.tracking.measure import Test
from awd_cme.tracking.movie_spots import Detection, mean_of, measured_width, movie_spots
from awd_cme.tracks.table import LossReport, empty_table, make_table
from awd_core.checks import check_kind, real_number, whole_number
from awd_core.typing import Array
from awd_core.workers import Progress, Workers, open_workers

SIGNIFICANT = 0.05
ENDS = 0.01
"""p-value below which a spot may be the first or the last of a track."""


def link_spots(
    spots: pd.DataFrame,
    *,
    max_step: float = 3.0,
    max_gap: int = 2,
    max_gap_step: float | None = None,
    min_frames: int = 5,
    min_significant: float = 0.5,
    level: float = SIGNIFICANT,
    max_trim: int = 0,
    cell: str = "cell",
    source: str = "",
    channel: str = "clathrin",
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
    losses: LossReport | None = None,
) -> pd.DataFrame:
    """Tracks of the spots of a movie.

    Parameters
    ----------
    spots : DataFrame
        `frame` (from 0), `y`, `x` in pixels; `amplitude`, `background`, `amplitude_error`, `background_error` and `p`
        go into the table where they are there, and `p` into the filter.
    max_step : float
        Largest distance, in pixels, between a spot and the same one a frame later.
    max_gap : int
        Largest number of frames in a row in which a spot may be missing; 0 closes no gaps.
    max_gap_step : float, optional
        Largest distance across a gap. Default: max_step.
    min_frames : int
        Tracks that last fewer frames, gaps included, are dropped.
    min_significant : float
        Tracks are dropped of which less than this share of frames has a spot with p < `level`; gaps have none.
    level : float
        See `min_significant`.
    max_trim : int
        Largest number of frames that are cut off at each end of a track, before it is filtered, because their spots
        have p ≥ 0.01: where spots were found in means over frames, the next frames may have brought them in.
    cell, source, channel : str
        What the table says of the tracks.
    seconds_per_frame, micrometres_per_pixel : float, optional
        What the table says of the movie.
    losses : LossReport, optional
        Gets the tracks that came, were kept and were dropped.

    Returns
    -------
    DataFrame
        Canonical table; tracks are numbered from 0 in the order of their first frames. Frames in gaps have rows of
        their own, with NaN.

    Raises
    ------
    ValueError
        If a column lacks, a frame or a position is not a number, or an argument is out of its range.

    Examples
    --------
    >>> spots = pd.DataFrame({"frame": [0, 1, 3, 4], "y": [5.0, 5.4, 5.2, 5.1], "x": [9.0, 9.1, 9.3, 9.2]})
    >>> link_spots(spots, min_frames=3)[["track", "frame", "part"]].values.tolist()
    [[0, 0, 'track'], [0, 1, 'track'], [0, 2, 'gap'], [0, 3, 'track'], [0, 4, 'track']]
    """
    _check(spots, max_step, max_gap, max_gap_step, min_frames, min_significant)
    real_number("level", level, "a probability such as 0.05", above=0, most=1)
    report = LossReport() if losses is None else losses
    about: dict[str, Any] = {
        "channels": [channel],
        "seconds_per_frame": seconds_per_frame,
        "micrometres_per_pixel": micrometres_per_pixel,
    }
    if not len(spots):
        return empty_table(**about)
    ordered = spots.sort_values(["frame", "y", "x"], kind="stable", ignore_index=True)
    del spots  # the tables of a long movie are large: each goes when the next is there
    across = max_step if max_gap_step is None else max_gap_step
    frame, places = ordered["frame"].to_numpy(dtype=np.int64), ordered[["y", "x"]].to_numpy(dtype=np.float64)
    ordered["track"] = linked(frame, places, max_step, max_gap, across)
    if "p" in ordered and max_trim:
        ordered = _trimmed(ordered, max_trim)
    frames = ordered.groupby("track")["frame"].agg(["min", "max"])
    length = frames["max"] - frames["min"] + 1
    report.came += len(frames)
    short = length < min_frames
    report.add("tracks", int(short.sum()), f"shorter than {min_frames} frames")
    faint = ~short & False
    if "p" in ordered:
        share = (ordered["p"] < level).groupby(ordered["track"]).sum() / length
        faint = ~short & (share < min_significant)
        report.add("tracks", int(faint.sum()), f"p < {level:g} in less than {min_significant:.0%} of the frames")
    kept = frames.index[~(short | faint)]
    report.kept += len(kept)
    if not len(kept):
        return empty_table(**about)
    ranked = frames.loc[kept].sort_values(["min", "max"])
    begin, count = ranked["min"].to_numpy(dtype=np.int64), length.loc[ranked.index].to_numpy(dtype=np.int64)
    first = np.cumsum(count) - count
    own = ordered[ordered["track"].isin(kept)]
    del ordered
    number = pd.Series(np.arange(len(ranked)), ranked.index).loc[own["track"]].to_numpy()
    row = first[number] + own["frame"].to_numpy(dtype=np.int64) - begin[number]

    def column(name: str) -> Array:
        values = np.full(count.sum(), np.nan)
        values[row] = own[name]
        return values

    names = ("amplitude", "background", "amplitude_error", "background_error", "p")
    signals = {f"{channel}_{name}": column(name) for name in names if name in own}
    given: dict[str, Any] = {
        "track": np.repeat(np.arange(len(ranked)), count),
        "frame": np.arange(count.sum()) - np.repeat(first - begin, count),
        "y": column("y"),
        "x": column("x"),
    }
    return make_table(**given, cell=cell, source=source, signals=signals, **about)


def track_movie(
    movie: Movie,
    *,
    channel: str | None = None,
    sigma: float | Mapping[str, float] | None = None,
    level: float = 0.05,
    control: Control = "fdr",
    average: int | None = None,
    max_step: float = 3.0,
    max_gap: int = 2,
    min_frames: int = 5,
    min_significant: float = 0.5,
    before: int = 0,
    after: int = 0,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    shifts: Mapping[str, npt.ArrayLike] | None = None,
    test: Test = "amplitude",
    neighbours: Neighbours = "joint",
    gain: float | Mapping[str, float] | None = None,
    cell: str = "cell",
    source: str = "",
    threads: int = 2,
    losses: LossReport | None = None,
    progress: bool | Progress = False,
    workers: int | Workers = 1,
    folder: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Tracks of a bare movie with their series: detection, linking, extraction.

    Parameters
    ----------
    movie : Movie
        Of one cell.
    channel : str, optional
        The channel in which spots are tracked, by the movie's name for it. Default: the first.
    sigma : float or mapping of str to float, optional
        Width of the spots in pixels; by channels where they differ. Default: that of the tracked channel is measured in
        ten frames, and taken for all.
    level, control : float, str
        Significance of a spot, as `detect_spots`.
    average : int
        Frames, an odd number, over whose mean spots are looked for: pits move little and last long, and the noise of
        a mean is smaller. Amplitudes and p-values are of the frame in the middle alone, and ends of tracks are cut
        off where it shows nothing, so that tracks do not come out longer. Default: as many as 5 s hold, up to 5; 3
        where the frame interval is unknown.
    max_step, max_gap, min_frames, min_significant : float, int, int, float
        As `link_spots`.
    before, after, channels, shifts, test, neighbours, gain : optional
        As `extract`.
    cell, source : str
        What the table says of the tracks.
    threads : int
        Images that are worked on at a time, where one process does it.
    losses : LossReport, optional
        Gets the tracks that were found and dropped, and the width where it was measured.
    progress : bool or callable
        Whether to show progress bars; or called with (done, in all, what).
    workers : int or Workers
        Processes, each of which takes ranges of frames; linking stays in this one. The table does not depend on them.
    folder : path, optional
        For what they find until all is there; they must all reach it. A temporary one if not given.

    Returns
    -------
    DataFrame
        Canonical table, as of `extract`.

    Raises
    ------
    ValueError
        If the channel is not there, the width cannot be measured, or there are several workers and the movie lies in no
        file; and as the steps.
    LostItemError
        If a range of frames has killed its workers.
    """
    check_kind("movie", movie, Movie)
    tracked = movie.channels[0] if channel is None else channel
    if tracked not in movie.channels:
        raise ValueError(f"the movie has the channels {list(movie.channels)}, not {tracked!r}; name one of them")
    if isinstance(sigma, Mapping) and tracked not in sigma:
        raise ValueError(f"sigma has no value for the channel {tracked!r}, only for {list(sigma)}; add it")
    report, place = LossReport() if losses is None else losses, movie.channels.index(tracked)
    with open_workers(workers) as crew:
        shared: dict[str, Any] = {"threads": threads, "progress": progress, "workers": crew, "folder": folder}
        if sigma is None:
            width = measured_width(movie, place, workers=crew)
            sigma = width.sigma
            report.assume(
                f"sigma = {width.sigma:.3f} ± {width.error:.3f} pixels, measured on {width.spots} spots of {tracked}, "
                "holds for all channels."
            )
        own = checked_sigma(float(sigma[tracked] if isinstance(sigma, Mapping) else sigma))
        window = mean_of(average, movie.seconds_per_frame)
        how = Detection(place, own, level, control, window)
        linking: dict[str, Any] = {
            "max_step": max_step, "max_gap": max_gap, "min_frames": min_frames, "min_significant": min_significant,
            "max_trim": window // 2, "cell": cell, "source": source, "channel": tracked,
            "seconds_per_frame": movie.seconds_per_frame, "micrometres_per_pixel": movie.micrometres_per_pixel,
        }  # fmt: skip
        series = LossReport()
        # Nothing is named in between, so that the table of spots goes when there are tracks, and that of tracks later.
        result = extract(
            movie, link_spots(movie_spots(movie, how, losses=report, **shared), losses=report, **linking), sigma=sigma,
            before=before, after=after, channels=channels, shifts=shifts, test=test, neighbours=neighbours, gain=gain,
            losses=series, check_places=False, **shared,
        )  # fmt: skip
    # Its tracks are those that were kept above.
    series.came = series.kept = 0
    report.merge(series)
    return result


def _trimmed(spots: pd.DataFrame, most: int) -> pd.DataFrame:
    """Spots without those at the ends of tracks that show nothing, `most` frames at each end at the most."""
    ends = spots.groupby("track")["frame"].agg(["min", "max"])
    shown = spots[spots["p"] < ENDS].groupby("track")["frame"].agg(["min", "max"]).reindex(ends.index)
    # A track that shows nothing anywhere keeps its middle.
    first = shown["min"].fillna(ends["max"]).clip(upper=ends["min"] + most).reindex(spots["track"]).to_numpy()
    last = shown["max"].fillna(ends["min"]).clip(lower=ends["max"] - most).reindex(spots["track"]).to_numpy()
    frame = spots["frame"].to_numpy()
    # A track too short for that would come out empty, and goes as it is to the filters.
    return spots[((frame >= first) & (frame <= last)) | (first > last)]


def _check(
    spots: pd.DataFrame,
    max_step: float,
    max_gap: int,
    max_gap_step: float | None,
    min_frames: int,
    min_significant: float,
) -> None:
    check_kind("spots", spots, pd.DataFrame)
    if missing := [name for name in ("frame", "y", "x") if name not in spots]:
        raise ValueError(f"spots need the columns frame, y and x; {missing} are missing among {list(spots.columns)}")
    positions = spots[["frame", "y", "x"]].to_numpy(dtype=np.float64)
    if not np.isfinite(positions).all() or (positions[:, 0] % 1 != 0).any() or (positions[:, 0] < 0).any():
        raise ValueError("frame must be whole numbers from 0, y and x finite; drop the other rows of spots")
    for name, value in (("max_step", max_step), ("max_gap_step", max_step if max_gap_step is None else max_gap_step)):
        real_number(name, value, "a number of pixels", above=0)
    whole_number("max_gap", max_gap, 0)
    whole_number("min_frames", min_frames)
    real_number("min_significant", min_significant, "a share", least=0, most=1)
