"""Predictions for tracks by a model card: the series are made as those that the card was fitted to."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.model.card import ModelCard
from awd_cme.model.student_card import FORMAT, StudentCard
from awd_cme.series.problem import exclusions
from awd_cme.series.resample import fill_gaps
from awd_cme.series.series_set import SeriesSettings
from awd_cme.tracks.intervals import are_alike, at_interval, different, frame_intervals
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.table import channels as channels_of
from awd_cme.tracks.table import starts
from awd_core.checks import check_file
from awd_core.typing import AnyArray, Flags

Card = ModelCard | StudentCard
MISSING = 0.1
"""Share of a track's amplitudes that are interpolated above which it is marked."""
BRIGHTER = 2.5
"""Factor by which a new cell may be brighter or darker than a card's training cells before it is marked."""
SHOWN = 20
"""Rows of a table of predictions that a terminal shows; of longer tables, half as many."""


def predict_tracks(
    card: Card | str | os.PathLike[str], table: pd.DataFrame, *, resample: bool = False
) -> tuple[pd.DataFrame, LossReport]:
    """Predict for every track of a canonical table whose first channel was measured; the partner is not needed.

    Parameters
    ----------
    card : ModelCard, StudentCard or path
        The model, or the name of one of `shipped_cards`. Its notes say which parts of a track its series are made of.
    table : DataFrame
        Canonical table with the card's channel, or else with one channel of any name.
    resample : bool
        Whether tracks of another frame interval than the card's are brought to it (`awd_cme.tracks.intervals`).

    Returns
    -------
    predictions : DataFrame
        `cell`, `track`, `lifetime`, `prediction` and `outside`. Predictions are in the partner's unit, or the
        probability of success. Every track is predicted; `outside` names what sets one apart from those that the
        card was fitted to, several separated by a space, or is empty: "category", "lifetime" or "frames" where the
        learning problem leaves such tracks out, "interval" where the frame interval is another one, "brightness" where
        a new cell is much brighter or darker than the training cells and these standardise it, "missing" where
        more than a tenth of the amplitudes are not known and were interpolated, "limit" where the prediction is the
        least or largest target of the training tracks, beyond which no prediction goes.
    losses : LossReport
        Tracks without a value in the channel; what was assumed; how many tracks lie outside, and why.

    Raises
    ------
    ValueError
        If the channel is not there, or no track is left; if tracks are to be brought to a frame interval that is
        unknown.
    """
    model = card if isinstance(card, ModelCard | StudentCard) else load_card(Path(card))
    known = channels_of(table)
    losses = LossReport()
    name = model.channels[0]
    if name not in known:
        if len(known) != 1:
            raise ValueError(
                f"the table has the channels {', '.join(known)}, and the card reads {name}; name them in the table's "
                f"order: --channels {','.join(model.channels)}"
            )
        losses.assume(f"the channel {known[0]!r} is what the card calls {name!r}.")
        name = known[0]
    step = model.notes.get("seconds_per_frame")
    if resample:
        if step is None:
            raise ValueError("the card does not say its frame interval, so tracks cannot be brought to it; fit it anew")
        table = at_interval(table, step, losses)
    settings = _settings_of(model)
    used = table[table["part"].isin(list(settings.parts))].reset_index(drop=True)
    first = starts(used)
    frame, values = used["frame"].to_numpy(), used[f"{name}_amplitude"].to_numpy(dtype=np.float64)
    series: list[Any] = []
    rows: list[int] = []
    missing: list[float] = []
    gap = used["part"].to_numpy() == "gap"
    for begin, end in zip(first, np.append(first, len(used))[1:], strict=True):
        filled, _ = fill_gaps(frame[begin:end], values[begin:end])
        if np.isfinite(filled).all() and len(filled):
            series.append(filled)
            rows.append(int(begin))
            missing.append(float(np.mean(np.isnan(values[begin:end]) & ~gap[begin:end])))
    losses.add("tracks", len(first) - len(rows), f"no amplitude of {name}")
    if not rows:
        raise ValueError(f"no track of {len(first)} has an amplitude of {name!r}; extract it first (awd-cme extract)")
    found = used.iloc[rows][["cell", "track", "lifetime"]].reset_index(drop=True)
    cells = found["cell"].astype(str).to_numpy()
    if unknown := sorted({str(cell) for cell in cells} - set(model.inputs.cells)):
        are = "is new to the card: it is" if len(unknown) == 1 else "are new to the card: they are"
        losses.assume(f"{counted(len(unknown), 'cells')} {are} taken to be like its training cells.")
    found["prediction"] = model.predict(series, cell=cells)
    where = np.searchsorted(first, rows)
    marks = [(name, why, bad[where]) for name, why, bad in exclusions(used, first, settings)]
    for name, why, bad in marks:
        if count := int(bad.sum()):
            losses.assume(
                f"the card holds for {count} of {counted(len(found), 'tracks')} although its training left such out: "
                f"{why} (outside: {name})."
            )
    share = np.array(missing)
    if share.any():
        losses.assume(
            f"amplitudes of {name} are missing in {counted(int((share > 0).sum()), 'tracks')} and were interpolated; "
            f"in {int((share > MISSING).sum())} more than {MISSING:.0%} are (outside: missing)."
        )
    marks.append(("missing", "", share > MISSING))
    other = _other_interval(step, table, cells, losses)
    marks.append(("interval", "", other))
    marks.append(("brightness", "", _say_domain(model, series, cells, losses)))
    limited = _at_limit(model, found["prediction"].to_numpy(), cells)
    if limited.any():
        losses.assume(
            f"{int(limited.sum())} of {counted(len(found), 'predictions')} would lie beyond the targets of the "
            "training tracks, and are set to the least or largest of these (outside: limit)."
        )
    marks.append(("limit", "", limited))
    found["outside"] = [
        " ".join(dict.fromkeys(name for name, _, bad in marks if bad[row])) for row in range(len(found))
    ]
    return found, losses


def load_card(path: str | os.PathLike[str]) -> Card:
    """The card in a file, of the rich model or of the small one, or one that is shipped, by its name.

    Errors are those of `ModelCard.load`.
    """
    if not Path(path).exists() and (shipped := shipped_cards().get(str(path))) is not None:
        path = shipped
    if not Path(path).exists() and os.sep not in str(path) and not Path(path).suffix:
        raise FileNotFoundError(
            f"there is no file {path}, and no card of that name is shipped, but {', '.join(shipped_cards())}"
        )
    check_file(Path(path))
    small = f'"{FORMAT}"'.encode() in Path(path).read_bytes()[:200]
    return StudentCard.load(path) if small else ModelCard.load(path)


def shipped_cards() -> dict[str, Path]:
    """Cards that come with the package, by their names; `notes["domain"]` of each says where it holds.

    Examples
    --------
    >>> list(shipped_cards())
    ['simulated-strength', 'simulated-success']
    """
    return {path.stem: path for path in sorted((Path(__file__).parent / "cards").glob("*.json"))}


def _say_domain(model: Card, series: list[Any], cells: AnyArray, losses: LossReport) -> Flags:
    """Where a card holds, as far as it says; which tracks are of cells of quite another brightness than its own."""
    for what, told in (model.notes.get("domain") or {}).items():
        losses.assume(f"the card's {what}: {told}")
    known = model.inputs
    other = np.zeros(len(cells), dtype=bool)
    if known.rule != "training":
        return other
    usual = float(np.hypot(known.mean, known.sd))
    for cell in np.unique(cells):
        if str(cell) in known.cells:
            continue
        own = np.concatenate([series[k] for k in np.flatnonzero(cells == cell)])
        ratio = float(np.sqrt(np.mean(np.square(own)))) / usual
        if not 1 / BRIGHTER <= ratio <= BRIGHTER:
            other |= cells == cell
            losses.doubt(
                f"amplitudes of {cell} are {ratio:.2g} times those of the card's training cells (outside: brightness): "
                "predictions hold for like brightness; fit a card with --scale-inputs own, or to cells like these"
            )
    return other


def predictions_text(predictions: pd.DataFrame) -> str:
    """Return a table for a terminal: all predictions or the first of many, and a summary.

    Parameters
    ----------
    predictions : DataFrame
        As `predict_tracks` gives it.

    Examples
    --------
    >>> table = pd.DataFrame({"cell": ["a", "a"], "track": [1, 2], "lifetime": [20.0, 9.0], "prediction": [61.5, 8.25],
    ...                       "outside": ["", "lifetime"]})
    >>> print(predictions_text(table))
    cell  track  lifetime  prediction  outside
       a      1        20        61.5
       a      2         9        8.25 lifetime
    <BLANKLINE>
    2 tracks, 1 of them outside what the card knows; predictions from 8.25 to 61.5, median 34.9
    """
    long = len(predictions) > SHOWN
    shown = predictions.head(SHOWN // 2) if long else predictions
    lines = [line.rstrip() for line in shown.to_string(index=False, float_format="{:.4g}".format).split("\n")]
    if long:
        lines.append(f"… and {len(predictions) - len(shown)} more")
    value, outside = predictions["prediction"], int((predictions["outside"] != "").sum())
    low, middle, high = (f"{number:.3g}" for number in (value.min(), value.median(), value.max()))
    lines += [
        "",
        f"{counted(len(predictions), 'tracks')}, {outside} of them outside what the card knows; predictions "
        f"from {low} to {high}, median {middle}",
    ]
    return "\n".join(lines)


def _settings_of(model: Card) -> SeriesSettings:
    """The learning problem that the card's notes tell; without notes, no rule leaves a track out."""
    noted = model.notes.get("series")
    if noted is None:
        return SeriesSettings(categories=None, longer_than=None)
    return SeriesSettings.from_dict(noted)


def _other_interval(step: float | None, table: pd.DataFrame, cells: AnyArray, losses: LossReport) -> Flags:
    """Which tracks have another frame interval than the card's; what is unknown of either is said, and marks none."""
    intervals = frame_intervals(table)
    known = {cell: seconds for cell, seconds in intervals.items() if seconds is not None}
    if step is None:
        if known:
            losses.assume("the card does not say its frame interval: that of the tracks is taken to be the same.")
        return np.zeros(len(cells), dtype=bool)
    if unknown := [cell for cell in intervals if cell not in known]:
        losses.assume(
            f"the frame interval of {counted(len(unknown), 'cells')} is unknown ({', '.join(unknown[:3])}): it is "
            f"taken to be the card's, {step:g} s; --seconds-per-frame tells it."
        )
    others = {cell: seconds for cell, seconds in known.items() if not are_alike(seconds, step)}
    for seconds, which in different(dict(others)).items():
        losses.doubt(
            f"the card is of tracks of {step:g} s per frame, and those of {', '.join(which[:3])} have {seconds:g} s "
            "(outside: interval): --resample brings them to the card's, --seconds-per-frame corrects a wrong one"
        )
    return np.isin(cells, list(others))


def _at_limit(model: Card, predictions: AnyArray, cells: AnyArray) -> Flags:
    """Which predictions are what the card clips to, in the unit of the predictions."""
    if model.task == "classification":
        return np.zeros(len(predictions), dtype=bool)
    mean, sd = model.targets.of(cells) if model.targets.rule == "training" else (0.0, 1.0)
    near = [np.isclose(predictions, limit * sd + mean, rtol=1e-9, atol=1e-9) for limit in model.limits]
    return np.asarray(near[0] | near[1])
