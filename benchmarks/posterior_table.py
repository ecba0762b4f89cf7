"""Posteriors of Ω_m and S8 under many statistics, on simulated maps, over several seeds: `docs/posterior.md`.

`python -m benchmarks.posterior_table --runs FOLDER` reads the finished runs in FOLDER/VARIANT/seedN and writes the
generated part of the page. With `--variant lognormal --seeds 1,2,3,4,5` missing runs are made first; one that was
interrupted goes on. A run goes as far as its teacher; then posteriors are made with the numbers of Haar's wavelet, like
which the student's is (`docs/lensing.md`): no wavelet is searched.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from awd_cosmo.posterior.results import PosteriorRow, Posteriors
from awd_cosmo.run import PRESETS
from awd_cosmo.run.job import SIMULATED
from benchmarks.many_runs import make_runs
from benchmarks.page import update_page

PAGE = Path("docs/posterior.md")
PART = "posteriors"
JOB = PRESETS["quick"].changed(
    more_targets=("S8",), field_statistics=("all",), wavelets=("db2",), shares=(0.0, 1.0), distill_maps=128,
    baselines=("haar", "db5"), statistics=({"levels": 2, "pixels": "all"},), suite_cosmologies=96,
    suite_realisations=4, student_maps=600,
)  # fmt: skip
FORMS = {
    "raw": 1, "starlet": 0, "power_spectrum": 0, "minima": 0, "pdf": 0, "l1_norm": 0, "minkowski": 0, "scattering": 0,
    "joint": 0,
}  # fmt: skip
"""Statistics, each in one of its forms (`awd_cosmo.run.forms`): those with a dozen bins."""
VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "lognormal": ("log-normal maps without noise", {}),
    "noise": (
        "log-normal maps with shape noise of 30 galaxies per arcmin², smoothed by 1 arcmin",
        {"noise": "lenstools", "galaxies": 30.0, "smoothing": 1.0},
    ),
    "halos": ("maps with haloes, without noise", {"suite": "halos"}),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing and asked for, write the page and print its generated part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.posterior_table", description=__doc__)
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
    if tasks := [(str(options.runs), variant, seed) for variant in options.variant for seed in seeds]:
        make_runs(one_run, tasks, options.processes)
    found = {name: read_runs(options.runs / name) for name in VARIANTS}
    found = {name: runs for name, runs in found.items() if runs}
    if not found:
        parser.error(f"{options.runs} holds no finished run; make some with --variant")
    text = "\n\n".join(table(VARIANTS[name][0], runs) for name, runs in found.items())
    update_page(options.out, {PART: text})
    print(text)
    return 0


def one_run(folder: str, variant: str, seed: int) -> str:
    """One variant and seed; a line on what came of it."""
    import json

    from awd_core.run import RunFolder
    from awd_core.wavelets import Wavelet
    from awd_core.workers import Serial
    from awd_cosmo.run import run_pipeline
    from awd_cosmo.run.pipeline import ARTEFACTS, PACKAGES, PROGRAM, Work, saved_job
    from awd_cosmo.run.posteriors import write_posteriors

    out = Path(folder, variant, f"seed{seed}")
    out.parent.mkdir(parents=True, exist_ok=True)
    job = JOB.changed(seed=seed, **VARIANTS[variant][1])
    run_pipeline(SIMULATED, out, job, until="teach", quiet=True)
    settings = json.loads((out / "config.json").read_bytes())["settings"]
    options = saved_job(out)[1]
    with RunFolder.open(
        out, program=PROGRAM, settings=settings, options=options, artefacts=ARTEFACTS, packages=PACKAGES, quiet=True
    ) as run:
        work = Work(run, job, options, None, False, Serial(), False)
        if not (run / "posteriors.json").exists():
            chosen = {key: [form, "ridge"] for key, form in FORMS.items()}
            haar: Any = SimpleNamespace(wavelet=Wavelet.of("haar"))
            write_posteriors(run, work.comparison, haar, {"classical": chosen}, work.taught, lambda *told: None)
    told = ", ".join(f"{row.key} {row.figure_of_merit:.0f}" for row in Posteriors.load(out / "posteriors.json").rows)
    return f"{variant}, seed {seed}: {told}"


def read_runs(folder: Path) -> dict[int, Posteriors]:
    """Posteriors of the finished runs of a variant, by seed."""
    places = {int(place.name.removeprefix("seed")): place / "posteriors.json" for place in folder.glob("seed*")}
    return {seed: Posteriors.load(place) for seed, place in sorted(places.items()) if place.exists()}


def table(title: str, runs: Mapping[int, Posteriors]) -> str:
    """Means over seeds, with standard errors where there are several."""
    first = next(iter(runs.values()))
    rows: dict[str, list[PosteriorRow]] = {}
    for found in runs.values():
        for row in found.rows:
            rows.setdefault(row.key, []).append(row)
    ordered = sorted(rows.values(), key=lambda of: -_mean([row.figure_of_merit for row in of]))
    seeds = ", ".join(map(str, runs))
    lines = [
        f"**{title.capitalize()}**, seed{'s' if len(runs) > 1 else ''} {seeds}; {first.test} test maps of 64 × 64 "
        f"pixels each, of held-out cosmologies; sampled: {', '.join(first.names)}; likelihood: {first.likelihood}.",
        "",
        "| statistic | numbers | " + " | ".join(f"error of {name}" for name in first.shown)
        + " | figure of merit | coverage at 68 % | at 95 % | largest deviation | widened by |",
        "| --- | --: | " + " | ".join("--:" for _ in first.shown) + " | --: | --: | --: | --: | --: |",
    ]  # fmt: skip
    for of in ordered:
        cells = [
            of[0].name,
            str(of[0].features),
            *(_told([row.rmse[name] for row in of], ".4f") for name in first.shown),
            _told([row.figure_of_merit for row in of], ".0f"),
            *(_told([100 * row.tarp.at[level].value for row in of], ".1f") for level in ("0.68", "0.95")),
            _told([100 * row.tarp.deviation for row in of], ".1f"),
            _told([row.widening for row in of], ".2f"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _told(values: Sequence[float], form: str) -> str:
    told = format(_mean(values), form)
    return told if len(values) < 2 else f"{told} ± {format(np.std(values, ddof=1) / len(values) ** 0.5, form)}"


if __name__ == "__main__":
    sys.exit(main())
