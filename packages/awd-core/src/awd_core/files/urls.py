"""Places of Zarr stores: folders, zip files, and URLs of whatever fsspec knows."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse


def local_path(place: str | os.PathLike[str]) -> Path | None:
    """The path of a place on this machine's disks; None for a URL that leads elsewhere.

    Parameters
    ----------
    place : path or str
        A path, or a URL such as s3://bucket/store.zarr, memory://store.zarr or file:///data/store.zarr.

    Examples
    --------
    >>> local_path("file:///data/a%20b.zarr").as_posix(), local_path("s3://bucket/a.zarr")
    ('/data/a b.zarr', None)
    """
    text = os.fspath(place)
    if "://" not in text:
        return Path(text)
    parts = urlparse(text)
    return Path(unquote(parts.path)) if parts.scheme in ("file", "local") else None
