"""Movies whose channels lie in files of their own: by their names, and by the .nd files of MetaMorph.

Names mark a channel by a number or by what it shows: `C1-cell.tif`, `cell_w1TagRFP.stk`, `cell_ch2.tif`,
`cell_488.tif`, `cell_GFP.tif`. Files that are called the same but for that are channels of one cell.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from awd_cme.movies.file_names import ENDINGS, natural

_DYES = (
    r"(?:e|tag|m|sf|tag|halo|snap|turbo)?(?:gfp|rfp|yfp|cfp|bfp)|m?cherry\d?|m?scarlet(?:-?i)?|m?neon(?:green)?|mapple|"
    r"mruby\d?|tdtomato|dapi|fitc|tritc|cy[357]|jf\d{3}|alexa-?\d{3}|(?:405|445|473|488|491|514|532|555|561|568|594|"
    r"633|637|640|642|647|660)(?:nm)?"
)
_MARKS = (
    re.compile(r"^(?P<before>)c(?P<number>\d+)[-_ ](?P<label>)", re.IGNORECASE),
    re.compile(r"(?P<before>^|[-_ .])w(?P<number>\d)(?P<label>[^-_ .]*)(?=[-_ .]|$)", re.IGNORECASE),
    re.compile(r"(?P<before>^|[-_ .])(?:c|ch|chan|channel)[-_ ]?(?P<number>\d+)(?P<label>)(?=[-_ .]|$)", re.IGNORECASE),
    re.compile(rf"(?P<before>^|[-_ .])(?P<number>)(?P<label>{_DYES})(?=[-_ .]|$)", re.IGNORECASE),
)


def channels_of_cells(movies: Sequence[Path]) -> list[tuple[str, tuple[Path, ...]]]:
    """Files by cells, where each is one channel of a cell; nothing where their names do not say so.

    Parameters
    ----------
    movies : sequence of Path
        Files of one folder.

    Returns
    -------
    list of (str, tuple of Path)
        What the files of a cell are called but for the channel, and the files, channels in the order of their marks.

    Raises
    ------
    ValueError
        If some cells have channels that others lack.

    Examples
    --------
    >>> files = [Path(name) for name in ("C1-a_1s.tif", "C2-a_1s.tif", "C1-b_1s.tif", "C2-b_1s.tif")]
    >>> [(name, [file.name for file in found]) for name, found in channels_of_cells(files)]
    [('a_1s', ['C1-a_1s.tif', 'C2-a_1s.tif']), ('b_1s', ['C1-b_1s.tif', 'C2-b_1s.tif'])]
    """
    for mark in _MARKS:
        found = [mark.search(_stem(file)) for file in movies]
        cells: dict[str, dict[str, Path]] = {}
        for file, match in zip(movies, found, strict=True):
            if match is None:
                break
            own = cells.setdefault(f"{_stem(file)[: match.start()]}{_stem(file)[match.end() :]}".strip("-_ ."), {})
            if own.setdefault(f"{match['number']}{match['label']}".casefold(), file) != file:
                break
        else:
            sets = {tuple(sorted(channels)) for channels in cells.values()}
            most = max(sets, key=len)
            if len(most) < 2:
                continue
            if len(sets) > 1:
                lacking = next(cell for cell, channels in cells.items() if tuple(sorted(channels)) != most)
                raise ValueError(
                    f"the files in {movies[0].parent} are channels of {len(cells)} cells, {', '.join(most)}, by their "
                    f"names, and the cell {lacking!r} has {', '.join(cells[lacking])} only; put the same of all "
                    "cells there"
                )
            place = movies[0].parent.name
            return [(c or place, tuple(own[k] for k in sorted(own, key=natural))) for c, own in cells.items()]
    return []


def labels_of(files: Sequence[Path]) -> tuple[str, ...] | None:
    """What the names of files call the channels, if they call them anything."""
    for mark in _MARKS:
        found = [mark.search(_stem(file)) for file in files]
        labels = tuple(match["label"] for match in found if match is not None)
        if len(labels) == len(files) and all(labels) and len(set(labels)) == len(labels):
            return labels
    return None


def _stem(file: Path) -> str:
    return re.sub(r"\.ome$", "", file.stem, flags=re.IGNORECASE)


# --- MetaMorph --------------------------------------------------------------------------------------------------------


def is_nd(path: Path) -> bool:
    """Whether a file is MetaMorph's list of the files of an acquisition, by its name."""
    return path.suffix.lower() == ".nd" and not path.name.startswith(".")


def files_of_nd(path: Path, position: int | None = None) -> tuple[dict[str, list[Path]], str]:
    """The files of an acquisition that a .nd file lists, by channels, each in the order of time.

    Parameters
    ----------
    path : Path
        The .nd file; images lie beside it.
    position : int, optional
        Which position of the stage, from 0, where there are several.

    Returns
    -------
    files : dict of str to list of Path
        By the channel's name.
    origin : str
        What was found, in words.

    Raises
    ------
    ValueError
        If it is no such file, its images are not there, or lie at several positions and none is named.
    """
    text = path.read_text(encoding="cp1252", errors="replace")
    lines = (re.fullmatch(r'"(\w+)"[ \t]*,[ \t]*"?([^"]*)"?', line.strip()) for line in text.splitlines())
    told = {str(line[1]): str(line[2]) for line in lines if line is not None}
    if "NDInfoFile" not in told:
        raise ValueError(f'{path} is no .nd file of MetaMorph, which begins with "NDInfoFile"')
    if '"EndFile"' not in text or re.search(r"[\x00-\x08\x0e-\x1f\ufffd]", text):
        raise ValueError(f'{path} is damaged or cut short: it is text up to "EndFile"; copy it again')
    stages = _count(told, "NStagePositions", path) if _true(told, "DoStage") else 1
    if stages > 1 and position is None:
        raise ValueError(f"{path} lists {stages} positions of the stage; say which by series=0 and so on (--series 0)")
    if position is not None and not 0 <= position < stages:
        raise ValueError(f"series is {position}, but {path} lists {stages} positions of the stage, counted from 0")
    waves = _count(told, "NWavelengths", path) if _true(told, "DoWave") else 0
    lacking = [k for k in range(1, waves + 1) if f"WaveName{k}" not in told]
    if lacking and len(lacking) < waves:
        raise ValueError(f"{path} is damaged: it names channels, and not that of number {lacking[0]}; copy it again")
    names = [told.get(f"WaveName{k}") or f"w{k}" for k in range(1, waves + 1)] or ["w1"]
    if len(set(names)) < len(names):
        names = [f"{name} {k}" for k, name in enumerate(names, 1)]
    files: dict[str, list[Path]] = {}
    for number, name in enumerate(names, 1):
        found = _images(path, number if waves else None, name, None if stages == 1 else (position or 0) + 1)
        if not found:
            raise ValueError(
                f"{path} lists the channel {name!r}, of which no image lies beside it ({path.stem}_w{number}….tif or "
                ".stk); keep the files of an acquisition together, under their names"
            )
        files[name] = found
    return files, f"{path.name} of MetaMorph, {len(names)} channels"


def _count(told: Mapping[str, str], key: str, path: Path) -> int:
    text = told.get(key) or "1"
    if not re.fullmatch(r"\d{1,4}", text) or int(text) < 1:
        raise ValueError(f"{path} is damaged: {key} is {text[:20]!r}, and must be a number from 1; copy it again")
    return int(text)


def _true(told: Mapping[str, str], key: str) -> bool:
    return told.get(key, "").strip().upper() == "TRUE"


def _images(path: Path, wave: int | None, name: str, stage: int | None) -> list[Path]:
    mark = "" if wave is None else rf"_w{wave}(?P<label>.*?)"
    pattern = re.compile(
        rf"{re.escape(path.stem)}{mark}(?:_s(?P<stage>\d+))?(?:_t(?P<time>\d+))?", re.IGNORECASE | re.DOTALL
    )
    found: dict[int, Path] = {}
    for file in sorted(path.parent.iterdir(), key=lambda file: natural(file.name)):
        match = pattern.fullmatch(file.stem)
        if match is None or file.suffix.lower() not in ENDINGS:
            continue
        label = match["label"] if wave is not None else ""
        if label[:1].isdigit() and _letters(label) != _letters(name):
            continue  # _w1 is no beginning of _w12
        if stage is None or int(match["stage"] or 1) == stage:
            found.setdefault(int(match["time"] or 1), file)
    times = sorted(found)
    if times and times != list(range(times[0], times[0] + len(times))):
        raise ValueError(
            f"of the times of {path} that are there, {times[0]} to {times[-1]}, "
            f"{times[-1] - times[0] + 1 - len(times)} lack their image of {name!r}; put all of them there"
        )
    return [found[time] for time in times]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
