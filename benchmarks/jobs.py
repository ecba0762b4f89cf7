"""The jobs beyond the transform: how their time grows with the number of inputs, and how much memory they take.

Each job is done with three numbers of inputs, all of which take turns; memory is measured with the largest, in
processes of its own, beyond the inputs and with what is returned (`benchmarks.memory`).
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from awd_cme.spots import fit_spots
from awd_cme.teacher import SeriesLSTM
from awd_core.wavelets import Wavelet
from awd_cosmo.maps import open_maps
from benchmarks.contenders import OURS, load_awave
from benchmarks.distillation import AWAVE, START, THROUGH, awave_step, frozen, our_objective, random_inputs
from benchmarks.distillation import through_teacher as published_step
from benchmarks.fits_reading import ASTROPY, write_files
from benchmarks.growth import exponents
from benchmarks.memory import is_measurable, peak_memory
from benchmarks.networks import residual
from benchmarks.peak_counting import our_counts, published_counts, random_maps
from benchmarks.report import Row, Section, measures
from benchmarks.scoring import CARDS, PUBLISHED, asked, random_card, scored
from benchmarks.spot_fitting import LSTSQ, by_lstsq, picture
from benchmarks.timing import Rounds, Settings, take_turns

Prepared = tuple[int, Callable[[], object]]
"""Bytes of the inputs, and the call."""


@dataclass(frozen=True)
class Job:
    """Something that users wait for.

    Attributes
    ----------
    prepare : callable
        `prepare(contender, number, settings, folder)` makes the inputs and the call; `folder` holds what `files` wrote.
    numbers : tuple of int
        Of inputs.
    peers : tuple of str
        Who else does it.
    what : str
        The inputs, for people.
    files : callable, optional
        Writes inputs into a folder: `files(folder, number)`.
    """

    prepare: Callable[[str, int, Settings, str], Prepared]
    numbers: tuple[int, ...]
    peers: tuple[str, ...]
    what: str
    files: Callable[[Path, int], object] | None = None


def distillation_step(name: str, number: int, settings: Settings, folder: str) -> Prepared:
    """Value and gradient of the objective on maps of 64²; gradients are noise as the maps are."""
    X = random_inputs((number, 1, 64, 64))
    if name == OURS:
        objective, free = our_objective(X, X[::-1].copy(), 2), np.array(Wavelet.from_name(START).angles[1:])
        return X.nbytes, partial(objective, free, 0.5, 0.5)
    if name == THROUGH:
        return X.nbytes, published_step(frozen(residual), X, 2)[0]
    return X.nbytes, awave_step(load_awave(settings.awave or ""), frozen(residual), X, 2)


def peak_counts(name: str, number: int, settings: Settings, folder: str) -> Prepared:
    """Peaks of maps of 128², and their counts under four kernels."""
    maps = random_maps(number, 128, "noise")
    return maps.nbytes, our_counts(maps) if name == OURS else published_counts(settings.awave or "", maps)


def fits_reading(name: str, number: int, settings: Settings, folder: str) -> Prepared:
    """Files of maps of 64² to one array."""
    paths = sorted(str(path) for path in Path(folder, str(number)).glob("*.fits"))
    size = 4 * 64 * 64 * number
    if name == OURS:
        return size, open_maps(Path(folder, str(number)), threads=1).read

    def raw() -> Any:
        out = np.empty((number, 64, 64), np.float32)
        for row, path in enumerate(paths):
            out[row] = fits.getdata(path, memmap=False)
        return out

    return size, raw


def spot_fits(name: str, number: int, settings: Settings, folder: str) -> Prepared:
    """Amplitude and background of spots of one image, σ = 1.5 pixels."""
    image, y, x = picture(1.5, round(number**0.5))
    return image.nbytes, partial(fit_spots if name == OURS else by_lstsq, image, y, x, 1.5)


def scoring(name: str, number: int, settings: Settings, folder: str) -> Prepared:
    """Tracks of 40 samples to predictions."""
    if name == OURS:
        return 160 * number, scored(random_card(CARDS["2 largest, 2 lowest"])[0], number)
    return 160 * number, asked(frozen(SeriesLSTM), number)


def _write_maps(folder: Path, number: int) -> None:
    place = folder / str(number)
    place.mkdir()
    write_files(place, number, 64)


JOBS = {
    "distillation step": Job(distillation_step, (8, 32, 128), (THROUGH, AWAVE), "maps of 64²"),
    "peak counts": Job(peak_counts, (64, 256, 1024), (AWAVE,), "maps of 128²"),
    "FITS reading": Job(fits_reading, (256, 1024, 4096), (ASTROPY,), "files of 64²", _write_maps),
    "spot fits": Job(spot_fits, (900, 3600, 14400), (LSTSQ,), "spots"),
    "scoring": Job(scoring, (1000, 10_000, 100_000), (PUBLISHED,), "tracks"),
}


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the jobs: rows by job and number of inputs, with a row for the memory, and exponents in the notes."""
    peers = tuple(dict.fromkeys(peer for job in JOBS.values() for peer in job.peers))
    title = "Jobs: growth with the number of inputs, and peak memory (float32)"
    section = Section("jobs", title, ("job", "inputs", "task"), (OURS, *peers), peers)
    powers = []
    for name, job in JOBS.items():
        log(name)
        contenders = [OURS, *(peer for peer in job.peers if peer != AWAVE or settings.awave is not None)]
        numbers = job.numbers[: 2 if settings.quick else None]
        with tempfile.TemporaryDirectory() as folder:
            if job.files is not None:
                for number in numbers:
                    job.files(Path(folder), number)
            rows = _timed(job, name, contenders, numbers, settings, folder)
            section.rows += rows.values()
            powers.append(f"{name}: {exponents(rows, tuple(contenders))}")
            if is_measurable():
                found = measures(_memory(job, contenders, numbers, settings, folder), OURS, frozenset())
                section.rows.append(Row((name, f"{numbers[-1]:,} {job.what}", "memory"), found, "× input"))
    section.notes = [
        f"Time ∝ (number of inputs)^p, p fitted over all of them. {'; '.join(powers)}.",
        "Memory: peak beyond the inputs (for FITS reading: beyond nothing), with what is returned, over their size.",
        "Distillation step: maps and gradients are noise, the teacher a ResNet-18.",
    ]
    return section


def _timed(
    job: Job, name: str, contenders: list[str], numbers: tuple[int, ...], settings: Settings, folder: str
) -> Mapping[int, Row]:
    calls = {(n, who): job.prepare(who, n, settings, folder)[1] for n in numbers for who in contenders}
    figures = take_turns(calls, settings.seconds, settings.rounds)
    rows = {}
    for n in numbers:
        found = measures({who: figures[n, who] for who in contenders}, OURS, frozenset())
        rows[n] = Row((name, f"{n:,} {job.what}", "time"), found)
    return rows


def _memory(
    job: Job, contenders: list[str], numbers: tuple[int, ...], settings: Settings, folder: str
) -> dict[str, Rounds]:
    repeats = 1 if settings.quick else 3
    most, fewest = ((numbers[place], settings, folder) for place in (-1, 0))
    return {who: Rounds(peak_memory(job.prepare, (who, *most), (who, *fewest), repeats)) for who in contenders}
