"""What the columns of a table of tracks are, by their names: any case, any of the spellings in use, units in brackets.

Names decide wherever there are any. Where they leave something open, that is an error that says how to tell it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from awd_cme.movies.units import MICROMETRES, PIXELS, SECONDS, spelled

MEASURED = ("amplitude", "background", "amplitude_error", "background_error", "p")
ROLES = ("track", "frame", "time", "x", "y", "z", "cell", "segment", "category")
"""What a column can be, beside `amplitude` and the like, or `NAME_amplitude` of the channel NAME."""

_COUNTERS = r"_?(id|ids|number|no|nr|num|n|index|idx)$"
_NAMES = r"_?(id|ids|number|no|nr|num|n|index|idx|label|name)$"
_TRACKS: tuple[str, ...] = (
    "track",
    "particle",
    "trajectory",
    "traj",
    "tracklet",
    "trk",
    "tid",
    "trackn",
    "tracks",
    "trajectories",
)
_OBJECTS: tuple[str, ...] = ("id", "label", "object", "object_id", "index_of_track", "cell_id", "nr", "number", "no")
_FRAMES: tuple[str, ...] = (
    "frame",
    "frames",
    "slice",
    "slices",
    "timepoint",
    "time_point",
    "timeframe",
    "time_frame",
    "framenumber",
)
_FRAMES += ("t_index", "time_index", "tp", "framenr", "timestep", "time_step", "spot_frame", "f", "image")
_CLOCKS: tuple[str, ...] = (
    "t",
    "time",
    "position_t",
    "pos_t",
    "seconds",
    "elapsed_time",
    "timestamp",
    "time_stamp",
    "times",
)
_CELLS: tuple[str, ...] = ("cell", "cell_name", "cell_id", "cell_number", "movie", "file", "filename", "file_name")
_CELLS += ("image", "image_name", "video", "source", "source_file", "movie_name", "image_file", "dataset", "sample")
_NO_PLACE = frozenset(
    (
        "error", "err", "std", "sd", "se", "sem", "sigma", "pstd", "var", "variance", "uncertainty", "precision",
        "drift", "velocity", "v", "speed", "d", "dx", "dy", "delta", "source", "target", "min", "max", "start",
        "end", "width", "size", "fwhm", "box", "bbox", "prev", "previous", "next", "first", "last", "offset",
        "shift", "median", "axis", "angle", "gradient", "moment", "intensity", "signal", "raw", "diff",
        "displacement", "step",
    )
)  # fmt: skip
_AMPLITUDES: tuple[str, ...] = (
    "amplitude",
    "signal",
    "mass",
    "intensity",
    "mean_intensity",
    "intensity_mean",
    "meanintensity",
)
_AMPLITUDES += ("integrated_intensity", "total_intensity", "sum_intensity", "intensity_sum", "mean", "m0", "brightness")
_AMPLITUDES += ("fluorescence", "max_intensity", "intensity_max", "rawintden", "intden")
_BACKGROUNDS: tuple[str, ...] = ("background", "bg", "bkg", "background_mean", "mean_background")
_STATISTICS = frozenset(
    (
        "mean", "max", "min", "median", "std", "sd", "sum", "total", "integrated", "raw", "bg", "background", "net",
        "norm", "normalized", "corrected", "spot", "peak", "average", "avg", "weighted", "relative", "signal",
        "intensity", "mass", "amplitude",
    )
)  # fmt: skip


class Named(NamedTuple):
    """A name taken apart: small letters with _ between words, and the unit in it, "" if there is none."""

    key: str
    unit: str


def named(name: str) -> Named:
    """Take a column's name apart.

    Examples
    --------
    >>> named("Position X [µm]"), named("trackID"), named("MEAN_INTENSITY_CH1").key
    (Named(key='position_x', unit='µm'), Named(key='track_id', unit=''), 'mean_intensity_ch1')
    """
    text, unit = str(name).strip().strip("\ufeff\"'").strip(), ""
    if found := re.fullmatch(r"(.+?)\s*[(\[{<]([^()\[\]{}<>]*)[)\]}>]", text):
        text, unit = found[1], found[2].strip()
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    for letter in "µμ":
        text = text.replace(letter, "u")
    key = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
    head, _, tail = key.rpartition("_")
    if not unit and head and _is_unit(tail):
        key, unit = head, tail
    return Named(key, unit)


def squeezed(names: Iterable[str]) -> dict[str, str]:
    """Names by their letters and digits alone, small; the first of several that are alike."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(re.sub(r"[^a-z0-9]", "", str(name).casefold()), name)
    return found


def squeezed_key(name: str) -> str:
    """A name as `squeezed` has it."""
    return next(iter(squeezed([name])))


def _is_unit(word: str) -> bool:
    word = spelled(word)
    return word in PIXELS or (word in SECONDS and word not in ("d", "h")) or (word in MICROMETRES and len(word) > 1)


@dataclass
class Roles:
    """Which column is what.

    Attributes
    ----------
    columns : dict of str to str
        Names in the file by role: those of `ROLES`.
    channels : dict of str to (dict of str to str)
        By channel, "" where nothing names it: names in the file by measure.
    unit, clock : str
        Of positions and of times, as the file writes them; "" where it does not.
    weak : bool
        Whether what is taken for the number of a track may be one of a spot.
    others : list of str
        Columns that would do as well and are not taken.
    """

    columns: dict[str, str] = field(default_factory=dict)
    channels: dict[str, dict[str, str]] = field(default_factory=dict)
    unit: str = ""
    clock: str = ""
    weak: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """What a table of tracks cannot do without."""
        need = [role for role in ("track", "x", "y") if role not in self.columns]
        return need if {"frame", "time"} & set(self.columns) else [*need, "frame"]

    def __str__(self) -> str:
        shown = {role: self.columns[role] for role in ROLES if role in self.columns} | {
            f"{channel}_{measure}" if channel else measure: name
            for channel, measures in self.channels.items()
            for measure, name in measures.items()
        }
        return ", ".join(f"{role} = {name}" for role, name in shown.items())


def roles_of(names: Sequence[str], told: Mapping[str, str] | None = None) -> Roles:
    """Which column is what, by the names, or as told.

    Parameters
    ----------
    names : sequence of str
        Of all columns.
    told : mapping of str to str, optional
        Names of columns by role, which go before; roles are `ROLES`, `MEASURED`, and these behind a channel's name.

    Raises
    ------
    ValueError
        If a role that is told is none, or there is no such column.

    Examples
    --------
    >>> str(roles_of(["ID", "Slice", "XPos (px)", "YPos (px)", "gfp_intensity"]))
    'track = ID, frame = Slice, x = XPos (px), y = YPos (px), gfp_amplitude = gfp_intensity'
    """
    found = Roles()
    parted = {name: named(name) for name in names}
    _take_told(found, names, dict(told or {}))
    free = {name: part for name, part in parted.items() if name not in found.columns.values()}
    _places(found, free)
    _numbers_of_tracks(found, free)
    _times(found, free)
    _cells(found, free)
    if not found.channels:
        _intensities(found, free)
    if "x" in found.columns:
        found.unit = found.unit or parted[found.columns["x"]].unit
    if "time" in found.columns:
        found.clock = parted[found.columns["time"]].unit
    return found


def _take_told(found: Roles, names: Sequence[str], told: Mapping[str, str]) -> None:
    for role, name in told.items():
        if name not in names:
            raise ValueError(f"there is no column {name!r} to be the {role}; there are {', '.join(map(str, names))}")
        measure = next((measure for measure in sorted(MEASURED, key=len)[::-1] if _ends(role, measure)), None)
        if role in ROLES:
            found.columns[role] = name
        elif measure is not None:
            found.channels.setdefault(role.removesuffix(measure).removesuffix("_"), {})[measure] = name
        else:
            raise ValueError(
                f"columns are told as ROLE=NAME, and {role!r} is no role; choose {', '.join(ROLES)}, "
                f"{', '.join(MEASURED)}, or one of these behind the name of a channel, as clathrin_amplitude"
            )


def _ends(role: str, measure: str) -> bool:
    return role == measure or role.endswith(f"_{measure}")


def _places(found: Roles, free: Mapping[str, Named]) -> None:
    """Columns of x and y that are named alike; pixels before others, the plainest before the others."""
    pairs: list[tuple[tuple[bool, bool, int, int], str, str]] = []
    for name, (key, unit) in free.items():
        for other in _partners(key):
            partner = next((n for n, part in free.items() if part == Named(other, unit)), None)
            if partner is not None:
                rank = (spelled(unit) in MICROMETRES, not _plain(key), len(key), len(pairs))
                pairs.append((rank, name, partner))
    pairs.sort()
    for _, x, y in pairs[:1]:
        found.columns.setdefault("x", x)
        found.columns.setdefault("y", y)
        key, unit = free[x]
        deep = [name for name, part in free.items() if part.key in _depths(key)]
        if deep:
            found.columns.setdefault("z", deep[0])
    taken = set(found.columns.values())
    found.others += [name for _, x, y in pairs[1:] for name in (x, y) if name not in taken]


def _plain(key: str) -> bool:
    return key in ("x", "position_x", "pos_x", "posx", "xpos", "x_pos", "x_position", "positionx")


def _partners(key: str) -> list[str]:
    """What y is called where x is called so; nothing where this is no x."""
    fixed = {"col": "row", "column": "row", "cols": "rows", "centroid_1": "centroid_0", "cx": "cy", "xc": "yc"}
    fixed |= {"xm": "ym", "posx": "posy", "xpos": "ypos", "xcoord": "ycoord", "xposition": "yposition", "mx": "my"}
    fixed |= {"positionx": "positiony", "centroidx": "centroidy", "centerx": "centery", "xcenter": "ycenter"}
    fixed |= {"coordx": "coordy", "x0": "y0", "xcentroid": "ycentroid", "locx": "locy"}
    if key in fixed:
        return [fixed[key]]
    words = key.split("_")
    if words.count("x") != 1 or _NO_PLACE & set(words):
        return []
    return ["_".join("y" if word == "x" else word for word in words)]


def _depths(key: str) -> list[str]:
    words = key.split("_")
    return [key.replace("x", "z"), "_".join("z" if word == "x" else word for word in words), "z", "plane"]


def _numbers_of_tracks(found: Roles, free: Mapping[str, Named]) -> None:
    if "track" in found.columns:
        return
    for names in (_TRACKS, _OBJECTS):
        fits = [name for name, part in free.items() if part.key in names or re.sub(_NAMES, "", part.key) in names]
        fits = [name for name in fits if name not in found.columns.values()]
        if fits:
            # Of "track_id" and "track_name", the first.
            fits.sort(
                key=lambda name: ("name" in free[name].key or "label" in free[name].key, free[name].key != "track_id")
            )
            found.columns["track"], found.weak = fits[0], names is _OBJECTS
            found.others += fits[1:] if names is _TRACKS else []
            return


def _times(found: Roles, free: Mapping[str, Named]) -> None:
    """The frame by its own name; a column of times that is named without a unit may be one of frames, too."""
    taken = set(found.columns.values())
    frames = [n for n, part in free.items() if n not in taken and not part.unit and _is_frame(part.key)]
    clocks = [n for n, part in free.items() if n not in taken and part.key in _CLOCKS]
    frames.sort(key=lambda name: _FRAMES.index(re.sub(_COUNTERS, "", free[name].key)))
    if "frame" not in found.columns and frames:
        found.columns["frame"] = frames[0]
    if "frame" not in found.columns and "time" not in found.columns:
        # napari calls the number of the frame t.
        bare = [
            name for name in clocks if not free[name].unit and free[name].key in ("t", "time", "position_t", "pos_t")
        ]
        if bare:
            found.columns["frame"] = bare[0]
            clocks.remove(bare[0])
    if clocks:
        found.columns.setdefault("time", clocks[0])


def _is_frame(key: str) -> bool:
    return re.sub(_COUNTERS, "", key) in _FRAMES


def _cells(found: Roles, free: Mapping[str, Named]) -> None:
    taken = set(found.columns.values())
    fits = [name for word in _CELLS for name, part in free.items() if part.key == word and name not in taken]
    if fits:
        found.columns.setdefault("cell", fits[0])


def _intensities(found: Roles, free: Mapping[str, Named]) -> None:
    """Amplitudes and backgrounds by channel: `intensity_ch2`, `ch2_intensity`, `gfp_intensity`, `intensity`."""
    taken = set(found.columns.values())
    best: dict[tuple[str, str], tuple[int, str]] = {}
    for name, (key, _) in free.items():
        if name in taken:
            continue
        for measure, words in (("amplitude", _AMPLITUDES), ("background", _BACKGROUNDS)):
            if (hit := _of_channel(key, words)) is not None:
                channel, rank = hit
                if (channel, measure) not in best or rank < best[channel, measure][0]:
                    best[channel, measure] = (rank, name)
    channels = {channel for channel, measure in best if measure == "amplitude"}
    if len(channels) > 1:
        channels -= {""}  # the whole beside its parts
    for channel in sorted(channels, key=lambda c: (not c.isdigit(), int(c) if c.isdigit() else 0, _order(c, best))):
        found.channels[channel] = {m: best[channel, m][1] for m in ("amplitude", "background") if (channel, m) in best}


def _order(channel: str, best: Mapping[tuple[str, str], tuple[int, str]]) -> int:
    return list(best).index((channel, "amplitude"))


def _of_channel(key: str, words: Sequence[str]) -> tuple[str, int] | None:
    """Channel in a name, a number or a word, and how good the measure in it is; None where it is none."""
    if key in words:
        return "", words.index(key)
    for pattern in (r"(?P<what>.+?)_?(?:ch|c|channel|w)?_?(?P<n>\d+)", r"(?:ch|c|channel|w)_?(?P<n>\d+)_(?P<what>.+)"):
        if (hit := re.fullmatch(pattern, key)) and hit["what"].strip("_") in words:
            return str(int(hit["n"])), words.index(hit["what"].strip("_"))
    for word in ("amplitude", "intensity", "signal") if "amplitude" in words else ("background", "bg"):
        for other in (key.removesuffix(f"_{word}"), key.removeprefix(f"{word}_")):
            if other != key and not _STATISTICS & set(other.split("_")):
                return other, words.index(word)
    return None
