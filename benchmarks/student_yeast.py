"""The student on seven yeast strains: at most seven numbers, a wavelet that the strains share, ten fresh splits.

`python -m benchmarks.student_yeast --data DATA/cme/yeast --work FOLDER` makes one curve of `awd_core.error_curve` for
each split (`numpy.random.RandomState`, 70 % of each strain's tracks to train on), keeps it in the folder, and prints
the means. Splits that are there are not done again.

Preparation: series interpolated to 40 samples and divided by the deviation of the strain's training series, their mean
left in; targets (the partner's largest amplitude) standardised by the strain's training tracks; undecimated bands. The
numbers are the maxima of the five bands and the log of the track's frames. The teacher is the mean of three: a small
convolutional network for all strains, random convolutions for all strains, and random convolutions for each strain. Its
outputs for training tracks know nothing of the track: the network's are of a fold that it has not seen, those of the
random convolutions of the ridge without it.

The rich form reads four numbers of each band and the log of the frames, of the student's wavelet and of db5.

Settings of the search were chosen on the split 0, the teacher on the splits 0 and 1; the splits 200 to 209 were looked
at once.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_cme.model.scores import r2
from awd_cme.readers import read_tracks
from awd_cme.series import SeriesSettings, make_series, split_tracks
from awd_cme.series.series_set import SETTINGS
from awd_cme.teacher import ConvolutionTeacher
from awd_cme.teacher.networks import stack_inputs
from awd_core.checks import is_whole_number
from awd_core.files import write_json
from awd_core.student import CurvePoint, ErrorCurve, StudentSearch, WaveletStudent, error_curve, mean_curve
from awd_core.wavelets import Wavelet
from benchmarks.page import markdown_table

Array = npt.NDArray[np.float64]

SPLITS = tuple(range(200, 210))
FOLDS = 4
KERNELS = 300
RICH = ("maximum", "minimum", "mean absolute", "log energy")
"""Numbers of each band that the rich form reads."""
MOST_TRACKS = 1400
"""Tracks of one strain that a teacher is trained on: the largest strain would outvote the others."""
SEARCH = StudentSearch(random_starts=32, descents=8, iterations=50, finalists=2, folds=3)
LEVELS, MODE, COUNTS = 4, "zero", (None,)


class Strain(NamedTuple):
    """One strain of one split; X (n, 40), y (n,) and log frames (n,), standardised by the training tracks."""

    name: str
    X: Array
    y: Array
    log_frames: Array
    training: npt.NDArray[np.int64]
    testing: npt.NDArray[np.int64]


class PooledTeacher(nn.Module):
    """Two convolutions, what their channels hold, the log of the frames and the strain, and a small perceptron."""

    def __init__(self, strains: int, channels: int = 24) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 7, padding=6)
        self.second = nn.Conv1d(channels, channels, 5, padding=4, dilation=2)
        self.strain = nn.Embedding(strains, 6)
        self.hidden = nn.Linear(3 * channels + 7, 32)
        self.dropout = nn.Dropout(0.15)
        self.shared = nn.Linear(32, 1)
        self.own = nn.Embedding(strains, 32)
        self.offset = nn.Embedding(strains, 1)
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, x: Tensor, log_frames: Tensor, strain: Tensor) -> Tensor:
        """Predictions (n,)."""
        z = self.second(self.first(x[:, None]).relu()).relu()
        pooled = [z.amax(2), z.mean(2), z[:, :, ::4].std(2), log_frames[:, None], self.strain(strain)]
        q = self.hidden(self.dropout(torch.cat(pooled, dim=1))).relu()
        found: Tensor = self.shared(q)[:, 0] + 0.3 * (q * self.own(strain)).sum(1) + self.offset(strain)[:, 0]
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the curves that are missing, and print the means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.student_yeast", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the .mat files")
    parser.add_argument("--work", type=Path, required=True, help="folder for the curves")
    parser.add_argument("--splits", type=int, nargs="*", default=list(SPLITS))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    settings = replace(SETTINGS["yeast"], resampling="interpolate")
    raw = {path.name.partition("-")[0]: _raw(path, settings) for path in sorted(options.data.glob("*.mat"))}
    curves, richer = [], []
    for seed in options.splits:
        place = options.work / f"split-{seed}.json"
        if not place.exists():
            write_json(place, one_split([_strain(name, *raw[name], seed) for name in raw], seed))
        found = json.loads(place.read_bytes())
        curves.append(ErrorCurve(tuple(CurvePoint(*point) for point in found["points"])))
        richer.append([found["rich"][name] for name in ("student", "db5")])
        print(f"split {seed}: " + ", ".join(f"{p.method} {p.r2:.4f}" for p in curves[-1].points if _all(p)), flush=True)
    if len(curves) > 1:
        print(table(mean_curve(curves)))
        for other in ("db5", "best fixed", "chosen by labels"):
            gains = np.array([-point.difference for curve in curves for point in curve.of(other) if _all(point)])
            print(
                f"student less {other}: {gains.mean():+.4f} ± {gains.std(ddof=1) / len(gains) ** 0.5:.4f} over "
                f"{len(gains)} splits, above in {(gains > 0).sum()}"
            )
        student, db5 = np.mean(richer, axis=0)
        print(f"rich form: {student:.4f} of the student's wavelet, {db5:.4f} of db5")
    return 0


def one_split(strains: Sequence[Strain], seed: int) -> dict[str, Any]:
    """The curve of one split, the student's taps, and the rich form's R² of its wavelet and of db5, as JSON values."""
    outputs, predictions = taught(strains, seed)
    curve = error_curve(
        [one.X[one.training] for one in strains],
        [one.y[one.training] for one in strains],
        test=[(one.X[one.testing], one.y[one.testing], one.log_frames[one.testing]) for one in strains],
        outputs=outputs, teacher=predictions, extra=[one.log_frames[one.training] for one in strains],
        counts=COUNTS, levels=LEVELS, mode=MODE, search=SEARCH, seed=seed,
    )  # fmt: skip
    found = curve.student
    if found is None:
        raise RuntimeError("the curve of one split has a student")
    rich = {"student": rich_form(strains, found.wavelet), "db5": rich_form(strains, Wavelet.from_name("db5"))}
    points = [list(point) for point in curve.points]
    return {"points": points, "taps": found.wavelet.taps.tolist(), "negated": found.negated, "rich": rich}


def rich_form(strains: Sequence[Strain], wavelet: Wavelet) -> float:
    """Test R², mean of strains, of a ridge from many numbers of a wavelet to the labels."""
    scores = []
    for one in strains:
        model = WaveletStudent(wavelet, RICH, LEVELS, MODE, learn=False)
        model.fit(one.X[one.training], one.y[one.training], extra=one.log_frames[one.training])
        scores.append(r2(one.y[one.testing], model.predict(one.X[one.testing], one.log_frames[one.testing])))
    return float(np.mean(scores))


def taught(strains: Sequence[Strain], seed: int) -> tuple[list[Array], list[Array]]:
    """The teacher's outputs for training tracks, knowing nothing of the track, and for test tracks, of all strains."""
    members = [by_network(strains, seed), by_convolutions(strains, seed), by_own_convolutions(strains, seed)]
    outputs, predictions = zip(*members, strict=True)
    return _means(outputs), _means(predictions)


def by_network(strains: Sequence[Strain], seed: int) -> tuple[list[Array], list[Array]]:
    """Outputs of networks for the tracks of a fold that they have not seen, and for test tracks."""
    rng = np.random.default_rng(seed)
    fold = [rng.permutation(len(one.training)) % FOLDS for one in strains]
    outputs = [np.empty(len(one.training)) for one in strains]
    for k in range(FOLDS):
        network = trained(strains, [one.training[f != k] for one, f in zip(strains, fold, strict=True)], seed)
        for number, (one, f) in enumerate(zip(strains, fold, strict=True)):
            outputs[number][f == k] = asked(network, one, number, one.training[f == k])
    network = trained(strains, [one.training for one in strains], seed)
    return outputs, [asked(network, one, number, one.testing) for number, one in enumerate(strains)]


def by_convolutions(strains: Sequence[Strain], seed: int) -> tuple[list[Array], list[Array]]:
    """Outputs of random convolutions for all strains, told the strain."""
    stacked = [_stacked(one, one.training, number, len(strains)) for number, one in enumerate(strains)]
    y = np.concatenate([one.y[one.training] for one in strains])
    teacher = ConvolutionTeacher(KERNELS, random_state=seed).fit(np.concatenate(stacked), y)
    outputs = np.split(teacher.left_out_, np.cumsum([len(one.training) for one in strains])[:-1])
    tested = [_stacked(one, one.testing, number, len(strains)) for number, one in enumerate(strains)]
    return outputs, [teacher.predict(X) for X in tested]


def by_own_convolutions(strains: Sequence[Strain], seed: int) -> tuple[list[Array], list[Array]]:
    """Outputs of random convolutions for each strain."""
    outputs, predictions = [], []
    for one in strains:
        teacher = ConvolutionTeacher(KERNELS, random_state=seed)
        outputs.append(teacher.fit(_stacked(one, one.training), one.y[one.training]).left_out_)
        predictions.append(teacher.predict(_stacked(one, one.testing)))
    return outputs, predictions


def trained(
    strains: Sequence[Strain], rows: Sequence[npt.NDArray[np.int64]], seed: int, *, epochs: int = 16, batch: int = 128
) -> PooledTeacher:
    """A teacher of these rows, with one cycle of the learning rate, scale and noise varied."""
    rows = [own[:MOST_TRACKS] for own in rows]
    inputs = [_inputs(one, number, own) for number, (one, own) in enumerate(zip(strains, rows, strict=True))]
    x, log_frames, strain = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    y = torch.cat([torch.from_numpy(one.y[own]).float() for one, own in zip(strains, rows, strict=True)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PooledTeacher(len(strains)).train()
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-3)
        steps = epochs * -(-len(y) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
        for _ in range(epochs):
            for part in torch.randperm(len(y)).split(batch):
                seen = x[part] * (1 + 0.05 * torch.randn(len(part), 1)) + 0.08 * torch.randn_like(x[part])
                optimiser.zero_grad()
                found = network(seen, log_frames[part], strain[part])
                nn.functional.smooth_l1_loss(found, y[part], beta=3.0).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
    return network.eval()


@torch.no_grad()
def asked(network: PooledTeacher, one: Strain, number: int, rows: npt.NDArray[np.int64]) -> Array:
    """What a teacher says of some tracks of a strain."""
    said: Array = network(*_inputs(one, number, rows)).double().numpy()
    return said


def table(curve: ErrorCurve) -> str:
    """Means over splits as a table."""
    rows = [
        [
            p.method,
            "" if p.numbers is None else str(p.numbers),
            f"{p.r2:.3f}",
            f"{p.difference:+.4f} ± {p.standard_error:.4f}",
        ]
        for p in curve.points
    ]
    return markdown_table(["wavelet", "numbers", "test R²", "less the student's"], rows)


def _inputs(one: Strain, number: int, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
    x, log_frames = (torch.from_numpy(values[rows]).float() for values in (one.X, one.log_frames))
    return x, log_frames, torch.full((len(rows),), number)


def _stacked(one: Strain, rows: npt.NDArray[np.int64], number: int = 0, strains: int = 1) -> npt.NDArray[Any]:
    """Series with the log of the frames and, of several strains, which one it is."""
    which = np.tile(np.eye(strains)[number], (len(rows), 1))[:, : strains - 1]
    return stack_inputs(one.X[rows], covariates=np.column_stack([one.log_frames[rows], which]))


def _means(members: Sequence[Sequence[Array]]) -> list[Array]:
    return [np.mean(said, axis=0) for said in zip(*members, strict=True)]


def _raw(path: Path, settings: SeriesSettings) -> tuple[Array, Array, Array]:
    found = make_series(read_tracks(path)[0], settings)
    return found.X, found.y.astype(np.float64), np.log(found.frames.astype(np.float64))


def _strain(name: str, X: Array, y: Array, log_frames: Array, seed: int) -> Strain:
    training, testing = split_tracks(len(y), seed)
    mean, deviation = y[training].mean(), y[training].std()
    centred = (log_frames - log_frames[training].mean()) / log_frames[training].std()
    return Strain(name, X / X[training].std(), (y - mean) / deviation, centred, training, testing)


def _all(point: CurvePoint) -> bool:
    """Whether it is with all numbers, or the teacher's."""
    return point.numbers is None or (is_whole_number(point.numbers) and point.numbers == LEVELS + 2)


if __name__ == "__main__":
    sys.exit(main())
