"""Places of Zarr stores: folders, zip files, and URLs of whatever fsspec knows."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

_DRIVE = re.compile(r"[A-Za-z]:(/|$)")


def local_path(place: str | os.PathLike[str]) -> Path | None:
    """The path of a place on this machine's disks; None for a URL that leads elsewhere.

    Parameters
    ----------
    place : path or str
        A path, or a URL such as s3://bucket/store.zarr, memory://store.zarr, file:///data/store.zarr or
        file:///C:/data/store.zarr.

    Examples
    --------
    >>> local_path("file:///data/a%20b.zarr").as_posix(), local_path("s3://bucket/a.zarr")
    ('/data/a b.zarr', None)
    >>> local_path("file:///C:/data/a.zarr").as_posix()
    'C:/data/a.zarr'
    """
    text = os.fspath(place)
    if "://" not in text:
        return Path(text)
    parts = urlparse(text)
    if parts.scheme not in ("file", "local"):
        return None
    path, host = unquote(parts.path), parts.netloc
    if _DRIVE.match(host):  # file://C:/data, with a slash too few
        return Path(host + path)
    if host not in ("", "localhost"):
        return Path(f"//{host}{path}")
    return Path(path[1:] if _DRIVE.match(path[1:]) else path)
