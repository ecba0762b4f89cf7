"""Was it worth it? A model beside the mean, raw samples, plain wavelets and the network, on inputs that were held out.

Every row is chosen and fitted on the training inputs, and asked the held-out ones once. Scores have intervals by the
jackknife over inputs, or over whole groups; so have the differences to the model, input by input.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from awd_core.evidence.jackknife import Interval, jackknife
from awd_core.readable.heads import Few, Reader, Samples
from awd_core.readable.network import answered
from awd_core.readable.raw import mean_of, raw_samples
from awd_core.readable.task import Truths
from awd_core.student.card import chosen, probabilities
from awd_core.student.curve import FIXED
from awd_core.student.result import StudentDistillation
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet

LEAST_SHARE = 1e-12
"""Probability that a log loss takes at least."""

Report = Callable[[int, int, str], object]
MODEL, NETWORK = "model", "network"


class WorthRow(NamedTuple):
    """One method of the table.

    Parameters
    ----------
    kind : str
        "baseline", "raw", "plain", "labels", "model", "path" or "network".
    method, detail : str
        What it is, and which wavelet or penalty was taken.
    numbers : int or None
        Numbers, or samples, that it reads; None for the network.
    score, low, high : float
        R², the mean over targets, or accuracy, on inputs that were held out, with its 95 % interval.
    difference, difference_low, difference_high : float
        Score less the model's, and its interval; zero for the model.
    log_loss, log_loss_low, log_loss_high : float or None
        Of classes, per input.
    """

    kind: str
    method: str
    detail: str
    numbers: int | None
    score: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    log_loss: float | None = None
    log_loss_low: float | None = None
    log_loss_high: float | None = None


@dataclass(frozen=True)
class Worth:
    """The table, and what follows from it; made by `readable_model`.

    Attributes
    ----------
    rows : tuple of WorthRow
        Method by method; none where nothing could be held out.
    task : str
        "regression" or "classification".
    train, test, units : int
        Inputs that were fitted to, inputs that were held out, and how many of these (or groups) are independent.
    grouped : bool
        Whether units are groups.
    teller : str
        What chose the model's wavelet: "answers" of the network, its attributions ("path"), or "truths".
    notes : tuple of str
        What else is to be known; may be empty.
    """

    rows: tuple[WorthRow, ...]
    task: str
    train: int
    test: int
    units: int
    grouped: bool
    teller: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Worth of {len(self.rows)} methods on {self.test} inputs held out; print it to read it>"

    @property
    def score(self) -> str:
        """What the scores are called."""
        return "R²" if self.task == "regression" else "accuracy"

    def of(self, kind: str) -> list[WorthRow]:
        """Rows of a kind."""
        return [row for row in self.rows if row.kind == kind]

    @property
    def verdict(self) -> list[str]:
        """Whether the model predicts at all, whether plainer ones do as well, and what the network has beyond it."""
        if not self.rows:
            return ["Whether it was worth it is not known: nothing could be held out."]
        (model,) = self.of(MODEL)
        return list(_sentences(self, model))

    def short(self) -> dict[str, Any]:
        """What a model's file says of it."""
        if not self.rows:
            return {"score": "", "verdict": self.verdict}
        (model,) = self.of(MODEL)
        return {"score": f"{self.score} {_ranged(model)}", "verdict": self.verdict, "held_out": self.test}

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = {name: getattr(self, name) for name in ("task", "train", "test", "units", "grouped", "teller")}
        rows = [{name: _plain(value) for name, value in row._asdict().items()} for row in self.rows]
        return values | {"rows": rows, "notes": list(self.notes), "verdict": self.verdict}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From what `to_dict` gave."""
        held = {name: values[name] for name in ("task", "train", "test", "units", "grouped", "teller")}
        rows = [WorthRow(**{k: _back(k, value) for k, value in row.items()}) for row in values["rows"]]
        return cls(tuple(rows), notes=tuple(values["notes"]), **held)

    def __str__(self) -> str:
        width = max((len(row.method) for row in self.rows), default=0)
        lines = [
            f"{row.method:<{width}}  {self.score} {_ranged(row)}"
            + ("" if row.log_loss is None else f"  log loss {row.log_loss:.3f}")
            + (f"  {row.detail}" if row.detail else "")
            for row in self.rows
        ]
        return "\n".join([*lines, *self.verdict])


def worth_of(
    reader: Reader, train: Samples, unseen: Samples | None, few: Few, start: Wavelet, path: Sequence[Any],
    labels: Sequence[StudentDistillation], plain: Few | None, teller: str, seed: int, report: Report,
) -> Worth:  # fmt: skip
    """Fill the table; `plain` is the best plain wavelet for the truths, where it is known already."""
    task, notes = train.truths.task, list(_notes(reader, train, few, teller))
    if unseen is None:
        return Worth((), task, len(train), 0, 0, train.groups is not None, teller, tuple(notes))
    rows: list[tuple[str, str, str, int | None, Array]] = []

    def add(kind: str, method: str, detail: str, count: int | None, values: Array) -> None:
        rows.append((kind, method, detail, count, values))
        report(40 + 5 * min(len(rows), 9), 100, method)

    add("baseline", *mean_of(train, len(unseen)))
    for told in raw_samples(train, unseen.X, seed):
        add("raw", *told)
    truths, ask = train.truths.values, partial(reader.values, X=unseen.X)
    begun = reader.few(train, truths, [start])
    add("plain", f"start wavelet, {start.name}", "", len(begun.columns), ask(begun))
    plain = plainest(reader, train, truths) if plain is None else plain
    add("plain", "best plain wavelet", _called(plain), len(plain.columns), ask(plain))
    for found in labels:
        own = reader.of(train, found)
        add("labels", "wavelet chosen by the truths", "", len(own.columns), ask(own))
    if teller == "answers" and len(path):
        best = min(path, key=lambda point: reader.few(train, truths, [point.wavelet]).error)
        taken = reader.few(train, truths, [best.wavelet])
        add("path", "wavelet of the attributions", f"share {best.share:g} of the path", len(taken.columns), ask(taken))
    named = {"answers": "the answers", "path": "the attributions", "truths": "the truths"}[teller]
    add(MODEL, f"this model, by {named}", "", len(few.columns), ask(few))
    if train.answers is not None and unseen.answers is not None:
        answer = answered(train, unseen)
        if isinstance(answer, str):
            notes.append(answer)
        else:
            add(NETWORK, "the network", answer[0], None, answer[1])
    elif train.answers is not None:
        notes.append("The network has no row: its answers to the test inputs were not given.")
    (model,) = [values for kind, *_, values in rows if kind == MODEL]
    score = _Scorer(unseen.truths, unseen.groups, model)
    units = len(unseen) if unseen.groups is None else len(np.unique(unseen.groups))
    return Worth(
        tuple(WorthRow(kind, method, detail, count, *score(values)) for kind, method, detail, count, values in rows),
        task, len(train), len(unseen), units, unseen.groups is not None, teller, tuple(notes),
    )  # fmt: skip


class _Scorer:
    """Scores of predictions of the same truths, and their differences to the model's."""

    def __init__(self, truths: Truths, groups: Any, model: Array) -> None:
        self.truths, self.model = truths, model
        self.units = [] if groups is None or len(np.unique(groups)) < 2 else [groups]

    def __call__(self, values: Array) -> tuple[Any, ...]:
        mine, theirs = self._columns(self.model), self._columns(values)
        if self.truths.places is None:
            one = self._interval(_r2, theirs, "log of 1 - x")
            difference = self._interval(
                _r2_difference, np.hstack([theirs, mine[:, -theirs.shape[1] // 4 :]]), "identity"
            )
            return (*_ends(one), *_ends(difference))
        one = self._interval(_share, theirs[:, :2], "logit")
        if one.value in (0.0, 1.0):
            # All right, or all wrong: what share would make that so once in forty times.
            end = 0.025 ** (1 / max(one.units, 1))
            ends = (one.value, end, 1.0) if one.value else (0.0, 0.0, 1 - end)
        else:
            ends = _ends(one)
        difference = self._interval(
            lambda s: (s[1] - s[2]) / s[0], np.column_stack([theirs[:, :2], mine[:, 1]]), "identity"
        )
        loss = self._interval(_share, theirs[:, [0, 2]], "identity")
        return (*ends, *_ends(difference), *_ends(loss))

    def _columns(self, values: Array) -> Array:
        n = len(values)
        if self.truths.places is None:
            y = self.truths.values
            centred = y - y.mean(axis=0)
            return np.hstack([np.ones_like(y), centred, centred**2, (y - values) ** 2])
        shares = probabilities(values)
        right = chosen(values) == self.truths.places
        surprise = -np.log(np.maximum(shares[np.arange(n), self.truths.places], LEAST_SHARE))
        return np.column_stack([np.ones(n), right, surprise])

    def _interval(self, score: Callable[[Array], Any], columns: Array, scale: Any) -> Interval:
        return jackknife(score, columns, *self.units, scale=scale)


def _r2(sums: Array) -> Any:
    ones, first, second, wrong = np.split(np.asarray(sums), 4)
    return (1 - wrong / (second - first**2 / ones)).mean(axis=0)


def _r2_difference(sums: Array) -> Any:
    *theirs, mine = np.split(np.asarray(sums), 5)
    return _r2(np.concatenate(theirs)) - _r2(np.concatenate([*theirs[:3], mine]))


def _share(sums: Array) -> Any:
    return sums[1] / sums[0]


def _ends(found: Interval) -> tuple[float, float, float]:
    return found.value, found.low, found.high


def plainest(reader: Reader, train: Samples, outputs: Array) -> Few:
    """The few numbers of the plain wavelet that tell most of truths, or of answers, by the leave-one-out error."""
    tried = (reader.few(train, outputs, one, sign) for one, sign in _plain_wavelets(reader))
    return min(tried, key=lambda few: few.error)


def _plain_wavelets(reader: Reader) -> Iterator[tuple[list[Wavelet], bool]]:
    """Plain wavelets as they are, and where numbers tell a band from its negative also reversed and negated."""
    signed = reader.numbers.signed
    for name in FIXED:
        plain = Wavelet.from_name(name)
        turned = Wavelet.from_taps(plain.taps[::-1], name=f"{name} reversed", tolerance=plain.tolerance)
        for one in (plain, turned) if signed else (plain,):
            for negated in (False, True) if signed else (False,):
                yield [one], negated


def _called(few: Few) -> str:
    return f"{few.wavelets[0].name}{' negated' * few.negated}, by the error on the training inputs left out"


def _notes(reader: Reader, train: Samples, few: Few, teller: str) -> Iterator[str]:
    channels = reader.layout.channels
    if channels:
        own = "each with a wavelet of its own" if reader.layout.per_channel else "with one wavelet for all"
        yield f"Inputs have {channels} channels, {own}."
    if train.truths.word:
        yield f"{train.truths.word[0].upper()}{train.truths.word[1:]}."
    if teller == "path":
        yield "The network's answers were not given: the wavelet is the best of those of its attributions."
    if teller == "truths":
        yield "The network's answers were not given: the truths chose the wavelet."


def _ranged(row: WorthRow) -> str:
    if not np.isfinite(row.low):
        return f"{row.score:.3f}"
    return f"{row.score:.3f} ({row.low:.3f} to {row.high:.3f})"


def _sentences(worth: Worth, model: WorthRow) -> Iterator[str]:
    reads = f"{model.numbers} number{'s' * (model.numbers != 1)} of an input"
    yield f"Reading {reads}, the model reaches {worth.score} {_ranged(model)} on {worth.test} inputs held out."
    mean = next(iter(worth.of("baseline")), None)
    if mean is not None and not mean.difference_high < 0:
        told = "mean does" if worth.task == "regression" else "most frequent class does"
        yield (
            f"The model tells nothing for certain: with {worth.score} {_ranged(model)} it is no clearly better "
            f"than the {told}."
        )
    plain = max(worth.of("plain"), key=lambda row: row.score, default=None)
    if plain is not None:
        yield _against(worth, model, plain, f"a plain wavelet ({_short_name(plain)})")
    raw = max(worth.of("raw"), key=lambda row: row.score, default=None)
    if raw is not None:
        yield _against(worth, model, raw, f"a linear model of the raw samples ({raw.numbers} of them)")
    network = next(iter(worth.of(NETWORK)), None)
    if network is not None:
        if network.difference_low > 0:
            yield (
                f"The network itself is better, {worth.score} {_ranged(network)}: so much is lost with "
                f"{model.numbers} number{'s' * (model.numbers != 1)}."
            )
        elif network.difference_high < 0:
            yield f"The network itself is less good, {worth.score} {_ranged(network)}."
        else:
            yield f"The network itself, {worth.score} {_ranged(network)}, is not clearly better."


def _short_name(row: WorthRow) -> str:
    return row.detail.partition(",")[0] or row.method.rpartition(" ")[2]


def _against(worth: Worth, model: WorthRow, other: WorthRow, what: str) -> str:
    score = f"{worth.score} {other.score:.3f} against {model.score:.3f}"
    subject = f"{what[0].upper()}{what[1:]}"
    if other.difference_low > 0:
        return f"{subject} does better: {score}."
    if other.difference_high < 0:
        gap = f"{-other.difference:.3f} ({-other.difference_high:.3f} to {-other.difference_low:.3f})"
        return f"The model does better than {what}, by {gap} of {worth.score}."
    return f"{subject} does as well, as far as {worth.test} inputs tell: {score}."


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _back(name: str, value: Any) -> Any:
    return (
        float("nan")
        if value is None and name not in ("numbers", "log_loss", "log_loss_low", "log_loss_high")
        else value
    )
