"""Do the intervals and verdicts of awd-cme hold what they say? Simulations of cells with a known truth.

`python -m benchmarks.coverage_cme` prints the tables of docs/statistics.md, section awd-cme: coverage of intervals of
R², AUC and weights by the number of cells, how often equal models, or features without effect, are called different,
the power at stated effects, and cross-validated scores beside those of new cells. `--only scores` (differences,
weights, cross-validation) makes one of them, `--runs` less or more sets than are usual.

Cells differ in number of tracks (a Poisson number whose mean is log-normal, 0.4), in brightness (log-normal, 0.4) and
in what a model gets wrong in them; tracks of a cell share all three.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from awd_cme.model import (
    FEATURES,
    MaxCoefficients,
    SeriesLogistic,
    SeriesRidge,
    coefficient_intervals,
    score_difference,
    score_interval,
    search_settings,
)
from awd_cme.model.folds import grouped_folds
from awd_cme.model.scores import auc, r2
from awd_cme.series import SeriesSet, fit_z_scores
from awd_cme.tracks import LossReport
from awd_core.evidence import jackknife

Array = npt.NDArray[np.float64]
CELLS = (2, 3, 4, 5, 8, 20, 50)
SPREAD = 0.4
"""Standard deviation of the logarithm of a cell's brightness, and of its mean number of tracks."""

TRACKS = 60


@dataclass(frozen=True)
class Scored:
    """Tracks of some cells, and what two models say of them."""

    cell: npt.NDArray[np.intp]
    truth: npt.NDArray[np.generic]
    one: Array
    other: Array


def sizes_of(cells: int, rng: np.random.Generator, tracks: float = TRACKS) -> npt.NDArray[np.intp]:
    """Cell of each track."""
    counts = np.maximum(5, rng.poisson(tracks * rng.lognormal(0, SPREAD, cells)))
    return np.repeat(np.arange(cells), counts)


def scored_cells(
    metric: str, cells: int, rng: np.random.Generator, better: float = 1.0, brightness: float = SPREAD
) -> Scored:
    """Draw cells and what two models of equal errors say of them; `better` scales the errors of the first."""
    cell = sizes_of(cells, rng)
    n = len(cell)
    signal = rng.standard_normal(n)

    def wrong(size: float) -> Array:
        return size * (rng.normal(0, 0.4, cells)[cell] + 0.4 * rng.standard_normal(n))

    if metric == "auc":
        odds = rng.normal(0, 0.8, cells)[cell] + 1.2 * signal
        success = rng.random(n) < 1 / (1 + np.exp(-odds))
        return Scored(cell, success, signal + 2 * wrong(better), signal + 2 * wrong(1.0))
    scale = np.exp(rng.normal(0, brightness, cells))[cell]
    target, known = scale * (3 + signal + 0.5 * rng.standard_normal(n)), scale * (3 + signal)
    return Scored(cell, target, known + scale * wrong(better), known + scale * wrong(1.0))


def expected_score(metric: str, brightness: float, rng: np.random.Generator) -> float:
    """The score over very many cells: R² of 40,000, or the mean AUC of ten times 400."""
    if metric == "r2":
        many = scored_cells(metric, 40_000, rng, brightness=brightness)
        return r2(many.truth, many.one)
    drawn = (scored_cells(metric, 400, rng) for _ in range(10))
    return float(np.mean([auc(many.truth, many.one) for many in drawn]))


def coverage_of_scores(
    metric: str, brightness: float, cells: int, runs: int, truth: float, seed: int
) -> tuple[float, float]:
    """How often an interval holds the score over very many cells, and how wide it is in the middle."""
    rng = np.random.default_rng([seed, cells])
    drawn = (scored_cells(metric, cells, rng, brightness=brightness) for _ in range(runs))
    found = [score_interval(s.truth, s.one, s.cell, metric=metric) for s in drawn]  # type: ignore[arg-type]
    known = [one for one in found if np.isfinite(one.low)]
    held = np.mean([one.low < truth < one.high for one in known])
    return float(held), float(np.median([one.high - one.low for one in known]))


def rate_of_differences(metric: str, cells: int, runs: int, better: float, seed: int) -> float:
    """How often two models are called different at 5 %."""
    rng = np.random.default_rng([seed, cells])
    drawn = (scored_cells(metric, cells, rng, better) for _ in range(runs))
    found = [score_difference(s.truth, s.one, s.other, s.cell, metric=metric) for s in drawn]  # type: ignore[arg-type]
    return float(np.mean([one.p_value is not None and one.p_value < 0.05 for one in found]))


def rate_by_ratio(cells: int, runs: int, seed: int) -> float:
    """How often two equal models are called different by the ratio of their squared errors, on its logarithm."""
    rng = np.random.default_rng([seed, cells])
    called = 0
    for _ in range(runs):
        s = scored_cells("r2", cells, rng)
        errors = (s.truth[:, None] - np.column_stack([s.one, s.other])) ** 2
        found = jackknife(lambda sums: sums[0] / sums[1], errors, s.cell, scale="log", null=1.0)
        called += found.p_value is not None and found.p_value < 0.05
    return called / runs


def humps(cells: int, rng: np.random.Generator, *, tracks: float = TRACKS, brightness: float = SPREAD) -> SeriesSet:
    """Draw series that are humps, their height × width being the target; both by a cell's brightness in its channel."""
    cell = sizes_of(cells, rng, tracks)
    n, time = len(cell), np.arange(40)
    height, width, centre = rng.uniform(50, 200, n), rng.uniform(3, 9, n), rng.uniform(12, 28, n)
    seen, partner = np.exp(rng.normal(0, brightness, (2, cells)))[:, cell]
    X = height[:, None] * np.exp(-0.5 * ((time - centre[:, None]) / width[:, None]) ** 2) + rng.normal(0, 8, (n, 40))
    return SeriesSet(
        X=seen[:, None] * X, mask=np.ones((n, 40), dtype=bool), y=partner * (height * width + rng.normal(0, 200, n)),
        cell=np.array([f"cell{number}" for number in cell]), track=np.arange(n), day=np.full(n, ""),
        lifetime=np.full(n, 40.0), frames=np.full(n, 40), seconds_per_sample=np.ones(n),
        losses=LossReport(came=n, kept=n),
    )  # fmt: skip


def validated(
    cells: int, rule: str, rng: np.random.Generator, brightness: float = SPREAD
) -> tuple[float, float, float]:
    """R² by cross-validation over cells, on 40 new cells that are called otherwise, and by z-scores fitted once."""
    train, test = humps(cells, rng, tracks=40, brightness=brightness), humps(40, rng, tracks=40, brightness=brightness)
    object.__setattr__(test, "cell", np.char.add("new ", test.cell))
    features = MaxCoefficients("db2", **FEATURES["timed"])
    found = search_settings([features], train, SeriesRidge(), inputs=rule)  # type: ignore[arg-type]
    scores = fit_z_scores(train, inputs=rule)  # type: ignore[arg-type]
    own, new = scores.apply(train), scores.apply(test)
    model = SeriesRidge().fit(features.fit_transform(own.X), own.y, groups=own.cell)
    answer = scores.restore_targets(model.predict(features.transform(new.X)), new.cell)
    F, once = features.transform(own.X), np.zeros(len(train))
    for rows, rest in grouped_folds(own.cell, 5, 0):
        once[rest] = SeriesRidge().fit(F[rows], own.y[rows]).predict(F[rest])
    return float(found.pooled[0]), r2(test.y, answer), r2(own.y, once)


@dataclass(frozen=True)
class Weighed:
    """What became of the weights of a simulation, as shares."""

    coverage: float
    of_effects: float
    null_rate: float
    any_null: float
    power: float


def weights(cells: int, runs: int, seed: int, *, logistic: bool = False, effects: int = 5) -> Weighed:
    """Effects of 5 of the 45 features "timed", each larger or smaller from cell to cell (30 %).

    A regression has R² 0.5 in the mean; a classification, log odds of standard deviation 1.2. Its truth, which is not
    that of one cell, is fitted to 200 cells, six times.
    """
    rng = np.random.default_rng([seed, cells, logistic])
    features = MaxCoefficients("db2", **FEATURES["timed"])

    def design(count: int, tracks: float) -> tuple[Array, npt.NDArray[np.intp]]:
        raw = humps(count, rng, tracks=tracks)
        F = features.fit_transform(fit_z_scores(raw).apply(raw).X)
        return F, np.unique(raw.cell, return_inverse=True)[1]

    many, cell_of_many = design(200 if logistic else 60, 40)
    mean, sd, k = many.mean(axis=0), many.std(axis=0), many.shape[1]
    true = np.zeros(k)
    chosen = rng.choice(k, effects, replace=False)
    true[chosen] = rng.choice([-1, 1], effects) * rng.uniform(0.3, 1, effects)
    true *= 1.2 / ((many - mean) / sd @ true).std()

    def answer(Z: Array, cell: npt.NDArray[np.intp]) -> npt.NDArray[np.generic]:
        slopes = true * (1 + 0.3 * rng.standard_normal((cell.max() + 1, k)))
        signal = np.einsum("nk,nk->n", Z, slopes[cell])
        if logistic:
            odds = signal + rng.normal(0, 0.5, cell.max() + 1)[cell]
            return np.asarray(rng.random(len(Z)) < 1 / (1 + np.exp(-odds)))
        y = signal + 1.2 * rng.standard_normal(len(Z))
        return np.asarray(y - (np.bincount(cell, y) / np.bincount(cell))[cell])

    expected = true
    if logistic:
        # What is common to cells whose odds differ is smaller than the effect within each.
        fits = [SeriesLogistic(alphas=(1e-3,)).fit((many - mean) / sd, answer((many - mean) / sd, cell_of_many))
                for _ in range(6)]  # fmt: skip
        expected = np.mean([fit.coef_ for fit in fits], axis=0)
    held, verdicts = [], []
    for _ in range(runs):
        F, cell = design(cells, 2 * TRACKS)
        Z = (F - mean) / sd
        y = answer(Z, cell)
        # The penalty is not in the intervals, so none is chosen.
        model = (SeriesLogistic if logistic else SeriesRidge)(alphas=(10.0,)).fit(Z, y)
        low, high, p = coefficient_intervals(model, Z, y, cell)[1:].T
        held.append((low < expected) & (expected < high))
        verdicts.append(np.column_stack([p < 0.05, (low > 0) | (high < 0)]))
    inside, said, none = np.array(held), np.array(verdicts), true == 0
    return Weighed(
        coverage=float(inside.mean()),
        of_effects=float(inside[:, ~none].mean()),
        null_rate=float(said[:, none, 1].mean()),
        any_null=float(said[:, none, 0].any(axis=1).mean()),
        power=float(said[:, ~none, 0].mean()),
    )


def tables(runs: int, seed: int) -> dict[str, Callable[[], Iterator[list[str]]]]:
    """Rows of each table, the head first."""

    def scores() -> Iterator[list[str]]:
        yield ["cells", "R², brightness 0", "width", f"R², brightness {SPREAD}", "width", "AUC", "width"]
        asked = (("r2", 0.0), ("r2", SPREAD), ("auc", SPREAD))
        truths = [expected_score(*one, np.random.default_rng([seed, 0])) for one in asked]
        for cells in CELLS:
            found = [coverage_of_scores(*one, cells, runs, t, seed) for one, t in zip(asked, truths, strict=True)]
            yield [str(cells), *(f"{number:.3f}" for pair in found for number in pair)]

    def differences() -> Iterator[list[str]]:
        kinds = ("equal", "errors × 0.8", "errors × 0.5")
        yield ["cells", *(f"{m}: {what}" for m in ("R²", "AUC") for what in kinds), "R², by the ratio: equal"]
        for cells in CELLS:
            rates = (rate_of_differences(m, cells, runs, b, seed) for m in ("r2", "auc") for b in (1.0, 0.8, 0.5))
            yield [str(cells), *(f"{rate:.3f}" for rate in (*rates, rate_by_ratio(cells, runs, seed)))]

    def of_weights() -> Iterator[list[str]]:
        yield ["model", "cells", "holds the truth", "of an effect", "null outside", "any null sure", "effects sure"]
        for logistic in (False, True):
            for cells in (4, 8, 20, 50):
                w = weights(cells, max(1, runs // 10), seed, logistic=logistic)
                shares = (w.coverage, w.of_effects, w.null_rate, w.any_null, w.power)
                yield ["logistic" if logistic else "ridge", str(cells), *(f"{share:.3f}" for share in shares)]

    def cross_validation() -> Iterator[list[str]]:
        yield ["z-scores", "cells", "cross-validated R²", "on new cells", "mean difference", "z-scores fitted once"]
        for rule in ("training", "own"):
            for cells in (3, 5, 10, 20):
                rng = np.random.default_rng([seed, cells])
                found = np.array([validated(cells, rule, rng) for _ in range(max(2, runs // 25))])
                gap = found[:, 0] - found[:, 1]
                error = gap.std(ddof=1) / np.sqrt(len(gap))
                middle = np.median(found, axis=0)
                yield [rule, str(cells), *(f"{one:.3f}" for one in middle[:2]), f"{gap.mean():+.3f} ± {error:.3f}",
                       f"{middle[2]:.3f}"]  # fmt: skip

    return {"scores": scores, "differences": differences, "weights": of_weights, "cross-validation": cross_validation}


def main(arguments: list[str] | None = None) -> int:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage_cme", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated sets of a row; a tenth of weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(tables(1, 0)), help="one table")
    options = parser.parse_args(arguments)
    for name, rows in tables(options.runs, options.seed).items():
        if options.only in (None, name):
            print(f"\n{name}, {options.runs} runs, seed {options.seed}\n")
            for number, row in enumerate(rows()):
                print("| " + " | ".join(row) + " |", flush=True)
                if number == 0:
                    print("| " + " | ".join(["--:"] * len(row)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
