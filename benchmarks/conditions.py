"""Two simulated conditions with a known difference, many times: `python -m benchmarks.conditions [--simulations 200]`.

Cells are simulated as `awd_cme.simulate` does, at the level of tracks: the true amplitudes with noise as of a
signal-to-noise ratio of 5 and p-values of a normal test. In each of the simulations a few cells of two conditions,
whose shares of successful pits vary from cell to cell about 0.65 and 0.45, are compared by `awd_cme.conditions`; the
truth is the mean over all cells that were ever simulated. What is told: how often the interval of a difference holds
the truth, how often the difference is found, and how often two groups of cells of one condition are called different.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from awd_cme.conditions import cell_values, compare_conditions
from awd_cme.simulate.settings import PRESETS
from awd_cme.simulate.simulation import simulate_movie
from benchmarks.page import markdown_table

SHARES = {"control": 0.65, "knockdown": 0.45}
SPREAD, SNR = 0.05, 5.0
QUANTITIES = ("lifetime", "partner", "onset")


def cell(share: float, seed: int) -> pd.DataFrame:
    """What is told of a cell."""
    rng = np.random.default_rng([seed, 7])
    own = float(np.clip(share + SPREAD * rng.standard_normal(), 0.05, 0.95))
    settings = replace(PRESETS["realistic"], size=(64, 64), frames=120, pits=70.0, success_share=own)
    table = simulate_movie(settings, seed=seed, cell=0).truth.copy()
    noise = np.nanpercentile(table["auxilin_amplitude"], 95) / SNR
    table["auxilin_amplitude"] += noise * rng.standard_normal(len(table))
    table["auxilin_p"] = norm.sf(table["auxilin_amplitude"] / noise)
    return cell_values(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, compare and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditions", description=__doc__)
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--cells", type=int, default=5, help="of each condition")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    count = options.simulations * options.cells
    told = {
        name: pd.concat([cell(share, options.seed + 100_000 * place + k) for k in range(count)], ignore_index=True)
        for place, (name, share) in enumerate(SHARES.items())
    }
    truth = told["knockdown"].mean(numeric_only=True) - told["control"].mean(numeric_only=True)
    held, found, alarms = (dict.fromkeys(QUANTITIES, 0) for _ in range(3))
    for k in range(options.simulations):
        rows = slice(k * options.cells, (k + 1) * options.cells)
        both = {name: cells.iloc[rows] for name, cells in told.items()}
        for effect in compare_conditions(both, quantities=QUANTITIES):
            held[effect.quantity] += effect.low <= truth[effect.quantity] <= effect.high
            found[effect.quantity] += effect.p < 0.05
        if k:
            before = told["control"].iloc[(k - 1) * options.cells : k * options.cells]
            for effect in compare_conditions({"a": before, "b": both["control"]}, quantities=QUANTITIES):
                alarms[effect.quantity] += effect.p < 0.05
    share = 1 / options.simulations
    rows = [
        [name, f"{truth[name]:.3g}", f"{held[name] * share:.3f}", f"{found[name] * share:.3f}",
         f"{alarms[name] / (options.simulations - 1):.3f}"]
        for name in QUANTITIES
    ]  # fmt: skip
    print(markdown_table(["quantity", "true difference", "interval holds", "found, p < 0.05", "false alarms"], rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
