"""What a TIFF file says of frame interval, pixel size and channels, and where it says so."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile

from awd_cme.movies.units import MICROMETRES, PIXELS, SECONDS, Fact, spelled


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
    if given:
        return in_seconds(given, unit, "TimeIncrement of the OME metadata")
    # Some microscopes give the time of each plane instead.
    times = {}
    for plane in pixels:
        time, unit = _number(plane.attrib.get("DeltaT")), plane.attrib.get("DeltaTUnit", "s")
        if time is not None and plane.attrib.get("TheC", "0") == plane.attrib.get("TheZ", "0") == "0":
            if (length := SECONDS.get(spelled(unit))) is None:
                return in_seconds(time, unit, "DeltaT of the planes in the OME metadata")
            times[int(plane.attrib.get("TheT", 0))] = time * length
    if len(times) == max(times, default=0) - min(times, default=0) + 1:
        return interval_of_times([times[t] for t in sorted(times)], "DeltaT of the planes in the OME metadata")
    return NOTHING.seconds_per_frame


def interval_of_times(times: npt.ArrayLike, origin: str) -> Fact:
    """The frame interval that the times of the frames tell, in seconds: the median of the differences.

    Examples
    --------
    >>> interval_of_times([0, 2.0, 4.0, 9.0], "times")
    Fact(value=2.0, origin='times (median of the differences, which reach from 2 to 5 s)')
    """
    steps = np.diff(np.asarray(times, dtype=np.float64))
    if not len(steps) or not np.isfinite(steps).all() or np.median(steps) <= 0:
        return NOTHING.seconds_per_frame
    middle, low, high = float(np.median(steps)), float(steps.min()), float(steps.max())
    uneven = f", which reach from {low:.4g} to {high:.4g} s" if max(high - middle, middle - low) > 0.1 * middle else ""
    return Fact(middle, f"{origin} (median of the differences{uneven})")


def _ome_size(pixels: ElementTree.Element) -> Fact:
    sizes = []
    for axis in "XY":
        value = _number(pixels.attrib.get(f"PhysicalSize{axis}"))
        unit = pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm")
        sizes.append(in_micrometres(value, unit, "PhysicalSizeX of the OME metadata") if value else None)
    first, other = sizes
    if first is None:
        return NOTHING.micrometres_per_pixel
    if other is None or other.value is None or first.value is None or abs(other.value / first.value - 1) <= 0.01:
        return first
    return Fact(first.value, f"{first.origin}; PhysicalSizeY differs, {other.value:g} µm")


def _of_imagej(tif: tifffile.TiffFile) -> Metadata:
    described = tif.imagej_metadata or {}
    interval, size = NOTHING.seconds_per_frame, NOTHING.micrometres_per_pixel
    if step := _number(described.get("finterval")):
        interval = in_seconds(step, str(described.get("tunit", "s")), "finterval of the ImageJ metadata")
    unit = str(described.get("unit", ""))
    resolution = tif.pages.first.tags.valueof("XResolution")
    if spelled(unit) and resolution and resolution[0]:
        size = in_micrometres(
            resolution[1] / resolution[0], unit, f"resolution and unit ({unit}) of the ImageJ metadata"
        )
    return Metadata(interval, size, NOTHING.channels)


def _of_stk(tif: tifffile.TiffFile) -> Metadata:
    described = tif.stk_metadata or {}
    interval, size = NOTHING.seconds_per_frame, NOTHING.micrometres_per_pixel
    created = described.get("DatetimeCreated")
    if created is not None and len(created) > 1:
        seconds = (np.asarray(created) - created[0]) / np.timedelta64(1, "ms") / 1000
        interval = interval_of_times(seconds, "creation times of the planes in the MetaMorph metadata")
    value, unit = _number(described.get("XCalibration")), str(described.get("CalibrationUnits", ""))
    if value and spelled(unit) and described.get("SpatialCalibration", 1):
        size = in_micrometres(value, unit, f"XCalibration of the MetaMorph metadata ({value:g} {unit})")
    return Metadata(interval, size, NOTHING.channels)


def in_seconds(value: float, unit: str, where: str) -> Fact:
    """A time in a unit as the file spells it; unknown, with the unit's name, where that is none."""
    length = SECONDS.get(spelled(unit))
    if length is None:
        return Fact(None, f"unknown: {where} is {value:g} {unit!r}, which is no known unit; give seconds_per_frame")
    return Fact(value * length, f"{where} ({value:g} {unit})")


def in_micrometres(value: float, unit: str, where: str) -> Fact:
    """A length in a unit as the file spells it; unknown, with the unit's name, where that is none."""
    if spelled(unit) in PIXELS:
        return Fact(None, f"unknown: {where} is in pixels; give micrometres_per_pixel")
    if (length := MICROMETRES.get(spelled(unit))) is None:
        return Fact(None, f"unknown: {where} is in {unit!r}, which is no known unit; give micrometres_per_pixel")
    return Fact(value * length, where)


def _number(value: Any) -> float | None:
    """A finite number, or None: metadata hold text, and some programs write NaN."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
