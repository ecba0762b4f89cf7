"""Predictions for tracks by a model card: the series are made as those that the card was fitted to."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.card import ModelCard
from awd_cme.losses import LossReport
from awd_cme.resample import fill_gaps
from awd_cme.series_set import SeriesSettings
from awd_cme.tracks import channels as channels_of
from awd_cme.tracks import starts


def predict_tracks(card: ModelCard | str | os.PathLike[str], table: pd.DataFrame) -> tuple[pd.DataFrame, LossReport]:
    """Predict for every track of a canonical table whose first channel was measured; the partner is not needed.

    Parameters
    ----------
    card : ModelCard or path
        The model. Its notes say which parts of a track its series are made of.
    table : DataFrame
        Canonical table with the card's channel, or else with one channel of any name.

    Returns
    -------
    predictions : DataFrame
        `cell`, `track`, `lifetime` and `prediction`: in the partner's unit, or the probability of success. Tracks are
        not filtered by category or lifetime.
    losses : LossReport
        Tracks without a value in the channel; what was assumed.

    Raises
    ------
    ValueError
        If the channel is not there, or no track is left.
    """
    model = card if isinstance(card, ModelCard) else ModelCard.load(Path(card))
    known = channels_of(table)
    losses = LossReport()
    name = model.channels[0]
    if name not in known:
        if len(known) != 1:
            raise ValueError(f"the table has the channels {known}, and the card reads {name!r}; name them (channels)")
        losses.assume(f"the channel {known[0]!r} is what the card calls {name!r}.")
        name = known[0]
    parts = model.notes.get("series", {}).get("parts", list(SeriesSettings().parts))
    used = table[table["part"].isin(parts)].reset_index(drop=True)
    first = starts(used)
    frame, values = used["frame"].to_numpy(), used[f"{name}_amplitude"].to_numpy(dtype=np.float64)
    series: list[Any] = []
    rows: list[int] = []
    for begin, end in zip(first, np.append(first, len(used))[1:], strict=True):
        filled, _ = fill_gaps(frame[begin:end], values[begin:end])
        if np.isfinite(filled).all() and len(filled):
            series.append(filled)
            rows.append(int(begin))
    losses.add("tracks", len(first) - len(rows), f"no amplitude of {name}")
    if not rows:
        raise ValueError(f"no track of {len(first)} has an amplitude of {name!r}; extract it first (awd-cme extract)")
    found = used.iloc[rows][["cell", "track", "lifetime"]].reset_index(drop=True)
    cells = found["cell"].astype(str).to_numpy()
    if unknown := sorted({str(cell) for cell in cells} - set(model.inputs.cells)):
        losses.assume(f"{len(unknown)} cells are new to the card: they are taken to be like its training cells.")
    found["prediction"] = model.predict(series, cell=cells)
    return found, losses
