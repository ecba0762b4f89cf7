"""Tracks of TrackMate: spot tables (CSV of version 7 and older) and the full XML file.

Intensities. TrackMate gives the mean within a spot, and its contrast with the ring around it, (in − out)/(in + out).
Where both are there, the background is the ring's mean, in·(1 − C)/(1 + C), and the amplitude is what the spot
has above it; else the amplitude is the mean itself, with the background in it, and the background is unknown.

Positions are in the image's units, the centre of the first pixel at 0, and become pixels. A track that splits or
merges is a compound track, its branches are segments; only the XML file tells them. The "simple" XML file of tracks has
neither numbers of spots nor intensities, and is refused.
"""

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd

from awd_cme.movies.units import MICROMETRES, PIXELS, SECONDS, spelled
from awd_cme.readers.branches import track_rows
from awd_cme.readers.column_names import named, roles_of
from awd_cme.readers.folder import table_beside
from awd_cme.readers.intake import (
    Options,
    Result,
    bare_name,
    channel_names,
    interval,
    pixel_scale,
    say_depth,
    step_of_times,
    take_in,
)
from awd_cme.readers.tables import cells_of
from awd_cme.readers.text_tables import Table, read_table
from awd_cme.tracks.losses import LossReport
from awd_core.files import refuse_entities

NEEDED = ("TRACK_ID", "FRAME", "POSITION_X", "POSITION_Y")
_NUMBERS = r"(ID|TRACK_ID|FRAME|POSITION_[XYZT]|(MEAN_INTENSITY|CONTRAST)(_CH)?_?\d*)"


def read_trackmate_csv(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a table of spots: "Export spots" or "Spots in tracks statistics", with one header row or four.

    Raises
    ------
    ValueError
        If it is no such table, columns are missing, positions are in micrometres or another unit of length and
        `micrometres_per_pixel` is not given, or in a unit that is none, or rows are wrong in a way that the options do
        not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    if "spots" not in path.name.casefold() and (spots_table := table_beside(path, "spots")) is not None:
        path = spots_table  # links were given, which do not say where their spots are
    table = read_table(path, report)
    parted = {named(name).key.upper(): (name, named(name).unit) for name in table.names[::-1]}
    if missing := [name for name in NEEDED if name not in parted]:
        raise ValueError(f"{path}: the columns {missing} are missing; it has {table.names}. Export the table of spots")
    heads = table.layout.heads if table.layout is not None else 1
    report.recognised.append(f"{path}: spots of TrackMate, a table with {heads} header rows")
    spots = pd.DataFrame(
        {key: table.numbers(name) for key, (name, _) in list(parted.items())[::-1] if re.fullmatch(_NUMBERS, key)}
    )
    units = {key: table.unit(name) or unit for key, (name, unit) in parted.items()}
    if (cells := cells_of(table, roles_of(table.names), options)) is not None:
        spots = spots.assign(cell=cells)
    alone = spots["TRACK_ID"].isna()
    report.add("spots", int(alone.sum()), "in no track")
    spots = spots[~alone]
    rows = pd.DataFrame({"track": spots["TRACK_ID"].astype(np.int64), "frame": spots["FRAME"]})
    edges = table_beside(path, "edges") if cells is None else None
    scale, size = pixel_scale(units["POSITION_X"], f"{path}", options, report, "")
    rows["y"], rows["x"] = spots["POSITION_Y"] * scale, spots["POSITION_X"] * scale
    if "POSITION_Z" in spots:
        say_depth(spots["POSITION_Z"].to_numpy(), report)
    names = _intensities(spots, rows, options, report)
    if cells is not None:
        rows["cell"] = spots["cell"]
    keys = [name for name in ("cell", "track", "frame") if name in rows]
    if edges is not None:
        rows = _branched(rows.assign(id=spots.get("ID", np.nan)), edges, path, report)
    elif len(twice := rows.loc[rows.duplicated(keys), keys[:-1]].drop_duplicates()):
        report.assume(
            f"{len(twice)} tracks have several spots in a frame: they split or merge, and only TrackMate's table of "
            f"edges beside this one ({path.name.replace('spots', 'edges')}), or its XML file, tells which spot follows "
            "which"
        )
    step = None
    if "POSITION_T" in spots:
        clock = units["POSITION_T"].strip("() ")
        step = step_of_times(spots["FRAME"].to_numpy(), spots["POSITION_T"].to_numpy(), clock)
        if clock and spelled(clock) not in (*SECONDS, "frame"):
            report.assume(f"POSITION_T has the unit {clock!r}, which is not known: it is not looked at")
    return take_in(
        rows,
        str(path),
        options,
        report,
        channels=names,
        cell=bare_name(path),
        seconds_per_frame=interval(step, "POSITION_T", options, report),
        micrometres_per_pixel=size,
    )


def _branched(rows: pd.DataFrame, edges: Path, path: Path, report: LossReport) -> pd.DataFrame:
    """The rows with their branches as segments, by TrackMate's table of edges, checked by that of tracks."""
    held = read_table(edges, report)
    known = {named(name).key.upper(): name for name in held.names[::-1]}
    if missing := [name for name in ("SPOT_SOURCE_ID", "SPOT_TARGET_ID") if name not in known]:
        raise ValueError(f"{edges}: the columns {missing} are missing; it has {held.names}. Export the edges again")
    links = pd.DataFrame(
        {"source": held.numbers(known["SPOT_SOURCE_ID"]), "target": held.numbers(known["SPOT_TARGET_ID"])}
    )
    if (odd := int(links.isna().any(axis=1).sum())) > 0:
        raise ValueError(f"{edges}: {odd} links lack the number of a spot; is the file whole?")
    if rows["id"].isna().any():
        raise ValueError(
            f"{path}: {int(rows['id'].isna().sum())} spots have no number (ID), by which {edges.name} links"
        )
    rows = rows.assign(id=rows["id"].astype(np.int64)).reset_index(drop=True)
    track = rows.set_index("id")["track"]
    if track.index.has_duplicates:
        raise ValueError(f"{path}: several spots have the same number (ID); is it one file?")
    both = links.astype(np.int64)
    ends = [track.reindex(both[end]).to_numpy() for end in ("source", "target")]
    if (wrong := int((ends[0] != ends[1]).sum())) > 0:
        raise ValueError(
            f"{edges}: {wrong} of {len(both)} links name spots that are not in one track of {path.name}; the two files "
            "are not of one export"
        )
    found = track_rows(rows.drop(columns="track"), both.assign(track=ends[0]), str(edges), report)
    report.recognised.append(f"{edges.name}: which spot follows which")
    if (summary := table_beside(path, "tracks")) is not None:
        _compare_tracks(summary, rows, both, report)
    return found


def _compare_tracks(summary: Path, rows: pd.DataFrame, links: pd.DataFrame, report: LossReport) -> None:
    """Say where TrackMate's table of tracks counts otherwise."""
    held = read_table(summary, report)
    known = {named(name).key.upper(): name for name in held.names[::-1]}
    source, target = links["source"], links["target"]
    counts = {
        "NUMBER_SPOTS": ("spots", len(rows)),
        "NUMBER_SPLITS": ("splits", int((source.value_counts() > 1).sum())),
        "NUMBER_MERGES": ("merges", int((target.value_counts() > 1).sum())),
    }
    for name, (what, count) in counts.items():
        if name in known and (told := np.nansum(held.numbers(known[name]))) != count:
            report.doubt(f"{summary.name} counts {told:g} {what}, and spots and edges have {count}: one export or two?")
    report.recognised.append(f"{summary.name}: whole tracks, compared with spots and edges")


def read_trackmate_xml(path: str | os.PathLike[str], options: Options | None = None) -> Result:
    """Read a full XML file: all filtered tracks, the branches of those that split or merge as segments.

    Raises
    ------
    ValueError
        If it is no such file, cut off, or wrong in a way that the options do not say to skip.
    """
    options, report = options or Options(), LossReport()
    path = Path(path)
    spots, edges, kept, settings = _parsed(path, report)
    version = settings.get("version", "of an unknown version")
    report.recognised.append(
        f"{path}: the full XML file of TrackMate {version}, {len(spots)} spots, {len(edges)} links"
    )
    size = _pixel_size(settings, f"{path}", options, report)
    if spots.empty or edges.empty:
        rows = pd.DataFrame({"track": [0]})[:0]
        names = channel_names(1, options, report)
    else:
        table = pd.DataFrame({"id": spots["ID"].astype(np.int64), "frame": spots["FRAME"].astype(np.float64)})
        table["y"], table["x"] = spots["POSITION_Y"] / size[0], spots["POSITION_X"] / size[0]
        if "POSITION_Z" in spots:
            say_depth(spots["POSITION_Z"].to_numpy(), report)
        names = _intensities(spots, table, options, report)
        rows = track_rows(table, edges, str(path), report)
        filtered = ~rows["track"].isin(kept)
        count = int(rows["track"][filtered].nunique())
        report.came += count
        report.add("tracks", count, "filtered out in TrackMate")
        rows = rows[~filtered]
    clock = settings.get("timeunits", "")
    seconds = SECONDS.get(spelled(clock), np.nan)
    if spelled(clock) not in ("", "frame", *SECONDS, *PIXELS):
        report.assume(f"the file gives times in {clock!r}, which is no known unit: they are not looked at")
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


def _parsed(path: Path, report: LossReport) -> tuple[pd.DataFrame, pd.DataFrame, list[int], dict[str, str]]:
    """Spots, edges with their tracks, numbers of the filtered tracks, and what Model and ImageData say."""
    spots: list[dict[str, str]] = []
    edges: list[tuple[int, int, int]] = []
    kept: list[int] = []
    settings: dict[str, str] = {}
    track = -1
    with path.open("rb") as file:
        refuse_entities(file.read(1 << 20), path)
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
    numbers = [n for n in table.columns if n in columns or re.match(r"(MEAN_INTENSITY|CONTRAST|POSITION_Z)", n)]
    held = Table(str(path), table, None, report)
    table = pd.DataFrame({name: held.numbers(name) for name in numbers})
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


def _pixel_size(
    settings: dict[str, str], what: str, options: Options, report: LossReport
) -> tuple[float, float | None]:
    """Size of a pixel in the file's unit of positions, and in micrometres, None where unknown."""
    told, unit = options.micrometres_per_pixel, settings.get("spatialunits", "")
    word = spelled(unit) if options.position_unit == "auto" else options.position_unit
    width = float(settings.get("pixelwidth", "nan"))
    if not 0 < width < np.inf:
        scale, size = pixel_scale(unit, what, options, report)
        return 1 / scale, size
    # The file says how many of its units a pixel has, whatever they are called.
    known = width * MICROMETRES[word] if word in MICROMETRES else None
    if known is None and told is None and word not in PIXELS:
        report.assume(f"the file gives the size of a pixel as {width:g} {unit!r}, which is no known unit of length")
    if known is not None and told is not None and not np.isclose(told, known, rtol=1e-3):
        report.assume(f"a pixel is {told:g} µm as told; {what} says {known:g} µm")
        return told / MICROMETRES[word], told
    return width, told if told is not None else known
