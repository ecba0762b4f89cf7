"""What `awd-cme compare` does: tracks of conditions read, told cell by cell, compared, drawn and written down."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from awd_cme.conditions.cohorts import BOUNDS, Cohort, cohorts
from awd_cme.conditions.effects import ConditionEffect, compare_conditions
from awd_cme.conditions.events import cell_values, events, lifetime_histogram
from awd_cme.report.conditions import Compared, write_conditions_page
from awd_cme.run.data import read_tracks_file
from awd_cme.run.job import RunJob
from awd_cme.tracks.table import channels
from awd_core.run import RunFolder

PROGRAM = "awd-cme compare"
ARTEFACTS = {
    "events.csv": "every track: lifetime, whether it was seen whole, the partner and its onset",
    "cells.csv": "every cell: what is compared",
    "effects.csv": "every condition against the first",
    "lifetimes.csv": "lifetime distributions",
    "cohorts.csv": "intensity cohorts, aligned at begin and end",
    "figures": "the figures, as PNG and SVG",
    "report.html": "the report",
}
BINS = 40


def compare_files(
    given: Mapping[str, str], out: Path, job: RunJob, *, area: float | None = None, overwrite: bool = False
) -> list[ConditionEffect]:
    """Compare conditions, the first one being the reference.

    Parameters
    ----------
    given : mapping of str to str
        Tracks with intensities of each condition, a file or folder of any format.
    out : Path
        Folder of what is written.
    job : RunJob
        How tracks are read, and the seed.
    area : float, optional
        Square micrometres of a cell that were seen.
    overwrite : bool
        Whether to delete an earlier comparison.

    Raises
    ------
    ValueError
        If there are fewer than two conditions, their channels differ, or a condition has no complete track.
    """
    if len(given) < 2:
        raise ValueError(f"there is one condition, {', '.join(given)}; give two or more, the reference first")
    settings = {"conditions": dict(given), "area": area, "seed": job.seed}
    with RunFolder.open(
        out, program=PROGRAM, settings=settings, artefacts=ARTEFACTS, packages=("awd-cme",), overwrite=overwrite,
        quiet=job.quiet,
    ) as run:  # fmt: skip
        tables, account = {}, []
        with run.step("Tracks") as report:
            for done, (name, place) in enumerate(given.items()):
                report(done, len(given), name)
                tables[name], losses = read_tracks_file(job, Path(place))
                account.append(f"{name}: {' '.join(str(losses).split())}")
        names = {name: tuple(channels(table)[:2]) for name, table in tables.items()}
        if len(set(names.values())) > 1:
            told = "; ".join(f"{name} has {' and '.join(pair)}" for name, pair in names.items())
            raise ValueError(f"conditions have other channels: {told}. Name them alike by channels=")
        found = compared(tables, account, area=area, seed=job.seed)
        write_tables(run, tables, found)
        with run.step("Report"):
            write_conditions_page(run, found)
        run.finish()
    return list(found.effects)


def compared(
    tables: Mapping[str, pd.DataFrame], account: list[str], *, area: float | None = None, seed: int = 0
) -> Compared:
    """All that is told of conditions."""
    told = {name: events(table) for name, table in tables.items()}
    longest = max(float(found.loc[found["complete"], "lifetime"].max()) for found in told.values())
    edges = np.linspace(0, longest if np.isfinite(longest) and longest > 0 else 1.0, BINS + 1)
    cells = {name: cell_values(tables[name], found, area=area) for name, found in told.items()}
    courses: dict[str, tuple[list[Cohort], list[Cohort]]] = {
        name: (
            cohorts(tables[name], found, bounds=BOUNDS, align="start"),
            cohorts(tables[name], found, bounds=BOUNDS, align="end"),
        )
        for name, found in told.items()
    }
    lifetimes = {name: lifetime_histogram(found, edges.tolist()) for name, found in told.items()}
    pair = channels(next(iter(tables.values())))[:2]
    return Compared(pair, cells, lifetimes, courses, compare_conditions(cells, seed=seed), account)


def write_tables(run: RunFolder, tables: Mapping[str, pd.DataFrame], found: Compared) -> None:
    """The figures' numbers, as CSV."""
    _write(run, "events.csv", {name: events(table) for name, table in tables.items()})
    _write(run, "cells.csv", found.cells)
    _write(run, "lifetimes.csv", found.lifetimes)
    run.write_bytes("effects.csv", _csv(pd.DataFrame([asdict(effect) for effect in found.effects])))
    rows = [
        {
            "condition": name, "aligned": aligned, "low": cohort.low, "high": cohort.high, "tracks": cohort.tracks,
            "seconds": at, "channel": channel, "mean": mean, "error": error, "over": cohort.over,
        }
        for name, both in found.cohorts.items()
        for aligned, made in zip(("begin", "end"), both, strict=True)
        for cohort in made
        for channel in cohort.mean
        for at, mean, error in zip(cohort.seconds, cohort.mean[channel], cohort.error[channel], strict=True)
    ]  # fmt: skip
    run.write_bytes("cohorts.csv", _csv(pd.DataFrame(rows)))


def _write(run: RunFolder, name: str, parts: Mapping[str, pd.DataFrame]) -> None:
    whole = pd.concat([part.assign(condition=condition) for condition, part in parts.items()], ignore_index=True)
    run.write_bytes(name, _csv(whole[["condition", *(column for column in whole.columns if column != "condition")]]))


def _csv(table: pd.DataFrame) -> bytes:
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.encode(errors="backslashreplace")
