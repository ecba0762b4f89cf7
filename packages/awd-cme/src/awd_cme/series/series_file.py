"""A learning problem in files: `series.npz` with the arrays, `series.json` beside it with all the rest."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.series.series_set import PER_TRACK, SeriesSet, SeriesSettings
from awd_cme.tracks.losses import LossReport
from awd_core.files import Record, load_npz, named_damage, write_atomically

ARRAYS = ("X", "mask", *PER_TRACK)


@dataclass(frozen=True)
class _Account(Record, format="awd-cme-series", what="an account of series", writer="save_series"):
    channels: tuple[str, str]
    classification: bool
    settings: SeriesSettings
    losses: LossReport


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
    account = _Account(series.channels, series.classification, series.settings, series.losses)
    account.save(path.with_suffix(".json"))
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
    account = _Account.load(path.with_suffix(".json"))
    with named_damage(path, "series"):
        content: dict[str, Any] = load_npz(path, *ARRAYS)
        return SeriesSet(**content, **vars(account))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz file, whole or not at all, with the same bytes for the same arrays."""
    held = io.BytesIO()
    content: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(held, **content)
    write_atomically(path, held.getvalue())
