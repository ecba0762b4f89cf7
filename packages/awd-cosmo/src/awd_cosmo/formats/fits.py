"""Convergence maps in FITS files: whatever is in use is read. `awd_cosmo.formats.fits_writer` writes them.

Most files of the suites are the simplest there are: one header block, a square of big-endian floats. For those the
header is parsed here and the pixels are swapped straight out of the file's bytes, which is several times as fast as
astropy; everything else (extensions, compression, scaled integers, odd cards) goes to astropy. Both give the same
pixels, bit for bit.

κ is dimensionless; the first row of an array is at the bottom of the sky, as FITS has it.
"""

import io
import math
import os
import re
import threading
import warnings
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from awd_core.checks import is_whole_number
from awd_core.files import Unpacked
from awd_core.typing import AnyArray
from awd_cosmo.formats.archives import MEMBER, BadMap, read_bytes
from awd_cosmo.formats.headers import Cards, MapHeader, describe
from awd_cosmo.formats.parameters import Ranges

UNSEEN = -1.6375e30
"""HEALPix' value of a pixel that was not observed."""

Floats = npt.NDArray[np.floating[Any]]

_BLOCK, _CARD = 2880, 80
_DATASUM = re.compile(rb"DATASUM = '(\d+) *'")
_END = b"END" + b" " * 77
# astropy's warnings about a file are silenced while it is read, and Python keeps that setting for all threads at once.
_astropy_lock = threading.Lock()


def read_map(
    path: str | os.PathLike[str],
    hdu: int | str | None = None,
    *,
    pixel_scale: Any = None,
    source_redshift: float | None = None,
    ranges: Ranges | None = None,
    itype: str | None = None,
) -> tuple[Floats, MapHeader]:
    """Read one map.

    Parameters
    ----------
    path : str or path
        FITS: primary HDU, extension, compressed by gzip or by fpack; or a member of a tar, "archive.tar!member".
    hdu : int or str, optional
        Number or name of the HDU; otherwise the first that holds an image.
    pixel_scale : Quantity or float, optional
        Side of a pixel (arcmin if a number), where the header has none, or to overrule it.
    source_redshift : float, optional
        Where header and name have none, or to overrule them.
    ranges : mapping of str to (low, high), optional
        Plausible ranges of parameters, in place of those of `awd_cosmo.formats.parameters.RANGES`.
    itype : str, optional
        Another ITYPE of headers than ConvergenceMap that is convergence; "any": whatever they say.

    Returns
    -------
    kappa : ndarray, shape (ny, nx)
        float32 or float64 in the machine's byte order. Blank pixels of integer images are NaN.
    header : MapHeader
        What the file says of it.

    Raises
    ------
    BadMap
        A ValueError: if the file is truncated, is no FITS, holds no image or another one than its DATASUM says, no
        convergence, or its header contradicts itself.
    FileNotFoundError
        If there is no such file or member.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astropy import units
    >>> from awd_cosmo.formats import write_map
    >>> place = Path(tempfile.mkdtemp()) / "WLconv_z1.00_0001r.fits"
    >>> write_map(place, np.zeros((4, 4), np.float32), pixel_scale=0.41 * units.arcmin, parameters={"Omega_m": 0.3})
    >>> kappa, header = read_map(place)
    >>> kappa.shape, round(header.arcmin_per_pixel, 2), header.source_redshift, header.parameters
    ((4, 4), 0.41, 1.0, {'Omega_m': 0.3})
    """
    name = os.fspath(path)
    pixels, cards, number = image(read_bytes(name), name, hdu)
    header = describe(
        cards, name, number, pixels.shape, pixel_scale=pixel_scale, source_redshift=source_redshift, ranges=ranges,
        itype=itype,
    )  # fmt: skip
    return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="))), header


def read_header(
    path: str | os.PathLike[str],
    hdu: int | str | None = None,
    *,
    pixel_scale: Any = None,
    source_redshift: float | None = None,
    ranges: Ranges | None = None,
    itype: str | None = None,
) -> MapHeader:
    """What a file says of its map; of a plain file, only its first blocks are read.

    Parameters
    ----------
    path, hdu, pixel_scale, source_redshift, ranges, itype
        As in `read_map`.

    Returns
    -------
    MapHeader
        As `read_map` returns it.

    Raises
    ------
    BadMap
        As `read_map` does, truncated files included: their length is compared with what the header promises.
    FileNotFoundError
        If there is no such file or member.
    """
    name = os.fspath(path)
    told: dict[str, Any] = {
        "pixel_scale": pixel_scale,
        "source_redshift": source_redshift,
        "ranges": ranges,
        "itype": itype,
    }
    shape: tuple[int, ...]
    if MEMBER not in name and hdu in (None, 0):
        with io.FileIO(name) as file:
            simple = _simple(file.read(4 * _BLOCK) or b"")
            size = os.fstat(file.fileno()).st_size
        if simple is not None:
            offset, dtype, shape, cards = simple
            _check_length(size, offset + dtype.itemsize * math.prod(shape), name)
            return describe(cards, name, 0, shape, **told)
    pixels, cards, number = image(read_bytes(name), name, hdu)
    return describe(cards, name, number, pixels.shape, **told)


def image(content: bytes, name: str, hdu: int | str | None = None) -> tuple[Floats, Mapping[str, Any], int]:
    """Pixels, header cards and number of the HDU from the bytes of a FITS file.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        For messages.
    hdu : int or str, optional
        Number or name of the HDU; otherwise the first that holds an image.

    Returns
    -------
    pixels : ndarray, shape (ny, nx)
        float32 or float64, in the byte order of the file; not to be written to.
    cards : mapping
        Keyword to value.
    hdu : int
        Number of the HDU.

    Raises
    ------
    BadMap
        As in `read_map`.
    """
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(content, name)
    if hdu in (None, 0):
        simple = _simple(content)
        if simple is not None:
            offset, dtype, shape, cards = simple
            size = dtype.itemsize * math.prod(shape)
            _check_length(len(content), offset + size, name)
            _check_end(content, offset + size, name)
            whole = memoryview(content)[: offset + -(-size // _BLOCK) * _BLOCK]
            _check_sum(whole[offset:], cards, name)
            if "CHECKSUM" in cards and _sum(whole) not in (0, 0xFFFFFFFF):
                cards = Cards(cards)
                cards.altered = True
            return np.frombuffer(content, dtype, math.prod(shape), offset).reshape(shape), cards, 0
    return _by_astropy(content, name, hdu)


_Simple = tuple[int, "np.dtype[Any]", tuple[int, int], Mapping[str, Any]]


def _simple(content: bytes) -> _Simple | None:
    header = content[:_BLOCK]
    if not header.startswith(b"SIMPLE  =") or len(header) < _BLOCK:
        return None
    end = _end(header)
    blocks = 1
    while end < 0 and blocks < 16 and len(content) > blocks * _BLOCK:
        blocks += 1
        header = content[: blocks * _BLOCK]
        end = _end(header)
    return _parse(header[: end + _CARD], blocks * _BLOCK) if end >= 0 else None


def _end(header: bytes) -> int:
    at = header.rfind(_END)
    return at if at >= 0 and at % _CARD == 0 and not header[at + _CARD :].strip() else -1


@lru_cache(maxsize=256)  # the maps of a suite share their header
def _parse(header: bytes, offset: int) -> _Simple | None:
    cards = Cards()
    for at in range(0, len(header) - _CARD, _CARD):
        card = header[at : at + _CARD]
        key = card[:8].rstrip()
        if key in (b"CONTINUE", b"HIERARCH"):
            return None
        if card[8:10] != b"= ":
            continue  # COMMENT, HISTORY, blank
        try:
            cards.setdefault(key.decode("ascii"), _value(card[10:].decode("ascii")))
        except ValueError:
            return None
    plain = (
        cards.get("SIMPLE") is True
        and cards.get("BITPIX") in (-32, -64)
        and cards.get("NAXIS") == 2
        and cards.get("GROUPS") is not True
        and cards.get("BSCALE", 1) == 1
        and cards.get("BZERO", 0) == 0
        and "BLANK" not in cards
    )
    shape = (cards.get("NAXIS2"), cards.get("NAXIS1"))
    if not plain or not all(type(side) is int and side > 0 for side in shape):
        return None
    return offset, np.dtype(">f4" if cards["BITPIX"] == -32 else ">f8"), shape, cards  # type: ignore[return-value]


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("'"):
        inside = re.match(r"'((?:[^']|'')*)'", text)
        if inside is None:
            raise ValueError(text)
        return inside[1].replace("''", "'").rstrip()
    text = text.partition("/")[0].strip()
    if text in ("T", "F", ""):
        return {"T": True, "F": False, "": None}[text]
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text.replace("D", "E").replace("d", "e"))


def _check_length(length: int, needed: int, name: str) -> None:
    if length < needed:
        raise BadMap([(name, f"truncated: {length} bytes where its header promises {needed}")])


def _check_end(content: bytes, end: int, name: str) -> None:
    """Refuse bytes behind the data that are neither their padding nor an extension: the data have moved."""
    whole = -(-end // _BLOCK) * _BLOCK
    rest, filling = content[whole:], content[end:whole]
    if filling.strip(b"\0 "):
        raise BadMap([(name, f"damaged: behind its data, from byte {end}, should be zeros; fetch it again")])
    if len(content) in (end, whole) or rest.startswith(b"XTENSION"):
        return
    if len(content) % _BLOCK or rest.strip(b"\0 "):
        said = f"damaged: its data end at byte {end}, its file at {len(content)}, and between is no extension"
        raise BadMap([(name, said)])


def _unpacked(content: bytes, name: str) -> bytes:
    """The content of a gzip file, if it begins as FITS does."""
    try:
        packed = Unpacked(content, name)
        if not packed.up_to(9).startswith(b"SIMPLE  ="):
            return packed.up_to(9)
        return packed.whole()
    except (ValueError, EOFError, zlib.error) as error:
        raise BadMap([(name, f"truncated or damaged gzip file: {error}")]) from error


def _check_sum(data: memoryview, cards: Mapping[str, Any], name: str) -> None:
    """Compare data, padded to whole blocks, with DATASUM: a sum of 32-bit words whose carries come back at the end."""
    promised = str(cards.get("DATASUM") or "").strip()
    if not promised.isdecimal():
        return
    total = _sum(data)
    if total != int(promised):
        raise BadMap([(name, f"damaged: its data add up to {total}, but DATASUM = {promised}; fetch it again")])


def _sum(data: memoryview) -> int:
    whole = len(data) // 4 * 4
    total = int(np.frombuffer(data[:whole], ">u4").sum(dtype=np.uint64))
    total += int.from_bytes(bytes(data[whole:]).ljust(4, b"\0"), "big") if whole < len(data) else 0
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _by_astropy(content: bytes, name: str, hdu: int | str | None) -> tuple[Floats, Mapping[str, Any], int]:
    if not content.startswith(b"SIMPLE  ="):
        what = "an empty file" if not content else f"no FITS file (it starts with {content[:9]!r})"
        raise BadMap([(name, what)])
    _check_header(content, 0, name)
    with _astropy_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                number: int = _image_hdu(hdus, name) if hdu is None else _named_hdu(hdus, name, hdu)
                found = hdus[number]
                place, altered = found.fileinfo(), False
                # astropy fills what lies behind the end with nothing, and only warns
                if place:
                    start, stop = place["datLoc"], place["datLoc"] + place["datSpan"]
                    _check_header(content, place["hdrLoc"], name)
                    _check_length(len(content), stop, name)
                    _check_end(content, stop, name)
                    # Of compressed images astropy shows another header than the one that its table has.
                    found_sum = _DATASUM.search(content, place["hdrLoc"], start)
                    cards_sum = {"DATASUM": found_sum[1].decode()} if found_sum else {}
                    _check_sum(memoryview(content)[start:stop], cards_sum, name)
                    altered = re.search(rb"CHECKSUM= '\w{16}", content[place["hdrLoc"] : start]) is not None
                    altered = altered and _sum(memoryview(content)[place["hdrLoc"] : stop]) not in (0, 0xFFFFFFFF)
                blank = found.header.get("BLANK")
                data: AnyArray = np.asarray(found.data) if found.data is not None else np.zeros(0)
                cards = Cards({key: found.header[key] for key in found.header if key not in ("COMMENT", "HISTORY", "")})
                cards.altered = altered
        except BadMap:
            raise
        except Exception as error:  # whatever astropy's many readers raise is one thing here: this file is bad
            raise BadMap([(name, f"unreadable: {error}; if it is a FITS file, fetch it again")]) from error
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    if data.ndim > 2:
        raise BadMap([(name, f"HDU {number} {_cube(data.shape)}")])
    if data.ndim != 2 or data.size == 0 or data.dtype.kind not in "fiu":
        raise BadMap([(name, f"HDU {number} holds no map, but an array of shape {data.shape}; give --hdu (hdu=)")])
    if data.dtype.kind in "iu":
        whole = data
        data = whole.astype(np.float32 if whole.dtype.itemsize <= 2 else np.float64)
        if blank is not None:
            data[whole == blank] = np.nan
    return data, cards, number


def _check_header(content: bytes, start: int, name: str) -> None:
    """Refuse a header with bytes that no writer puts there: astropy passes over the card that they are in."""
    for at in range(start, max(start, content.find(_END, start)), _CARD):
        card = content[at : at + _CARD]
        if not re.fullmatch(rb"[ -~]*", card[:8]) or re.search(rb"[\x00-\x1f]", card):
            raise BadMap([(name, f"damaged: its header has the card {card.rstrip()[:30]!r}; fetch it again")])


def _named_hdu(hdus: Any, name: str, hdu: int | str) -> int:
    if isinstance(hdu, str) or is_whole_number(hdu):
        try:
            number = int(hdus.index_of(hdu))
            _ = hdus[number]
            return number
        except (IndexError, KeyError):
            pass
    there = ", ".join(f"{number} {found.name}".strip() for number, found in enumerate(hdus))
    raise BadMap([(name, f"unreadable: it has no HDU {hdu!r}; it has {there}")])


def _image_hdu(hdus: Any, name: str) -> int:
    for number, found in enumerate(hdus):
        shape: tuple[int, ...] = found.shape if found.is_image else ()
        if math.prod(shape[:-2]) == 1 and len(shape) >= 2:
            return number
    for number, found in enumerate(hdus):
        if found.is_image and len(found.shape) > 2:
            raise BadMap([(name, f"HDU {number} {_cube(found.shape)}")])
    raise BadMap([(name, f"none of its {len(hdus)} HDUs holds a map; give --hdu (hdu=) to name one")])


def _cube(shape: tuple[int, ...]) -> str:
    return (
        f"is a cube of {' × '.join(map(str, shape))}, and a FITS file is read as one map; put maps, or redshift bins, "
        "into one array of .npy, .npz, HDF5 or Zarr: (maps, ny, nx) or (maps, bins, ny, nx)"
    )
