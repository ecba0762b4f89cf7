"""The student on near-infrared spectra of meat: at most ten numbers for the share of fat, ten fresh splits.

`python -m benchmarks.student_spectra --data tecator.csv --work FOLDER` splits the 215 spectra ten times (160 to train
on), keeps each split's squared test errors in the folder, and prints the table of means. Splits that are there are not
done again. The file has the absorbances in its first hundred columns and a column `fat`.

The numbers are values of decimated details of the absorbances over the root of their band's mean square, at places. The
network, a mean of perceptrons, and partial least squares get what is best for them: second derivatives (Savitzky and
Golay's, of nine channels) of zero mean and unit deviation in each spectrum. The network's outputs for training spectra
come from networks that have not seen them. Everything is fitted on training spectra, and choices
are made there too: components and penalties by cross-validation, wavelets by the leave-one-out error.

Splits share spectra, so their differences are no independent evidence: the variance of their mean is that over splits
times 1/J + n_test/n_train (Nadeau and Bengio 2003, "Inference for the generalization error"), with a t distribution.

Settings were chosen on the splits 0 to 2; the splits 100 to 109 were looked at once.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.signal import savgol_filter
from scipy.stats import t
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from awd_core.files import write_json
from awd_core.student import StudentSearch, WaveletStudent
from awd_core.teacher import MLP
from benchmarks.page import markdown_table

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPLITS = tuple(range(100, 110))
TRAINING, FOLDS, MEMBERS, EPOCHS = 160, 5, 3, 600
LEVELS, MOST = 4, 10
PLAIN = ("haar", "db2", "db3", "db4", "db5", "sym4", "sym5", "coif1")
STARTS = ("db3", "sym4")
SEARCH = StudentSearch(random_starts=0, descents=1, iterations=15, finalists=1, folds=0)
STUDENT = "student"
COMPONENTS = range(1, 21)
RIDGES = np.logspace(-8, 4, 37)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the splits that are missing, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.student_spectra", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the table with a hundred absorbances and `fat`")
    parser.add_argument("--work", type=Path, required=True, help="folder for the errors of each split")
    parser.add_argument("--splits", type=int, nargs="*", default=list(SPLITS))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(options.data)
    X, y = table.iloc[:, :100].to_numpy(), table["fat"].to_numpy()
    found = []
    for seed in options.splits:
        place = options.work / f"split-{seed}.json"
        if not place.exists():
            write_json(place, one_split(X, y, seed))
        found.append(json.loads(place.read_bytes()))
        print(
            f"split {seed}: " + ", ".join(f"{name} {rmse:.3f}" for name, rmse in found[-1]["rmse"].items()), flush=True
        )
    print(report([one["rmse"] for one in found], len(y) - TRAINING))
    return 0


def one_split(X: Array, y: Array, seed: int) -> dict[str, Any]:
    """Root of the mean squared test error of each method, and what the student reads."""
    places = np.random.default_rng(seed).permutation(len(y))
    train, test = places[:TRAINING], places[TRAINING:]
    slopes = savgol_filter(X, 9, 3, deriv=2, axis=1)
    normal = (slopes - slopes.mean(axis=1, keepdims=True)) / slopes.std(axis=1, keepdims=True)
    outputs, said = taught(normal, y, train, test, seed)
    predictions = {STUDENT: np.empty(0), "network": said}
    for name, inputs in (("raw", X), ("derivatives", slopes), ("normal derivatives", normal)):
        predictions[f"partial least squares, {name}"] = least_squares(inputs, y, train, test)
        predictions[f"ridge, {name}"] = ridge(inputs, y, train, test)
    student, by_labels = (
        min(
            (searched(X[train], y[train], chosen_by, start) for start in STARTS),
            key=lambda one: one.distillation_.error,
        )
        for chosen_by in (outputs, y[train])
    )
    plain = [student_of(name, learn=False).fit(X[train], y[train]) for name in PLAIN]
    best = min(plain, key=lambda one: float(one.head_.error))
    predictions |= {
        STUDENT: student.predict(X[test]),
        "student without network": by_labels.predict(X[test]),
        "best plain wavelet": best.predict(X[test]),
    }
    rmse = {name: float(np.sqrt(np.mean((told - y[test]) ** 2))) for name, told in predictions.items()}
    return {
        "rmse": rmse,
        "wavelet": student.wavelets_[0].taps.tolist(),
        "numbers": list(student.get_feature_names_out()),
    }


def student_of(wavelet: str, *, learn: bool) -> WaveletStudent:
    """A student of at most ten numbers, not fitted."""
    return WaveletStudent(wavelet, ["relative value"], LEVELS, undecimated=False, most=MOST, learn=learn, search=SEARCH)


def searched(X: Array, y: Array, outputs: Array, start: str) -> WaveletStudent:
    """A student whose wavelet and numbers are chosen by outputs, searched from one plain wavelet."""
    return student_of(start, learn=True).fit(X, y, outputs=outputs)


def taught(X: Array, y: Array, train: Rows, test: Rows, seed: int) -> tuple[Array, Array]:
    """The network's outputs for training spectra, out of fold, and for test spectra."""
    outputs = np.empty(len(train))
    for inner, held in KFold(FOLDS, shuffle=True, random_state=seed).split(train):
        outputs[held] = network(X[train[inner]], y[train[inner]], seed)(X[train[held]])
    return outputs, network(X[train], y[train], seed)(X[test])


def network(X: Array, y: Array, seed: int) -> Callable[[Array], Array]:
    """The mean of some perceptrons, trained on all spectra at once with one cycle of the learning rate."""
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    inputs = torch.from_numpy((X - mean) / deviation).float()
    answers = torch.from_numpy((y - y.mean()) / y.std()).float()[:, None]
    members = []
    for member in range(MEMBERS):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1000 * seed + member)
            one = MLP(X.shape[1], (32, 32), activation="tanh")
            optimiser = torch.optim.AdamW(one.parameters(), 1e-2, weight_decay=0.1)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=EPOCHS)
            for _ in range(EPOCHS):
                optimiser.zero_grad()
                torch.nn.functional.mse_loss(one(inputs), answers).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
        members.append(one.eval())

    @torch.no_grad()
    def asked(given: Array) -> Array:
        standard = torch.from_numpy((given - mean) / deviation).float()
        told: Array = torch.stack([one(standard)[:, 0] for one in members]).mean(dim=0).double().numpy()
        return told * y.std() + y.mean()

    return asked


def least_squares(X: Array, y: Array, train: Rows, test: Rows) -> Array:
    """Partial least squares, its number of components by fivefold cross-validation."""
    folds = KFold(5, shuffle=True, random_state=0)
    errors = [
        np.mean(
            (cross_val_predict(PLSRegression(k, scale=False), X[train], y[train], cv=folds).ravel() - y[train]) ** 2
        )
        for k in COMPONENTS
    ]
    model = PLSRegression(COMPONENTS[int(np.argmin(errors))], scale=False).fit(X[train], y[train])
    return np.asarray(model.predict(X[test])).ravel()


def ridge(X: Array, y: Array, train: Rows, test: Rows) -> Array:
    """A ridge on all channels, its penalty by the leave-one-out error."""
    model = make_pipeline(StandardScaler(), RidgeCV(RIDGES)).fit(X[train], y[train])
    return np.asarray(model.predict(X[test]))


def report(found: Sequence[dict[str, float]], tested: int) -> str:
    """Means over splits, and differences to the student with their intervals, as a table."""
    student = np.array([one[STUDENT] for one in found])
    rows = []
    for name in found[0]:
        errors = np.array([one[name] for one in found])
        difference, half = corrected(errors - student, TRAINING, tested)
        told = "" if name == STUDENT else f"{difference:+.3f} ({difference - half:+.3f} to {difference + half:+.3f})"
        rows.append([name, f"{errors.mean():.3f}", told, "" if name == STUDENT else str(int((errors > student).sum()))])
    return markdown_table(["method", "test RMSE", "less the student's", "splits in which it is above"], rows)


def corrected(differences: Array, training: int, tested: int) -> tuple[float, float]:
    """Mean of paired differences over random splits, and half of its 95 % interval (Nadeau and Bengio 2003).

    Examples
    --------
    >>> [round(float(value), 3) for value in corrected(np.array([1.0, 2.0, 3.0]), 160, 40)]
    [2.0, 3.286]
    """
    count = len(differences)
    if count < 2:
        return float(differences.mean()), float("nan")
    variance = differences.var(ddof=1) * (1 / count + tested / training)
    return float(differences.mean()), float(t.ppf(0.975, count - 1) * np.sqrt(variance))


if __name__ == "__main__":
    sys.exit(main())
