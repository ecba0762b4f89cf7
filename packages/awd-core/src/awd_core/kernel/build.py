"""Compile the kernel into a shared library: when awd-core is installed (`hatch_build.py`), and for its own tests.

Only the standard library is imported here, and nothing of this package: it is not there yet.
"""

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parent / "source"
NAME = "awd_kernel" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
FOLDER = "awd_core.libs"
"""Where the library lies beside the installed package, or beside the link to it that an editable installation is."""
NOTE = "awd_kernel.txt"
"""In its place: why there is none."""

COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-ffp-contract=fast",
    "-fno-tree-vectorize",
    "-fno-exceptions",
    "-fno-rtti",
    "-Wall",
    "-Wno-psabi",
)
"""A product and a sum are rounded once where the processor can, everywhere alike, so that no value depends on its
place: what is a vector is written as one, since the compiler's own round sums elsewhere. Nothing is assumed of numbers
that are none."""
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1")
SETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "avx512": (64, ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512")),
    "avx2": (32, ("-mavx2", "-mfma")),
    "sse2": (16, ()),
    "neon": (16, ()),
    "plain": (16, ()),
}
"""Bytes of a register, and what the compiler is told, for each set of instructions."""


def sets_here() -> tuple[str, ...]:
    """Sets of instructions that processors of this kind may have."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return ("avx512", "avx2", "sse2")
    return ("neon",) if machine in ("aarch64", "arm64") else ("plain",)


def checksum() -> str:
    """Checksum of the source and of how it is compiled, by which a library is known to belong to it."""
    digest = hashlib.sha256(repr((FLAGS, SETS)).encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def compiler() -> list[str]:
    """The C++ compiler: CXX, or the first one that is there.

    Raises
    ------
    OSError
        If there is none.
    """
    told = shlex.split(os.environ.get("CXX", ""))
    found = told or [path for path in map(shutil.which, COMPILERS) if path][:1]
    if not found:
        raise OSError(f"there is no C++ compiler ({', '.join(COMPILERS)}); install one, or name yours by CXX")
    return [*found, *shlex.split(os.environ.get("ARCHFLAGS", ""))]


def build(folder: Path, extra: Sequence[str] = ()) -> Path:
    """Compile the library into a folder and return its path.

    Parameters
    ----------
    folder : Path
        An existing folder.
    extra : sequence of str
        Flags beside `FLAGS`.

    Raises
    ------
    OSError
        If there is no compiler, or it fails; its first words are told.
    """
    compile_, library = [*compiler(), *FLAGS, *extra], folder / NAME
    with tempfile.TemporaryDirectory(dir=folder) as made:
        units = {"sets": [f'-DAWD_SOURCE="{checksum()}"', str(SOURCE / "sets.cpp")]}
        for name in sets_here():
            size, flags = SETS[name]
            units[name] = [*flags, f"-DAWD_SET={name}", f"-DAWD_BYTES={size}", str(SOURCE / "kernel.cpp")]
        objects = {name: str(Path(made) / f"{name}.o") for name in units}
        _all([[*compile_, *unit, "-c", "-o", objects[name]] for name, unit in units.items()])
        _all([[*compile_, "-shared", *objects.values(), "-o", str(library)]])
    return library


def _all(commands: list[list[str]]) -> None:
    """Run commands side by side."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **options) for command in commands]  # type: ignore[call-overload]  # noqa: S603
    told = [process.communicate()[1] for process in running]
    for process, words in zip(running, told, strict=True):
        if process.returncode:
            first = next((line for line in words.splitlines() if "error" in line), words.strip()[:200])
            raise OSError(f"the C++ compiler failed ({process.args[0]}): {first}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compile into a folder, and print the library's path, for `AWD_KERNEL`, and what sanitizers need first."""
    parser = argparse.ArgumentParser("python -m awd_core.kernel.build", description="Compile the kernel.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{build(options.folder.resolve(), SANITIZE if options.sanitize else ())}\n")
    if options.sanitize:
        # Beside the sanitizers' own library the one that throws, or the exceptions of others end the process.
        for name in ("libasan.so", "libstdc++.so"):
            asked = [*compiler(), f"-print-file-name={name}"]
            sys.stdout.write(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)  # noqa: S603


if __name__ == "__main__":
    main()
