"""What a TIFF file says of frame interval, pixel size and channels, and where it says so."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from awd_cme.movies.units import MICROMETRES, SECONDS, Fact, spelled


@dataclass(frozen=True)
class Metadata:
    """What a file says.

    Attributes
    ----------
    seconds_per_frame, micrometres_per_pixel, channels : Fact
        Of a float, a float, and a tuple of str.
    """

    seconds_per_frame: Fact
    micrometres_per_pixel: Fact
    channels: Fact


NOTHING = Metadata(*(Fact(None, f"unknown: the file does not say; give {name}") for name in ("seconds_per_frame",
    "micrometres_per_pixel", "channels")))  # fmt: skip


def read_metadata(tif: tifffile.TiffFile, series: int) -> Metadata:
    """Frame interval, pixel size and channels of one series of a TIFF file.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    series : int
        Number of the series.

    Returns
    -------
    Metadata
    """
    if tif.is_ome and (text := tif.ome_metadata):
        return _of_ome(text, series)
    if tif.is_imagej:
        return _of_imagej(tif)
    if tif.is_stk:
        return _of_stk(tif)
    return NOTHING


def _of_ome(text: str, series: int) -> Metadata:
    root = ElementTree.fromstring(text)  # noqa: S314 — tifffile has parsed the same text to find the pages
    images = [element for element in root.iter() if element.tag.endswith("}Pixels") or element.tag == "Pixels"]
    if not images:
        return NOTHING
    pixels = images[min(series, len(images) - 1)]
    names = [c.attrib.get("Name", "") for c in pixels if c.tag.rpartition("}")[2] == "Channel"]
    channels = NOTHING.channels
    if names and all(names) and len(set(names)) == len(names):
        channels = Fact(tuple(names), "channel names of the OME metadata")
    return Metadata(_ome_interval(pixels), _ome_size(pixels), channels)


def _ome_interval(pixels: ElementTree.Element) -> Fact:
    given, unit = _number(pixels.attrib.get("TimeIncrement")), pixels.attrib.get("TimeIncrementUnit", "s")
    if given and unit in SECONDS:
        return Fact(given * SECONDS[unit], f"TimeIncrement of the OME metadata ({given:g} {unit})")
    # Some microscopes give the time of each plane instead.
    times = {}
    for plane in pixels:
        time, unit = _number(plane.attrib.get("DeltaT")), plane.attrib.get("DeltaTUnit", "s")
        if (
            time is not None
            and unit in SECONDS
            and plane.attrib.get("TheC", "0") == plane.attrib.get("TheZ", "0") == "0"
        ):
            times[int(plane.attrib.get("TheT", 0))] = time * SECONDS[unit]
    steps = np.diff([times[t] for t in sorted(times)])
    if len(steps) and len(times) == max(times) - min(times) + 1 and np.median(steps) > 0:
        return Fact(float(np.median(steps)), "DeltaT of the planes in the OME metadata (median of the differences)")
    return NOTHING.seconds_per_frame


def _ome_size(pixels: ElementTree.Element) -> Fact:
    sizes = []
    for axis in "XY":
        value, unit = (
            _number(pixels.attrib.get(f"PhysicalSize{axis}")),
            pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm"),
        )
        unit = spelled(unit)
        sizes.append(value * MICROMETRES[unit] if value and unit in MICROMETRES else None)
    if sizes[0] is None:
        return NOTHING.micrometres_per_pixel
    oblong = sizes[1] is not None and abs(sizes[1] / sizes[0] - 1) > 0.01
    note = f"; PhysicalSizeY differs, {sizes[1]:g} µm" if oblong else ""
    return Fact(sizes[0], f"PhysicalSizeX of the OME metadata{note}")


def _of_imagej(tif: tifffile.TiffFile) -> Metadata:
    described = tif.imagej_metadata or {}
    interval, size = NOTHING.seconds_per_frame, NOTHING.micrometres_per_pixel
    step, unit = _number(described.get("finterval")), str(described.get("tunit", "s"))
    if step and unit in SECONDS:
        interval = Fact(step * SECONDS[unit], f"finterval of the ImageJ metadata ({step:g} {unit})")
    unit = spelled(str(described.get("unit", "")))
    resolution = tif.pages.first.tags.valueof("XResolution")
    if unit in MICROMETRES and resolution and resolution[0]:
        size = Fact(
            MICROMETRES[unit] * resolution[1] / resolution[0], f"resolution and unit ({unit}) of the ImageJ metadata"
        )
    return Metadata(interval, size, NOTHING.channels)


def _of_stk(tif: tifffile.TiffFile) -> Metadata:
    described = tif.stk_metadata or {}
    interval, size = NOTHING.seconds_per_frame, NOTHING.micrometres_per_pixel
    created = described.get("DatetimeCreated")
    if created is not None and len(created) > 1:
        step = float(np.median(np.diff(created) / np.timedelta64(1, "ms"))) / 1000
        if step > 0:
            interval = Fact(step, "creation times of the planes in the MetaMorph metadata (median of the differences)")
    value, unit = _number(described.get("XCalibration")), spelled(str(described.get("CalibrationUnits", "")))
    if value and unit in MICROMETRES and described.get("SpatialCalibration", 1):
        size = Fact(value * MICROMETRES[unit], f"XCalibration of the MetaMorph metadata ({value:g} {unit})")
    return Metadata(interval, size, NOTHING.channels)


def _number(value: Any) -> float | None:
    """A finite number, or None: metadata hold text, and some programs write NaN."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
