"""Tracks from spots, and from a bare movie.

Linking is laptrack's (Fukai and Kawaguchi 2023, "LapTrack: linear assignment particle tracking with tunable metrics",
Bioinformatics 39), the method of Jaqaman et al. 2008 (Nat. Methods 5): spots of successive frames are assigned to each
other at the least sum of squared distances, then ends of tracks to later beginnings, which closes gaps. Nothing splits
or merges: a clathrin-coated pit does neither, and where two cross, each keeps a track.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.detect import COLUMNS, Control, detect_spots, estimate_sigma
from awd_cme.frames import Movie
from awd_cme.series import extract
from awd_cme.spots import Neighbours, fit_spots
from awd_cme.tracks import LossReport, empty_table, make_table
from awd_cme.windows import Array, checked_sigma

SIGNIFICANT = 0.05
ENDS = 0.01
"""p-value below which a spot may be the first or the last of a track."""

FRAMES_FOR_SIGMA = 10
"""Frames that the width of the spots is measured in, spread over the movie."""

SECONDS_OF_MEAN = 5.0


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
    report = LossReport() if losses is None else losses
    about: dict[str, Any] = {
        "channels": [channel],
        "seconds_per_frame": seconds_per_frame,
        "micrometres_per_pixel": micrometres_per_pixel,
    }
    if not len(spots):
        return empty_table(**about)
    ordered = spots.sort_values(["frame", "y", "x"], kind="stable").reset_index(drop=True)
    ordered["track"] = _linked(ordered, max_step, max_gap, max_step if max_gap_step is None else max_gap_step)
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
    numbers = {track: number for number, track in enumerate(frames.loc[kept].sort_values(["min", "max"]).index)}
    mine = ordered[ordered["track"].isin(kept)]
    mine = mine.assign(track=mine["track"].map(numbers)).set_index(["track", "frame"])
    every = [(numbers[t], f) for t, low, high in frames.loc[kept].itertuples() for f in range(int(low), int(high) + 1)]
    rows = mine.reindex(pd.MultiIndex.from_tuples(every, names=["track", "frame"])).reset_index()
    names = ("amplitude", "background", "amplitude_error", "background_error", "p")
    signals = {f"{channel}_{name}": rows[name].to_numpy() for name in names if name in rows}
    given = {name: rows[name].to_numpy() for name in ("track", "frame", "y", "x")}
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
    neighbours: Neighbours = "joint",
    gain: float | Mapping[str, float] = 0.0,
    cell: str = "cell",
    source: str = "",
    threads: int = 2,
    losses: LossReport | None = None,
    progress: bool = False,
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
    before, after, channels, shifts, neighbours, gain : optional
        As `extract`.
    cell, source : str
        What the table says of the tracks.
    threads : int
        Images that are worked on at a time.
    losses : LossReport, optional
        Gets the tracks that were found and dropped, and the width where it was measured.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    DataFrame
        Canonical table, as of `extract`.

    Raises
    ------
    ValueError
        If the channel is not there, or the width cannot be measured, and as the steps.
    """
    tracked = movie.channels[0] if channel is None else channel
    if tracked not in movie.channels:
        raise ValueError(f"the movie has the channels {list(movie.channels)}, not {tracked!r}; name one of them")
    report = LossReport() if losses is None else losses
    place, count = movie.channels.index(tracked), movie.shape[0]
    if sigma is None:
        some = np.unique(np.linspace(0, count - 1, FRAMES_FOR_SIGMA).round().astype(int))
        width = estimate_sigma(np.stack([movie.frame(int(t), place) for t in some]))
        sigma = width.sigma
        report.assume(
            f"sigma = {width.sigma:.3f} ± {width.error:.3f} pixels, measured on {width.spots} spots of {tracked}, "
            "holds for all channels."
        )
    elif isinstance(sigma, Mapping) and tracked not in sigma:
        raise ValueError(f"sigma has no value for the channel {tracked!r}, only for {list(sigma)}; add it")
    own = checked_sigma(float(sigma[tracked] if isinstance(sigma, Mapping) else sigma))
    window = _average(average, movie.seconds_per_frame)

    def detect(frame: int, image: Array, mean: Array) -> pd.DataFrame:
        spots = detect_spots(mean, sigma=own, level=level, control=control).assign(frame=frame)
        if window > 1:
            fits = fit_spots(image, spots["y"], spots["x"], own)
            spots = spots.assign(**{name: getattr(fits, name) for name in COLUMNS[2:]})
        return spots

    spots = pd.concat(_in_turn(detect, _means(movie, place, window), count, threads, progress), ignore_index=True)
    table = link_spots(
        spots,
        max_step=max_step,
        max_gap=max_gap,
        min_frames=min_frames,
        min_significant=min_significant,
        max_trim=window // 2,
        cell=cell,
        source=source,
        channel=tracked,
        seconds_per_frame=movie.seconds_per_frame,
        micrometres_per_pixel=movie.micrometres_per_pixel,
        losses=report,
    )
    series = LossReport()
    result = extract(
        movie,
        table,
        sigma=sigma,
        before=before,
        after=after,
        channels=channels,
        shifts=shifts,
        neighbours=neighbours,
        gain=gain,
        threads=threads,
        losses=series,
        progress=progress,
    )
    # Its tracks are those that were kept above.
    series.came = series.kept = 0
    report.merge(series)
    return result


def _linked(spots: pd.DataFrame, max_step: float, max_gap: int, max_gap_step: float) -> npt.NDArray[np.int64]:
    """Number of the track of each spot; rows are sorted by frame and numbered from 0."""
    from laptrack import LapTrack
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    options: dict[str, Any] = {
        "cutoff": max_step**2,
        "gap_closing_cutoff": max_gap_step**2 if max_gap else False,
        # The difference of the frames, not the number of those between.
        "gap_closing_max_frame_count": max_gap + 1,
        "splitting_cutoff": False,
        "merging_cutoff": False,
    }
    frame = spots["frame"].to_numpy(dtype=np.int64)
    first = np.searchsorted(frame, np.arange(frame[0], frame[-1] + 2))
    # Its face for tables spends most of its time on writing the table.
    tree = LapTrack(**options).predict(np.split(spots[["y", "x"]].to_numpy(dtype=np.float64), first[1:-1]))
    edges = np.array(list(tree.edges), dtype=np.int64).reshape(-1, 2, 2)
    one, other = (first[edges[:, end, 0]] + edges[:, end, 1] for end in (0, 1))
    joined = coo_array((np.ones(len(edges)), (one, other)), shape=(len(spots), len(spots)))
    _, tracks = connected_components(joined, directed=False)
    return np.asarray(tracks, dtype=np.int64)


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
    if missing := [name for name in ("frame", "y", "x") if name not in spots]:
        raise ValueError(f"spots need the columns frame, y and x; {missing} are missing among {list(spots.columns)}")
    positions = spots[["frame", "y", "x"]].to_numpy(dtype=np.float64)
    if not np.isfinite(positions).all() or (positions[:, 0] % 1 != 0).any() or (positions[:, 0] < 0).any():
        raise ValueError("frame must be whole numbers from 0, y and x finite; drop the other rows of spots")
    for name, value in (("max_step", max_step), ("max_gap_step", max_step if max_gap_step is None else max_gap_step)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number of pixels, got {value}")
    if max_gap < 0 or min_frames < 1 or not 0 <= min_significant <= 1:
        raise ValueError(
            "max_gap must be 0 or more, min_frames 1 or more, min_significant within 0 and 1, "
            f"got {max_gap}, {min_frames} and {min_significant}"
        )


def _average(average: int | None, seconds_per_frame: float | None) -> int:
    """Number of frames to take the mean of."""
    if average is None:
        if seconds_per_frame is None:
            return 3
        return 1 + 2 * int(min(max((SECONDS_OF_MEAN / seconds_per_frame - 1) // 2, 0), 2))
    if average < 1 or average % 2 == 0:
        raise ValueError(f"average must be an odd number of frames, got {average}; 1 takes each by itself")
    return average


def _means(movie: Movie, channel: int, window: int) -> Iterator[tuple[int, Array, Array]]:
    """Every frame with the mean of those around it, as far as there are; each is read once."""
    count, half = movie.shape[0], window // 2
    held: dict[int, Array] = {}
    for frame in range(count):
        for ahead in range(max(held, default=-1) + 1, min(frame + half, count - 1) + 1):
            held[ahead] = movie.frame(ahead, channel)
        held.pop(frame - half - 1, None)
        mean = np.asarray(np.mean([*held.values()], axis=0, dtype=np.float64)) if window > 1 else held[frame]
        yield frame, held[frame], mean


def _in_turn(
    work: Callable[[int, Array, Array], pd.DataFrame],
    tasks: Iterator[tuple[int, Array, Array]],
    count: int,
    threads: int,
    progress: bool,
) -> list[pd.DataFrame]:
    """Results of all tasks, in order; few of them wait at a time, since each holds images."""
    from rich.progress import track

    results: list[pd.DataFrame] = []
    waiting: deque[Future[pd.DataFrame]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for task in track(tasks, "Spots", total=count, disable=not progress):
            if len(waiting) > threads:
                results.append(waiting.popleft().result())
            waiting.append(pool.submit(work, *task))
        results += [one.result() for one in waiting]
    return results
