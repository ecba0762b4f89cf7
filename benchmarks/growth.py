"""How the time of the forward transform grows with size, levels, taps and batch: ours and the peers'.

Here figures are compared along a column too, so all values of what grows, with all contenders, take turns together.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import linear_regression

import pywt

from benchmarks.agreement import FORWARD, Field, assemble
from benchmarks.contenders import COPY, OURS, PEERS, SEPARABLE, Prepare, Problem
from benchmarks.report import Row, Section, measures
from benchmarks.timing import Settings, take_turns
from benchmarks.transforms import agreement_notes

IMAGES = Problem((8, 256, 256), "symmetric")
SERIES = Problem((64, 4096), "symmetric")
"""What stays as it is while one thing grows."""


@dataclass(frozen=True)
class Axis:
    """One thing that grows.

    Parameters
    ----------
    what : str
        Its name.
    problems : dict of int to Problem
        By its value.
    peers : mapping of str to callable
        Who competes with ours.
    """

    what: str
    problems: dict[int, Problem]
    peers: Mapping[str, Prepare]


def axes(quick: bool) -> list[Axis]:
    """Everything that grows; about half of the values for a quick run, the largest left out."""
    batch, side, _ = IMAGES.shape
    series, _ = SERIES.shape
    wavelets = ("haar", "db2", "db5", "db10", "db20", "db38")
    taps = {pywt.Wavelet(name).dec_len: replace(IMAGES, wavelet=name) for name in wavelets}
    every = [
        Axis("pixels", {n * n: replace(IMAGES, shape=(batch, n, n)) for n in (64, 128, 256, 512, 1024)}, PEERS),
        Axis("images", {n: replace(IMAGES, shape=(n, side, side)) for n in (1, 4, 16, 64)}, PEERS),
        Axis("levels", {n: replace(IMAGES, levels=n) for n in (1, 2, 3, 4)}, PEERS),
        Axis("taps", taps, {**PEERS, **SEPARABLE}),
        Axis("samples", {n: replace(SERIES, shape=(series, n)) for n in (256, 1024, 4096, 16384, 65536)}, PEERS),
    ]
    return [replace(axis, problems=dict(list(axis.problems.items())[:-1][::2])) for axis in every] if quick else every


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the growth: rows by what grows, with the exponents of power laws in the notes."""
    peers = (*PEERS, *SEPARABLE)
    title = f"Growth of the forward transform (float32; images from {IMAGES}; series from {SERIES})"
    section = Section("growth", title, ("grows", "to"), (OURS, *peers, COPY), peers)
    fields: list[Field] = []
    powers = []
    for axis in axes(settings.quick):
        log(f"growth with {axis.what}: {', '.join(map(str, axis.problems))}")
        of_axis = {value: assemble(p, axis.peers, (FORWARD,), settings) for value, p in axis.problems.items()}
        calls = {
            (value, name): call
            for value, field in of_axis.items()
            for name, call in {**field.calls[FORWARD], COPY: field.signal.clone}.items()
        }
        figures = take_turns(calls, settings.seconds, settings.rounds)
        rows = {}
        for value, field in of_axis.items():
            found = {name: rounds for (at, name), rounds in figures.items() if at == value}
            rows[value] = Row((axis.what, str(value)), measures(found, OURS, field.differing(FORWARD)))
            field.release()
        calls.clear()
        section.rows += rows.values()
        powers.append(f"{axis.what}: {exponents(rows, (OURS, *axis.peers))}")
        fields += of_axis.values()
    section.notes = [
        f"Time ∝ (what grows)^p, p fitted over all of its rows. {'; '.join(powers)}.",
        *agreement_notes(fields),
    ]
    section.sound = all(field.sound for field in fields)
    return section


def exponents(rows: Mapping[int, Row], contenders: tuple[str, ...]) -> str:
    """Slopes of log time over log value, for contenders that took part throughout."""
    fits = []
    for name in contenders:
        times = {value: row.measures[name].value for value, row in rows.items() if name in row.measures}
        if len(times) == len(rows) > 1:
            slope, _ = linear_regression([math.log(v) for v in times], [math.log(t) for t in times.values()])
            fits.append(f"{name} {slope:.2f}")
    return ", ".join(fits)
