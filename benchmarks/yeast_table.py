"""Test R² of every model on the yeast tracks: all files, five splits each, and the figures of `docs/yeast.md`.

`python -m benchmarks.yeast_table --data DATA/cme/yeast --work FOLDER` runs `awd_cme.run.pipeline` for each file and
split (seeds 0 to 4 of `numpy.random.RandomState`, 70 % of the tracks to train on), two at a time, and writes the
generated part of the page. Runs that are finished are not done again; one that was interrupted goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from benchmarks.many_runs import make_runs, met_or_missed
from benchmarks.page import markdown_table, update_page

PART = "yeast"
SPLITS = 5
GOAL_RATIO, GOAL_GAP = 1.1, 0.05
"""AWD's mean over the teacher's, and above db5's with the same features and regression."""

NAMES = {
    "student": "AWD, at most ten numbers",
    "awd": "AWD, larger form",
    "awd_no_interpretation": "the same without attributions",
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
    "convolutions": "random convolutions",
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
    make_runs(one_run, tasks, options.processes)
    results = {
        name: [
            json.loads((options.work / name / f"split-{seed}/results.json").read_bytes())
            for seed in range(options.splits)
        ]
        for name in chosen
    }
    text = generated(results)
    if set(chosen) == set(files):
        update_page(options.page, {PART: text})
    print(text)
    return 0


def one_run(file: str, out: str, seed: int) -> str:
    """One file and split; a line on what came of it."""
    from awd_cme.run import RunJob, read_results, run_pipeline

    run_pipeline(
        RunJob(
            file, out, seed=seed, until="results", teacher_folds=0, quality=False,
            quiet=True,
        )
    )  # fmt: skip
    score = {row.key: row.score for row in read_results(out).rows}
    shown = ", ".join(f"{NAMES[key]} {score[key]:.3f}" for key in ("awd", "teacher", "db5"))
    return f"{Path(file).stem.partition('-')[0]}, seed {seed}: {shown}"


def generated(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The figures of the page, from results.json of every file and split.

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
    rows = [["tracks", *map(str, tracks), ""]]
    for key in keys:
        cells = [f"{table[key][name].mean():.3f} ± {_sd(table[key][name]):.3f}" for name in files]
        rows.append([NAMES[key], *cells, f"{overall[key].mean():.3f} ± {_sd(overall[key]):.3f}"])
    about = (
        f"Mean ± standard deviation over {splits} splits, seeds 0 to {splits - 1}; differences ± half of their 95 % "
        "interval over the splits, which share tracks."
    )
    shown = markdown_table(["test R²", *files, "mean of files"], rows)
    return "\n\n".join([about, shown, "\n".join(_findings(results, table, overall))])


def _findings(results: Mapping[str, Any], table: Mapping[str, Any], overall: Mapping[str, Any]) -> list[str]:
    mean = {key: float(values.mean()) for key, values in overall.items()}
    ratio, gap = mean["awd"] / mean["teacher"], mean["awd"] - mean["db5"]
    runs = [run for name in results for run in results[name]]
    named = [row["wavelet"] for run in runs for row in run["rows"] if row["key"] == "awd"]
    kept = {name: named.count(name) for name in sorted(set(named)) if not name.startswith("from")}
    distilled = len(named) - sum(kept.values())
    other = [f"{name} in {count}" for name, count in kept.items()]
    wins = [name for name in results if table["awd"][name].mean() > table["teacher"][name].mean()]
    best = max((key for key in mean if key not in ("awd", "student")), key=lambda key: mean[key])
    few = f"- With at most ten numbers AWD's mean is {mean['student']:.3f}: " + ", ".join(
        f"{_beside(overall['student'], overall[key])} from {NAMES[key] if key != 'awd' else 'its larger form'}"
        for key in dict.fromkeys(("teacher", "convolutions", "awd", "db5", best))
    )
    return [
        few + ".",
        f"- The larger form's mean is {ratio:.2f} times the teacher's (goal: at least {GOAL_RATIO}: "
        f"{met_or_missed(ratio >= GOAL_RATIO)}); it is above the teacher's on {len(wins)} of {len(results)} files "
        f"({', '.join(wins) or 'none'}).",
        f"- It lies {gap:+.3f} from db5's with the same features and regression (goal: at least +{GOAL_GAP}: "
        f"{met_or_missed(gap >= GOAL_GAP)}), and {mean['awd'] - mean['awd_no_interpretation']:+.3f} from the "
        "wavelet distilled without attributions.",
        f"- In the published form AWD lies {mean['published_awd'] - mean['published_db5']:+.3f} from db5.",
        f"- A distilled wavelet was chosen in {distilled} of {len(named)} runs"
        + (f"; a start in the others ({', '.join(other)}): folds could not tell it from the best." if other else "."),
        f"- The best of the other rows is {NAMES[best]} ({mean[best]:.3f}; AWD {mean['student']:.3f} with at most ten "
        f"numbers, {mean['awd']:.3f} in its larger form).",
    ]


def _beside(one: Any, other: Any) -> str:
    """Difference of two rows of means by split, and its 95 % interval over the splits, which share tracks."""
    found = np.asarray(one) - np.asarray(other)
    if len(found) < 2:
        return f"{found.mean():+.3f}"
    half = float(student_t.ppf(0.975, len(found) - 1)) * _sd(found) / np.sqrt(len(found))
    return f"{found.mean():+.3f} ± {half:.3f}"


def _scores(run: Mapping[str, Any]) -> dict[str, float]:
    return {row["key"]: float(row["score"]) for row in run["rows"]}


def _sd(values: Any) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
