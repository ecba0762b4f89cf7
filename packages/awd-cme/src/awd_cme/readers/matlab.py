"""Struct arrays in MATLAB files of version 5 to 7 (scipy) and 7.3, which is HDF5 (h5py)."""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from awd_core.typing import AnyArray

_BROKEN = (OSError, KeyError, TypeError, RuntimeError, IndexError, OverflowError, MemoryError, zlib.error, struct.error)
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
            f"{path} cannot be read as a MATLAB file: {error}. It may be cut off, or another program's; copy it anew"
        ) from error


def _by_scipy(function: Callable[..., Any], path: str | os.PathLike[str], **options: Any) -> Any:
    from scipy.io.matlab import MatReadError

    try:
        return function(path, **options)
    except (ValueError, MatReadError) as error:  # ours, which carry the path, are raised elsewhere
        raise OSError(str(error)) from error


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
