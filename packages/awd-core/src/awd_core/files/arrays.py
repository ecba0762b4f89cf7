"""Arrays of samples, in memory or in files: .npy, .npz, Zarr, CSV and Parquet, read without ever unpickling anything.

A file is named as `X.npy`, `data.npz` (if it holds one array), `data.npz:X`, `X.zarr` or `data.zarr:group/X`; a table
as `data.csv`, `data.csv:COLUMN` or `data.csv:FIRST..LAST`, and Parquet likewise (`awd_core.files.tables`). What lies
in an .npy file or a Zarr store is not read but opened: it may be larger than memory. A Zarr store may lie at a URL of
whatever fsspec knows, as in `s3://bucket/data.zarr:X`.
"""

import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from awd_core.checks.real_numbers import real_array, refuse_masked
from awd_core.files.converted import Converted
from awd_core.files.damage import check_archive, load_npy, load_npz, named_damage
from awd_core.files.tables import read_csv, read_parquet
from awd_core.files.urls import local_path
from awd_core.typing import AnyArray

if TYPE_CHECKING:
    import zarr


FORMATS = (
    "an array is named FILE.npy, FILE.npz:NAME, FOLDER.zarr or FOLDER.zarr:NAME (a .zarr.zip file, or a URL of a Zarr "
    "store, likewise), FILE.csv or FILE.csv:COLUMN (.parquet likewise)"
)


class SampleArray(Protocol):
    """What is asked of an array of samples: NumPy's and Zarr's have it, and memory maps and HDF5 data sets."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples first."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        ...

    def __getitem__(self, key: slice, /) -> Any:
        """Samples from … to …, read when asked for."""
        ...


def as_samples(X: Any, name: str, *, whole: bool = True) -> SampleArray:
    """Return samples as something of float32 or float64 that can be sliced into NumPy blocks.

    Parameters
    ----------
    X : ndarray, Tensor, zarr array or the like, or a table or list, shape (n, …)
        Not read here, so that it may be larger than memory; a table (of pandas, polars) and a list are.
    name : str
        Its name, for errors.
    whole : bool
        Whether whole numbers will do; gradients that are some were rounded.

    Returns
    -------
    SampleArray
        A tensor, a table and a list become a NumPy array; whole numbers become float32 where that holds
        them, else float64, block by block; anything else is returned as it is.

    Raises
    ------
    TypeError
        If it is no array, or does not hold real numbers.
    ValueError
        If it is empty or has no axes.
    """
    if isinstance(X, list | tuple) or hasattr(X, "to_numpy"):
        X = real_array(X, name)
    if not all(hasattr(X, attribute) for attribute in ("shape", "dtype", "__getitem__")):
        raise TypeError(f"{name} must be a NumPy array, a torch tensor or a Zarr array, got {type(X)}.")
    kind = str(X.dtype).rpartition(".")[2].lstrip("<>=")
    floating = kind in ("float32", "float64", "f4", "f8")
    if not floating and not (whole and re.match(r"u?int\d+$|bool$|[iu]\d$", kind)):
        raise TypeError(f"{name} must hold float32 or float64, got {X.dtype}; convert it first.")
    if len(X.shape) == 0 or 0 in X.shape:
        raise ValueError(f"{name} must hold at least one sample along its first axis, got shape {tuple(X.shape)}.")
    refuse_masked(X, name)
    # Who gives a tensor has loaded torch, which takes 160 MB: who tracks movies does not.
    torch = sys.modules.get("torch")
    given: SampleArray = X.detach().cpu().numpy() if torch is not None and isinstance(X, torch.Tensor) else X
    samples: SampleArray = given if floating else Converted(given)
    return samples


def read_block(samples: SampleArray, start: int, stop: int) -> AnyArray:
    """Samples from start to stop, contiguous and in the machine's byte order (FITS files hold the other one)."""
    return np.ascontiguousarray(samples[start:stop], dtype=np.dtype(samples.dtype).newbyteorder("="))


def digest(samples: SampleArray, rows: int = 256) -> str:
    """SHA-256 of the values, in C order; the same however the array is stored or chunked."""
    sha = hashlib.sha256()
    for start in range(0, samples.shape[0], rows):
        sha.update(read_block(samples, start, start + rows).data)
    return sha.hexdigest()


def read_array(source: str | os.PathLike[str], *, texts: bool = False) -> SampleArray:
    """Open the array that a user named.

    Parameters
    ----------
    source : str or path
        `FILE.npy`; `FILE.npz` or `FILE.npz:NAME`; `FOLDER.zarr`, `FOLDER.zarr:NAME`, or the same with `.zarr.zip`; a
        URL in place of the folder. The name may be left out where there is only one array. Of a table, `FILE.csv` or
        `FILE.parquet`, a column, or `FIRST..LAST`, may be named.
    texts : bool
        Whether texts will do too, as names of classes or groups.

    Returns
    -------
    ndarray, memory map or zarr.Array
        Of any numeric type. Writing to a memory map changes the memory, never the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it has another ending, is damaged, holds objects instead of numbers, lacks the name, or holds several arrays
        and none is named.
    ImportError
        If it is a URL, and fsspec or what it needs for such URLs is not installed.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(place, X=np.zeros((2, 3)), y=np.zeros(2))
    >>> read_array(f"{place}:X").shape
    (2, 3)
    """
    text = os.fspath(source)
    path, name = _parted(text)
    local = local_path(path)
    if local is None:
        array = _at_url(path, name)
    else:
        if not local.exists():
            raise FileNotFoundError(f"there is no file {local}; {FORMATS}")
        read = READERS.get(local.suffix.lower())
        if read is None:
            raise ValueError(f"{local} has the ending {local.suffix or 'of nothing'!r}; {FORMATS}")
        with named_damage(local, "an array"):
            array = read(local, name)
    if np.dtype(array.dtype).kind not in ("fiubU" if texts else "fiub"):
        raise ValueError(
            f"{source} holds {array.dtype} values; it must hold real numbers{' or texts' if texts else ''}"
        )
    return array


def cached_array(path: str | os.PathLike[str]) -> AnyArray | None:
    """The array that an earlier run left in an .npy file; None if it is not there or damaged, so that it is made anew.

    Examples
    --------
    >>> print(cached_array("nowhere.npy"))
    None
    """
    try:
        return load_npy(path)
    except (FileNotFoundError, ValueError):
        return None


def identity(array: SampleArray) -> dict[str, Any]:
    """What tells an array from others, as JSON: shape, type and SHA-256 of the values, however they are stored.

    Examples
    --------
    >>> identity(np.zeros((2, 3), np.float32))["shape"]
    [2, 3]
    """
    dtype = np.dtype(array.dtype).newbyteorder("=")
    return {"shape": list(array.shape), "dtype": str(dtype), "sha256": digest(array)}


def _parted(source: str) -> tuple[str, str | None]:
    """Path or URL and name; a colon may also belong to the path, as in C:."""
    match = re.fullmatch(r"(.+?\.(?:npz|zarr|zarr\.zip|csv|tsv|parquet|pq)):(.+)", source, re.IGNORECASE)
    if match is None or Path(source).exists():
        return source, None
    return match[1], match[2]


def _npy(path: Path, _: str | None) -> SampleArray:
    # Copy-on-write: torch warns of arrays that can't be written to, and the file stays as it is.
    return load_npy(path, mmap_mode="c")


def _npz(path: Path, name: str | None) -> SampleArray:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
    chosen = _chosen(path, name, names)
    return load_npz(path, chosen)[chosen]


def _zarr(path: Path, name: str | None) -> SampleArray:
    import zarr

    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                check_archive(path, archive)
            return _array_in(zarr.storage.ZipStore(path, mode="r"), path, name)
        return _array_in(path, path, name)
    except (FileNotFoundError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a Zarr array or group: {error}") from error


def _at_url(url: str, name: str | None) -> SampleArray:
    if not url.lower().rstrip("/").endswith(".zarr"):
        raise ValueError(f"{url} is a URL of no Zarr store; {FORMATS}")
    try:
        return _array_in(url, url, name)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no Zarr store at {url}") from error


def _array_in(store: Any, place: str | Path, name: str | None) -> SampleArray:
    """The array of that name in a Zarr store, or the only one."""
    import zarr

    try:
        found = zarr.open(store, mode="r")
        if isinstance(found, zarr.Group):
            arrays = {key: item for key, item in found.members(max_depth=None) if isinstance(item, zarr.Array)}
            found = arrays[_chosen(place, None if name is None else name.strip("/"), list(arrays))]
        elif name is not None:
            raise ValueError(f"{place} is one array, it has no {name!r} in it; leave the name out")
    except ValueError as error:
        # From 3.1 on, Zarr itself refuses what `_names_pickle` looks for.
        if "pickle" not in str(error):
            raise
        raise _pickled(place) from error
    if _names_pickle(found):
        raise _pickled(place)
    from awd_core.files.zarr_array import StoredArray

    array: SampleArray = StoredArray.of(found, str(place))
    return array


def _names_pickle(array: "zarr.Array[Any]") -> bool:
    """Zarr's second format lets a store name a filter that unpickles every chunk that is read."""
    return "pickle" in json.dumps(array.metadata.to_dict(), default=repr).lower()


def _pickled(path: str | Path) -> ValueError:
    return ValueError(f"{path} is stored with pickled chunks. Pickled objects are never loaded; store numbers instead")


READERS: dict[str, Callable[[Path, str | None], SampleArray]] = {
    ".npy": _npy, ".npz": _npz, ".zarr": _zarr, ".zip": _zarr, ".csv": read_csv, ".tsv": read_csv,
    ".parquet": read_parquet, ".pq": read_parquet,
}  # fmt: skip


def _chosen(path: str | Path, name: str | None, names: list[str]) -> str:
    held = f"it holds {', '.join(sorted(names)) or 'no arrays'}"
    if name is None:
        if len(names) != 1:
            raise ValueError(f"{path} does not say which array is meant: {held}; name one as {path}:NAME")
        return names[0]
    if name not in names:
        raise ValueError(f"there is no array {name!r} in {path}: {held}")
    return name
