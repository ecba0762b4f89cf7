"""Where single images belong in time, channel and depth: as their names say, and Micro-Manager's metadata.txt.

Names say it by letters before numbers (`t001`, `c2`, `w1TagRFP`, `channel000_position000_time000000000_z000`), or by a
word that goes through all times (`img_000000003_GFP_000`). What does not fit into a whole grid is refused: frames of
two channels one after the other would be a movie that nobody took.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.movies.file_names import natural
from awd_cme.movies.metadata import NOTHING, interval_of_times
from awd_cme.movies.units import Fact
from awd_core.typing import Rows

AXES = "TCZ"
_MARKS = {
    "T": "t|tp|time|timepoint|frame|fr",
    "C": "c|ch|chan|channel|w|wave|wavelength",
    "Z": "z|slice|plane|depth",
    "P": "p|pos|position|s|stage|xy|series|scene|fov|field|site|m",
}
_MARKED = {
    axis: re.compile(rf"(?<![A-Za-z])(?:{marks})[-_ ]?(\d+)(?!\d)", re.IGNORECASE) for axis, marks in _MARKS.items()
}
_OLD = re.compile(r"(.*?)(\d{9})_(.*)_(\d{3})")  # Micro-Manager 1.4: time, channel, depth
_WAVE = re.compile(r"(?<![A-Za-z0-9])w(\d)([A-Za-z][^_]*|\d{3}[^_]*)?(?=_|$)", re.IGNORECASE)
MOST_CHANNELS = 8
"""Words that are taken for channels, at most."""


@dataclass(frozen=True)
class Grid:
    """Images in their places.

    Attributes
    ----------
    order : ndarray of int, shape (t, c, z)
        Which image, by its number.
    origin : str
        Where that came from.
    seconds_per_frame, micrometres_per_pixel, channels : Fact
        What was said beside.
    """

    order: Rows
    origin: str
    seconds_per_frame: Fact = NOTHING.seconds_per_frame
    micrometres_per_pixel: Fact = NOTHING.micrometres_per_pixel
    channels: Fact = NOTHING.channels


def grid_of(files: Sequence[Path], axes: str | None = None, count: int | None = None) -> Grid | None:
    """The places of the single images of a folder; None where they are one channel in time, in the names' order.

    Parameters
    ----------
    files : sequence of Path
        In the natural order of their names.
    axes : str, optional
        What is told of that order, as "TCYX": for names that say nothing, or say it wrong.
    count : int, optional
        How many channels there are, where axes are told.

    Raises
    ------
    ValueError
        If they are images of several positions, or of several channels or depths and do not fill a grid.
    """
    if axes is not None:
        return _as_told(files, axes, count)
    described = next((file for file in files[0].parent.glob("*") if file.name.lower() == "metadata.txt"), None)
    if described is not None and (held := _micromanager(described)) is not None:
        return _of_metadata(files, described, held)
    return _of_names(files)


def _as_told(files: Sequence[Path], axes: str, count: int | None) -> Grid | None:
    letters = axes.upper().removesuffix("YX")
    if letters in ("T", ""):
        return None
    if sorted(letters) != ["C", "T"] or not count or len(files) % count:
        raise ValueError(
            f"axes is {axes!r} for the {len(files)} single images of {files[0].parent}; give 'TYX', or 'TCYX' or "
            "'CTYX' (the order of their names, the last axis fastest) with the names of the channels, among which they "
            "can be shared"
        )
    numbers = np.arange(len(files))
    order = numbers.reshape(-1, count) if letters == "TC" else numbers.reshape(count, -1).T
    return Grid(order[:, :, None], f"{len(files)} files of one image each in the order of their names, axes={axes!r}")


# --- names ------------------------------------------------------------------------------------------------------------


def _of_names(files: Sequence[Path]) -> Grid | None:
    stems = [re.sub(r"\.ome$", "", file.stem, flags=re.IGNORECASE) for file in files]
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    rest = stems
    if all(old := [_OLD.fullmatch(stem) for stem in stems]):
        parts = [match for match in old if match]
        found = {axis: [match[k] for match in parts] for axis, k in (("T", 2), ("C", 3), ("Z", 4))}
        names = {word: word for word in found["C"]}
        rest = [match[1] for match in parts]
    elif all(map(_WAVE.search, stems)):
        waves = [match for stem in stems if (match := _WAVE.search(stem))]
        found["C"] = [match[1] for match in waves]
        names = {match[1]: match[2] or match[1] for match in waves}
        rest = [_WAVE.sub("", stem, count=1) for stem in rest]
    for axis, pattern in _MARKED.items():
        if axis in found:
            continue
        values = [match[1] for stem in rest if (match := pattern.search(stem))]
        if len(values) == len(files):
            found[axis] = values
            rest = [pattern.sub("", stem, count=1) for stem in rest]
    found = {axis: values for axis, values in found.items() if len(set(values)) > 1}
    words = _varying(rest)
    if words is None and set(found) - {"T"}:
        raise ValueError(
            f"the names of the images in {files[0].parent} tell {_said(found)}, but differ in more than that "
            f"({files[0].name}, {files[-1].name}); name them alike, or tell their order: axes='TCYX' and channels"
        )
    numbers = [column for column in words or [] if all(word.isdigit() for word in column)]
    others = [column for column in words or [] if column not in numbers]
    if "T" not in found and len(numbers) == 1:
        found["T"] = numbers.pop()
    if "C" not in found and len(others) == 1 and len(found.get("T", [])) and _could_be_channels(others[0]):
        column = others.pop()
        found["C"], names = column, {word: word for word in column}
    if set(found) <= {"T"} and len(numbers) > 1 and "T" not in found and not others:
        _refuse_two_numbers(files, numbers)
    if set(found) <= {"T"} and not (len(numbers) > 1 and len(others) == 1 and _could_be_channels(others[0])):
        return _in_order(files, found.get("T", []))
    if numbers or others:
        raise ValueError(
            f"the names of the images in {files[0].parent} tell {_said(found)}, but differ in more than that "
            f"({files[0].name}, {files[-1].name}); name them alike, or tell their order: axes='TCYX' and channels"
        )
    order, along = _filled(files, found)
    channels = NOTHING.channels
    if along["C"] != [""] and names:
        channels = Fact(tuple(names[value] for value in along["C"]), "the names of the images")
        if len(set(channels.value)) < len(channels.value):
            channels = NOTHING.channels
    return Grid(order, f"the names of {len(files)} single images ({_said(found)})", channels=channels)


def _in_order(files: Sequence[Path], times: Sequence[str]) -> Grid | None:
    """One channel by the numbers of its times, where the names are not in their order."""
    order = sorted(range(len(times)), key=lambda k: natural(times[k]))
    if order == list(range(len(times))) or len(set(times)) < len(times):
        return None
    return Grid(np.array(order)[:, None, None], f"the numbers in the names of {len(files)} single images")


def _said(found: Mapping[str, Sequence[str]]) -> str:
    what = {"T": "times", "C": "channels", "Z": "depths", "P": "positions"}
    return ", ".join(f"{len(set(values))} {what[axis]}" for axis, values in found.items())


def _varying(stems: Sequence[str]) -> list[list[str]] | None:
    """Words of the names that are not the same in all, each for all names; None where names differ in their number."""
    for pattern in (r"[_\-. ]+", r"_"):
        parts = [re.split(pattern, stem) for stem in stems]
        if len({len(part) for part in parts}) == 1:
            columns = [list(column) for column in zip(*parts, strict=True) if len(set(column)) > 1]
            return list(itertools.chain.from_iterable(map(_apart, columns)))
    return None


def _apart(column: list[str]) -> list[list[str]]:
    """A word that is the same but for a number in it, as that number."""
    split = [re.fullmatch(r"(\D*)(\d+)(\D*)", word) for word in column]
    if all(word.lower().endswith("nm") for word in column):  # wavelengths
        return [column]
    if all(split) and len({(one[1], one[3]) for one in split if one}) == 1:
        return [[one[2] for one in split if one]]
    return [column]


def _could_be_channels(words: Sequence[str]) -> bool:
    return len(set(words)) <= MOST_CHANNELS and all(words.count(word) > 1 for word in set(words))


def _refuse_two_numbers(files: Sequence[Path], numbers: Sequence[Sequence[str]]) -> None:
    """Two numbers that go through all of each other are times and something else, and nothing tells which."""
    sizes = [len(set(column)) for column in numbers]
    if len(numbers) == 2 and sizes[0] * sizes[1] == len(set(zip(*numbers, strict=True))) == len(files):
        raise ValueError(
            f"the names of the images in {files[0].parent} have two numbers, of {sizes[0]} and {sizes[1]} values "
            f"({files[0].name}, {files[-1].name}), and do not say which is time and which channel; tell it: "
            "axes='TCYX' or 'CTYX' with the names of the channels, or axes='TYX' for one channel in their order"
        )


def _filled(files: Sequence[Path], found: Mapping[str, Sequence[str]]) -> tuple[Rows, dict[str, list[str]]]:
    """Images in a grid, and the values along each of its axes."""
    if "P" in found:
        raise ValueError(
            f"{files[0].parent} holds images of {len(set(found['P']))} positions, and a movie is one of them; put each "
            "into a folder of its own"
        )
    values = {axis: sorted(set(found.get(axis, [""])), key=natural) for axis in AXES}
    order = np.full([len(values[axis]) for axis in AXES], -1)
    columns = {axis: found.get(axis, [""] * len(files)) for axis in AXES}
    for number in range(len(files)):
        place = tuple(values[axis].index(columns[axis][number]) for axis in AXES)
        if order[place] >= 0:
            raise ValueError(
                f"{files[order[place]].name} and {files[number].name} in {files[0].parent} have the same place among "
                f"{_said(found)}; name them apart, or put each movie into a folder of its own"
            )
        order[place] = number
    if (lacking := int((order < 0).sum())) > 0:
        t, c, z = (int(place[0]) for place in np.nonzero(order < 0))
        where = ", ".join(
            f"{what} {values[axis][k]}"
            for axis, what, k in zip(AXES, ("time", "channel", "depth"), (t, c, z), strict=True)
            if len(values[axis]) > 1
        )  # fmt: skip
        raise ValueError(
            f"the names of the {len(files)} images in {files[0].parent} tell {_said(found)}, but {lacking} are not "
            f"there, the first of {where}; put all of them there, or only whole frames"
        )
    return order, values


# --- Micro-Manager ----------------------------------------------------------------------------------------------------


def _micromanager(path: Path) -> dict[str, Any] | None:
    """What metadata.txt holds, mended where Micro-Manager was stopped while it wrote; None where it is another file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for end in ("", "}", "}}"):
        try:
            held = json.loads(text.rstrip().rstrip(",") + end)
        except ValueError:
            continue
        return held if isinstance(held, dict) and "Summary" in held else None
    return None


def _of_metadata(files: Sequence[Path], path: Path, held: dict[str, Any]) -> Grid:
    """The grid that metadata.txt of Micro-Manager, 1.4 or 2, tells."""
    summary = held["Summary"]
    told: dict[str, dict[str, Any]] = {}
    for key, entry in held.items():
        if not isinstance(entry, dict) or key == "Summary":
            continue
        entry = {k: v.get("PropVal", v) if isinstance(v, dict) else v for k, v in entry.items()}
        file = str(entry.get("FileName") or (key if key.lower().endswith((".tif", ".tiff")) else ""))
        if file:
            told.setdefault(file.replace("\\", "/").rpartition("/")[2], {}).update(entry)
    if missing := [file.name for file in files if file.name not in told]:
        raise ValueError(
            f"{path} does not list {missing[0]} ({len(missing)} such images), so where they belong is unknown; put "
            "other images elsewhere, or take metadata.txt away for names alone to tell"
        )
    there = {file.name for file in files}
    if lacking := [name for name in told if name not in there]:
        raise ValueError(
            f"{path} lists {lacking[0]}, which is not there ({len(lacking)} such images); copy the whole folder, or "
            "take metadata.txt away for names alone to tell"
        )
    entries = [told[file.name] for file in files]
    found = {
        "T": _indices(entries, "FrameIndex", "TimeIndex", "Frame"),
        "C": _indices(entries, "ChannelIndex", "Channel"),
        "Z": _indices(entries, "SliceIndex", "ZIndex", "Slice"),
        "P": _indices(entries, "PositionIndex"),
    }
    found = {axis: values for axis, values in found.items() if len(set(values)) > 1}
    named = _marks_of(files)
    if named and {axis: len(set(v)) for axis, v in named.items()} != {axis: len(set(v)) for axis, v in found.items()}:
        raise ValueError(
            f"{path} tells {_said(found) or 'one image'}, and the names of the images {_said(named)}: they do not "
            "fit each other; is it another folder's?"
        )
    order, values = _filled(files, found)
    names = []
    for value in values["C"]:
        entry = next(e for e, v in zip(entries, found.get("C", [""] * len(entries)), strict=True) if v == value)
        listed = summary.get("ChNames") or []
        index = int(value) if value.isdigit() else 0
        names.append(str(entry.get("Channel") or (listed[index] if index < len(listed) else "")))
    whole = all(names) and len(set(names)) == len(names) and names != ["Default"]
    first = [entries[number] for number in order[:, 0, 0]]
    times = [_number(entry.get("ElapsedTime-ms")) for entry in first]
    seconds = interval_of_times(np.array(times) / 1000, f"times of the images in {path.name}")
    planned = _number(summary.get("Interval_ms"))
    if seconds.value is None and planned > 0:
        seconds = Fact(planned / 1000, f"Interval_ms in {path.name}")
    size = _number(first[0].get("PixelSizeUm") or summary.get("PixelSize_um"))
    return Grid(
        order,
        f"{path.name} of Micro-Manager ({_said(found)})",
        seconds,
        Fact(size, f"size of a pixel in {path.name}") if size > 0 else NOTHING.micrometres_per_pixel,
        Fact(tuple(names), f"names of the channels in {path.name}") if whole else NOTHING.channels,
    )


def _marks_of(files: Sequence[Path]) -> dict[str, list[str]]:
    """What names tell by the marks of Micro-Manager 2, to hold it against the metadata; nothing of other names."""
    stems = [file.stem for file in files]
    if not all("channel" in stem for stem in stems):
        return {}
    marks = {axis: [m[1] for s in stems if (m := pattern.search(s))] for axis, pattern in _MARKED.items()}
    return {axis: values for axis, values in marks.items() if len(values) == len(files) and len(set(values)) > 1}


def _indices(entries: Sequence[Mapping[str, Any]], *keys: str) -> list[str]:
    key = next((key for key in keys if all(key in entry for entry in entries)), None)
    return ["0"] * len(entries) if key is None else [str(entry[key]) for entry in entries]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
