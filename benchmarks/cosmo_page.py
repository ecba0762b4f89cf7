"""The figures of `docs/lensing.md` as Markdown, from runs of `benchmarks.cosmo_table`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from benchmarks.many_runs import met_or_missed
from benchmarks.page import markdown_table

if TYPE_CHECKING:
    from awd_cosmo.inference.results import ModelRow
    from benchmarks.cosmo_table import Run

PROTOCOLS = {"held_out": "cosmologies held out", "published": "published protocol"}
FILTERS = ("raw", "laplace_v1", "laplace_v2", "roberts")
"""The classical filters of the paper; the best of them is the one with the least error on validation maps."""

BEST_FILTER = "best filter"
RATIOS = {
    "teacher": "teacher",
    BEST_FILTER: "best classical filter",
    "db2": "counts of db2",
    "power_spectrum": "power spectrum",
    "awd_counts": "AWD's counts",
    "numbers_haar": "the same numbers with haar",
    "numbers_db2": "the same numbers with db2",
}
"""What AWD's error is divided by."""

GOALS = {"teacher": 0.87, BEST_FILTER: 0.70, "db2": 0.87}
"""Aimed at in the protocol "held_out"."""

LEVEL = 0.95


@dataclass(frozen=True)
class Ratio:
    """A ratio over seeds.

    Attributes
    ----------
    values : tuple of float
        One for each seed.
    mean : float
        Geometric.
    low, high : float
        Central 95 % of Student's t on the logarithms; NaN with a single seed.
    """

    values: tuple[float, ...]
    mean: float
    low: float
    high: float


def geometric(values: Sequence[float]) -> Ratio:
    """Geometric mean of ratios with an interval over seeds.

    Examples
    --------
    >>> ratio = geometric([0.8, 1.25])
    >>> round(ratio.mean, 12), ratio.low < 1 < ratio.high
    (1.0, True)
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    mean, count = float(logs.mean()), len(logs)
    half = math.nan
    if count > 1:
        half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * logs.std(ddof=1) / math.sqrt(count))
    return Ratio(tuple(values), math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def best_filter(run: "Run", protocol: str) -> "ModelRow":
    """The row of the paper's classical filter that validation would take, with its best estimator."""
    rows = [run.results.row(protocol, key) for key in FILTERS]
    return min(rows, key=lambda row: row.validation_rmse)


def ratio_of(runs: Sequence["Run"], protocol: str, to: str) -> Ratio:
    """AWD's error over that of another model, seed by seed."""
    values = []
    for run in runs:
        other = best_filter(run, protocol) if to == BEST_FILTER else run.results.row(protocol, to)
        values.append(run.results.row(protocol, "awd").rmse / other.rmse)
    return geometric(values)


def verdict(key: str, ratio: Ratio) -> str:
    """Whether the goal is met, and whether the interval lies on its side; nothing where there is no goal."""
    if key not in GOALS:
        return ""
    met = ratio.mean <= GOALS[key]
    if math.isnan(ratio.low):
        sure = "one seed"
    elif (ratio.high <= GOALS[key]) if met else (ratio.low > GOALS[key]):
        sure = "with its interval"
    else:
        sure = "but its interval reaches across"
    return f"≤ {GOALS[key]:g}: {met_or_missed(met)}, {sure}"


def generated(titles: Mapping[str, str], found: Mapping[str, Sequence["Run"]]) -> str:
    """All figures of the page.

    Parameters
    ----------
    titles : mapping of str to str
        Of the variants.
    found : mapping of str to sequence of Run
        Finished runs by variant.
    """
    parts = [_overview(found), *_findings(found)]
    for name, runs in found.items():
        seeds = ", ".join(str(run.seed) for run in runs)
        title = titles[name]
        parts += [
            f"## {title[0].upper()}{title[1:]}",
            f"Variant `{name}`, seed{'s' if len(runs) > 1 else ''} {seeds}; {_sizes(runs[0])}",
            _errors(runs),
            *(_ratios(runs, protocol) for protocol in PROTOCOLS),
            "What was chosen:",
            _choices(runs),
        ]
    return "\n\n".join(parts)


def _overview(found: Mapping[str, Sequence["Run"]]) -> str:
    headings = ["variant", "seeds", "AWD", "teacher", "best filter", *(f"AWD / {RATIOS[key]}" for key in GOALS)]
    rows = []
    for name, runs in found.items():
        errors = [
            [run.results.row("held_out", "awd").rmse for run in runs],
            [run.results.row("held_out", "teacher").rmse for run in runs],
            [best_filter(run, "held_out").rmse for run in runs],
        ]
        cells = [_interval(ratio_of(runs, "held_out", key)) for key in GOALS]
        rows.append([f"`{name}`", str(len(runs)), *map(_mean, errors), *cells])
    return markdown_table(headings, rows)


def _findings(found: Mapping[str, Sequence["Run"]]) -> list[str]:
    lines = []
    for name, runs in found.items():
        told = []
        for key in GOALS:
            ratio = ratio_of(runs, "held_out", key)
            article = "" if key == "db2" else "the "
            told.append(f"{ratio.mean:.2f} times that of {article}{RATIOS[key]} ({verdict(key, ratio)})")
        told += [
            f"{_interval(ratio_of(runs, 'held_out', key))} times that of {'the ' * (key == 'power_spectrum')}{name}"
            for key, name in RATIOS.items()
            if key not in GOALS
        ]
        lines.append(f"- `{name}`: AWD's error is {'; '.join(told)}.")
    return ["\n".join(lines)]


def _sizes(run: "Run") -> str:
    values = run.results.protocols["held_out"]
    return (
        f"{values.train:,} tiles to train, {values.validation:,} to validate, {values.test:,} of "
        f"{values.test_cosmologies} other cosmologies to test, with a spread of {run.results.target} of "
        f"{values.spread:.4f} (seed {run.seed}); teacher: {run.teacher['architecture']}."
    )


def _errors(runs: Sequence["Run"]) -> str:
    """Root mean square errors of all rows, the published protocol's own rows after those of both."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in runs:
        for protocol in PROTOCOLS:
            for row in run.results.protocols[protocol].rows:
                name = (row.key, row.name)
                values.setdefault(name, {}).setdefault(protocol, []).append(row.rmse)
    rows = [
        [name, *(_mean(errors[p]) if len(errors.get(p, [])) == len(runs) else "" for p in PROTOCOLS)]
        for (_, name), errors in values.items()
    ]
    return markdown_table(["test RMSE", *PROTOCOLS.values()], rows)


def _ratios(runs: Sequence["Run"], protocol: str) -> str:
    headings = [f"AWD over …, {PROTOCOLS[protocol]}", *(f"seed {run.seed}" for run in runs), "geometric mean (95 %)"]
    rows = []
    for key, name in RATIOS.items():
        ratio = ratio_of(runs, protocol, key)
        cells = [name, *(f"{value:.3f}" for value in ratio.values), _interval(ratio)]
        rows.append(cells if protocol != "held_out" else [*cells, verdict(key, ratio)])
    return markdown_table(headings if protocol != "held_out" else [*headings, "goal"], rows)


def _choices(runs: Sequence["Run"]) -> str:
    headings = [
        "seed", "wavelet of the numbers", "estimator", "counted", "counted without interpretation", "best filter",
        "teacher's best epoch",
    ]  # fmt: skip
    rows = []
    for run in runs:
        awd, best = run.results.row("held_out", "awd"), best_filter(run, "held_out")
        teacher = run.teacher
        counted = [run.chosen[key]["wavelet"] for key in ("awd_counts", "awd_no_interpretation")]
        rows.append(
            [
                str(run.seed), run.chosen["awd"]["wavelet"], awd.estimator, *counted,
                f"{best.name}, {best.estimator}", f"{teacher['best_epoch']} of {teacher['epochs']}",
            ]
        )  # fmt: skip
    return markdown_table(headings, rows, words=len(headings))


def _mean(values: Sequence[float]) -> str:
    """Mean with its standard error over seeds."""
    mean = f"{np.mean(values):.5f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.5f}"


def _interval(ratio: Ratio) -> str:
    return f"{ratio.mean:.3f}" if math.isnan(ratio.low) else f"{ratio.mean:.3f} ({ratio.low:.3f}–{ratio.high:.3f})"
