"""Intervals by the jackknife over units: exact cases, coverage on simulations with known truth, bad input."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import t

from awd_core.evidence import interval_from_left_out, jackknife

Array = npt.NDArray[np.float64]


def root(sums: Array) -> Array:
    return np.asarray(np.sqrt(sums[1] / sums[0]))


def ratio(sums: Array) -> Array:
    return np.asarray(np.sqrt(sums[0] / sums[1]))


def test_of_a_mean_it_is_the_interval_of_students_t() -> None:
    x = np.random.default_rng(0).normal(3, 2, 12)
    found = jackknife(lambda s: s[1] / s[0], np.column_stack([np.ones(12), x]), null=2.0)
    error = x.std(ddof=1) / math.sqrt(12)
    half = t.ppf(0.975, 11) * error
    assert found.value == pytest.approx(x.mean())
    assert (found.low, found.high) == (pytest.approx(x.mean() - half), pytest.approx(x.mean() + half))
    assert found.standard_error == pytest.approx(error)
    assert found.p_value == pytest.approx(2 * t.sf(abs(x.mean() - 2) / error, 11))
    assert found.units == 12


def test_units_are_left_out_whole_and_any_names_will_do() -> None:
    rng = np.random.default_rng(1)
    errors, cells = rng.normal(0, 1, 30), np.repeat(["a", "b", "c"], 10)
    table = np.column_stack([np.ones(30), errors**2])
    found = jackknife(root, table, cells, scale="log")
    by_hand = [math.sqrt(np.mean(errors[cells != name] ** 2)) for name in "abc"]
    again = interval_from_left_out(found.value, by_hand, scale="log")
    assert (found.low, found.high) == (pytest.approx(again.low), pytest.approx(again.high))
    order = rng.permutation(30)
    assert jackknife(root, table[order], cells[order], scale="log").low == pytest.approx(found.low)


@pytest.mark.parametrize(
    ("scale", "score"), [("log", 0.3), ("log of 1 - x", 0.9), ("log of 1 - x", -4.0), ("logit", 0.97)]
)
def test_ends_stay_where_the_score_can_lie(scale: str, score: float) -> None:
    inside = [score - 0.02, score + 0.01, score]
    found = interval_from_left_out(score, inside, scale=scale)  # type: ignore[arg-type]
    assert found.low < score < found.high
    if scale != "log":
        assert found.high < 1
    if scale != "log of 1 - x":
        assert found.low > 0
    # For small changes the scale makes no difference to the error.
    small = [score - 2e-6, score + 1e-6, score]
    plain = interval_from_left_out(score, small)
    assert interval_from_left_out(score, small, scale=scale).standard_error == pytest.approx(  # type: ignore[arg-type]
        plain.standard_error, rel=1e-3
    )


def test_a_score_that_is_not_defined_without_one_unit_has_no_interval() -> None:
    found = interval_from_left_out(0.5, [0.4, math.nan, 0.6], null=0.0)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.p_value or 0.0)
    perfect = jackknife(root, np.column_stack([np.ones(5), np.zeros(5)]), scale="log")
    assert perfect.value == 0
    assert math.isnan(perfect.low)


def test_models_that_are_equal_to_the_last_bit_do_not_differ() -> None:
    same = np.random.default_rng(2).uniform(0.5, 1, 20)
    found = jackknife(ratio, np.column_stack([same, same]), scale="log", null=1.0)
    assert (found.low, found.value, found.high, found.p_value) == (1, 1, 1, 1)


def covered(units: int, sizes: tuple[int, int], draws: int = 400) -> tuple[float, float]:
    """Share of simulations whose interval of the RMSE holds the truth, and in which two equal models differ."""
    rng = np.random.default_rng(3)
    held = differ = 0
    for _ in range(draws):
        cell = np.repeat(np.arange(units), rng.integers(*sizes, units))
        shared, own, other = (rng.normal(0, 0.5, units)[cell] for _ in range(3))
        one, two = (shared + part + rng.normal(0, 1, len(cell)) for part in (own, other))
        truth = math.sqrt(1.5)
        found = jackknife(root, np.column_stack([np.ones(len(cell)), one**2]), cell, scale="log")
        held += found.low < truth < found.high
        against = jackknife(ratio, np.column_stack([one**2, two**2]), cell, scale="log", null=1.0)
        assert (against.low > 1 or against.high < 1) == (against.p_value is not None and against.p_value < 0.05)
        differ += against.low > 1 or against.high < 1
    return held / draws, differ / draws


@pytest.mark.parametrize("units", [4, 8, 20])
def test_intervals_over_few_cells_hold_the_truth_and_equal_models_are_equal(units: int) -> None:
    # Of 400 simulations a rate of 0.95 has a standard error of 0.011: limits are four of them, and the log scale's
    # own error for few cells, which the slow table of benchmarks.coverage tells, beside.
    held, differ = covered(units, (30, 50))
    assert held > 0.87
    assert differ < 0.1


def test_phases_that_cosmologies_share_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    cosmology, phase = np.repeat(np.arange(12), 8), np.tile(np.arange(8), 12)
    held = [0, 0]
    for _ in range(300):
        errors = 0.3 * rng.normal(0, 1, 12)[cosmology] + rng.normal(0, 1, 8)[phase] + 0.5 * rng.normal(0, 1, 96)
        table = np.column_stack([np.ones(96), errors**2])
        for kind, units in enumerate([(cosmology, phase), (cosmology,)]):
            found = jackknife(root, table, *units, scale="log")
            held[kind] += found.low < math.sqrt(0.09 + 1 + 0.25) < found.high
    assert held[0] / 300 > 0.85
    assert held[1] / 300 < 0.7  # what one gets who forgets the phases


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((root, [[1.0, 2.0]]), {}, "two independent units or more; there is 1"),
        ((root, [1.0, 2.0]), {}, r"columns have the shape \(n, k\)"),
        ((root, [[1.0, 2.0], [1.0, 3.0]], [0]), {}, "one for each of 2 samples"),
        ((root, [[1.0, 2.0], [1.0, 3.0]], [0, 1], [0, 1], [0, 1]), {}, "at most two kinds"),
        ((root, [[1.0, 2.0], [1.0, 3.0]]), {"level": 95}, "level is 95; give a probability above 0 and below 1"),
        ((root, [[1.0, 2.0], [1.0, 3.0]]), {"scale": "ln"}, "scale is 'ln'; choose one of identity, log"),
    ],
)
def test_bad_input(arguments: tuple[object, ...], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jackknife(*arguments, **options)  # type: ignore[arg-type]
