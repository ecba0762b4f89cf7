"""Whether two run folders hold the same, byte by byte, but for what holds times and paths."""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

NOT_COMPARED: Mapping[str, str] = {
    "config.json": "names the files as the command line did, so the run folder perhaps",
    "sessions.json": "when the run was worked on",
    "log.txt": "likewise",
    "report.html": "shows both, and the date",
    ".lock": "empty",
    "timings.json": "how long steps and models took",
    "cache/*/completed/c/*": "when the files that were cached were written",
}
"""Patterns of files, relative to a run folder, that differ by their nature, and why."""

TIMED: Mapping[str, Sequence[str]] = {
    "*.checkpoint.json": ["seconds"],
    "*/checkpoint.safetensors": ["seconds", "sha256"],
}
"""Files whose JSON (of a safetensors file: its metadata) is compared as values but for some keys, which say how long
something took, or are a digest of that."""


def differences(one: Path, other: Path, ignored: Sequence[str] = ()) -> tuple[int, list[str]]:
    """Compare two run folders, file by file.

    Parameters
    ----------
    one, other : Path
        The folders.
    ignored : sequence of str
        Patterns of further files not to compare, relative to the folder.

    Returns
    -------
    compared : int
        How many files there are in both that were compared.
    found : list of str
        What differs, in words; empty if nothing does.
    """
    names = [_files(folder, ignored) for folder in (one, other)]
    found = [f"{name} is missing after the kills" for name in sorted(names[0] - names[1])]
    found += [f"{name} is there after the kills alone" for name in sorted(names[1] - names[0])]
    both = sorted(names[0] & names[1])
    for name in both:
        if not _same(name, (one / name).read_bytes(), (other / name).read_bytes()):
            found.append(f"{name} differs")
    return len(both), found


def _files(folder: Path, ignored: Sequence[str]) -> set[str]:
    names = {item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file()}
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in [*NOT_COMPARED, *ignored])}


def _same(name: str, one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    keys = [key for pattern, those in TIMED.items() if fnmatch(name, pattern) for key in those]
    if not keys:
        return False
    if name.endswith(".safetensors"):
        (told, tensors), (told_other, tensors_other) = _opened(one), _opened(other)
        return tensors == tensors_other and _without(told, keys) == _without(told_other, keys)
    return _without(json.loads(one), keys) == _without(json.loads(other), keys)


def _opened(content: bytes) -> tuple[Any, bytes]:
    """Metadata and places of the tensors of a safetensors file, and the tensors' bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = {key: json.loads(text) for key, text in header.get("__metadata__", {}).items()}
    return header, content[end:]


def _without(value: Any, keys: Sequence[str]) -> Any:
    """JSON values as text, so that the order of keys and every digit count."""
    if isinstance(value, dict):
        return [(key, _without(element, keys)) for key, element in value.items() if key not in keys]
    return [_without(element, keys) for element in value] if isinstance(value, list) else repr(value)
