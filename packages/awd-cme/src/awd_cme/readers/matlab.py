"""Struct arrays in MATLAB files of version 5 to 7 (scipy) and 7.3, which is HDF5 (h5py)."""

import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from awd_core.files import Unpacked, in_words
from awd_core.typing import AnyArray

_BROKEN = (
    OSError, KeyError, TypeError, RuntimeError, IndexError, AttributeError, ArithmeticError, MemoryError, EOFError,
    zlib.error, struct.error,
)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"


class StructArray(Protocol):
    """A struct array, its elements counted from 0 along MATLAB's columns."""

    fields: list[str]

    def __len__(self) -> int: ...

    def column(self, field: str, most: int | None = None) -> list[AnyArray]:
        """Array of one field of each element (or of so many), MATLAB's rows first; (0, 0) where empty or no number."""
        ...

    def nested(self, field: str, names: Sequence[str]) -> list[tuple[int, dict[str, AnyArray]]]:
        """Structs in one field: (element, those of the named fields that it has) of each that is not empty."""
        ...


def is_matlab(head: bytes) -> bool:
    """Whether a file that begins so (520 bytes) is a MATLAB file of version 5 or later."""
    return head.startswith(b"MATLAB ") or head[:8] == _HDF5


def is_hdf5(head: bytes) -> bool:
    """Whether a file that begins so (520 bytes) is HDF5, at its start or behind MATLAB's header of 512 bytes."""
    return _HDF5 in (head[:8], head[512:520])


def variables(path: str | os.PathLike[str]) -> list[str]:
    """Names of the variables in a MATLAB file.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    with readable(path):
        if is_hdf5(_head(path)):
            import h5py

            with h5py.File(path, "r") as file:
                return [name for name in file if not name.startswith("#")]
        from scipy.io import whosmat

        return [name for name, *_ in _by_scipy(whosmat, path)]


@contextmanager
def struct_array(path: str | os.PathLike[str], name: str) -> Iterator[StructArray]:
    """Open a struct array; inside of the `with` its fields can be read.

    Raises
    ------
    ValueError
        If the file cannot be read, also later, or has no struct array of the name.
    """
    with readable(path):
        if is_hdf5(_head(path)):
            import h5py

            with h5py.File(path, "r") as file:
                if name not in file:
                    raise ValueError(f"{path} has no variable {name!r}, but {[n for n in file if n[0] != '#']}")
                node = file[name]
                # A struct array without elements is a dataset that holds its size.
                yield _Hdf5(file, node if isinstance(node, h5py.Group) else None)
        else:
            from scipy.io import loadmat

            found = _by_scipy(loadmat, path, variable_names=[name])
            if name not in found:
                raise ValueError(f"{path} has no variable {name!r}, but {variables(path)}")
            if found[name].dtype.names is None and found[name].size:
                raise ValueError(f"the variable {name!r} in {path} is no struct array, but {found[name].dtype}")
            yield _Version5(found[name])


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever a broken file makes the libraries raise becomes one clear error."""
    try:
        yield
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise ValueError(
            f"{path} cannot be read as a MATLAB file: {in_words(error)}. It may be cut off, or another program's; "
            "copy it anew"
        ) from error


def _by_scipy(function: Callable[..., Any], path: str | os.PathLike[str], **options: Any) -> Any:
    from scipy.io.matlab import MatReadError

    try:
        _check_version5(path)
        return function(path, **options)
    except (ValueError, MatReadError) as error:  # ours, which carry the path, are raised elsewhere
        raise OSError(str(error)) from error


# --- Whether the elements of a file fit each other, which scipy takes for granted -----------------------------------

_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Bytes of an item of each type of numbers and letters."""
_CELL, _STRUCT, _OBJECT, _CHAR, _NUMERIC = 1, 2, 3, 4, range(6, 16)
_MATRIX, _PACKED = 14, 15
_DEEPEST = 64


def _check_version5(path: str | os.PathLike[str]) -> None:
    """Refuse a file whose elements contradict each other: scipy makes room for whatever they say, or reads past them.

    Raises
    ------
    ValueError
        If one reaches beyond what holds it, or has other numbers of values than its size says.
    """
    state = Path(path).stat()
    _checked(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _checked(path: str, size: int, mtime_ns: int) -> None:
    del size, mtime_ns  # parts of the cache's key alone
    content = Path(path).read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise ValueError(f"the mark of its byte order is {content[126:128]!r}")
    for kind, start, stop in _elements(content, 128, len(content), order):
        if kind == _MATRIX:
            _check_matrix(content, start, stop, order)
        elif kind == _PACKED:
            inside = Unpacked(content[start:stop], path, zlib_only=True).whole()
            for inner, low, high in _elements(inside, 0, len(inside), order):
                if inner == _MATRIX:
                    _check_matrix(inside, low, high, order)


def _elements(content: bytes, start: int, stop: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Type, begin and end of each element in a stretch."""
    while start + 8 <= stop:
        kind, size = struct.unpack_from(f"{order}II", content, start)
        small = kind >> 16
        begin = start + (4 if small else 8)
        kind, size = (kind & 0xFFFF, small) if small else (kind, size)
        if begin + size > (start + 8 if small else stop):
            raise ValueError(f"an element at byte {start} has {size} bytes, and there are {stop - begin}")
        yield kind, begin, begin + size
        # Packed elements alone are not filled up to eight bytes.
        start = start + 8 if small else begin + size + (0 if kind == _PACKED else -size % 8)


def _check_matrix(content: bytes, start: int, stop: int, order: str, depth: int = 0) -> None:
    if start == stop:
        return
    if depth > _DEEPEST:
        raise ValueError("its arrays are nested too deep")
    parts = _elements(content, start, stop, order)
    (flags, at, end), (sides, low, high), _ = (_next(parts) for _ in range(3))
    if flags != 6 or end - at != 8 or sides != 5 or (high - low) % 4 or high - low < 8:
        raise ValueError(f"the array at byte {start} has no sound head")
    word = struct.unpack_from(f"{order}I", content, at)[0]
    kind, is_complex = word & 0xFF, bool(word & 0x800)
    shape = struct.unpack_from(f"{order}{(high - low) // 4}i", content, low)
    count = math.prod(shape)
    if min(shape) < 0:
        raise ValueError(f"the array at byte {start} has the shape {shape}")
    fields = 1
    if kind in (_STRUCT, _OBJECT):
        if kind == _OBJECT:
            _next(parts)
        (_, at, end), (_, low, high) = _next(parts), _next(parts)
        wide = struct.unpack_from(f"{order}i", content, at)[0] if end - at == 4 else 0
        if wide < 1 or (high - low) % wide:
            raise ValueError(f"the struct at byte {start} has no sound names of fields")
        fields = (high - low) // wide
    if kind in (_CELL, _STRUCT, _OBJECT):
        inner = 0
        for one, low, high in parts:
            if one != _MATRIX:
                raise ValueError(f"the array at byte {start} holds what is no array")
            _check_matrix(content, low, high, order, depth + 1)
            inner += 1
        if inner != count * fields:
            raise ValueError(f"the array at byte {start} holds {inner} arrays, and its shape needs {count * fields}")
    elif kind in _NUMERIC or kind == _CHAR:
        for _ in range(1 + is_complex):
            one, low, high = _next(parts)
            items = (high - low) / _SIZES.get(one, math.inf)
            if items != count and not (kind == _CHAR and one in (1, 2, 16) and items >= count):
                raise ValueError(f"the array at byte {start} holds {items:g} values, and its shape needs {count}")


def _next(parts: Iterator[tuple[int, int, int]]) -> tuple[int, int, int]:
    found = next(parts, None)
    if found is None:
        raise ValueError("an array ends before all its parts")
    return found


def _head(path: str | os.PathLike[str]) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(520)


class _Version5:
    def __init__(self, array: AnyArray) -> None:
        # MATLAB stores columns first.
        self._elements = array.ravel(order="F")
        self.fields = list(array.dtype.names or ())

    def __len__(self) -> int:
        return len(self._elements)

    def column(self, field: str, most: int | None = None) -> list[AnyArray]:
        return [value if value.dtype.kind in "fiub" else np.empty((0, 0)) for value in self._elements[field][:most]]

    def nested(self, field: str, names: Sequence[str]) -> list[tuple[int, dict[str, AnyArray]]]:
        found = []
        for k, value in enumerate(self._elements[field]):
            if value.dtype.names is not None and value.size:
                element = value[0, 0]
                found.append((k, {name: element[name] for name in names if name in value.dtype.names}))
        return found


class _Hdf5:
    """A group of datasets that refer to each element's arrays; of a single element it holds these themselves."""

    def __init__(self, file: Any, group: Any) -> None:
        import h5py

        self._file, self._group, self._h5py = file, group, h5py
        self.fields = [] if group is None else list(group)
        self._single = bool(self.fields) and not self._referred(self.fields[0])

    def __len__(self) -> int:
        if self._group is None:
            return 0
        return 1 if self._single else int(self._group[self.fields[0]].size)

    def column(self, field: str, most: int | None = None) -> list[AnyArray]:
        return [self._array(node) for node in self._nodes(field, most)]

    def nested(self, field: str, names: Sequence[str]) -> list[tuple[int, dict[str, AnyArray]]]:
        open_in, found = self._h5py.h5o.open, []
        for k, node in enumerate(self._nodes(field)):
            if isinstance(node, self._h5py.h5g.GroupID):
                known = [name for name in names if name.encode() in node]
                found.append((k, {name: self._array(open_in(node, name.encode())) for name in known}))
        return [(k, values) for k, values in found if values]

    def _referred(self, field: str) -> bool:
        node = self._group[field]
        # A cell in a single struct is a dataset of references, too, but says so.
        return (
            isinstance(node, self._h5py.Dataset)
            and self._h5py.check_ref_dtype(node.dtype) is self._h5py.Reference
            and node.attrs.get("MATLAB_class") != b"cell"
        )

    def _nodes(self, field: str, most: int | None = None) -> Iterator[Any]:
        """What one field of each element holds, by the library's lower level: there may be half a million."""
        node = self._group[field]
        if self._single:
            yield node.id
            return
        if not self._referred(field):
            raise ValueError(f"the field {field!r} of the struct array {self._group.name} holds no references")
        # HDF5's rows are MATLAB's columns, so the order is MATLAB's.
        for reference in node[()].ravel()[:most]:
            yield self._h5py.h5r.dereference(reference, self._file.id)

    def _array(self, identity: Any) -> AnyArray:
        if not isinstance(identity, self._h5py.h5d.DatasetID) or identity.dtype.kind not in "fiub":
            return np.empty((0, 0))
        if len(identity.shape) != 2 or self._h5py.h5a.exists(identity, b"MATLAB_empty"):
            return np.empty((0, 0))
        values = np.empty(identity.shape, dtype=np.float64)
        identity.read(self._h5py.h5s.ALL, self._h5py.h5s.ALL, values)
        return values.T
