"""Known truth: a hidden random wavelet of ten taps whose largest coefficients decide a teacher's answer.

`python -m benchmarks.student_truth` draws, for each seed, a wavelet from random lattice angles and 400 inputs (random
walks of 64 samples with noise), and lets the teacher answer with a combination of the maxima of the wavelet's four
undecimated bands. The student is to find the taps from the answers, and from labels that are the answers with noise of
the same variance. What counts is the largest error of a tap; a recovery is one below 0.01.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from awd_core.student import StudentSearch, distill_student
from awd_core.student.bands import Layout
from awd_core.student.numbers import Numbers
from awd_core.student.objective import number_table
from awd_core.wavelets import Wavelet

Array = npt.NDArray[np.float64]

INPUTS, SAMPLES, LEVELS, MODE = 400, 64, 3, "periodic"
SEARCH = StudentSearch(random_starts=128, descents=24, folds=3)
RECOVERED = 0.01


class Truth(NamedTuple):
    """What is hidden and what is shown: inputs (n, N), answers and noisy labels (n,)."""

    wavelet: Wavelet
    X: Array
    answers: Array
    labels: Array


def main(arguments: Sequence[str] | None = None) -> int:
    """Search for every seed, and print how far off the taps are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.student_truth", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(10)))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    off: dict[str, list[float]] = {"answers": [], "labels": []}
    for seed in options.seeds:
        truth = hidden(seed)
        for name, shown in (("answers", truth.answers), ("labels", truth.labels)):
            found = distill_student(truth.X, shown, levels=LEVELS, mode=MODE, search=SEARCH, seed=seed)
            off[name].append(float(np.abs(found.wavelet.taps - truth.wavelet.taps).max()))
        print(f"seed {seed}: taps off " + ", ".join(f"{e[-1]:.5f} from {n}" for n, e in off.items()), flush=True)
    for name, errors in off.items():
        print(f"from {name}: {sum(error < RECOVERED for error in errors)} of {len(errors)} within {RECOVERED}")
    return 0


def hidden(seed: int) -> Truth:
    """The problem of one seed."""
    rng = np.random.default_rng(seed)
    free = rng.uniform(-np.pi / 2, np.pi / 2, 4)
    wavelet = Wavelet.from_angles([np.pi / 4 - free.sum(), *free])
    X = rng.standard_normal((INPUTS, SAMPLES)).cumsum(axis=1)
    X = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    X += 0.5 * rng.standard_normal(X.shape)
    layout = Layout(LEVELS, True, MODE, 1)
    numbers = number_table(torch.from_numpy(X), layout, Numbers(["maximum"], layout), [wavelet], False)
    weights = rng.uniform(0.5, 1.5, numbers.shape[1]) * rng.choice([-1, 1], numbers.shape[1])
    answers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0) @ weights
    return Truth(wavelet, X, answers, answers + answers.std() * rng.standard_normal(INPUTS))


if __name__ == "__main__":
    sys.exit(main())
