"""Reading many small FITS maps: a `MapSet`, `read_map` in a loop, and raw `astropy.io.fits.getdata` in a loop.

Every contender fills the same array (n, ny, nx) of float32 from files that the system has in its memory, so that what
is compared is the work on top of the disk. Ours looks at every pixel for NaN and UNSEEN on the way; the others do not.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from awd_cosmo.formats import read_map, write_map
from awd_cosmo.maps import open_maps
from benchmarks.contenders import OURS, SEED
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Settings, available_cores, take_turns

ASTROPY, LOOP = "astropy.io.fits.getdata", "read_map"
CASES = ((10_000, 64), (2_000, 256))
QUICK = ((300, 64),)
GOAL = 0.9


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of reading: a row for each number and size of files."""
    threads = f"ours, {available_cores()} threads"
    contenders = (OURS, threads, LOOP, ASTROPY)
    section = Section("fits_reading", "Reading many FITS maps", ("maps", "task", "mode"), contenders, (ASTROPY,))
    for n, side in QUICK if settings.quick else CASES:
        log(f"{n} × {side}²")
        with tempfile.TemporaryDirectory() as folder:
            paths = write_files(Path(folder), n, side)
            calls, same = _contenders(Path(folder), paths, side, threads)
            section.sound = section.sound and same
            figures = take_turns(calls, settings.seconds, settings.rounds)
        found = measures(figures, OURS, frozenset())
        goal = Goal("≥", GOAL, ASTROPY, found[ASTROPY].ratio)
        section.rows.append(Row((f"{n:,} × {side}²", "read", "float32"), found, goal=goal))
        rates = ", ".join(f"{name} {n / figures[name].median:,.0f}/s" for name in contenders)
        section.notes.append(f"{n:,} maps of {side}²: {rates}.")
    section.notes.append("All contenders give the same pixels, bit for bit." if section.sound else "Pixels differ.")
    return section


def write_files(folder: Path, n: int, side: int) -> list[str]:
    """Files of different pixels with the header that our writer gives; written as bytes, since n is large."""
    rng = np.random.default_rng(SEED)
    first = folder / "map_00000r.fits"
    write_map(first, np.zeros((side, side), np.float32), pixel_scale=0.4, source_redshift=1.0)
    content = bytearray(first.read_bytes())
    start = len(fits.getheader(first).tostring())
    paths = []
    for i in range(n):
        pixels = rng.normal(0, 0.02, (side, side)).astype(">f4").tobytes()
        content[start : start + len(pixels)] = pixels
        path = folder / f"map_{i:05d}r.fits"
        path.write_bytes(content)
        paths.append(str(path))
    return paths


def _contenders(
    folder: Path, paths: list[str], side: int, threads: str
) -> tuple[dict[str, Callable[[], object]], bool]:
    one, many = open_maps(folder, threads=1), open_maps(folder, threads=available_cores())
    out = np.empty((len(paths), side, side), np.float32)

    def loop() -> None:
        for row, path in enumerate(paths):
            out[row] = read_map(path)[0]

    def raw() -> None:
        for row, path in enumerate(paths):
            out[row] = fits.getdata(path, memmap=False)

    calls: dict[str, Callable[[], object]] = {
        OURS: lambda: one.read(out=out),
        threads: lambda: many.read(out=out),
        LOOP: loop,
        ASTROPY: raw,
    }
    raw()
    expected = out.copy()
    loop()
    same = np.array_equal(out, expected) and all(np.array_equal(maps.read(), expected) for maps in (one, many))
    return calls, same
