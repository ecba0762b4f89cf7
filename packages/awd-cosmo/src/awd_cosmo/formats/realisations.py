"""Which maps of a cosmology are realisations of their own, and which are there twice.

The last number of a name is that of a realisation, in the suites that are known. Where files of one cosmology share it,
it is not: then the parts of names that vary within cosmologies tell realisations apart. Whatever names say, a map is a
duplicate only if it holds what another one holds.
"""

import os
import re
from collections.abc import Hashable, Sequence

import numpy as np

from awd_cosmo.formats.archives import MEMBER, BadMap, read_bytes, tar_members
from awd_cosmo.formats.fits import image

_PARTS = re.compile(r"\d+|[^\W\d_]+")
_ENDING = re.compile(r"\.fits?(\.gz|\.fz)?$", re.IGNORECASE)
_LOOK = 4096
"""Bytes in the middle of files that are compared first."""


def numbered(names: Sequence[str], groups: Sequence[Hashable]) -> list[int]:
    """Numbers of realisations by the parts of names that vary among the maps of a group.

    Parameters
    ----------
    names : sequence of str
        Files, relative to the root.
    groups : sequence
        What the maps of a cosmology and a source redshift share.

    Returns
    -------
    list of int
        The number that varies, if it is one number; else the rank, from 1 on, of what varies, which is the same for the
        same words in all groups. −1 for all, if names do not tell maps apart.

    Examples
    --------
    >>> numbered(["00_a/k_1.fits", "00_a/k_2.fits", "00_f/k_1.fits", "01_f/k_1.fits"], [0, 0, 0, 1])
    [1, 2, 3, 3]
    >>> numbered(["map_0007_512.fits", "map_0009_512.fits"], [0, 0])
    [7, 9]
    """
    parts = [_PARTS.findall(_ENDING.sub("", name)) for name in names]
    unknown = [-1] * len(names)
    if len({len(one) for one in parts}) != 1:
        return unknown
    first: dict[Hashable, list[str]] = {}
    varying: set[int] = set()
    for one, group in zip(parts, groups, strict=True):
        like = first.setdefault(group, one)
        varying |= {k for k, (mine, other) in enumerate(zip(one, like, strict=True)) if mine != other}
    places = sorted(varying)
    keys = [tuple(one[k] for k in places) for one in parts]
    if len(set(zip(groups, keys, strict=True))) < len(keys):
        return unknown
    if len(places) == 1 and all(key[0].isdecimal() for key in keys):
        return [int(key[0]) for key in keys]
    order = {key: rank for rank, key in enumerate(sorted(set(keys), key=_natural), start=1)}
    return [order[key] for key in keys]


def same_maps(root: str | os.PathLike[str], files: Sequence[tuple[str, int]]) -> list[int]:
    """For each of some maps, files with their HDUs, the place of the first that holds the same.

    Files of one size are compared by some bytes first, and whole only where these agree.
    """
    known: dict[tuple[int, bytes, int], list[int]] = {}
    found = list(range(len(files)))
    for i, (file, hdu) in enumerate(files):
        place = os.path.join(root, file)  # noqa: PTH118 - a Path would keep every name among the interned strings
        like = known.setdefault((*_glance(place), hdu), [])
        same = next((k for k in like if _equal(place, os.path.join(root, files[k][0]), hdu)), None)  # noqa: PTH118
        if same is None:
            like.append(i)
        else:
            found[i] = same
    return found


def _natural(key: tuple[str, ...]) -> list[tuple[bool, int, str]]:
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in key]


def _glance(place: str) -> tuple[int, bytes]:
    """Size of a file, and bytes in its middle; nothing of what cannot be read."""
    try:
        archive, found, member = place.partition(".tar" + MEMBER)
        start, size = tar_members(archive + ".tar")[member] if found else (0, os.stat(place).st_size)  # noqa: PTH116
        with open(archive + ".tar" if found else place, "rb", buffering=0) as file:  # noqa: PTH123
            file.seek(start + size // 2)
            return size, file.read(min(_LOOK, size - size // 2)) or b""
    except (OSError, KeyError, BadMap):
        return -1, place.encode(errors="surrogateescape")


def _equal(one: str, other: str, hdu: int) -> bool:
    try:
        first, second = read_bytes(one), read_bytes(other)
        if first == second:
            return True
        asked = None if hdu < 0 else hdu
        return np.array_equal(image(first, one, asked)[0], image(second, other, asked)[0], equal_nan=True)
    except (OSError, BadMap):
        return False  # what is wrong with it is said where it is read
