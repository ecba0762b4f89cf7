"""Seven numbers of maps in the layout of the FAIR Universe challenge, without a network: what they tell of Ω_m and S8.

    python -m benchmarks.fair_numbers DIR [--observed test.npy --mask mask.npy] [--realisations 2]

DIR is a training set as `benchmarks.fair_layout` writes it. Tiles of 44 × 44 pixels of 4 arcmin that were observed to
80 % are read by a ridge with the numbers' products, fitted to 68 of 101 cosmologies, calibrated on 15, tested on 18.
Printed are errors, coverage and the challenge's score on test tiles, and of observed maps estimates, error bars and how
far they lie from the training maps, which is a score of being out of distribution: above 1 nothing holds for a map.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from awd_cosmo import CountRidge, Model, ShiftedLognormal, fair_score, open_maps
from awd_cosmo.inference import TrainingDistribution, coverage, predict_files
from awd_cosmo.inference.scores import rmse
from awd_cosmo.maps.preprocessing import Preprocessing
from awd_cosmo.run.features import learnt, measured
from benchmarks.page import markdown_table

TARGETS = ("Omega_m", "S8")
AT_A_TIME = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fair_numbers", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--observed", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--realisations", type=int, default=2)
    asked = parser.parse_args(arguments)
    maps = open_maps(asked.data)
    few = maps.select(np.asarray(maps.table["realisation"]) < asked.realisations)
    tiles = few.downsampled(2).tiles(44, rest="drop")
    tiles = tiles.select(np.asarray(tiles.mask).reshape(len(tiles), -1).mean(axis=1) >= 0.8)
    truth, ids = tiles.parameters(TARGETS), np.asarray(tiles.table["cosmology"])
    order = np.random.default_rng(0).permutation(np.unique(ids))
    n_test, n_validation = round(0.18 * len(order)), round(0.15 * len(order))
    test = np.isin(ids, order[:n_test])
    validation = np.isin(ids, order[n_test : n_test + n_validation])
    train = ~(test | validation)
    statistic = learnt(ShiftedLognormal("haar", 3), tiles.read(np.flatnonzero(train)[:512]))
    numbers = np.vstack([measured(statistic, block) for block in tiles.batches(AT_A_TIME)])
    distribution = TrainingDistribution.from_features(
        numbers[train], parameters=truth[train], reference=numbers[validation], reference_parameters=truth[validation]
    )
    estimates, bars, rows, observed = [], [], [], []
    for k, name in enumerate(TARGETS):
        ridge = CountRidge(transform="none", degree=2).fit(numbers[train], truth[train, k], cosmology=ids[train])
        ridge.calibrate(numbers[validation], truth[validation, k])
        estimate, bar = ridge.predict(numbers[test], return_std=True)
        estimates.append(estimate)
        bars.append(bar)
        held = coverage(truth[test, k], estimate, bar)["0.68"]
        rows.append([
            name, f"{truth[test, k].std():.4f}", f"{rmse(truth[test, k], estimate):.4f}", f"{bar.mean():.4f}",
            f"{held:.2f}", f"{fair_score(truth[test, k], estimate, bar):.2f}",
        ])  # fmt: skip
        model = Model(
            parameters=(name,), pixel_scale=maps.arcmin_per_pixel, shape=(88, 88), statistics=[statistic],
            regressor=ridge, training=distribution, preprocessing=Preprocessing(2),
            provenance={"parameters": {name: [float(truth[:, k].min()), float(truth[:, k].max())]}},
        )  # fmt: skip
        if asked.observed is not None:
            for found in predict_files(model, [asked.observed], mask=asked.mask):
                told = [f"{found.estimate:.3f} ± {found.std:.3f}", f"{found.times:.2f}", f"{found.percentile:.0f} %"]
                observed.append([Path(found.file).name, name, *told])
    together = fair_score(truth[test], np.column_stack(estimates), np.column_stack(bars))
    rows.append(["both", "", "", "", "", f"{together:.2f}"])
    print(f"{train.sum()} tiles to train, {validation.sum()} to validate, {test.sum()} to test\n")
    print(markdown_table(["target", "spread", "RMSE of a tile", "error bar", "68 % coverage", "FAIR score"], rows))
    if observed:
        head = ["map", "target", "estimate", "times as far as 99 % of such maps", "share of validation maps nearer"]
        print(f"\n{markdown_table(head, observed)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
