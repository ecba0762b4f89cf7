"""A learning problem in files: `series.npz` with the arrays, `series.json` beside it with all the rest."""

import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.series.series_set import PER_TRACK, SeriesSet, SeriesSettings
from awd_cme.tracks.losses import losses_from
from awd_core.files import read_json, write_atomically, write_json

FORMAT, VERSION = "awd-cme-series", 1
ARRAYS = ("X", "mask", *PER_TRACK)


def save_series(series: SeriesSet, path: Path) -> None:
    """Write a set to `path` (.npz) and its account to the same name with .json; the arrays last.

    Parameters
    ----------
    series : SeriesSet
        Not standardised.
    path : Path
        The file; its folder must exist.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cme.series.series_set import example_set
    >>> place = Path(tempfile.mkdtemp()) / "series.npz"
    >>> save_series(example_set(), place)
    >>> bool((load_series(place).X == example_set().X).all())
    True
    """
    said = {
        "format": FORMAT,
        "version": VERSION,
        "channels": list(series.channels),
        "classification": series.classification,
        "settings": series.settings.to_dict(),
        "losses": series.losses.to_dict(),
    }
    write_json(path.with_suffix(".json"), said)
    write_arrays(path, {name: getattr(series, name) for name in ARRAYS})


def load_series(path: Path) -> SeriesSet:
    """Read what `save_series` wrote.

    Raises
    ------
    FileNotFoundError
        If one of the two files is missing.
    ValueError
        If they are something else.
    """
    values = read_json(path.with_suffix(".json"))
    if (values.get("format"), values.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"{path.with_suffix('.json')} is no account of series that this awd-cme reads")
    known = {item.name for item in fields(SeriesSettings)}
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["settings"].items()
        if name in known
    }
    with np.load(path, allow_pickle=False) as arrays:
        if missing := [name for name in ARRAYS if name not in arrays.files]:
            raise ValueError(f"{path} lacks the arrays {', '.join(missing)}")
        content = {name: arrays[name] for name in ARRAYS}
    return SeriesSet(
        **content,
        channels=(values["channels"][0], values["channels"][1]),
        classification=bool(values["classification"]),
        settings=SeriesSettings(**settings),
        losses=losses_from(values["losses"]),
    )


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz file, whole or not at all, with the same bytes for the same arrays."""
    held = io.BytesIO()
    content: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(held, **content)
    write_atomically(path, held.getvalue())
