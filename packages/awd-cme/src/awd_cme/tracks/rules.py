"""What a canonical table of tracks looks like (described in `awd_cme.tracks.table`), and whether one does."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from awd_core.typing import AnyArray, Indices, Rows

PARTS = ("before", "track", "gap", "after")
"""The values of `part`, in the order in which they may follow each other ("track" and "gap" alternate)."""

MEASURES = ("amplitude", "background", "amplitude_error", "background_error", "p")
"""What is known of a channel in a frame; the column of each is `<channel>_<measure>`."""

LEADING = ("cell", "track", "frame", "t", "y", "x", "segment", "part")
TRAILING = ("category", "lifetime", "source")


def columns(channels: Sequence[str]) -> list[str]:
    """Names of all columns of a table with the given channels, in order.

    Examples
    --------
    >>> columns(["clathrin"])[8:11]
    ['clathrin_amplitude', 'clathrin_background', 'clathrin_amplitude_error']
    """
    return [*LEADING, *(f"{name}_{measure}" for name in channels for measure in MEASURES), *TRAILING]


def channels(table: pd.DataFrame) -> list[str]:
    """Names of the channels of a table, in order, read off its columns (`attrs` gets lost in many operations)."""
    return [str(name).removesuffix("_amplitude") for name in table.columns if str(name).endswith("_amplitude")]


def starts(table: pd.DataFrame) -> Indices:
    """Row at which each track of a sorted table begins, by position."""
    changes = np.ones(len(table), dtype=bool)
    if len(table):
        cell, source = (table[name].cat.codes.to_numpy() for name in ("cell", "source"))
        changes[1:] = _changes(source) | _changes(cell) | _changes(table["track"].to_numpy())
    return np.flatnonzero(changes)


def spans(table: pd.DataFrame) -> tuple[Rows, Rows]:
    """First and last frame of each track of a sorted table, the frames around it left out.

    Where a track has nothing but frames around it, first is above last.
    """
    frame, first = table["frame"].to_numpy(), starts(table)
    around = np.isin(table["part"].cat.codes.to_numpy(), [PARTS.index("before"), PARTS.index("after")])
    far = np.iinfo(np.int64).max // 4
    return (
        np.minimum.reduceat(np.where(around, far, frame), first) if len(first) else frame[:0],
        np.maximum.reduceat(np.where(around, -1, frame), first) if len(first) else frame[:0],
    )


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by (source, cell, track, frame), numbered anew; the table itself where it is sorted."""
    keys = sort_keys(table)
    if is_sorted(keys):
        return table if isinstance(table.index, pd.RangeIndex) else table.reset_index(drop=True)
    ordered = table.take(np.lexsort(keys[::-1])).reset_index(drop=True)
    ordered.attrs = dict(table.attrs)
    return ordered


def sort_keys(table: pd.DataFrame) -> list[AnyArray]:
    """Numbers by which the rows are sorted: ranks of source and cell as text, track, frame."""
    return [*(_ranks(table[name]) for name in ("source", "cell")), *(table[n].to_numpy() for n in ("track", "frame"))]


def is_sorted(keys: Sequence[AnyArray]) -> bool:
    """Whether rows with these keys, the most important first, are in order; equal rows are."""
    before = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    same = ~before
    for key in keys:
        before |= same & (key[:-1] < key[1:])
        same &= key[:-1] == key[1:]
    return bool((before | same).all())


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is, if it is canonical.

    Parameters
    ----------
    table : DataFrame
        What should be as `awd_cme.tracks.table` describes. Columns of other names, after those, are allowed.

    Returns
    -------
    DataFrame
        The same table.

    Raises
    ------
    TypeError
        If it is no DataFrame.
    ValueError
        With all that is wrong, one line each.

    Examples
    --------
    >>> from awd_cme.tracks.table import empty_table
    >>> validate(empty_table().drop(columns="lifetime"))
    Traceback (most recent call last):
    ...
    ValueError: this is no canonical table of tracks:
    - columns are missing: lifetime. awd_cme.tracks.make_table fills those that are unknown
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"tracks must be a pandas DataFrame, got {type(table).__name__}; read_tracks and make_table make one"
        )
    wrong = _wrong_columns(table) or _wrong_rows(table)
    if wrong:
        raise ValueError("\n- ".join(["this is no canonical table of tracks:", *wrong]))
    return table


def _wrong_columns(table: pd.DataFrame) -> list[str]:
    names = channels(table)
    expected = columns(names)
    if missing := [name for name in expected if name not in table.columns]:
        return [f"columns are missing: {', '.join(missing)}. awd_cme.tracks.make_table fills those that are unknown"]
    wrong = []
    if not table.columns.is_unique:
        return [f"columns are there twice: {', '.join(map(str, table.columns[table.columns.duplicated()]))}"]
    if list(table.columns[: len(expected)]) != expected:
        wrong.append(
            f"the columns must come in the order {', '.join(expected)}; here: {', '.join(map(str, table.columns))}"
        )
    types = {"cell": "category", "source": "category", "part": "category", "category": "Int64"}
    types |= dict.fromkeys(("track", "frame", "segment"), "int64")
    for name in expected:
        if (found := str(table[name].dtype)) != (wanted := types.get(name, "float64")):
            wrong.append(f"the column {name} must have the type {wanted}, here it has {found}")
    if not wrong and (parts := list(table["part"].cat.categories)) != list(PARTS):
        wrong.append(f"the column part must have the categories {list(PARTS)}, here it has {parts}")
    said = table.attrs.get("channels", names)
    if list(said) != names:
        wrong.append(f"attrs['channels'] says {list(said)}, the columns say {names}")
    for key in ("seconds_per_frame", "micrometres_per_pixel"):
        value = table.attrs.get(key)
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < np.inf):
            wrong.append(f"attrs[{key!r}] must be a positive number, or None where unknown, here it is {value!r}")
    return wrong


def _wrong_rows(table: pd.DataFrame) -> list[str]:
    if not len(table):
        return []
    wrong = []

    def check(bad: AnyArray, says: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            here = ", ".join(f"{name} {table[name].iloc[row]}" for name in ("cell", "track", "frame"))
            wrong.append(f"{says}: {int(bad.sum())} rows, the first is row {row} ({here})")

    part = table["part"].cat.codes.to_numpy()
    for name in ("cell", "source", "part"):
        check(table[name].cat.codes.to_numpy() < 0, f"{name} is missing")
    for name in ("track", "frame", "segment"):
        check(table[name].to_numpy() < 0, f"{name} is negative")
    for name in ("y", "x"):
        position = table[name].to_numpy()
        check(np.isnan(position) & (part != PARTS.index("gap")), f"{name} is NaN outside a gap")
    measured = [f"{name}_{measure}" for name in channels(table) for measure in MEASURES]
    for name in ("t", "y", "x", "lifetime", *measured):
        values = table[name].to_numpy()
        check(np.isinf(values), f"{name} is infinite")
        if name.endswith("_error") or name == "lifetime":
            check(values < 0, f"{name} is negative")
        if name.endswith("_p"):
            check((values < 0) | (values > 1), f"{name} is outside 0 to 1")
    keys = sort_keys(table)
    if not is_sorted(keys):
        # What follows compares neighbours, and would say nonsense of rows in disorder.
        return [
            *wrong,
            "the rows are not sorted by (source, cell, track, frame); awd_cme.tracks.table.in_order does that",
        ]
    within = np.zeros(len(table), dtype=bool)
    within[1:] = ~(_changes(keys[0]) | _changes(keys[1]) | _changes(keys[2]))
    twice = within.copy()
    twice[1:] &= keys[3][:-1] == keys[3][1:]
    check(twice, "rows of the same (cell, track, frame) are there twice")
    if (sources := len(table["source"].cat.categories)) > 1:
        # Sorted by source first, equal tracks of two sources are no neighbours.
        first = starts(table)
        again = np.zeros(len(table), dtype=bool)
        again[first] = pd.DataFrame({"cell": keys[1][first], "track": keys[2][first]}).duplicated().to_numpy()
        check(
            again, f"a track of the same number and cell comes from another of the {sources} sources; rename the cells"
        )
    stage = np.array([0, 1, 1, 2])[part]
    check(within & np.concatenate([[False], stage[1:] < stage[:-1]]), f"part is not in the order {PARTS}")
    for name in ("lifetime", "category"):
        values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        check(within & np.concatenate([[False], ~same]), f"{name} changes within a track")
    kind = table["category"].to_numpy(dtype=np.float64, na_value=np.nan)
    check((kind < 1) | (kind > 8), "category is outside 1 to 8")
    return wrong


def _ranks(column: pd.Series) -> AnyArray:
    labels = list(column.cat.categories)
    ranks = np.empty(len(labels) + 1, dtype=np.int64)
    ranks[np.array(sorted(range(len(labels)), key=labels.__getitem__), dtype=np.intp)] = np.arange(len(labels))
    ranks[-1] = -1
    return np.asarray(ranks[column.cat.codes.to_numpy()])


def _changes(values: AnyArray) -> AnyArray:
    return np.asarray(values[1:] != values[:-1])
