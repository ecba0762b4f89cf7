"""Training behind a survey's mask against training on the same simulated maps without it.

    python -m benchmarks.masked_training DIR [--cosmologies 64] [--realisations 4] [--pixels 64] [--seed 0]

Makes a suite of lognormal maps in DIR once, and runs `awd-cosmo run` on it three times: whole; behind a mask with a
border and round holes; and behind it with the mask as a channel of the teacher. All have the same split. Told is, over
the test maps of cosmologies that were held out, the difference of the estimates of Ω_m to those without a mask in units
of their error bars.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from awd_cosmo.run import run_pipeline
from awd_cosmo.run.job import PRESETS
from benchmarks.page import markdown_table

HIDDEN = 0.15
"""Share of the pixels that the holes hide beside the border."""


def survey_mask(side: int, rng: np.random.Generator) -> np.ndarray:
    """A border of a sixteenth of the side and round holes, True where observed."""
    y, x = np.indices((side, side))
    edge = side // 16
    inside = (y >= edge) & (y < side - edge) & (x >= edge) & (x < side - edge)
    mask = inside.copy()
    while mask[inside].mean() > 1 - HIDDEN:
        cy, cx, radius = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(1.5, side / 14)
        mask &= (y - cy) ** 2 + (x - cx) ** 2 > radius**2
    return mask


def estimates(run: Path) -> dict[str, np.ndarray]:
    """Truth, AWD's and the teacher's estimates and error bars of the held-out test maps."""
    with (run / "predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["protocol"] == "held_out"]
    return {key: np.array([float(row[key]) for row in rows]) for key in ("truth", "awd", "awd_std", "teacher")}


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.masked_training", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cosmologies", type=int, default=64)
    parser.add_argument("--realisations", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    mask = survey_mask(asked.pixels, np.random.default_rng(asked.seed))
    np.save(asked.out / "mask.npy", mask)
    job = PRESETS["tiny"].changed(
        suite_cosmologies=asked.cosmologies, suite_realisations=asked.realisations, suite_pixels=asked.pixels,
        seed=asked.seed, epochs=4, student_maps=160, distill_maps=64, selection_maps=400,
    )  # fmt: skip
    whole = asked.out / "whole"
    run_pipeline("simulated", whole, job, until="evaluate", quality=False)
    runs = {"whole maps": whole}
    for name, changed in (("masked", job), ("masked, seen by the teacher", job.changed(mask_channel=True))):
        runs[name] = asked.out / name.split(",")[0] if changed is job else asked.out / "channel"
        run_pipeline(
            whole / "maps", runs[name], changed, training_mask=asked.out / "mask.npy", until="evaluate", quality=False
        )
    told = {name: estimates(run) for name, run in runs.items()}
    first = told["whole maps"]
    rows = []
    for name, one in told.items():
        apart = (one["awd"] - first["awd"]) / np.hypot(one["awd_std"], first["awd_std"]) * np.sqrt(2)
        rows.append([
            name, *(f"{np.sqrt(np.mean((one[key] - one['truth']) ** 2)):.4f}" for key in ("awd", "teacher")),
            f"{one['awd_std'].mean():.4f}", f"{apart.mean():+.2f}", f"{np.median(np.abs(apart)):.2f}",
        ])  # fmt: skip
    print(f"{mask.mean():.0%} of {asked.pixels}² pixels observed; {len(first['truth'])} test maps")
    head = [
        "training and test",
        "RMSE of AWD",
        "of the teacher",
        "error bar",
        "mean difference / bar",
        "median |difference| / bar",
    ]
    print(markdown_table(head, rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
