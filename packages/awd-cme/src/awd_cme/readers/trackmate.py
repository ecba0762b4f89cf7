"""Tracks of TrackMate: spot tables (CSV of version 7 and older) and the full XML file.

Intensities. TrackMate gives the mean within a spot, and its contrast with the ring around it, (in − out)/(in + out).
Where both are there, the background is the ring's mean, in·(1 − C)/(1 + C), and the amplitude is what the spot
has above it; else the amplitude is the mean itself, with the background in it, and the background is unknown.

Positions are in the image's units, the centre of the first pixel at 0, and become pixels. A track that splits or
merges is a compound track, its branches are segments; only the XML file tells them. The "simple" XML file of tracks has
neither numbers of spots nor intensities, and is refused.
"""

import gzip
import io
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.movies.units import MICROMETRES, SECONDS, spelled
from awd_cme.readers.branches import track_rows
from awd_cme.readers.intake import EXACT, Options, Result, bare_name, channel_names, interval, take_in
from awd_cme.tracks.losses import LossReport

NEEDED = ("TRACK_ID", "FRAME", "POSITION_X", "POSITION_Y")
_PIXELS = ("pixel", "pixels", "px")


def read_trackmate_csv(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a table of spots: "Export spots" or "Spots in tracks statistics", with one header row or four.

    Raises
    ------
    ValueError
        If it is no such table, columns are missing, positions are in micrometres or another unit of length and
        `micrometres_per_pixel` is not given, or rows are wrong in a way that the options do not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        text = file.read()
    separator = "\t" if "\t" in text[: text.find("\n")] else ","
    raw = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True, low_memory=False, **EXACT)
    if missing := [name for name in NEEDED if name not in raw.columns]:
        raise ValueError(
            f"{path}: the columns {missing} are missing; it has {list(raw.columns)}. Export the table of spots"
        )
    # Rows of names and units come before the first number of a frame.
    is_data = pd.to_numeric(raw["FRAME"], errors="coerce").notna().to_numpy()
    head = int(np.argmax(is_data)) if is_data.any() else len(raw)
    units = raw.iloc[:head]
    spots = raw.iloc[head:].replace({"None": np.nan, "": np.nan})
    spots = (
        spots.apply(pd.to_numeric, errors="coerce") if head else spots.assign(TRACK_ID=pd.to_numeric(spots["TRACK_ID"]))
    )
    report.recognised.append(f"{path}: spots of TrackMate, a table with {head + 1} header rows")
    alone = spots["TRACK_ID"].isna()
    report.add("spots", int(alone.sum()), "in no track")
    spots = spots[~alone]
    rows = pd.DataFrame({"track": spots["TRACK_ID"].astype(np.int64), "frame": spots["FRAME"].astype(np.float64)})
    size = _pixel_size(_unit(units, "POSITION_X"), None, f"{path}", options, report)
    rows["y"], rows["x"] = spots["POSITION_Y"] / size[0], spots["POSITION_X"] / size[0]
    names = _intensities(spots, rows, options, report)
    if len(twice := rows.loc[rows.duplicated(["track", "frame"]), "track"].unique()):
        report.assume(
            f"{len(twice)} tracks have several spots in a frame: they split or merge, and only TrackMate's XML file "
            "tells which spot follows which"
        )
    return take_in(
        rows,
        str(path),
        options,
        report,
        channels=names,
        cell=bare_name(path),
        seconds_per_frame=interval(_step(spots, _unit(units, "POSITION_T")), "POSITION_T", options, report),
        micrometres_per_pixel=size[1],
    )


def read_trackmate_xml(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a full XML file: all filtered tracks, the branches of those that split or merge as segments.

    Raises
    ------
    ValueError
        If it is no such file, cut off, or wrong in a way that the options do not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    spots, edges, kept, settings = _parsed(path)
    version = settings.get("version", "of an unknown version")
    report.recognised.append(
        f"{path}: the full XML file of TrackMate {version}, {len(spots)} spots, {len(edges)} links"
    )
    unit = _length(settings.get("spatialunits", "").lower())
    size = _pixel_size(unit, float(settings.get("pixelwidth", "nan")), f"{path}", options, report)
    if spots.empty or edges.empty:
        rows = pd.DataFrame({"track": [0]})[:0]
        names = channel_names(1, options, report)
    else:
        table = pd.DataFrame({"id": spots["ID"].astype(np.int64), "frame": spots["FRAME"].astype(np.float64)})
        table["y"], table["x"] = spots["POSITION_Y"] / size[0], spots["POSITION_X"] / size[0]
        names = _intensities(spots, table, options, report)
        rows = track_rows(table, edges, str(path), report)
        filtered = ~rows["track"].isin(kept)
        count = int(rows["track"][filtered].nunique())
        report.came += count
        report.add("tracks", count, "filtered out in TrackMate")
        rows = rows[~filtered]
    seconds = SECONDS.get(spelled(settings.get("timeunits", "").lower()), np.nan)
    step = float(settings.get("timeinterval", "nan")) * seconds
    return take_in(
        rows,
        str(path),
        options,
        report,
        channels=names,
        cell=path.stem,
        seconds_per_frame=interval(step, "the XML file", options, report),
        micrometres_per_pixel=size[1],
    )


def _parsed(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[int], dict[str, str]]:
    """Spots, edges with their tracks, numbers of the filtered tracks, and what Model and ImageData say."""
    spots: list[dict[str, str]] = []
    edges: list[tuple[int, int, int]] = []
    kept: list[int] = []
    settings: dict[str, str] = {}
    track = -1
    try:
        # expat fetches nothing by itself, and refuses entities that would fill the memory.
        for event, node in ET.iterparse(path, events=("start", "end")):  # noqa: S314
            if event == "start":
                if not settings and node.tag != "TrackMate":
                    raise ValueError(_foreign(path, node))
                if node.tag in ("TrackMate", "Model", "ImageData"):
                    settings |= node.attrib or {"version": "of an unknown version"}
                elif node.tag == "Track":
                    track = int(node.attrib["TRACK_ID"])
                continue
            if node.tag == "Spot":
                spots.append(dict(node.attrib))
            elif node.tag == "Edge":
                edges.append((int(node.attrib["SPOT_SOURCE_ID"]), int(node.attrib["SPOT_TARGET_ID"]), track))
            elif node.tag == "TrackID":
                kept.append(int(node.attrib["TRACK_ID"]))
            node.clear()
    except ET.ParseError as error:
        raise ValueError(f"{path} is no whole XML file: {error}. It may be cut off; export it anew") from error
    except KeyError as error:
        raise ValueError(f"{path}: an element lacks the attribute {error}; TrackMate's full XML file has it") from error
    columns = ["ID", "FRAME", "POSITION_X", "POSITION_Y"]
    table = pd.DataFrame(spots)
    if spots and (missing := [name for name in columns if name not in table.columns]):
        raise ValueError(f"{path}: the spots lack the attributes {missing}; they have {list(table.columns)}")
    numbers = [n for n in table.columns if n in columns or re.match(r"(MEAN_INTENSITY|CONTRAST)", n)]
    table = table[numbers].apply(pd.to_numeric, errors="coerce")
    return table, pd.DataFrame(edges, columns=["source", "target", "track"]), kept, settings


def _foreign(path: Path, root: ET.Element) -> str:
    if root.tag == "Tracks" and "nTracks" in root.attrib:
        return (
            f"{path} is TrackMate's simple XML file of tracks, which has neither intensities nor branches; "
            'save the full one ("Save" in TrackMate), or export the table of spots as CSV'
        )
    return f"{path} is an XML file of something else (<{root.tag}>); TrackMate's full file begins with <TrackMate>"


def _intensities(spots: pd.DataFrame, rows: pd.DataFrame, options: Options, report: LossReport) -> list[str]:
    """Names of the channels, their amplitudes and backgrounds put into the rows."""
    found = [match for name in spots.columns if (match := re.fullmatch(r"MEAN_INTENSITY(?:_CH)?(\d*)", str(name)))]
    found.sort(key=lambda match: int(match[1] or 1))
    names = channel_names(max(len(found), 1), options, report)
    for name, match in zip(names, found, strict=False):
        inside = spots[match[0]].to_numpy(dtype=np.float64)
        contrast = match[0].replace("MEAN_INTENSITY", "CONTRAST")
        if contrast in spots.columns:
            c = spots[contrast].to_numpy(dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                outside = inside * (1 - c) / (1 + c)
            outside[~np.isfinite(outside)] = np.nan
            rows[f"{name}_amplitude"], rows[f"{name}_background"] = inside - outside, outside
            report.assume(f"{name}: the amplitude is {match[0]} above the ring around the spot, which {contrast} gives")
        else:
            rows[f"{name}_amplitude"] = inside
            report.assume(
                f"{name}: the amplitude is {match[0]}, with the background in it; nothing tells the background"
            )
    if not found:
        report.assume("the file holds no intensities: amplitudes are NaN")
    return names


def _unit(units: pd.DataFrame, column: str) -> str:
    """Unit of a column, from the last header row, as "(micron)"."""
    text = str(units[column].iloc[-1]).strip("() ").lower() if len(units) else ""
    return spelled(text) if column == "POSITION_T" else _length(text)


def _length(unit: str) -> str:
    """A unit of length as `MICROMETRES` spells it, "pixel", or "unknown"."""
    if unit in _PIXELS:
        return "pixel"
    return spelled(unit) if spelled(unit) in MICROMETRES else "unknown"


def _pixel_size(
    unit: str, pixelwidth: float | None, what: str, options: Options, report: LossReport
) -> tuple[float, float | None]:
    """Size of a pixel in the file's unit of positions, and in micrometres, None where unknown."""
    if options.position_unit != "auto":
        unit = options.position_unit
    told = options.micrometres_per_pixel
    if pixelwidth is not None and 0 < pixelwidth < np.inf:
        # The file says how many of its units a pixel has, whatever they are called.
        known = pixelwidth * MICROMETRES[unit] if unit in MICROMETRES else None
        if known is not None and told is not None and not np.isclose(told, known, rtol=1e-3):
            report.assume(f"a pixel is {told:g} µm as told; {what} says {known:g} µm")
            return told / MICROMETRES[unit], told
        return pixelwidth, told if told is not None else known
    if unit in MICROMETRES:
        if told is None:
            raise ValueError(
                f"{what}: positions have the unit {unit}, and nothing tells a pixel's size; give micrometres_per_pixel"
            )
        return told / MICROMETRES[unit], told
    if unit == "unknown":
        report.assume("positions are in pixels: the file does not name their unit; position_unit tells another")
    return 1.0, told


def _step(spots: pd.DataFrame, unit: str) -> float | None:
    """Seconds per frame from the times of the spots; without a unit only where they do not just count frames."""
    if "POSITION_T" not in spots.columns or unit not in ("", *SECONDS):
        return None
    frame = spots["FRAME"].to_numpy(dtype=np.float64)
    t = spots["POSITION_T"].to_numpy(dtype=np.float64)
    later = frame > 0
    steps: Any = t[later] / frame[later]
    if not len(steps) or not np.allclose(steps, steps[0], rtol=1e-3) or (unit == "" and np.isclose(steps[0], 1.0)):
        return None
    return float(np.median(steps)) * SECONDS.get(unit, 1.0)
