"""What each further number is worth: test error against the number of numbers, for the student's wavelet and others.

All methods read the same numbers from the same bands, keep as many of them by the same selection, and fit the same
ridge to the same labels; they differ in their wavelet alone. The student's was chosen by the outputs, on training data.
Beside it there are plain wavelets; the best of sixty fixed variants, chosen on training data too; the wavelet that the
same search finds from the labels; and the teacher, if its predictions are given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from awd_core.checks.whole_numbers import whole_number
from awd_core.student.bands import banks_of
from awd_core.student.data import StudentSet, outputs_of, sets_of
from awd_core.student.distill import StudentOptions, found_by, refined
from awd_core.student.objective import StudentObjective
from awd_core.student.result import StudentDistillation
from awd_core.student.ridge import fit_ridge, forward_selection, relative_error
from awd_core.student.search import StudentSearch, StudentStart
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress
from awd_core.workers.progress import reported

PLAIN = ("haar", "db2", "db3", "db5", "sym5")
"""Plain wavelets of a curve."""
FIXED = ("haar", "db2", "db3", "db4", "db5", "db6", "sym4", "sym5", "coif1", "coif2")
"""Wavelets of the fixed variants: each as it is and reversed, its details as they are, negated, or as magnitudes."""
COUNTS = (2, 4, 7, 10, None)
"""How many numbers are kept; None stands for all."""
STUDENT, LABELS, BEST, TEACHER = "student", "chosen by labels", "best fixed", "teacher"


class CurvePoint(NamedTuple):
    """One method with so many numbers.

    Parameters
    ----------
    method : str
        "student", the name of a plain wavelet, "best fixed", "chosen by labels" or "teacher".
    numbers : int or None
        Numbers that are kept, extra columns included; None for the teacher.
    r2 : float
        On test data, mean over sets.
    difference : float
        R² less the student's with as many numbers; the teacher's less the student's with all.
    standard_error : float
        Of the difference: from test samples pair by pair, or over splits.
    wavelet : str
        Of the variant that was best, else of the method.
    """

    method: str
    numbers: int | None
    r2: float
    difference: float
    standard_error: float
    wavelet: str


@dataclass(frozen=True, repr=False)
class ErrorCurve:
    """Points of all methods; made by `error_curve`.

    Attributes
    ----------
    points : tuple of CurvePoint
        Method by method, in the order of the counts. `pandas.DataFrame(curve.points)` is a table of them.
    student : StudentDistillation or None
        The student's wavelet with all numbers; None of several splits.
    """

    points: tuple[CurvePoint, ...]
    student: StudentDistillation | None = None

    def __repr__(self) -> str:
        return f"<ErrorCurve of {', '.join(self.methods)}: {len(self.points)} points>"

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in their order."""
        return list(dict.fromkeys(point.method for point in self.points))

    def of(self, method: str) -> list[CurvePoint]:
        """The points of one method."""
        return [point for point in self.points if point.method == method]


def mean_curve(curves: Sequence[ErrorCurve]) -> ErrorCurve:
    """Mean of the curves of several splits, with standard errors of the mean difference over splits.

    Splits of one data set share samples, so their errors of the mean are somewhat too small.

    Raises
    ------
    ValueError
        If there are fewer than two curves, or they are of different methods or counts.
    """
    kinds = {tuple((point.method, point.numbers) for point in curve.points) for curve in curves}
    if len(curves) < 2 or len(kinds) > 1:
        raise ValueError(f"curves are {len(curves)} of {len(kinds)} kind(s); give two or more of one kind")
    points = []
    for group in zip(*(curve.points for curve in curves), strict=True):
        differences = np.array([point.difference for point in group])
        spread = float(differences.std(ddof=1) / np.sqrt(len(group)))
        mean = float(np.mean([point.r2 for point in group]))
        wavelets = dict.fromkeys(point.wavelet for point in group)
        first, told = group[0], ", ".join(wavelets)
        points.append(CurvePoint(first.method, first.numbers, mean, float(differences.mean()), spread, told))
    return ErrorCurve(tuple(points))


def error_curve(
    X: Any,
    y: Any,
    *,
    test: Any,
    outputs: Any = None,
    teacher: Any = None,
    extra: Any = None,
    groups: Any = None,
    leave_out: str = "input",
    counts: Sequence[int | None] = COUNTS,
    plain: Sequence[Any] = PLAIN,
    wavelet: Any = "db5",
    lengths: int | Sequence[int] | None = None,
    numbers: Sequence[Any] = ("maximum",),
    levels: int = 4,
    undecimated: bool = True,
    mode: str = "symmetric",
    ndim: int | None = None,
    search: StudentSearch | None = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> ErrorCurve:
    """Test R² against the number of numbers, for the student's wavelet and those that it should be better than.

    Parameters
    ----------
    X : array_like, shape (n, N) or (n, H, W), or a list of them
        Training inputs; of several sets that share a wavelet, R² is the mean over sets.
    y : array_like, shape (n,), or a list of them
        Labels.
    test : tuple of array_like, or a list of them
        (X, y), or (X, y, extra), of samples that nothing else has seen.
    outputs : array_like, shape (n,) or (n, T), or a list of them, optional
        The teacher's outputs for the training inputs, out of fold: what the student's wavelet and all methods' numbers
        are chosen by. The labels if not given; "chosen by labels" is then left out.
    teacher : array_like, shape (n_test,), or a list of them, optional
        The teacher's predictions of the test labels.
    counts : sequence of int or None
        How many numbers, extra columns included, are kept; None for all.
    plain : sequence of str, Wavelet or pywt.Wavelet
        Plain wavelets.
    extra, groups, leave_out, wavelet, lengths, numbers, levels, undecimated, mode, ndim, search, seed, progress
        As for `distill_student`.

    Returns
    -------
    ErrorCurve

    Raises
    ------
    TypeError, ValueError
        As for `distill_student`, or if the test data do not fit.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((90, 32))
    >>> y = np.diff(X).max(axis=1)
    >>> curve = error_curve(X[:60], y[:60], test=(X[60:], y[60:]), wavelet="haar", levels=1, counts=(1,), plain=["db2"])
    >>> curve.methods, curve.of("student")[0].r2 > 0.9
    (['student', 'db2', 'best fixed'], True)
    """
    progress = reported(progress, "Error curve")
    chosen_by = y if outputs is None else outputs
    trained, names = sets_of(X, chosen_by, ndim, extra=extra, groups=groups, leave_out=leave_out)
    several = isinstance(X, list | tuple) and len(trained) == len(X)
    labels = [outputs_of(one, len(known.X), "y") for one, known in zip(y if several else [y], trained, strict=True)]
    tested = _tested(test if several else [test], trained, names, ndim)
    predictions = None if teacher is None else _predictions(teacher if several else [teacher], tested)
    kept = [None if count is None else whole_number("counts", count, none="all") for count in counts]
    options = StudentOptions.of(
        wavelet=wavelet, lengths=lengths, numbers=numbers, levels=levels, undecimated=undecimated, mode=mode,
        shape=tuple(trained[0].X.shape), ndim=ndim, per_level=False, most=None, weights=None, search=search, seed=seed,
    )  # fmt: skip
    curve = _Curve(trained, labels, tested, options, kept)
    student = found_by(trained, names, options, progress)
    errors = {STUDENT: curve.searched(student)}
    for one in plain:
        errors[Wavelet.of(one).name] = curve.fixed([_Variant(Wavelet.of(one))])
    errors[BEST] = curve.fixed(list(_variants(options.numbers.signed)))
    if outputs is not None:
        relabelled = [one.with_outputs(label) for one, label in zip(trained, labels, strict=True)]
        errors[LABELS] = curve.searched(found_by(relabelled, names, options, progress), relabelled)
    points = [
        curve.point(method, count, found, beside)
        for method, all_found in errors.items()
        for count, found, beside in zip(curve.widths, all_found, errors[STUDENT], strict=True)
    ]
    if predictions is not None:
        squares = [(one.outputs.numpy()[:, 0] - p) ** 2 for one, p in zip(tested, predictions, strict=True)]
        points.append(curve.point(TEACHER, None, (squares, TEACHER), errors[STUDENT][-1]))
    return ErrorCurve(tuple(points), student)


class _Variant(NamedTuple):
    wavelet: Wavelet
    negated: bool = False
    magnitude: bool = False

    @property
    def name(self) -> str:
        return f"{self.wavelet.name}{' negated' * self.negated}{' magnitudes' * self.magnitude}"

    @property
    def free(self) -> Array:
        return np.array(self.wavelet.angles[1:])[None]


def _variants(signed: bool) -> Iterator[_Variant]:
    for name in FIXED:
        plain = Wavelet.from_name(name)
        turned = Wavelet.from_taps(plain.taps[::-1], name=f"{name} reversed", tolerance=plain.tolerance)
        for wavelet in (plain, turned):
            yield _Variant(wavelet)
            if signed:
                yield _Variant(wavelet, negated=True)
                yield _Variant(wavelet, magnitude=True)


Found = tuple[list[Array], str]
"""Squared test errors of each set, and the wavelet."""


@dataclass
class _Curve:
    """Training and test data, and what is done with a wavelet on them."""

    trained: list[StudentSet]
    labels: list[Tensor]
    tested: list[StudentSet]
    options: StudentOptions
    counts: list[int | None]

    def __post_init__(self) -> None:
        self.objective = StudentObjective(self.trained, self.options.layout, self.options.numbers, self.options.weights)
        width = self._tables(self.trained, np.empty((1, 0)))[0].shape[1]
        self.widths = list(dict.fromkeys(width if count is None else min(count, width) for count in self.counts))
        self.width = width

    def searched(self, found: StudentDistillation, sets: list[StudentSet] | None = None) -> list[Found]:
        """Errors with a wavelet that was found, for each count: the search goes on with the numbers that are kept."""
        objective = self.objective if sets is None else self.objective.on(sets)
        angles = tuple(tuple(wavelet.angles[1:].tolist()) for wavelet in found.wavelets)
        start = StudentStart(
            found.wavelets[0].name, found.wavelets[0].length, found.negated, found.error, found.error, 0, angles,
            searched=found.wavelets[0].name == "student",
        )  # fmt: skip
        results = []
        for width in self.widths:
            columns = self._kept(self._tables(self.trained, start.free, start.negated), width)
            end = start if width == self.width else refined(objective.with_columns(columns), start, self.options.search)
            results.append((self._squares(end.free, columns, end.negated), start.name))
        return results

    def fixed(self, variants: Sequence[_Variant]) -> list[Found]:
        """Errors with the best of some fixed variants by the leave-one-out error, for each count."""
        tables = [self._tables(self.trained, one.free, one.negated, one.magnitude) for one in variants]
        results = []
        for width in self.widths:
            columns = [self._kept(table, width) for table in tables]
            left = [self._error(table, chosen) for table, chosen in zip(tables, columns, strict=True)]
            best = int(np.argmin(left)) if len(variants) > 1 else 0
            one = variants[best]
            results.append((self._squares(one.free, columns[best], one.negated, one.magnitude), one.name))
        return results

    def point(self, method: str, count: int | None, found: Found, beside: Found) -> CurvePoint:
        """R² and the paired difference to the student's."""
        scores, differences, variances = [], [], []
        for squares, theirs, one in zip(found[0], beside[0], self.tested, strict=True):
            y = one.outputs.numpy()[:, 0]
            variance = ((y - y.mean()) ** 2).mean()
            scores.append(1 - squares.mean() / variance)
            gain = (theirs - squares) / variance
            differences.append(gain.mean())
            variances.append(gain.var(ddof=1) / len(gain))
        sets = len(scores)
        error = float(np.sqrt(np.sum(variances)) / sets)
        return CurvePoint(method, count, float(np.mean(scores)), float(np.mean(differences)), error, found[1])

    @torch.no_grad()
    def _tables(
        self, sets: Sequence[StudentSet], free: Array, negated: bool = False, magnitude: bool = False
    ) -> list[Tensor]:
        layout, numbers = self.options.layout, self.options.numbers
        banks = banks_of(torch.from_numpy(free), layout.levels, negated, layout.per_channel)
        found = []
        for one in sets:
            bands = layout.of(one.X, banks)
            if magnitude:
                bands.update({name: band.abs() for name, band in bands.items() if name[0] != "A"})
            found.append(torch.cat([numbers.of(bands), one.extra], dim=1))
        return found

    def _kept(self, tables: Sequence[Tensor], width: int) -> tuple[int, ...]:
        if width == self.width:
            return tuple(range(tables[0].shape[1]))
        left_out = [one.left_out for one in self.trained]
        return forward_selection(tables, [one.outputs for one in self.trained], width, groups=left_out)

    @torch.no_grad()
    def _error(self, tables: Sequence[Tensor], columns: tuple[int, ...]) -> float:
        pairs = zip(tables, self.trained, strict=True)
        errors = [relative_error(table[:, list(columns)], one.outputs, groups=one.left_out) for table, one in pairs]
        return float(np.mean([float(error) for error in errors]))

    def _squares(self, free: Array, columns: tuple[int, ...], negated: bool, magnitude: bool = False) -> list[Array]:
        """Squared test errors of ridges fitted to the labels, predictions within the range of these."""
        sides = (self._tables(sets, free, negated, magnitude) for sets in (self.trained, self.tested))
        squares = []
        for seen, unseen, y, known, one in zip(*sides, self.labels, self.trained, self.tested, strict=True):
            head = fit_ridge(seen[:, list(columns)].numpy(), y.numpy(), groups=known.left_out)
            predicted = np.clip(head(unseen[:, list(columns)].numpy())[:, 0], float(y.min()), float(y.max()))
            squares.append((one.outputs.numpy()[:, 0] - predicted) ** 2)
        return squares


def _tested(
    test: Sequence[Any], trained: Sequence[StudentSet], names: Sequence[str], ndim: int | None
) -> list[StudentSet]:
    if len(test) != len(trained):
        raise ValueError(f"test has {len(test)} sets for {len(trained)} training sets; give one (X, y) for each")
    found = []
    for one, known in zip(test, trained, strict=True):
        if not isinstance(one, tuple | list) or len(one) not in (2, 3):
            raise ValueError(
                "test is a pair (X, y), or with extra columns (X, y, extra); of several sets a list of them"
            )
        X, y, *extra = one
        (checked,), given = sets_of(X, y, ndim, extra=extra[0] if extra else None)
        if checked.X.shape[1:] != known.X.shape[1:] or given != list(names) or checked.outputs.shape[1] != 1:
            raise ValueError(
                f"test has inputs of shape {tuple(checked.X.shape[1:])}, extra columns {given} and "
                f"{checked.outputs.shape[1]} label(s); training has {tuple(known.X.shape[1:])}, {list(names)} and 1"
            )
        found.append(checked)
    return found


def _predictions(teacher: Sequence[Any], tested: Sequence[StudentSet]) -> list[Array]:
    if len(teacher) != len(tested):
        raise ValueError(f"teacher has {len(teacher)} entries for {len(tested)} test sets; give one for each")
    return [outputs_of(one, len(known.X), "teacher").numpy()[:, 0] for one, known in zip(teacher, tested, strict=True)]
