"""How often intervals of differences between conditions hold the truth, and how often a test without one is positive.

`python -m benchmarks.coverage_conditions` simulates tracks of cells (lives of pits as in `awd_cme.simulate`, noise of
the camera, no images, so that it is fast), measures them as `awd-cme figures` does, and compares two conditions 200
times: with a known difference, and without any. Cells differ in their share of successes, their pace and their number
of pits. The truth of each quantity is its mean over `MANY` cells of each condition.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from scipy.stats import norm

from awd_cme.publish import Comparison, compare_conditions, measure_cells, measure_tracks
from awd_cme.simulate.pits import Law, draw_pits
from awd_cme.tracks import make_table

CONTROL, OTHER = 0.65, 0.40
"""Share of successful pits in the two conditions."""
PITS, FRAMES, SIDE = 60, 300, 90.0
BETWEEN = (0.3, 0.08, 0.15)
"""Standard deviations between cells: log odds of success, log pace, log number of pits."""
NOISE = (0.15, 0.35)
"""Of an amplitude in each channel, in units of the plateau and of the law."""
MANY = 400
QUANTITIES = ("lifetime", "partner", "initiation")


def simulate_cell(rng: np.random.Generator, share: float, name: str) -> pd.DataFrame:
    """Canonical table of the tracks of one cell."""
    odds = np.log(share / (1 - share)) + BETWEEN[0] * rng.standard_normal()
    pace = np.exp(BETWEEN[1] * rng.standard_normal())
    count = int(rng.poisson(PITS * np.exp(BETWEEN[2] * rng.standard_normal()))) + 10
    pits, history = draw_pits(rng, count, success_share=1 / (1 + np.exp(-odds)), law=Law())
    seconds = pits[["rise_seconds", "plateau_seconds", "fall_seconds"]].sum(axis=1).to_numpy()
    births = rng.uniform(-60, FRAMES, count)
    length = np.maximum(np.round(seconds * pace), 3).astype(int)
    track = np.repeat(np.arange(1, count + 1), length)
    age = np.concatenate([np.arange(n) for n in length])
    frame = np.floor(births[track - 1]).astype(int) + age
    within = np.minimum((age / pace).astype(int), history.shape[1] - 1)
    clathrin = history[track - 1, within] + NOISE[0] * rng.standard_normal(len(track))
    away = (age / pace - pits["burst_seconds"].to_numpy()[track - 1]) / pits["burst_width"].to_numpy()[track - 1]
    auxilin = pits["strength"].to_numpy()[track - 1] * np.exp(-0.5 * away**2)
    auxilin = auxilin + NOISE[1] * rng.standard_normal(len(track))
    seen = (frame >= 0) & (frame < FRAMES)
    category = np.where((births < 0) | (births + length > FRAMES), 3, 1)
    y, x = rng.uniform(0, SIDE, (2, count))
    return make_table(
        track=track[seen], frame=frame[seen], y=y[track - 1][seen], x=x[track - 1][seen], cell=name,
        signals={"clathrin_amplitude": clathrin[seen], "auxilin_amplitude": auxilin[seen],
                 "auxilin_p": norm.sf(auxilin[seen] / NOISE[1])},
        category=category[track - 1][seen], seconds_per_frame=1.0, micrometres_per_pixel=0.108,
    )  # fmt: skip


def measured(rng: np.random.Generator, share: float, condition: str, cells: int) -> pd.DataFrame:
    """One row a cell of a condition."""
    area = (SIDE * 0.108) ** 2
    rows = []
    for k in range(cells):
        table = simulate_cell(rng, share, f"{condition}{k}")
        rows.append(measure_cells(table, measure_tracks(table, onsets=False), areas=area))
    return pd.concat(rows, ignore_index=True).assign(condition=condition)


def true_differences(seed: int, cells: int = MANY) -> dict[str, float]:
    """Mean of the other condition less that of the control, over many cells."""
    rng = np.random.default_rng([seed, 1])
    one, other = measured(rng, CONTROL, "control", cells), measured(rng, OTHER, "other", cells)
    return {name: float(other[name].mean() - one[name].mean()) for name in QUANTITIES}


def simulations(count: int, cells: int, seed: int, other: float = OTHER) -> list[list[Comparison]]:
    """Comparisons of so many pairs of conditions with so many cells each."""
    found = []
    for k in range(count):
        rng = np.random.default_rng([seed, 2, k])
        both = [measured(rng, CONTROL, "control", cells), measured(rng, other, "other", cells)]
        found.append(compare_conditions(pd.concat(both, ignore_index=True)))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each quantity."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=200, help="pairs of conditions (default: 200)")
    parser.add_argument("--cells", type=int, default=5, help="of a condition (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    options = parser.parse_args(arguments)
    truth = true_differences(options.seed)
    with_one = simulations(options.simulations, options.cells, options.seed)
    without = simulations(options.simulations, options.cells, options.seed + 1, CONTROL)
    print(f"{'quantity':12} {'truth':>8} {'covered':>8} {'found':>8} {'same sign':>10} {'false':>8}")
    for name in QUANTITIES:
        own = [one for pair in with_one for one in pair if one.quantity == name]
        null = [one for pair in without for one in pair if one.quantity == name]
        held = np.mean([one.low <= truth[name] <= one.high for one in own])
        found, sign = np.mean([one.p <= 0.05 for one in own]), np.mean([one.effect * truth[name] > 0 for one in own])
        false = np.mean([one.p <= 0.05 for one in null])
        print(f"{name:12} {truth[name]:8.3f} {held:8.1%} {found:8.1%} {sign:10.1%} {false:8.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
