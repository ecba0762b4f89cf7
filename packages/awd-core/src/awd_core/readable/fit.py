"""From inputs, truths and a network's answers to a model that one can read, and whether it was worth it.

Everything is chosen and fitted on training inputs; others, given or held out here, are asked once, for the table.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import plain_array, real_array
from awd_core.checks.whole_numbers import whole_number
from awd_core.evidence.jackknife import interval_from_left_out
from awd_core.readable.axis import Axis
from awd_core.readable.domain import Domain
from awd_core.readable.features import SETS, features_of, transform_of, words_of
from awd_core.readable.heads import Few, Reader, Samples, head_of
from awd_core.readable.held_out import held_out
from awd_core.readable.model import ReadableModel, signature_names, signatures
from awd_core.readable.task import Task, truths_of
from awd_core.readable.worth import Worth, plainest, worth_of
from awd_core.student.bands import Layout
from awd_core.student.card import StudentCard
from awd_core.student.data import inputs_of
from awd_core.student.distill import distill_student
from awd_core.student.numbers import Numbers
from awd_core.student.result import StudentDistillation
from awd_core.student.search import StudentSearch
from awd_core.typing import Array, Rows
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.progress import reported

SEARCH = StudentSearch(random_starts=8, descents=3, iterations=20, finalists=2, folds=0)
"""How hard the wavelet of a model is searched: seconds on a laptop, for thousands of inputs of a hundred samples."""
BLOCKS = 40
"""Units, at most, that the weights' intervals leave out one at a time: inputs, or whole groups, are put together."""
BOTH_ENDS = 1.96
"""Standard errors, of a normal quantity, that hold 95 %."""

Report = Callable[[int, int, str], object]


@dataclass(frozen=True, repr=False)
class Readable:
    """A model, and what it is worth; made by `readable_model`.

    Attributes
    ----------
    model : ReadableModel
        The model.
    worth : Worth
        The table "Was it worth it?".
    distillation : StudentDistillation or None
        How the wavelet was found; None where it is that of a path.
    """

    model: ReadableModel
    worth: Worth
    distillation: StudentDistillation | None

    def __repr__(self) -> str:
        return f"<Readable: {self.model!r}, {self.worth!r}>"


def readable_model(
    X: Any,
    y: Any,
    outputs: Any = None,
    *,
    test: Any = None,
    test_outputs: Any = None,
    groups: Any = None,
    test_groups: Any = None,
    task: Task = "auto",
    features: Any = "auto",
    numbers: int = 10,
    wavelet: Any = "db5",
    levels: int = 4,
    mode: str = "symmetric",
    ndim: int | None = None,
    channels: str | None = None,
    per_channel: bool = False,
    axis: Any = None,
    path: Sequence[Any] = (),
    search: StudentSearch | None = None,
    seed: int = 0,
    progress: Report | bool | None = None,
) -> Readable:
    """A model of few readable numbers, chosen by a network's answers, fitted to truths, and held against plainer ones.

    Parameters
    ----------
    X : array_like, shape (n, N) or (n, H, W), with channels (n, C, N) or (n, C, H, W)
        Inputs; with `channels="last"`, (n, N, C) or (n, H, W, C).
    y : array_like, shape (n,) or (n, T)
        Truths: numbers, or classes.
    outputs : array_like, shape (n,) or (n, A), optional
        The network's answers to X; of classes logits or probabilities, one for each class in sorted order, or one alone
        of two classes. They choose the wavelet and the numbers; without them the `path` does, or the truths.
    test : (X, y), optional
        Inputs that nothing has seen, with truths; a quarter of X, whole groups, is held out if they are not given.
    test_outputs : array_like, optional
        The network's answers to the test inputs.
    groups, test_groups : array_like, shape (n,), optional
        What belongs together, such as animals: left out together, and units of the intervals.
    task : {"auto", "regression", "classification"}
        What is predicted; told by y with "auto" (`awd_core.readable.truths_of`).
    features : str or sequence of str
        "auto", or names of `awd_core.readable.FEATURES`, such as "maxima,log-energies".
    numbers : int
        How many numbers at most.
    wavelet, levels, mode, ndim
        Where the search starts, and the transform.
    channels : {"first", "last"}, optional
        Where the axis of channels is, if X has one.
    per_channel : bool
        A wavelet for each channel, instead of one for all.
    axis : Axis, (name, low, high) or str, optional
        What the samples stand for, such as ("nm", 850, 1048).
    path : sequence with wavelets, optional
        A `DistillationPath`: its wavelets are a row of the table, and without `outputs` the model's.
    search : StudentSearch, optional
        How hard to search.
    seed : int
        Of what is random.
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (done, in all, what is next).

    Returns
    -------
    Readable

    Raises
    ------
    TypeError, ValueError
        If something will not do; the message says what is allowed.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((120, 32))
    >>> y = np.abs(np.diff(X)).mean(axis=1)
    >>> found = readable_model(X, y, wavelet="haar", levels=1, numbers=2, features="scale-means")
    >>> [row.method for row in found.worth.rows][:2], found.model.card.numbers[0].name
    (['mean of the truths', 'raw samples, ridge'], 'D1 mean absolute')
    """
    check_choice("channels", channels, ("first", "last"))
    report: Report = reported(progress, "Readable model") or (lambda done, total, what: None)
    numbers, seed = whole_number("numbers", numbers), whole_number("seed", seed, 0)
    chosen_features, asked_axis, start = features_of(features), Axis.of(axis), Wavelet.of(wavelet)
    last = channels == "last"
    if channels is not None and ndim is None:
        ndim = real_array(X).ndim - 2
    everything = _samples(X, y, outputs, groups, task, ndim, last)
    train, unseen = everything, None
    if test is not None:
        X_test, y_test = test
        values = _inputs(X_test, ndim, last, "test X")
        if values.shape[1:] != everything.X.shape[1:]:
            raise ValueError(f"test X has inputs of shape {values.shape[1:]}, X of shape {everything.X.shape[1:]}")
        unseen = _with(values, everything.truths.like(y_test), test_outputs, test_groups, "test ")
    elif (rows := held_out(everything, seed)) is not None:
        train, unseen = everything.take(rows[0]), everything.take(rows[1])
    axes = train.X.ndim - 1 if ndim is None else ndim
    layout = partial(Layout, levels, ndim=axes, channels=train.X.shape[1] if train.X.ndim == axes + 2 else 0)
    answers = train.answers
    by = train.truths.values if answers is None else answers
    picked = chosen_features or _features(train, by, start, mode, layout, numbers, report)
    how = transform_of(picked, mode)
    made = layout(undecimated=how["undecimated"], mode=how["mode"], per_channel=per_channel)
    reader = Reader(made, Numbers(how["numbers"], made), numbers)
    options: dict[str, Any] = {
        "wavelet": start, "levels": levels, "ndim": axes, "per_channel": per_channel, "most": numbers,
        "groups": train.groups, "leave_out": "input" if train.groups is None else "group",
        "search": search or SEARCH, "seed": seed, **how,
    }  # fmt: skip
    found: StudentDistillation | None = None
    plain: Few | None = None
    notes: list[str] = []
    told = {"teller": "answers" if answers is not None else "path" if len(path) else "truths"}
    if answers is not None or not len(path):
        found = distill_student(train.X, by, progress=partial(_part, report, 10, 40), **options)
        few, plain = reader.of(train, found), plainest(reader, train, by)
        if reader.told_better(plain, few, train, by):
            few = plain
            by_what = "truths" if answers is None else "answers"
            notes.append(
                f"A plain wavelet, {few.wavelets[0].name}, tells the {by_what} better than the one that was found from "
                f"{start.name}, so the model reads it; a search that starts from it may find more."
            )
    else:
        few = min((reader.few(train, by, [point.wavelet]) for point in path), key=lambda one: one.error)
    report(40, 100, "what else would do")
    rivals = [] if found is None or answers is None else [distill_student(train.X, train.truths.values, **options)]
    plain_by_truths = plain if answers is None else None
    worth = worth_of(reader, train, unseen, few, start, path, rivals, plain_by_truths, told["teller"], seed, report)
    if chosen_features is None:
        notes.append(f"The model reads {words_of(picked)}: of them few tell most; --features names other kinds.")
    worth = replace(worth, notes=(*worth.notes, *notes))
    report(90, 100, "intervals of the weights")
    model = _model(reader, train, few, picked, asked_axis, last, seed, told | worth.short(), start)
    report(100, 100, "")
    return Readable(model, worth, found)


def _part(report: Report, begin: int, end: int, done: int, total: int, what: str = "") -> None:
    """Report a part of all that is to be done."""
    report(begin + (end - begin) * done // max(total, 1), 100, what)


def _features(
    train: Samples, by: Array, start: Wavelet, mode: str, layout: Any, most: int, report: Report
) -> tuple[str, ...]:
    """The kind of numbers of which few tell most, at the start wavelet, by the leave-one-out error."""
    errors = []
    for place, names in enumerate(SETS):
        report(3 * place, 100, f"features: {words_of(names)}")
        how = transform_of(names, mode)
        made = layout(undecimated=how["undecimated"], mode=how["mode"])
        errors.append(Reader(made, Numbers(how["numbers"], made), most).few(train, by, [start]).error)
    return SETS[int(np.argmin(errors))]


def _model(
    reader: Reader, train: Samples, few: Few, features: tuple[str, ...], axis: Axis | None, last: bool, seed: int,
    told: dict[str, Any], start: Wavelet,
) -> ReadableModel:  # fmt: skip
    layout, truths = reader.layout, train.truths
    one = truths.classes is None and truths.values.shape[1] == 1
    limits = (float(truths.values.min()), float(truths.values.max())) if one else (-math.inf, math.inf)
    card = StudentCard(
        head=few.head, numbers=few.columns, targets=truths.names, shape=tuple(train.X.shape[1:]), features=None,
        extra=(), wavelets=tuple(wavelet.name for wavelet in few.wavelets), taps=tuple(np.array(w.taps) for w in
        few.wavelets), levels=layout.levels, mode=layout.mode, undecimated=layout.undecimated, negated=few.negated,
        classes=truths.classes, limits=limits, channels=layout.channels, per_channel=layout.per_channel,
    )  # fmt: skip
    F = card.transform(train.X)
    domain = Domain.of(signatures(card, train.X), signature_names(card))
    how = told | {"task": truths.task, "guess": truths.word, "start": start.name, "rows": len(train)}
    return ReadableModel(
        card, _intervals(F, train, few, seed), F.mean(axis=0), F.std(axis=0), domain, axis, last, features, how
    )


def _intervals(F: Array, train: Samples, few: Few, seed: int) -> Array:
    """Of the intercept and the weights, (K + 1, T, 2), by refits at the same penalty without some units at a time."""
    head = few.head
    estimates = np.vstack([head.intercept, head.coefficients])
    units = np.arange(len(train)) if train.groups is None else np.unique(train.groups, return_inverse=True)[1]
    order = np.random.default_rng([seed, 2]).permutation(units.max() + 1)
    count = min(BLOCKS, units.max() + 1)
    blocks = order[units] % count
    left = []
    for block in range(count):
        rest = np.flatnonzero(blocks != block)
        places = train.truths.places
        if places is not None and len(np.unique(places[rest])) <= places.max():
            # A class that one unit alone has: the errors of the fit itself are what can be said.
            return np.stack([estimates + sign * BOTH_ENDS * head.standard_errors for sign in (-1, 1)], axis=-1)
        one = head_of(F[rest], train.take(rest), head.penalty)
        left.append(np.vstack([one.intercept, one.coefficients]))
    found = np.empty((*estimates.shape, 2))
    for place in np.ndindex(*estimates.shape):
        interval = interval_from_left_out(float(estimates[place]), [values[place] for values in left])
        found[place] = interval.low, interval.high
    return found


def _samples(X: Any, y: Any, outputs: Any, groups: Any, task: Task, ndim: int | None, last: bool) -> Samples:
    return _with(_inputs(X, ndim, last, "X"), truths_of(y, task), outputs, groups, "")


def _inputs(X: Any, ndim: int | None, last: bool, name: str) -> Array:
    """Inputs with the channels first, (n, …), float64."""
    values = real_array(X.detach().cpu().numpy() if hasattr(X, "detach") else X, name)
    if last:
        if values.ndim < 3:
            raise ValueError(f"{name} has shape {values.shape} and channels are last; give (n, N, C) or (n, H, W, C)")
        values = np.moveaxis(values, -1, 1)
    found: Array = np.ascontiguousarray(inputs_of(values, ndim, name).numpy())
    return found


def _with(X: Array, truths: Any, outputs: Any, groups: Any, which: str) -> Samples:
    if len(truths) != len(X):
        raise ValueError(f"{which}y has {len(truths)} entries for {len(X)} inputs; give one for each")
    answers = None
    if outputs is not None:
        answers = real_array(
            outputs.detach().cpu().numpy() if hasattr(outputs, "detach") else outputs, f"{which}outputs"
        )
        if len(answers) != len(X):
            raise ValueError(f"{which}outputs has {len(answers)} entries for {len(X)} inputs; give one for each")
        answers = answers.astype(np.float64).reshape(len(X), -1)
        if not np.isfinite(answers).all():
            raise ValueError(f"{which}outputs contain NaN or infinity; leave such inputs out")
    numbered: Rows | None = None
    if groups is not None:
        given = plain_array(groups, f"{which}groups")
        if given.shape != (len(X),):
            raise ValueError(f"{which}groups have shape {given.shape}; give one for each of {len(X)} inputs")
        numbered = np.unique(given, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return Samples(X, truths, answers, numbered)
