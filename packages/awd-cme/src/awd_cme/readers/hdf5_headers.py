"""Many small arrays of an HDF5 file at once, by the headers as they lie in the file.

A MATLAB 7.3 file keeps each field of each track as a dataset of its own, half a million in a movie of 20,000 tracks,
and to open one takes the HDF5 library some 30 µs. Their headers are alike, so they are compared and taken apart as one
array of bytes. Only the plainest kind is understood (object headers of version 1, contiguous storage; "HDF5 File Format
Specification", sections III.A, III.D and IV.A), which is what MATLAB writes for small arrays; of all the rest nothing
is said, and the library has to open it.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Addresses = npt.NDArray[np.uint64]

_DATASPACE, _DATATYPE, _LAYOUT, _CONTINUATION, _SYMBOLS = 0x01, 0x03, 0x08, 0x10, 0x11
_UNDEFINED = (1 << 64) - 1
_KINDS = 8
"""How many kinds of headers are looked for among the arrays of one field."""

_TYPES: dict[bytes, np.dtype[Any]] = {
    bytes.fromhex("11203f000800000000004000340b0034ff030000"): np.dtype("<f8"),
    bytes.fromhex("1000000001000000" + "00000800"): np.dtype("u1"),
}
"""Datatype messages of MATLAB's double, and of its logical and uint8."""


class Headers:
    """Headers of one file.

    Parameters
    ----------
    path : str or path
        The file.
    base : int
        Bytes before HDF5's own, from which addresses count: 512 behind MATLAB's header.
    """

    def __init__(self, path: str | os.PathLike[str], base: int) -> None:
        with Path(path).open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # Arrays that are handed out lie in the file, and keep it mapped.
        self._bytes = np.frombuffer(self._file, dtype=np.uint8)
        self._base = base

    def arrays(self, addresses: Addresses) -> list[Array | None]:
        """Values of the datasets at these addresses, dimensions as HDF5 has them; None where not understood."""
        found: list[Array | None] = [None] * len(addresses)
        places = addresses.astype(np.int64) + self._base
        left = np.flatnonzero((places >= self._base) & (places < len(self._bytes) - 1024))
        for _ in range(_KINDS):
            if not len(left):
                break
            alike = left[:1]
            if (kind := self._kind(int(places[left[0]]))) is not None:
                alike = left[kind.matches(self._bytes, places[left])]
                self._fill(found, alike, places[alike], kind)
            left = np.setdiff1d(left, alike, assume_unique=True)
        return found

    def members(self, address: int) -> dict[str, int] | None:
        """Addresses of what a group holds, by name; None where not understood."""
        try:
            messages = self._messages(int(address) + self._base)
            tree, heap = struct.unpack("<QQ", self._read(messages[_SYMBOLS][0] - self._base, 16))
            names = struct.unpack("<Q", self._read(heap + 24, 8))[0]
            signature, _kind, level, used = struct.unpack("<4sBBH", self._read(tree, 8))
            if signature != b"TREE" or level != 0:
                return None
            members = {}
            # Keys and children take turns behind the addresses of the node's siblings.
            for child in struct.unpack(f"<{2 * used + 1}Q", self._read(tree + 24, 16 * used + 8))[1::2]:
                signature, _version, count = struct.unpack("<4sHH", self._read(child, 8))
                if signature != b"SNOD":
                    return None
                for offset, header, *_ in struct.iter_unpack("<QQ24s", self._read(child + 8, 40 * count)):
                    name = self._read(names + offset, 64)
                    members[name[: name.index(b"\0")].decode()] = header
        except (KeyError, IndexError, ValueError, struct.error):
            return None
        return members

    def _read(self, address: int, size: int) -> bytes:
        return self._file[address + self._base : address + self._base + size]

    def _messages(self, place: int) -> dict[int, tuple[int, int]]:
        """Place and size of each message of a header of version 1, by type: those of the first block first."""
        version, count, size = struct.unpack("<BxHxxxxI", self._file[place : place + 12])
        messages: dict[int, tuple[int, int]] = {}
        blocks = [(place + 16, size)] if version == 1 else []
        for start, length in blocks:
            position = start
            while position + 8 <= start + length and count > 0:
                kind, inside = struct.unpack("<HH", self._file[position : position + 4])
                messages.setdefault(kind, (position + 8, inside))
                if kind == _CONTINUATION:
                    address, more = struct.unpack("<QQ", self._file[position + 8 : position + 24])
                    blocks.append((address + self._base, more))
                position += 8 + inside
                count -= 1
        return messages

    def _kind(self, place: int) -> "_Kind | None":
        try:
            messages = {kind: (start - place, length) for kind, (start, length) in self._messages(place).items()}
            head = self._file[place : place + 1024]
            space, layout = messages[_DATASPACE][0], messages[_LAYOUT][0]
            start, length = messages[_DATATYPE]
            says = head[start : start + length]
            dtype = next((known for text, known in _TYPES.items() if says.startswith(text)), None)
            rank, address = head[space + 1], layout + {2: 8, 3: 2}[head[layout]]
            contiguous = head[layout + {2: 2, 3: 1}[head[layout]]] == 1
        except (KeyError, IndexError, struct.error):
            return None
        if dtype is None or not contiguous or head[space] != 1 or rank != 2:
            return None
        end = max(sum(messages[name]) for name in (_DATASPACE, _DATATYPE, _LAYOUT))
        if min(space, start, layout) < 0 or end > len(head):  # in a block elsewhere
            return None
        fixed = np.ones(end, dtype=bool)
        fixed[2:16] = False  # how many messages follow and how often the object is referred to
        fixed[space + 8 : space + messages[_DATASPACE][1]] = False
        fixed[address : layout + messages[_LAYOUT][1]] = False
        return _Kind(np.frombuffer(head[:end], np.uint8), fixed, space + 8, address, dtype)

    def _fill(self, found: list[Array | None], which: Array, places: Array, kind: "_Kind") -> None:
        dimensions = self._numbers(places + kind.dimensions, 2).tolist()
        starts = self._numbers(places + kind.address, 1)[:, 0].tolist()
        size = len(self._bytes)
        for element, (rows, columns), start in zip(which.tolist(), dimensions, starts, strict=True):
            place = start + self._base
            if start != _UNDEFINED and place + rows * columns * kind.dtype.itemsize <= size:
                values = np.frombuffer(self._bytes, kind.dtype, rows * columns, place)
                found[element] = values.reshape(rows, columns)

    def _numbers(self, places: Array, count: int) -> Array:
        block = self._bytes[places[:, None] + np.arange(8 * count)]
        return np.ascontiguousarray(block).view("<u8")


class _Kind:
    """Headers that differ in nothing but the array's dimensions and address."""

    def __init__(self, head: Array, fixed: Array, dimensions: int, address: int, dtype: np.dtype[Any]) -> None:
        self._where = np.flatnonzero(fixed)
        self._wanted = head[self._where]
        self.dimensions, self.address, self.dtype = dimensions, address, dtype

    def matches(self, data: Array, places: Array) -> Array:
        """Whether the headers at these places are such."""
        return np.asarray((data[places[:, None] + self._where] == self._wanted).all(axis=1))
