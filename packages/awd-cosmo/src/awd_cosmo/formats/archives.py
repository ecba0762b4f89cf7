"""The bytes of a map: a file, or a member of a tar that is read where it lies, without unpacking; and bad maps.

A suite is released as one tar of ten thousand maps a model. A tar has no table of contents, so that it is walked once;
from then on a map costs one seek and one read, as if it were a file.
"""

import io
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

_MAP = re.compile(r"(?:^|/)[^./][^/]*\.fits?(\.gz|\.fz)?$", re.IGNORECASE)  # not ._map.fits of macOS
MEMBER = "!"
"""Between the path of a tar and the name of a member, in one string."""


class BadMap(ValueError):  # noqa: N818 - a map is bad; the message says the error
    """Maps that cannot be used: `.bad` holds (file, reason) of each.

    Examples
    --------
    >>> str(BadMap([("a.fits", "truncated")]))
    'a.fits: truncated'
    """

    def __init__(self, bad: Sequence[tuple[str, str]]) -> None:
        self.bad = tuple(bad)
        super().__init__(self.bad)

    def __str__(self) -> str:
        lines = [f"{file}: {reason}" for file, reason in self.bad]
        if len(lines) == 1:
            return lines[0]
        advice = {reason.partition("; ")[2] for _, reason in self.bad}
        if len(advice) == 1 and (same := advice.pop()):  # said once
            lines = [line.removesuffix(f"; {same}") for line in lines]
            lines[min(len(lines), 10) - 1] += f". For all: {same}"
        more = [f"… and {len(lines) - 10} more"] if len(lines) > 10 else []
        return "\n  ".join(
            [
                f"{len(lines)} maps cannot be used; --on-error skip (on_error='skip') leaves them out:",
                *lines[:10],
                *more,
            ]
        )


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file, or of a member of a tar named as "archive.tar!member".

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "some.fits"
    >>> _ = place.write_bytes(b"SIMPLE")
    >>> read_bytes(place)
    b'SIMPLE'
    """
    name = os.fspath(path)
    archive, found, member = name.partition(".tar" + MEMBER)
    if not found:
        with io.FileIO(name) as file:
            return file.readall()
    archive += ".tar"
    members = tar_members(archive)
    if member not in members:
        raise FileNotFoundError(f"{archive} has no member {member!r}; it has {len(members)} maps")
    offset, size = members[member]
    with io.FileIO(archive) as file:
        file.seek(offset)
        # read() of an unbuffered file may return less than was asked for
        parts, left = [], size
        while left and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def tar_members(path: str | os.PathLike[str]) -> Mapping[str, tuple[int, int]]:
    """Where the maps lie in a tar that is not compressed: {member: (offset of its first byte, size)}.

    The tar is walked once, header by header, and the answer is kept until the file changes.

    Raises
    ------
    BadMap
        If it is compressed, is no tar, or is truncated.
    """
    name = os.fspath(path)
    state = Path(name).stat()
    return _tar_members(name, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _tar_members(name: str, size: int, mtime_ns: int) -> Mapping[str, tuple[int, int]]:
    members = {}
    try:
        with tarfile.open(name, "r:") as archive:
            for member in archive:
                if member.isfile() and _MAP.search(member.name):
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError("unexpected end of data")
                    members[member.name.removeprefix("./")] = (member.offset_data, member.size)
            end = archive.offset
        with io.FileIO(name) as file:
            file.seek(end)
            # tarfile takes a header that breaks off for the end; the true end is a block of zeros
            if size % 512 or file.read(512) != bytes(512):
                raise tarfile.ReadError("no end mark")
            while part := file.read(1 << 20):
                if part.strip(b"\0"):
                    raise tarfile.ReadError("something behind the end mark")
    except tarfile.ReadError as error:
        if members:
            raise BadMap([(name, f"the tar is truncated after {len(members)} maps; fetch it again")]) from error
        raise BadMap([(name, f"no tar, or a compressed one ({error}); unpack it, or gunzip the tar")]) from error
    return members
