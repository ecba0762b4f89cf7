"""Test errors of `awd-cosmo run` on simulated maps over several seeds: the figures of `docs/lensing.md`.

`python -m benchmarks.cosmo_table --runs FOLDER` reads the finished runs in FOLDER/VARIANT/seedN and writes the
generated part of the page; what stands around it stays. With `--variant default --seeds 1,2,3,4,5` the runs that are
missing are made first; one that was interrupted goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awd_cosmo.inference import Results
from awd_cosmo.run import PRESETS
from awd_cosmo.run.job import SIMULATED
from benchmarks import cosmo_page
from benchmarks.many_runs import make_runs
from benchmarks.page import update_page

PAGE = Path("docs/lensing.md")
PART = "lensing"
PRESET = PRESETS["quick"]


@dataclass(frozen=True)
class Variant:
    """A kind of maps, or of teacher: what it changes in the preset "quick", and what that is called."""

    title: str
    changes: Mapping[str, Any]


VARIANTS = {
    "default": Variant("lognormal maps without noise", {}),
    "noise": Variant(
        "lognormal maps with shape noise of 30 galaxies per arcmin², smoothed by 1 arcmin",
        {"noise": "lenstools", "galaxies": 30.0, "smoothing": 1.0},
    ),
    "halos": Variant("maps with haloes, without noise", {"suite": "halos"}),
    "strong": Variant(
        "lognormal maps without noise, and a teacher that is trained longer and on more maps (24 epochs, 6,000 maps)",
        {"epochs": 24, "teacher_maps": 6000},
    ),
}


@dataclass(frozen=True)
class Run:
    """A finished run: its seed, its comparison, and what validation chose."""

    seed: int
    results: Results
    chosen: Mapping[str, Mapping[str, Any]]
    """Of selection.json, by key, the last entry that was chosen."""
    teacher: Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing and asked for, write the page and print its generated part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cosmo_table", description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="holds VARIANT/seedN")
    parser.add_argument("--variant", action="append", choices=VARIANTS, default=[], help="make its missing runs")
    parser.add_argument("--seeds", default="1,2,3,4,5", metavar="LIST", help="of the runs to make")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time")
    parser.add_argument("--out", type=Path, default=PAGE, metavar="FILE.md", help=f"the page; {PAGE} by default")
    options = parser.parse_args(arguments)
    try:
        seeds = [int(word) for word in options.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds must be whole numbers with commas between them, got {options.seeds!r}")
    if not options.out.is_file():
        parser.error(f"there is no page {options.out} to write figures into")
    if tasks := [(str(options.runs), variant, seed) for variant in options.variant for seed in seeds]:
        make_runs(one_run, tasks, options.processes)
    try:
        found = {name: read_runs(options.runs / name, name) for name in VARIANTS}
    except ValueError as error:
        parser.error(str(error))
    found = {name: runs for name, runs in found.items() if runs}
    if not found:
        parser.error(f"{options.runs} holds no finished run; make some with --variant")
    text = cosmo_page.generated({name: VARIANTS[name].title for name in found}, found)
    update_page(options.out, {PART: text})
    print(text)
    return 0


def one_run(folder: str, variant: str, seed: int) -> str:
    """One variant and seed; a line on what came of it."""
    from awd_cosmo.run import run_pipeline

    out = Path(folder, variant, f"seed{seed}")
    out.parent.mkdir(parents=True, exist_ok=True)
    job = PRESET.changed(seed=seed, **VARIANTS[variant].changes)
    run_pipeline(SIMULATED, out, job, quiet=True)
    results = Results.read(out)
    shown = ", ".join(
        f"{key} {results.row('held_out', key).rmse:.5f}" for key in ("awd", "teacher", "numbers_haar", "db2")
    )
    return f"{variant}, seed {seed}: {shown}"


def read_runs(folder: Path, variant: str) -> list[Run]:
    """The finished runs of a variant, by seed; a run is finished when it has its report.

    Raises
    ------
    ValueError
        If a run is of another kind than its folder says.
    """
    runs = []
    for place in sorted(folder.glob("seed*")):
        if not (place / "report.html").exists():
            continue
        job = json.loads((place / "config.json").read_bytes())["settings"]["job"]
        wanted = _settings(variant)
        if differing := [key for key, value in wanted.items() if job[key] != value]:
            raise ValueError(
                f"{place} is no run of the variant {variant}: its {differing[0]} is {job[differing[0]]!r} and not "
                f"{wanted[differing[0]]!r}; move it to where it belongs"
            )
        chosen = {
            entry["key"]: entry for entry in json.loads((place / "selection.json").read_bytes()) if entry["chosen"]
        }
        teacher = json.loads((place / "teacher.json").read_bytes())
        runs.append(Run(job["seed"], Results.read(place), chosen, teacher))
    return sorted(runs, key=lambda run: run.seed)


def _settings(variant: str) -> dict[str, Any]:
    """What a run of a variant has for all settings that variants change."""
    changed = sorted({key for other in VARIANTS.values() for key in other.changes})
    return {key: VARIANTS[variant].changes.get(key, getattr(PRESET, key)) for key in changed}


if __name__ == "__main__":
    sys.exit(main())
