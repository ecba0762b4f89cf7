"""Test R² of every model on the yeast tracks: all files, five splits each, and the page `docs/yeast.md`.

`python -m benchmarks.yeast_table --data DATA/cme/yeast --work FOLDER` runs `awd_cme.pipeline` for each file and split
(seeds 0 to 4 of `numpy.random.RandomState`, 70 % of the tracks to train on), two at a time, and writes the page. Runs
that are finished are not done again; one that was interrupted goes on.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.files import write_atomically

SPLITS = 5
GOAL_RATIO, GOAL_GAP = 1.1, 0.05
"""AWD's mean over the teacher's, and above db5's with the same features and regression."""

NAMES = {
    "awd": "AWD",
    "awd_no_interpretation": "AWD without attributions",
    "teacher": "teacher (LSTM)",
    "haar": "haar",
    "db2": "db2",
    "db3": "db3",
    "db5": "db5",
    "sym5": "sym5",
    "published_awd": "AWD, published form",
    "published_db5": "db5, published form",
    "raw_ridge": "ridge on the raw series",
    "boosting": "gradient boosting",
    "mean": "mean of the training tracks",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, write the page and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yeast_table", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the seven .mat files")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--page", type=Path, default=Path("docs/yeast.md"), help="the page to write")
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--files", nargs="*", help="only these, such as Sla1 Ark1; the page is for all")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    files = {path.name.partition("-")[0]: path for path in sorted(options.data.glob("*.mat"))}
    chosen = options.files or list(files)
    if missing := [name for name in chosen if name not in files]:
        parser.error(f"{options.data} has no files of {', '.join(missing)}, but of {', '.join(files)}")
    tasks = [
        (str(files[name]), str(options.work / name / f"split-{seed}"), seed)
        for seed in range(options.splits)
        for name in chosen
    ]
    began = time.perf_counter()
    # One thread each, set before torch is imported: two threads for a network of this size are slower than one.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(one_run, *task): task for task in tasks}
        for done, future in enumerate(as_completed(futures), 1):
            line = future.result()
            print(f"[{done:2}/{len(tasks)}, {time.perf_counter() - began:5.0f} s] {line}", flush=True)
    results = {
        name: [
            json.loads((options.work / name / f"split-{seed}/results.json").read_bytes())
            for seed in range(options.splits)
        ]
        for name in chosen
    }
    page = page_of(results)
    if set(chosen) == set(files):
        write_atomically(options.page, page.encode())
    print(page)
    return 0


def one_run(file: str, out: str, seed: int) -> str:
    """One file and split; a line on what came of it."""
    from awd_cme.pipeline import read_results, run_pipeline
    from awd_cme.run_job import RunJob

    run_pipeline(
        RunJob(
            file, out, seed=seed, until="results", teacher_folds=0, replicates=200, quality=False,
            quiet=True,
        )
    )  # fmt: skip
    score = {row["key"]: row["score"] for row in read_results(out)["rows"]}
    shown = ", ".join(f"{NAMES[key]} {score[key]:.3f}" for key in ("awd", "teacher", "db5"))
    return f"{Path(file).stem.partition('-')[0]}, seed {seed}: {shown}"


def page_of(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page, from results.json of every file and split.

    Parameters
    ----------
    results : mapping of str to sequence of mapping
        By the name of the file, one for each split.
    """
    files = list(results)
    splits = len(results[files[0]])
    keys = [key for key in NAMES if all(key in _scores(run) for runs in results.values() for run in runs)]
    table = {key: {name: np.array([_scores(run)[key] for run in results[name]]) for name in files} for key in keys}
    overall = {key: np.mean([table[key][name] for name in files], axis=0) for key in keys}
    tracks = [results[name][0]["train"] + results[name][0]["test"] for name in files]
    lines = [
        "# Yeast: how strong does the partner get?",
        "",
        f"Test R², mean ± standard deviation over {splits} splits (70 % of a file's tracks to train on, seeds 0 to "
        f"{splits - 1}). From the coat protein's series alone the largest amplitude of Abp1 is predicted; series of 40 "
        "samples, longer ones subsampled by index, shorter ones padded with zeros; z-scores from training tracks. "
        "Everything that was chosen (wavelet, penalty, number of trees) was chosen by cross-validation on training "
        "tracks. Rows from AWD to sym5, the teacher left out, read the same features by the same regression: the 2 "
        "largest and 2 most negative coefficients of each scale, their times, and each scale's energy; "
        "ridge. The published form is the 6 largest coefficients of each scale and least squares, on db5 and on the "
        "path from db5.",
        "",
        f"| | {' | '.join(files)} | mean of files |",
        f"|---|{'---|' * (len(files) + 1)}",
        f"| tracks | {' | '.join(map(str, tracks))} | |",
    ]
    for key in keys:
        cells = [f"{table[key][name].mean():.3f} ± {_sd(table[key][name]):.3f}" for name in files]
        lines.append(f"| {NAMES[key]} | {' | '.join(cells)} | {overall[key].mean():.3f} ± {_sd(overall[key]):.3f} |")
    lines += ["", *_findings(results, table, overall), ""]
    return "\n".join(lines)


def _findings(results: Mapping[str, Any], table: Mapping[str, Any], overall: Mapping[str, Any]) -> list[str]:
    mean = {key: float(values.mean()) for key, values in overall.items()}
    ratio, gap = mean["awd"] / mean["teacher"], mean["awd"] - mean["db5"]
    runs = [run for name in results for run in results[name]]
    named = [run["rows"][0]["wavelet"] for run in runs]
    kept = {name: named.count(name) for name in sorted(set(named)) if not name.startswith("from")}
    distilled = len(named) - sum(kept.values())
    other = [f"{name} in {count}" for name, count in kept.items()]
    wins = [name for name in results if table["awd"][name].mean() > table["teacher"][name].mean()]
    best = max((key for key in mean if key != "awd"), key=lambda key: mean[key])
    return [
        f"- AWD's mean is {ratio:.2f} times the teacher's (goal: at least {GOAL_RATIO}: {_met(ratio >= GOAL_RATIO)}); "
        f"it is above the teacher's on {len(wins)} of {len(results)} files ({', '.join(wins) or 'none'}).",
        f"- It lies {gap:+.3f} from db5's with the same features and regression (goal: at least +{GOAL_GAP}: "
        f"{_met(gap >= GOAL_GAP)}), and {mean['awd'] - mean['awd_no_interpretation']:+.3f} from the wavelet distilled "
        "without attributions.",
        f"- In the published form AWD lies {mean['published_awd'] - mean['published_db5']:+.3f} from db5.",
        f"- A distilled wavelet was chosen in {distilled} of {len(named)} runs"
        + (f"; a start in the others ({', '.join(other)}): folds could not tell it from the best." if other else "."),
        f"- The best of the other rows is {NAMES[best]} ({mean[best]:.3f}; AWD {mean['awd']:.3f}).",
    ]


def _scores(run: Mapping[str, Any]) -> dict[str, float]:
    return {row["key"]: float(row["score"]) for row in run["rows"]}


def _sd(values: Any) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _met(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    sys.exit(main())
