"""Writing movies to TIFF files, one frame at a time."""

import itertools
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, Literal

import numpy as np

from awd_cme.movies.movie import Movie
from awd_core.checks import check_ending, real_number
from awd_core.files import make_atomically
from awd_core.typing import AnyArray

WRITTEN = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
"""How the names of files end that movies are written to."""

_CLASSIC = 2**32 - 2**25
"""Bytes of pixels above which a file is a BigTIFF; what the pages themselves need fits in the rest."""

_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_OME_TYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")


def write_movie(
    path: str | os.PathLike[str],
    frames: Movie | AnyArray | Iterable[AnyArray],
    *,
    axes: str | None = None,
    count: int | None = None,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
    channels: Sequence[str] | None = None,
    kind: Literal["ome", "imagej", "plain"] = "ome",
    compression: Literal["zlib"] | None = None,
    bigtiff: bool | None = None,
    identity: uuid.UUID | None = None,
) -> None:
    """Write a movie, with one frame in memory at a time; the file is there whole or not at all.

    Parameters
    ----------
    path : str or path
        The file, .tif or .tiff (or .btf, .tf2, .tf8 for a BigTIFF); its folder must exist.
    frames : Movie, ndarray or iterable of ndarray
        A movie, whose interval, pixel size and channels are taken if none are given; an array; or the frames in turn,
        each (c, y, x) or (y, x), all of one shape and type.
    axes : {"TCYX", "TYX"}, optional
        Axes of `frames`. Default: by the number of dimensions.
    count : int, optional
        Number of frames; needed where `frames` is an iterable without a length.
    seconds_per_frame, micrometres_per_pixel : float, optional
        What is written into the metadata; nothing if None. A plain file has none.
    channels : sequence of str, optional
        Names of the channels, for OME-TIFF.
    kind : {"ome", "imagej", "plain"}
        OME-TIFF, ImageJ hyperstack, or a TIFF file without metadata, the channels in turn.
    compression : {"zlib"}, optional
        Lossless; the noise of a camera leaves half of the size or more, and reading takes far longer.
    bigtiff : bool, optional
        Whether to write a BigTIFF. Default: where the pixels need it, above some 4 GB.
    identity : uuid.UUID, optional
        Of an OME-TIFF file, so that equal frames give equal bytes. Default: a random one.

    Raises
    ------
    ValueError
        If the name ends otherwise, the frames differ, are fewer or more than `count`, have a type that the format does
        not know, or are too many for it.

    Examples
    --------
    >>> import tempfile
    >>> from awd_cme.movies import open_movie
    >>> path = f"{tempfile.mkdtemp()}/cell.ome.tif"
    >>> write_movie(path, (np.full((2, 4, 4), t, np.uint16) for t in range(3)), count=3, seconds_per_frame=1.5)
    >>> movie = open_movie(path)
    >>> movie.shape, movie.seconds_per_frame, int(movie.frame(2, 1)[0, 0])
    ((3, 2, 4, 4), 1.5, 2)
    """
    check_ending(path, WRITTEN, "a movie in a TIFF file")
    if kind not in ("ome", "imagej", "plain"):
        raise ValueError(f"kind is {kind!r}; choose 'ome', 'imagej' or 'plain'")
    if isinstance(frames, Movie):
        seconds_per_frame = frames.seconds_per_frame if seconds_per_frame is None else seconds_per_frame
        micrometres_per_pixel = frames.micrometres_per_pixel if micrometres_per_pixel is None else micrometres_per_pixel
        channels = frames.channels if channels is None else channels
    if compression not in (None, "zlib"):
        raise ValueError(f"compression is {compression!r}; choose 'zlib', or None")
    facts = {"seconds_per_frame": seconds_per_frame, "micrometres_per_pixel": micrometres_per_pixel}
    for name, value in facts.items():
        if value is not None:
            real_number(name, value, above=0, none="what is unknown")
    if count is None:
        if not isinstance(frames, Sized):
            raise ValueError("the number of frames is unknown: give count, or frames that have a length")
        count = len(frames)
    if count < 1:
        raise ValueError(f"a movie needs at least one frame, got {count}")
    turns = iter(frames)
    try:
        first = np.asarray(next(turns))
    except StopIteration:
        raise ValueError(f"there are no frames, but count is {count}") from None
    shape = (count, *first.shape)
    fitting = {3: "TYX", 4: "TCYX"}.get(len(shape))
    axes = fitting if axes is None else axes.upper()
    if axes is None or axes != fitting:
        raise ValueError(
            f"axes is {axes!r} for {count} frames of the shape {first.shape}; write frames (c, y, x) as "
            "'TCYX' or (y, x) as 'TYX'"
        )
    if channels is not None and len(channels) != (shape[1] if len(shape) == 4 else 1):
        raise ValueError(f"channels are {tuple(channels)}, but a frame has the shape {first.shape}")
    known = {"ome": _OME_TYPES, "imagej": _IMAGEJ_TYPES}.get(kind)
    if known is not None and first.dtype.name not in known:
        raise ValueError(
            f"{kind} files hold {', '.join(known)}, not {first.dtype}; convert the frames, or choose another kind"
        )
    big = math.prod(shape) * first.dtype.itemsize > _CLASSIC if bigtiff is None else bigtiff
    if big and kind == "imagej":
        raise ValueError("an ImageJ hyperstack cannot be a BigTIFF, and holds 4 GB at most; choose kind='ome'")
    options = _options(kind, axes, seconds_per_frame, micrometres_per_pixel, channels, identity)

    def write(beside: Path) -> None:
        import tifffile

        with tifffile.TiffWriter(beside, bigtiff=big, byteorder="<", ome=kind == "ome", imagej=kind == "imagej") as tif:
            tif.write(
                _planes(itertools.chain([first], turns), shape, first.dtype),
                shape=shape,
                dtype=first.dtype.newbyteorder("<"),
                photometric="minisblack",
                compression=compression,
                predictor=bool(compression) and first.dtype.kind in "iu" and first.dtype.itemsize <= 4,
                software="awd-cme",
                **options,
            )

    make_atomically(path, write)


def _options(
    kind: str,
    axes: str,
    seconds: float | None,
    micrometres: float | None,
    channels: Sequence[str] | None,
    identity: uuid.UUID | None,
) -> dict[str, Any]:
    if kind == "plain":
        return {"metadata": None}
    if kind == "imagej":
        metadata: dict[str, Any] = {"axes": axes} | ({} if seconds is None else {"finterval": float(seconds)})
        if micrometres is None:
            return {"metadata": metadata}
        # As a fraction of whole numbers: a pixel of 1 nm is 10⁶ of its parts.
        per_micrometre = (10**9, round(micrometres * 10**9))
        return {"metadata": metadata | {"unit": "um"}, "resolution": (per_micrometre, per_micrometre)}
    metadata = {"axes": axes, "UUID": str(identity or uuid.uuid4())}
    if seconds is not None:
        metadata |= {"TimeIncrement": float(seconds), "TimeIncrementUnit": "s"}
    if micrometres is not None:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": float(micrometres), f"PhysicalSize{axis}Unit": "µm"}
    if channels is not None:
        metadata["Channel"] = {"Name": list(channels)}
    return {"metadata": metadata}


def _planes(frames: Iterator[AnyArray], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[AnyArray]:
    count = 0
    for frame in frames:
        image = np.asarray(frame)
        if image.shape != shape[1:] or image.dtype != dtype:
            raise ValueError(
                f"frame {count} has the shape {image.shape} and the type {image.dtype}, the first one {shape[1:]} and "
                f"{dtype}; all must be alike"
            )
        count += 1
        if count > shape[0]:
            raise ValueError(
                f"there are more frames than the {shape[0]} that were announced; give their number as count"
            )
        little = image.astype(dtype.newbyteorder("<"), copy=False)
        yield from (little if image.ndim == 3 else little[None])
    if count < shape[0]:
        raise ValueError(f"there are {count} frames, but {shape[0]} were announced; give their number as count")
