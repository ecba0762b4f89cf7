"""The compiled kernel as it is found: which library, for which instructions, or why none is used."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from awd_core.kernel.build import FOLDER, NAME, NOTE, SETS, checksum

SETTING = "AWD_KERNEL"
"""Environment variable: "off", one of the sets of instructions, or the path of a library."""
OFF = "off"

_WORK, _POINTER, _NUMBER = ctypes.c_int, ctypes.c_void_p, ctypes.c_int64
_RANGE = (_NUMBER, _NUMBER, _POINTER)  # first, last, scratch memory
_SUMS = (_NUMBER, _NUMBER, _POINTER, _NUMBER)  # count, each, sums, their width
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "scratch": (_WORK, _POINTER, _NUMBER),
    "forward": (*[_POINTER] * 5, *_RANGE),
    "inverse": (*[_POINTER] * 5, *_RANGE),
    "norm": (*[_POINTER] * 5, *_SUMS, *_RANGE),
    "backward": (*[_POINTER] * 6, *_SUMS, *_RANGE),
    "analyse": (_POINTER, _NUMBER, *[_POINTER] * 4, *_RANGE),
    "adjoint": (_POINTER, _NUMBER, *[_POINTER] * 4, *_RANGE),
    "gradient": (_POINTER, _NUMBER, *[_POINTER] * 3, *_SUMS, *_RANGE),
}
"""What the functions of the library take, as `source/kernel.cpp` declares them."""


@dataclass(frozen=True)
class Kernel:
    """A library whose source is this package's, and the set of instructions that is used of it."""

    path: Path
    instructions: str

    @cached_property
    def _library(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(self.path))

    @cached_property
    def _functions(self) -> dict[tuple[str, str], Callable[..., int]]:
        found: dict[tuple[str, str], Callable[..., int]] = {}
        for name, arguments in ARGUMENTS.items():
            for kind in ("f32", "f64"):
                function = self._library[f"awd_{name}_{kind}_{self.instructions}"]
                function.argtypes, function.restype = arguments, _NUMBER if name == "scratch" else None
                found[name, kind] = function
        return found

    def function(self, name: str, kind: str) -> Callable[..., int]:
        """A function of the library, for "f32" or "f64"; it runs without the interpreter's lock."""
        return self._functions[name, kind]


def find_kernel() -> Kernel | None:
    """The kernel that is used, or None."""
    found = _found(os.environ.get(SETTING, ""))
    return found if isinstance(found, Kernel) else None


def kernel_in_words() -> str:
    """What is used, or why there is nothing but torch, for people and for the results of a run."""
    found = _found(os.environ.get(SETTING, ""))
    return f"compiled, {found.instructions}" if isinstance(found, Kernel) else f"none, torch alone: {found}"


@lru_cache(maxsize=16)
def _found(setting: str) -> Kernel | str:
    """The kernel, or why there is none."""
    if setting.lower() == OFF:
        return f"{SETTING}={setting} says so"
    named = Path(setting) if setting and setting not in SETS else None
    try:
        path = named or _installed()
        return _opened(path, setting if setting in SETS else None)
    except OSError as error:
        return str(error)


def _installed() -> Path:
    try:
        folder = Path(str(distribution("awd-core").locate_file(FOLDER)))
    except PackageNotFoundError:
        raise OSError("awd-core is not installed, only imported; install it, so that its kernel is compiled") from None
    if (folder / NAME).is_file():
        return folder / NAME
    note = folder / NOTE
    said = note.read_text(encoding="utf-8").strip() if note.is_file() else "awd-core was installed without it"
    raise OSError(f"{said}; install awd-core again where there is a C++ compiler")


def _opened(path: Path, wanted: str | None) -> Kernel:
    library = ctypes.CDLL(str(path))
    try:
        functions = library.awd_source, library.awd_instruction_sets
    except AttributeError:
        raise OSError(f"{path} is no library of this kernel") from None
    for function in functions:
        function.restype = ctypes.c_char_p
    source, sets = (function().decode() for function in functions)
    if source != checksum():
        raise OSError(f"{path} was compiled from another version of the source; install awd-core again")
    here = sets.split()
    if wanted and wanted not in here:
        raise OSError(f"{SETTING} is {wanted}, and this processor has {', '.join(here)}; take one of these, or {OFF}")
    return Kernel(path, wanted or here[0])
