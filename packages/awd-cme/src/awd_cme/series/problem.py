"""From the canonical table of tracks to a learning problem: `make_series`, and the splits that it is tested on.

The steps, in their order: rows by `part`; tracks by category, lifetime and number of frames; the target from the
partner's frames, and hot spots; gaps filled; the series brought to one length. Z-scores come after the split, since
they are fitted on training tracks: `awd_cme.series.scaling`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.series.resample import fill_gaps, resample
from awd_cme.series.scaling import Rule, fit_z_scores
from awd_cme.series.series_set import SETTINGS, DayOf, SeriesSet, SeriesSettings
from awd_cme.series.targets import HOT_SPOTS, NEED_P, TARGETS, PartnerSeries, Target
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.rules import PARTS
from awd_cme.tracks.table import channels as channels_of
from awd_cme.tracks.table import starts
from awd_core.checks import check_choice, check_kind, is_real_number, plain_array, whole_number
from awd_core.typing import AnyArray, Flags, Indices, Rows


def make_series(
    table: pd.DataFrame,
    settings: SeriesSettings | str = "published",
    *,
    target: Target | str | None = None,
    classification: bool = False,
    day: DayOf | Mapping[str, str] | None = None,
) -> SeriesSet:
    """Series and targets of the tracks of a canonical table, in the units of its channels.

    Parameters
    ----------
    table : DataFrame
        As `awd_cme.tracks.table` describes it, with two channels at least.
    settings : SeriesSettings or str
        The steps, or a name in `SETTINGS`: "published", "published-lstm", "published-success", "cmeanalysis", "yeast".
    target : str or callable, optional
        Another name of `awd_cme.series.targets.TARGETS` than that of the settings; or a target of your own, from a
        `PartnerSeries` to a number, or to a boolean if `classification` says so. NaN drops the track.
    classification : bool
        What a target of your own gives.
    day : callable or mapping, optional
        Day of each cell by the cell's name.

    Returns
    -------
    SeriesSet
        One entry a track that was kept, in the order of the table. Its `losses` say what was dropped and assumed.

    Raises
    ------
    ValueError
        For unknown settings or channels, a target that needs p-values where the partner has none, or if no track is
        left; the message says where they went.
    KeyError
        If `day` is a mapping that lacks a cell.

    Examples
    --------
    >>> import numpy as np
    >>> from awd_cme.tracks import make_table
    >>> frames = np.arange(50)
    >>> table = make_table(track=np.repeat([1, 2], 50), frame=np.tile(frames, 2), y=np.ones(100), x=np.ones(100),
    ...                    channels=["Sla1", "Abp1"], signals={"Sla1_amplitude": np.arange(100.0),
    ...                                                        "Abp1_amplitude": np.arange(100.0) % 50})
    >>> series = make_series(table, "yeast")
    >>> series.X.shape, series.y.tolist(), series.channels
    ((2, 40), [49.0, 49.0], ('Sla1', 'Abp1'))
    """
    chosen = _settings(settings)
    check_kind("table", table, pd.DataFrame)
    if target is not None and not isinstance(target, str) and not callable(target):
        raise TypeError(f"target is {target!r}; give one of {', '.join(TARGETS)}, or a function of a PartnerSeries")
    if isinstance(target, str):
        chosen, target = replace(chosen, target=target), None
    x, y = _channels(table, chosen)
    function, classify = (target, classification) if target else TARGETS[chosen.target]
    if target is not None:
        chosen = replace(chosen, target=getattr(target, "__name__", type(target).__name__))
    elif chosen.target in NEED_P and not np.isfinite(table[f"{y}_p"].to_numpy()).any():
        raise ValueError(
            f"the target {chosen.target!r} needs p-values of {y!r}, and the table has none; extract them with "
            "awd_cme.tracking.intensities, or take target='max'"
        )
    losses = LossReport(came=len(starts(table)))
    rows = table["part"].isin(list(chosen.parts)).to_numpy()
    used = table if rows.all() else table[rows].reset_index(drop=True)
    if len(lost := np.setdiff1d(_keys(table), _keys(used))):
        losses.add("tracks", len(lost), f"no rows among the parts {', '.join(chosen.parts)}")
    first = starts(used)
    used, first = _filtered(used, first, chosen, losses)
    kept = _Kept(used, chosen, x, y, function, table.attrs.get("seconds_per_frame"))
    for begin, end in zip(first, np.append(first, len(used))[1:], strict=True):
        kept.add(int(begin), int(end), losses)
    losses.kept = len(kept.X)
    if kept.filled:
        losses.assume(f"{kept.filled} missing values of {x} were interpolated from their neighbours in time.")
    if not kept.X:
        raise ValueError(f"no track is left of {losses.came}.\n{losses}")
    at = np.array(kept.rows)
    cell = used["cell"].astype(str).to_numpy(dtype=object)[at].astype(str)
    if isinstance(day, Mapping):
        if lacking := [str(name) for name in np.unique(cell) if name not in day]:
            raise KeyError(f"day has no entry for the cell {lacking[0]!r}; it has {', '.join(map(str, day))}")
    elif day is not None and not callable(day):
        raise TypeError(f"day is {day!r}; give a mapping from cells to days, or a function of a cell's name")
    of_day: Callable[[str], str] = day.__getitem__ if isinstance(day, Mapping) else day or (lambda _: "")
    days = {name: str(of_day(name)) for name in np.unique(cell)}
    return SeriesSet(
        X=np.array(kept.X),
        mask=np.array(kept.masks),
        y=np.array(kept.y, dtype=bool if classify else np.float64),
        cell=cell,
        track=used["track"].to_numpy()[at],
        day=np.array([days[name] for name in cell]),
        lifetime=used["lifetime"].to_numpy(dtype=np.float64)[at],
        frames=np.array(kept.frames),
        seconds_per_sample=np.array(kept.seconds),
        channels=(x, y),
        settings=replace(chosen, x=x, y=y),
        classification=classify,
        losses=losses,
    )


def yeast_problem(
    table: pd.DataFrame, seed: int = 0, *, share: float = 0.7, inputs: Rule = "training", targets: Rule = "training"
) -> tuple[SeriesSet, SeriesSet]:
    """Training and test set of the question asked of the yeast tracks, how strong the partner will get.

    X is the coat protein over all of the series, frames around the track included, brought to length 40 (longer by
    index, shorter with zeros); y the partner's largest amplitude; split by permutation; both z-scored.

    Parameters
    ----------
    table : DataFrame
        Canonical table of one yeast file.
    seed : int
        Of `numpy.random.RandomState`, whose permutation makes the split.
    share : float
        Part of the tracks to train on.
    inputs, targets : {"training", "own", "none"}
        Rules of `awd_cme.series.scaling`.

    Returns
    -------
    training, test : SeriesSet
        Standardised.
    """
    raw = make_series(table, "yeast")
    rows, rest = split_tracks(len(raw), seed, share)
    scores = fit_z_scores(raw.take(rows), inputs=inputs, targets=targets)
    return scores.apply(raw.take(rows)), scores.apply(raw.take(rest))


def split_tracks(n: int, seed: int, share: float = 0.7) -> tuple[Indices, Indices]:
    """Training and test tracks by a permutation, whatever their cells: for a single cell.

    Parameters
    ----------
    n : int
        Number of tracks.
    seed : int
        Of `numpy.random.RandomState`.
    share : float
        Part to train on, rounded down.

    Raises
    ------
    ValueError
        If one side would be empty.

    Examples
    --------
    >>> training, test = split_tracks(10, seed=0)
    >>> training.tolist(), test.tolist()
    ([2, 8, 4, 9, 1, 6, 7], [3, 0, 5])
    """
    # The legacy generator on purpose: published numbers belong to its permutations.
    n = whole_number("n", n, 0)
    if not is_real_number(share):
        raise ValueError(f"share is {share!r}; give a part of the tracks between 0 and 1")
    order = np.random.RandomState(whole_number("seed", seed, 0)).permutation(n)
    count = int(share * n)
    if not 0 < count < n:
        raise ValueError(f"a share of {share} of {n} tracks leaves one side of the split empty; take another share")
    return order[:count], order[count:]


def split_groups(
    groups: AnyArray, *, test: Sequence[str] | None = None, share: float = 0.7, seed: int = 0
) -> tuple[Indices, Indices]:
    """Training and test tracks, whole groups (cells, days) on either side.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        As `SeriesSet.groups` gives them.
    test : sequence of str, optional
        Groups to test on. Default: drawn with the seed, so that at least the part 1 − share of the groups is held out.
    share : float
        Part of the groups to train on, where none are named.
    seed : int
        Of the draw.

    Raises
    ------
    ValueError
        If a named group does not exist, or one side would be empty.

    Examples
    --------
    >>> split_groups(np.array(["a", "b", "a", "c"]), test=["a"])[1].tolist()
    [0, 2]
    """
    groups = plain_array(groups, "groups")
    if groups.ndim != 1:
        raise ValueError(f"groups have the shape {groups.shape}; give one entry for each track")
    if isinstance(test, str):
        raise TypeError(f"test is {test!r}; give a list of groups, [{test!r}]")
    if not is_real_number(share):
        raise ValueError(f"share is {share!r}; give a part of the groups between 0 and 1")
    seed = whole_number("seed", seed, 0)
    names = np.unique(groups)
    if test is None:
        order = np.random.default_rng([seed, 0]).permutation(len(names))
        held = names[order[int(share * len(names)) :]]
    else:
        held = np.asarray(test)
        if len(unknown := np.setdiff1d(held.astype(str), names.astype(str))):
            raise ValueError(
                f"there is no group {str(unknown[0])!r} to test on; there are {', '.join(map(str, names))}"
            )
    away = np.isin(groups.astype(str), held.astype(str))
    if away.all() or not away.any():
        raise ValueError(
            f"{len(names)} groups leave one side of the split empty; hold out some of them and keep others to train on"
        )
    return np.flatnonzero(~away), np.flatnonzero(away)


def exclusions(table: pd.DataFrame, first: Indices, settings: SeriesSettings) -> list[tuple[str, str, Flags]]:
    """Which tracks a learning problem leaves out whatever their partner does.

    Parameters
    ----------
    table : DataFrame
        Canonical, with the rows of the settings' parts alone.
    first : ndarray of int, shape (k,)
        Where each track begins.
    settings : SeriesSettings
        The rules.

    Returns
    -------
    list of (column, why, ndarray of bool, shape (k,))
        For each rule what it looks at ("category", "lifetime" or "frames"), the reason as people read it, and the
        tracks that it leaves out. What is unknown of a track does not leave it out.
    """
    found = []
    if settings.categories is not None:
        category = table["category"].to_numpy(dtype=np.float64, na_value=np.nan)[first]
        bad = ~np.isnan(category) & ~np.isin(category, settings.categories)
        found.append(("category", f"category not in {list(settings.categories)}", bad))
    lifetime = table["lifetime"].to_numpy(dtype=np.float64)[first]
    if settings.longer_than is not None:
        why = f"lifetime of {settings.longer_than:g} s or less"
        found.append(("lifetime", why, lifetime <= settings.longer_than))
    if settings.at_most is not None:
        found.append(("lifetime", f"lifetime above {settings.at_most:g} s", lifetime > settings.at_most))
    count = np.diff(np.append(first, len(table)))
    found.append(("frames", f"fewer than {settings.least_frames} frames", count < settings.least_frames))
    return found


def _settings(settings: SeriesSettings | str) -> SeriesSettings:
    if isinstance(settings, str):
        check_choice("settings", settings, SETTINGS)
        settings = SETTINGS[settings]
    check_kind("settings", settings, SeriesSettings)
    if not set(settings.parts) <= set(PARTS):
        raise ValueError(f"parts is {settings.parts!r}; give some of {', '.join(PARTS)}, as ('track',)")
    check_choice("hot_spots", settings.hot_spots, HOT_SPOTS, required=True)
    return settings


def _channels(table: pd.DataFrame, settings: SeriesSettings) -> tuple[str, str]:
    known = channels_of(table)
    if len(known) < 2:
        measured = any(np.isfinite(table[f"{name}_amplitude"].to_numpy(dtype=np.float64)).any() for name in known)
        raise ValueError(
            f"the tracks have {'intensities of one channel only' if measured else 'no intensities'}, and a learning "
            "problem needs two channels, what is seen and a partner; measure both with awd-cme run MOVIES --tracks "
            "FILE, or export both from the tracking program"
        )
    x, y = settings.x or known[0], settings.y or next(name for name in known if name != (settings.x or known[0]))
    for name in (x, y):
        if name not in known:
            raise ValueError(f"the table has no channel {name!r}; it has {', '.join(known)}")
    check_choice("target", settings.target, TARGETS, required=True)
    return x, y


def _keys(table: pd.DataFrame) -> Rows:
    """A number for each track, the same in a table and in a part of its rows."""
    at = starts(table)
    codes = table["cell"].cat.codes.to_numpy()[at].astype(np.int64)
    sources = table["source"].cat.codes.to_numpy()[at].astype(np.int64)
    keys: Rows = (sources * 2**20 + codes) * 2**40 + table["track"].to_numpy()[at]
    return keys


def _filtered(
    table: pd.DataFrame, first: Indices, settings: SeriesSettings, losses: LossReport
) -> tuple[pd.DataFrame, Indices]:
    """The rows of tracks whose category, lifetime and number of frames will do."""
    count = np.diff(np.append(first, len(table)))
    keep = np.ones(len(first), dtype=bool)
    for _, why, bad in exclusions(table, first, settings):
        losses.add("tracks", int((bad & keep).sum()), why)
        keep[bad] = False
    used = {"category": settings.categories is not None}
    used["lifetime"] = settings.longer_than is not None or settings.at_most is not None
    for name in (name for name, asked in used.items() if asked):
        unknown = int(table[name].isna().to_numpy()[first].sum())
        if unknown:
            losses.assume(f"{counted(unknown, 'tracks')} of unknown {name} {'was' if unknown == 1 else 'were'} kept.")
    if keep.all():
        return table, first
    left = table[np.repeat(keep, count)].reset_index(drop=True)
    return left, np.append(0, np.cumsum(count[keep]))[:-1]


class _Kept:
    """What is gathered track by track."""

    def __init__(
        self, table: pd.DataFrame, settings: SeriesSettings, x: str, y: str, target: Target, interval: float | None
    ) -> None:
        self.settings, self.target = settings, target
        self.hot = HOT_SPOTS[settings.hot_spots]
        self.seen = table[f"{x}_amplitude"].to_numpy(dtype=np.float64)
        self.partner = table[f"{y}_amplitude"].to_numpy(dtype=np.float64)
        self.p = table[f"{y}_p"].to_numpy(dtype=np.float64)
        self.frame, self.t = table["frame"].to_numpy(), table["t"].to_numpy(dtype=np.float64)
        self.interval = interval
        self.names = x, y
        self.X: list[Any] = []
        self.masks: list[Any] = []
        self.y: list[Any] = []
        self.rows: list[int] = []
        self.frames: list[int] = []
        self.seconds: list[float] = []
        self.filled = 0

    def add(self, begin: int, end: int, losses: LossReport) -> None:
        """Take the track in these rows, or say why not."""
        x, y = self.names
        # A compound track has its segments side by side in time where they overlap; the rows are unique in frame.
        series, filled = fill_gaps(self.frame[begin:end], self.seen[begin:end])
        if not np.isfinite(series).all():
            losses.add("tracks", 1, f"no amplitude of {x}")
            return
        partner = PartnerSeries(self.partner[begin:end], self.p[begin:end])
        if self.hot is not None and self.hot(partner):
            losses.add("tracks", 1, f"hot spots ({self.settings.hot_spots} rule)")
            return
        if not np.isfinite(partner.amplitude).any():
            losses.add("tracks", 1, f"no amplitude of {y}")
            return
        target = self.target(partner)
        if not np.isfinite(target):
            losses.add("tracks", 1, "the target is not finite")
            return
        values, mask, step = resample(series, self.settings.length, self.settings.resampling)
        self.filled += filled
        self.X.append(values)
        self.masks.append(mask)
        self.y.append(target)
        self.rows.append(begin)
        self.frames.append(len(series))
        self.seconds.append(step * self._interval(begin, end))

    def _interval(self, begin: int, end: int) -> float:
        """Seconds from a frame to the next: the table's, else the track's own times; NaN where unknown."""
        if self.interval is not None:
            return float(self.interval)
        frames = self.frame[end - 1] - self.frame[begin]
        return float((self.t[end - 1] - self.t[begin]) / frames) if frames else float("nan")
