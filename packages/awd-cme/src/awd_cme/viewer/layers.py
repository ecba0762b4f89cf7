"""Layers as napari takes them: (data, options, kind). A movie has the axes t, y, x, so tracks are track, t, y, x."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.tracks.rules import channels
from awd_core.typing import AnyArray

Layer = tuple[Any, dict[str, Any], str]
GREEN, MAGENTA = "green", "magenta"
PREDICTED = ("prediction", "awd", "student", "teacher", "truth")
"""Columns of predictions that tracks are coloured by, as far as they are there; the first one at first."""


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[Layer]] | None:
    """What opens a path: tracks of any format, or the folder of a run, whose predictions colour its tracks.

    Returns
    -------
    callable or None
        Given the same path it returns layers; None where it is nothing of ours. Movies are left to others.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    place = Path(path)
    if _run_tracks(place) is not None:
        return _read
    try:
        from awd_cme.readers.read import recognise

        recognise(place)
    except (ValueError, OSError):
        return None
    return _read if place.is_file() or _holds_tracks(place) else None


def _holds_tracks(folder: Path) -> bool:
    from awd_cme.readers.source import recognise_source

    try:
        return recognise_source(str(folder)).kind == "tracks"
    except (ValueError, OSError):
        return False


def _read(path: Any) -> list[Layer]:
    from awd_cme.readers.read import read_tracks

    place = Path(path)
    own = _run_tracks(place)
    table, _ = read_tracks(own or place)
    predictions = None
    if own is not None and (place / "predictions.csv").is_file():
        predictions = pd.read_csv(place / "predictions.csv")
    return track_layers(table, predictions)


def _run_tracks(folder: Path) -> Path | None:
    """The table of tracks in the folder of a run."""
    inside = folder / "tracks.parquet"
    return inside if (folder / "config.json").is_file() and inside.is_file() else None


def track_layers(table: pd.DataFrame, predictions: pd.DataFrame | None = None) -> list[Layer]:
    """A layer of tracks for each cell, with amplitudes and predictions as features.

    Parameters
    ----------
    table : DataFrame
        Canonical table. Gaps and frames around tracks are left out.
    predictions : DataFrame, optional
        `cell`, `track`, and columns of predictions, as `awd-cme predict` and a run write them.

    Returns
    -------
    list of (ndarray, dict, str)
        Data of the shape (rows, 4): track, frame, y, x in pixels; options with `name`, `features`, `scale` where the
        size of a pixel is known, and `color_by`. Layers of all cells but the first are hidden.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> ((data, options, kind),) = track_layers(make_table(track=[7, 7], frame=[0, 1], y=[2, 3], x=[4, 5]))
    >>> data.tolist(), kind, options["name"]
    ([[7.0, 0.0, 2.0, 4.0], [7.0, 1.0, 3.0, 5.0]], 'tracks', 'tracks cell')
    """
    rows = table[(table["part"] == "track") & table[["y", "x"]].notna().all(axis=1)]
    size = table.attrs.get("micrometres_per_pixel")
    names = [f"{name}_amplitude" for name in channels(table)]
    found: list[Layer] = []
    for cell, own in rows.groupby(rows["cell"].astype(str), sort=True):
        own = own.sort_values(["source", "track", "frame"], kind="stable")
        # Tracks of several files of one cell may have the same number, which napari would join.
        number = own.groupby(["source", "track"], sort=False, observed=True).ngroup().to_numpy()
        track = own["track"].to_numpy() if own["source"].nunique() < 2 else number + 1
        data = np.column_stack([track, own["frame"], own["y"], own["x"]]).astype(np.float64)
        features: dict[str, AnyArray] = {name: own[name].to_numpy() for name in names if own[name].notna().any()}
        features["lifetime"] = own["lifetime"].to_numpy()
        shown = []
        if predictions is not None:
            known = predictions[predictions["cell"].astype(str) == cell].drop_duplicates("track").set_index("track")
            shown = [name for name in PREDICTED if name in known]
            features |= {name: known[name].reindex(own["track"]).to_numpy(dtype=np.float64) for name in shown}
        # What is not known has no colour of its own: napari wants numbers.
        filled = {name: np.nan_to_num(values, nan=0.0) for name, values in features.items()}
        options: dict[str, Any] = {
            "name": f"tracks {cell}".strip(), "features": pd.DataFrame(filled), "visible": not found,
            "color_by": shown[0] if shown else "track_id",
            "metadata": {"awd_cme": {"cell": cell, "seconds_per_frame": table.attrs.get("seconds_per_frame")}},
        }  # fmt: skip
        if size:
            options["scale"] = (1.0, size, size)
        found.append((data, options, "tracks"))
    return found


def sample_data() -> list[Layer]:
    """A small simulated movie, both channels, with its true tracks."""
    from awd_cme.simulate.simulation import simulate_movie

    simulated = simulate_movie("quick", seed=0, size=(96, 96), frames=60, pits=60)
    movie, size = simulated.movie, simulated.settings.micrometres_per_pixel
    images: list[Layer] = []
    for name, colour in zip(movie.channels, (GREEN, MAGENTA), strict=True):
        frames = np.stack([movie.frame(t, name) for t in range(movie.shape[0])])
        options = {"name": name, "colormap": colour, "blending": "additive", "scale": (1.0, size, size)}
        images.append((frames, options, "image"))
    return images + track_layers(simulated.truth)
