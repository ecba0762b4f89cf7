"""How often intervals hold the truth and verdicts are wrong, where the truth is known: `python -m benchmarks.coverage`.

Prints the tables of docs/statistics.md about the core and about cosmology, as Markdown. Everything follows from the
seed. Percentiles of the bootstrap over the same units, which were here before, stand beside.
"""

import argparse
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from awd_core.evidence import jackknife, r_squared_of_sums
from awd_cosmo.inference import TrainingDistribution

Array = npt.NDArray[np.float64]
BOOTSTRAP = 400
"""Draws of each bootstrap that stands beside."""
SHARED, OWN, NOISE = 0.6, 0.5, 1.0
"""Standard deviations of the errors of two models: what a unit's samples share in both, in one of them, and alone."""


def root(sums: Array) -> Array:
    """Root mean square."""
    return np.asarray(np.sqrt(sums[1] / sums[0]))


def ratio(sums: Array) -> Array:
    """Ratio of two roots of mean squares."""
    return np.asarray(np.sqrt(sums[0] / sums[1]))


def r_squared(sums: Array) -> Array:
    """R² from Σ1, Σy, Σy², Σerror²."""
    return r_squared_of_sums(*sums)


def percentiles(score: Callable[[Array], Array], columns: Array, labels: Array, rng: np.random.Generator) -> Array:
    """2.5th and 97.5th percentile of the bootstrap over units."""
    number = int(labels.max()) + 1
    sums = np.column_stack([np.bincount(labels, column, number) for column in columns.T])
    weights = rng.multinomial(number, np.full(number, 1 / number), BOOTSTRAP)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = np.nanquantile(score((weights @ sums).T), [0.025, 0.975])
    return found


def one_kind(units: int, draws: int, seed: int, effect: float = 1.0) -> dict[str, float]:
    """Rates for so many units of 20 to 60 samples. Of `effect` other than 1 the first model's errors are so large."""
    rng = np.random.default_rng([seed, units])
    names = ("rmse", "old rmse", "r2", "old r2", "differ", "old differ")
    count = dict.fromkeys(names, 0)
    # R² of new units: errors of variance v² and targets of variance 1 + 1.
    error = SHARED**2 + OWN**2 + NOISE**2
    truths = {"rmse": math.sqrt(error), "r2": 1 - error / 4 / 2}
    for _ in range(draws):
        labels = np.repeat(np.arange(units), rng.integers(20, 61, units))
        size = len(labels)
        shared = rng.normal(0, SHARED, units)[labels]
        one, two = (shared + rng.normal(0, OWN, units)[labels] + rng.normal(0, NOISE, size) for _ in range(2))
        y = rng.normal(0, 1, units)[labels] + rng.normal(0, 1, size)
        ones = np.ones(size)
        for name, score, columns, scale in (
            ("rmse", root, np.column_stack([ones, one**2]), "log"),
            ("r2", r_squared, np.column_stack([ones, y, y**2, (one / 2) ** 2]), "log of 1 - x"),
        ):
            found = jackknife(score, columns, labels, scale=scale)  # type: ignore[arg-type]
            count[name] += found.low < truths[name] < found.high
            low, high = percentiles(score, columns, labels, rng)
            count[f"old {name}"] += low < truths[name] < high
        pair = np.column_stack([(effect * one) ** 2, two**2])
        found = jackknife(ratio, pair, labels, scale="log", null=1.0)
        count["differ"] += (found.p_value or 1.0) < 0.05
        low, high = percentiles(ratio, pair, labels, rng)
        count["old differ"] += low > 1 or high < 1
    return {name: value / draws for name, value in count.items()}


def two_kinds(cosmologies: int, phases: int, sizes: tuple[float, float], draws: int, seed: int) -> dict[str, float]:
    """Rates where every cosmology has the same phases, with standard deviations of what each shares; noise is 0.5."""
    rng = np.random.default_rng([seed, cosmologies, phases])
    a, b = np.repeat(np.arange(cosmologies), phases), np.tile(np.arange(phases), cosmologies)
    truth = math.sqrt(sizes[0] ** 2 + sizes[1] ** 2 + 0.25)
    count = dict.fromkeys(("both", "cosmologies", "old", "differ"), 0)

    def errors() -> Array:
        shared = rng.normal(0, sizes[0], cosmologies)[a] + rng.normal(0, sizes[1], phases)[b]
        return np.asarray(shared + rng.normal(0, 0.5, len(a)))

    for _ in range(draws):
        one, two = errors(), errors()
        columns = np.column_stack([np.ones(len(a)), one**2])
        both, alone = (jackknife(root, columns, *units, scale="log") for units in ((a, b), (a,)))
        count["both"] += both.low < truth < both.high
        count["cosmologies"] += alone.low < truth < alone.high
        low, high = percentiles(root, columns, a, rng)
        count["old"] += low < truth < high
        found = jackknife(ratio, np.column_stack([one**2, two**2]), a, b, scale="log", null=1.0)
        count["differ"] += (found.p_value or 1.0) < 0.05
    return {name: value / draws for name, value in count.items()}


def beyond(parameters: int, strength: float, draws: int, seed: int) -> dict[str, float]:
    """Shares of maps that are told to be unlike training maps: from within the box, and at twice its size."""
    found: dict[str, list[float]] = {"inside": [], "beyond": [], "inside, from the mean": [], "from the mean": []}
    for draw in range(draws):
        rng = np.random.default_rng([seed, parameters, draw])
        features = 40
        slopes = rng.normal(0, strength, (parameters, features))
        bends = rng.normal(0, 0.05 * strength, (parameters, features))
        level = rng.uniform(20, 60, features)
        mixing = np.linalg.cholesky(0.3 ** np.abs(np.subtract.outer(np.arange(features), np.arange(features))))

        def maps(theta: Array) -> Array:
            noise = 2 * rng.normal(0, 1, (len(theta), features)) @ mixing.T  # noqa: B023 - called in this turn
            return np.maximum(level + theta @ slopes + theta**2 @ bends + noise, 0) ** 2  # noqa: B023

        count = {1: 12, 2: 30, 4: 60}[parameters]
        train = np.repeat(rng.uniform(-1, 1, (count, parameters)), 20, axis=0)
        other = np.repeat(rng.uniform(-1, 1, (max(4, count // 5), parameters)), 20, axis=0)
        x, v = maps(train), maps(other)
        made = TrainingDistribution.from_features(x, parameters=train, reference=v, reference_parameters=other)
        mean = TrainingDistribution.from_features(x, reference=v)
        inside = maps(rng.uniform(-1, 1, (500, parameters)))
        far = rng.normal(0, 1, (500, parameters))
        outside = maps(2 * far / np.abs(far).max(axis=1, keepdims=True))
        found["inside"].append((made.times(made.distance(inside)[0]) > 1).mean())
        found["beyond"].append((made.times(made.distance(outside)[0]) > 1).mean())
        found["inside, from the mean"].append((mean.distance(inside)[1] >= 99).mean())
        found["from the mean"].append((mean.distance(outside)[1] >= 99).mean())
    return {name: float(np.mean(values)) for name, values in found.items()}


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Markdown."""
    names = list(head)
    lines = [f"| {' | '.join(names)} |", f"| {' | '.join(['--:'] * len(names))} |"]
    for row in rows:
        cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.coverage", description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000, help="simulations of a row")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for units in track((4, 6, 10, 20, 50), "One kind of units"):
        null = one_kind(units, given.draws, given.seed)
        power = [one_kind(units, given.draws // 4, given.seed + 1, effect)["differ"] for effect in (0.9, 0.8)]
        names = ("rmse", "old rmse", "r2", "old r2", "differ", "old differ")
        rows.append([units, *(null[name] for name in names), *power])
    head = (
        "units", "RMSE holds", "(percentiles)", "R² holds", "(percentiles)", "equal models differ", "(percentiles)",
        "power, ratio 0.9", "ratio 0.8",
    )  # fmt: skip
    print(table(head, rows), end="\n\n")
    rows = []
    for number in track(((8, 4), (10, 10), (24, 16), (40, 6)), "Two kinds of units"):
        for sizes in ((1.0, 0.3), (1.0, 1.0), (0.3, 1.0)):
            rates = two_kinds(*number, sizes, given.draws // 2, given.seed)
            rows.append(
                [*number, f"{sizes[0]:g}, {sizes[1]:g}",
                 *(rates[name] for name in ("both", "cosmologies", "old", "differ"))]
            )  # fmt: skip
    head = (
        "cosmologies", "phases", "shared by each", "both: holds", "cosmologies alone", "(percentiles)",
        "equal models differ",
    )  # fmt: skip
    print(table(head, rows), end="\n\n")
    rows = []
    for parameters in track((1, 2, 4), "Beyond the box"):
        for strength in (1.0, 2.0, 4.0):
            rates = beyond(parameters, strength, 20, given.seed)
            rows.append([parameters, f"{strength:g}", *rates.values()])
    head = (
        "parameters", "signal", "told inside", "told at twice the box", "inside, from the mean", "twice, from the mean",
    )  # fmt: skip
    print(table(head, rows))


if __name__ == "__main__":
    main()
