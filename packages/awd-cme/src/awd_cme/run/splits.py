"""The same run for several splits, and the mean of their tables."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from awd_cme.model.results import METRICS, Results
from awd_cme.run.job import RunJob
from awd_cme.run.pipeline import read_results, run_pipeline
from awd_core.files import write_json
from awd_core.workers import Workers, open_workers


def run_splits(
    job: RunJob, splits: int, *, workers: int | Workers = 1, scheduler: str | os.PathLike[str] | None = None
) -> str:
    """Runs with the job's seed and those that follow, each in its own folder below the job's.

    Parameters
    ----------
    job : RunJob
        What is asked; `out` gets the folders `split-<seed>` and `splits.json`.
    splits : int
        How many.
    workers, scheduler : optional
        As for `awd_cme.run.run_pipeline`. Each takes a split at a time where there are as many splits as workers;
        else they share the work of one after the other.

    Returns
    -------
    str
        The table of means as text.
    """
    seeds = range(job.seed, job.seed + splits)
    folder = Path(job.out)
    jobs = [replace(job, out=str((folder / f"split-{seed}").absolute()), seed=seed) for seed in seeds]
    with open_workers(workers, scheduler) as crew:
        # Two items are handed to each worker.
        if crew.here or 2 * splits < crew.window:
            for one in jobs:
                run_pipeline(one, workers=crew)
        else:
            for _ in crew.map(run_pipeline, [replace(one, quiet=True) for one in jobs], names=lambda one: one.out):
                pass
    if not job.reaches("results"):
        return f"{splits} runs, until {job.until}."
    table = averaged([read_results(folder / f"split-{seed}") for seed in seeds])
    write_json(folder / "splits.json", {"seeds": list(seeds)} | table)
    width = max(len(row["key"]) for row in table["rows"])
    lines = [f"  {row['key']:{width}} {row['mean']:7.3f} ± {row['sd']:.3f}" for row in table["rows"]]
    metric = METRICS[table["metric"]]
    head = f"{metric}, mean and standard deviation of {splits} splits, each with a teacher of its own"
    return "\n".join([head, *lines])


def averaged(results: Sequence[Results]) -> dict[str, Any]:
    """Mean and standard deviation over runs, of every row that all of them have.

    Parameters
    ----------
    results : sequence of Results
        Of the runs.

    Examples
    --------
    >>> from awd_cme.model.results import ModelRow
    >>> runs = [Results("R2", [ModelRow("awd", "AWD", "awd", "timed", "ridge", s)]) for s in (0.4, 0.6)]
    >>> averaged(runs)["rows"][0]["mean"]
    0.5
    """
    if not results:
        raise ValueError("there are no runs to take the mean of")
    by_key = [{row.key: row.score for row in result.rows} for result in results]
    rows = []
    for key in (key for key in by_key[0] if all(key in known for known in by_key)):
        scores = [known[key] for known in by_key]
        spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
        rows.append({"key": key, "mean": float(np.mean(scores)), "sd": spread, "scores": scores})
    return {"metric": results[0].metric, "rows": rows}
