"""Canonical tables in files that `awd_cme.tracks.writers` has written: CSV and Parquet."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from awd_cme.readers.intake import Options, Result
from awd_cme.readers.text_tables import read_table
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.table import LEADING, PARTS, TRAILING, channels, columns, in_order, labels, starts, validate
from awd_cme.tracks.writers import CONSTANTS

IDENTIFYING = (*LEADING, *TRAILING)
"""Columns by which a table is recognised as canonical."""

WORDS = ("cell", "source", "part")


def read_canonical(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a canonical table.

    Parameters
    ----------
    path : str or path
        The file: Parquet by its ending, else CSV.
    options : Options, optional
        As `read_tracks` describes them; frame interval and size of a pixel are the table's own, unless told. Names of
        channels that are the table's choose among them, others rename them in order.

    Returns
    -------
    table, report
        The table, and what was lost.

    Raises
    ------
    ValueError
        If columns are missing, or as `awd_cme.tracks.validate`; bad rows of a finished table are never skipped, except
        frames beyond the movie.
    """
    options, report = options or Options(), LossReport()
    held = read_table(path, report, texts=WORDS)
    table, parquet = held.frame, held.layout is None
    if missing := [name for name in IDENTIFYING if name not in table.columns]:
        raise ValueError(
            f"{path}: the columns {missing} are missing from this canonical table; it has {list(table.columns)}"
        )
    attrs = dict(table.attrs)
    if not parquet and not _ends_a_line(path):
        report.doubt(f"{path} ends within a line, as no canonical table does that is whole: was it cut short?")
    if not parquet:
        numeric = {*IDENTIFYING, *CONSTANTS, *columns(channels(table))} - set(WORDS)
        for name in (name for name in table if name in numeric):
            table[name] = held.numbers(name)
        if held.counted:
            raise ValueError(f"{path}: a column of this canonical table holds no numbers: {report.dropped[-1].why}")
        for name in CONSTANTS:
            if name in table and len(table):
                attrs[name] = None if pd.isna(table[name].iloc[0]) else float(table[name].iloc[0])
        table = table.drop(columns=[name for name in CONSTANTS if name in table])
        # CSV cannot tell an empty text from none.
        table["source"] = table["source"].fillna("")
    names = channels(table)
    if missing := [name for name in columns(names) if name not in table.columns]:
        raise ValueError(f"{path}: the columns {missing} are missing from this canonical table")
    if options.channels is not None:
        table, names = _called(table, names, list(options.channels), path), list(options.channels)
    try:
        table = table.astype(dict.fromkeys(("track", "frame", "segment"), np.int64) | {"category": "Int64"})
        table = table.astype(dict.fromkeys([*("t", "y", "x", "lifetime"), *columns(names)[8:-3]], np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: a column of this canonical table holds no numbers: {error}") from error
    for name in ("cell", "source"):
        table[name] = labels(table[name], len(table))
    table["part"] = pd.Categorical(table["part"], categories=list(PARTS))
    told = {name: getattr(options, name) for name in CONSTANTS}
    known = {name: told[name] if told[name] is not None else attrs.get(name) for name in CONSTANTS}
    table.attrs = {"channels": names} | known
    if (step := told["seconds_per_frame"]) is not None and step != attrs.get("seconds_per_frame"):
        table["t"] = table["frame"] * step
        scale = step / (attrs.get("seconds_per_frame") or np.nan)
        table["lifetime"] = table["lifetime"] * scale
        report.assume(f"times and lifetimes are those of {step:g} s per frame, as told")
    table = validate(in_order(table))
    report.recognised.append(f"{path}: canonical table of tracks, channels {', '.join(names)}")
    report.came = len(starts(table))
    if options.frames is not None and (beyond := table["frame"] >= options.frames).any():
        if options.on_error == "raise":
            verb = "has" if beyond.sum() == 1 else "have"
            raise ValueError(
                f"{path}: {counted(int(beyond.sum()), 'rows')} {verb} a frame beyond the movie's last (the movie has "
                f"{options.frames} frames). Mend the file, or --on-error skip (on_error='skip') leaves these tracks "
                "out and lists them"
            )
        attrs = dict(table.attrs)
        bad = pd.MultiIndex.from_frame(table.loc[beyond, ["cell", "track"]])
        keep = ~pd.MultiIndex.from_frame(table[["cell", "track"]]).isin(bad)
        table = table[keep].reset_index(drop=True)
        table.attrs = attrs
        report.add("tracks", report.came - len(starts(table)), "a frame beyond the movie's last")
    report.kept = len(starts(table))
    return table, report


def _called(table: pd.DataFrame, names: list[str], wanted: list[str], path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table with these channels, in this order: some of its own, or all of them by other names."""
    if set(wanted) <= set(names):
        new = dict(zip(wanted, wanted, strict=True))
    elif len(wanted) == len(names):
        new = dict(zip(names, wanted, strict=True))
    else:
        raise ValueError(
            f"{path} has the channels {', '.join(names)}, and {', '.join(wanted)} are asked for; give names that are "
            "among them to choose, or one new name for each"
        )
    others = [name for name in table.columns if name not in columns(names)]
    of_new = dict(zip(columns(list(new)), columns(list(new.values())), strict=True))
    return table.rename(columns=of_new)[[*columns(wanted), *others]]


def _ends_a_line(path: str | os.PathLike[str]) -> bool:
    """Whether the last line of a text is ended; what gzip holds has a sum of its own."""
    with Path(path).open("rb") as opened:
        start = opened.read(2)
        opened.seek(-2, os.SEEK_END)  # of UTF-16, which editors may make of it, a line end has two bytes
        return start == b"\x1f\x8b" or opened.read().strip(b"\0").endswith(b"\n")
