"""The way in: from inputs and a teacher's outputs to the wavelet of which few numbers tell most of them."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from awd_core.checks.choices import check_kind
from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.student.bands import Layout
from awd_core.student.data import StudentSet, sets_of
from awd_core.student.numbers import Numbers
from awd_core.student.objective import StudentObjective, StudentWeights, column_table
from awd_core.student.result import StudentDistillation
from awd_core.student.ridge import WIDE, forward_selection
from awd_core.student.search import (
    StudentSearch,
    StudentStart,
    all_starts,
    as_it_is,
    descend,
    enough,
    finalists,
    held_out,
    searched,
    winner,
)
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress
from awd_core.workers.progress import reported


def distill_student(
    X: Any,
    outputs: Any,
    *,
    wavelet: Any = "db5",
    lengths: int | Sequence[int] | None = None,
    numbers: Sequence[Any] = ("maximum",),
    levels: int = 4,
    undecimated: bool = True,
    mode: str = "symmetric",
    ndim: int | None = None,
    per_level: bool = False,
    per_channel: bool = False,
    most: int | None = None,
    weights: StudentWeights | None = None,
    gradients: Any = None,
    extra: Any = None,
    groups: Any = None,
    leave_out: str = "input",
    search: StudentSearch | None = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> StudentDistillation:
    """Choose the wavelet from which few numbers tell most of the outputs.

    Over the lattice angles θ, the leave-one-out error of the ridge from the K numbers of Ψ_θ x to the outputs is
    minimised (`awd_core.student.objective`). The outputs are a teacher's (`teacher_outputs`): labels without noise,
    also for inputs that have none. Of a teacher that was fitted to these inputs, give the outputs out of fold or with
    the input left out, or the wavelet learns what the teacher remembers. Labels themselves will do, less well.

    Parameters
    ----------
    X : array_like, shape (n, N) or (n, H, W), or a list of them
        Inputs; a list of sets (strains, surveys) shares one wavelet, with a ridge for each. Channels stand on an axis
        of their own, (n, C, N) with `ndim=1` or (n, C, H, W) with `ndim=2`: all numbers are read from each of them.
    outputs : array_like, shape (n,) or (n, T), or a list of them
        What the numbers are to tell. Several outputs count equally, each relative to its variance. For classes give
        logits or probabilities: the ridge to probabilities minimises the Brier score, a proper score, and its
        leave-one-out error is exact, which that of a softmax is not.
    wavelet : Wavelet, str or pywt.Wavelet, or a list of them
        Where the search starts, beside PyWavelets' wavelets of the same length.
    lengths : int or sequence of int, optional
        Numbers of taps that are tried, even, from 2 to 76; those of `wavelet` by default.
    numbers : sequence of str or callable
        Names of `awd_core.student.NUMBERS`, "largest m", or functions from a dict of bands (n, …) to (n,) or (n, k). If
        they return tensors on the graph, the search uses their derivatives, else a simplex.
    levels : int
        Number of levels J.
    undecimated : bool
        Whether every level has a coefficient for every sample; otherwise PyWavelets' decimated transform.
    mode : str
        Boundary mode; undecimated "zero", "constant", "symmetric", "periodic" or "reflect".
    ndim : {1, 2}, optional
        Series or images; told by the shape of X by default.
    per_level : bool
        A wavelet for each level instead of one for all.
    per_channel : bool
        A wavelet for each channel instead of one for all.
    most : int, optional
        How many numbers, extra columns included, the ridge may use. Forward selection chooses them, for each wavelet
        that the search with all numbers ends in and for plain ones, and the search goes on from there with the chosen
        ones; of these ends the best wins. Of more than `WIDE` numbers together a ridge would fit anything: then the
        search begins with the few that each start has.
    weights : StudentWeights, optional
        Of the error and of the L1 terms; the error alone by default.
    gradients : array_like, of X's shape, or a list of them
        Input gradients of the teacher (`input_gradients`), for the interpretation term.
    extra : array_like, shape (n, E), or a list of them
        Columns beside the numbers, such as a log lifetime.
    groups : array_like, shape (n,), or a list of them
        What is held out together when the winner is chosen (animals, cosmologies); every input for itself by default.
    leave_out : {"input", "group"}
        What the leave-one-out error leaves out at a time, in the objective, the choice of numbers and the penalty: an
        input, or all inputs of a group, where they resemble each other.
    search : StudentSearch, optional
        How hard to search.
    seed : int
        Of the random starts. The same data, settings and seed give the same result.
    progress : callable or bool, optional
        True: a line on standard error every ten seconds. A function: called with
        (searches done, searches of this length, what is next).

    Returns
    -------
    StudentDistillation

    Raises
    ------
    TypeError, ValueError
        If an argument will not do; the message says which, and what is allowed.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((80, 32))
    >>> answer = np.convolve(X.ravel(), [0.5, -0.5], "same").reshape(80, 32).max(axis=1)
    >>> found = distill_student(X, answer, wavelet="haar", levels=1, mode="zero")
    >>> found.wavelet.name, found.columns
    ('haar', ('A1 maximum', 'D1 maximum'))
    """
    progress = reported(progress, "Student")
    sets, names = sets_of(X, outputs, ndim, extra=extra, groups=groups, gradients=gradients, leave_out=leave_out)
    options = StudentOptions.of(
        wavelet=wavelet, lengths=lengths, numbers=numbers, levels=levels, undecimated=undecimated, mode=mode,
        shape=tuple(sets[0].X.shape), ndim=ndim, per_level=per_level, per_channel=per_channel, most=most,
        weights=weights, search=search, seed=seed,
    )  # fmt: skip
    return found_by(sets, names, options, progress)


@dataclass(frozen=True)
class StudentOptions:
    """Arguments of `distill_student`, checked."""

    named: tuple[Wavelet, ...]
    lengths: tuple[int, ...]
    layout: Layout
    numbers: Numbers
    per_level: bool
    most: int | None
    weights: StudentWeights
    search: StudentSearch
    seed: int

    @classmethod
    def of(
        cls, *, wavelet: Any, lengths: Any, numbers: Any, levels: Any, undecimated: bool, mode: str,
        shape: tuple[int, ...], ndim: int | None, per_level: bool, most: Any, weights: Any, search: Any, seed: Any,
        per_channel: bool = False,
    ) -> "StudentOptions":  # fmt: skip
        """Refuse what will not do."""
        if per_level and per_channel:
            raise ValueError("per_level and per_channel are both True; a wavelet is of a level, or of a channel")
        named = tuple(Wavelet.of(one) for one in (wavelet if isinstance(wavelet, list | tuple) else [wavelet]))
        axes = len(shape) - 1 if ndim is None else int(ndim)
        channels = shape[1] if len(shape) == axes + 2 else 0
        layout = Layout(levels, bool(undecimated), mode, axes, channels, bool(per_channel))
        weights = StudentWeights() if weights is None else check_kind("weights", weights, StudentWeights)
        if (per_level or per_channel) and (weights.sparsity or weights.interpretation):
            raise ValueError(
                f"{'per_level' if per_level else 'per_channel'} is True and the L1 terms have weights; they are of one "
                "wavelet for all: give weights of zero, or False"
            )
        return cls(
            named, _lengths(lengths, named), layout, Numbers(numbers, layout), bool(per_level),
            None if most is None else whole_number("most", most, none="all"), weights,
            StudentSearch() if search is None else check_kind("search", search, StudentSearch),
            whole_number("seed", seed, 0),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "start": [one.name for one in self.named], "lengths": list(self.lengths), "numbers": self.numbers.names,
            "levels": self.layout.levels, "undecimated": self.layout.undecimated, "mode": self.layout.mode,
            "ndim": self.layout.ndim, "per_level": self.per_level, "most": self.most, "weights": asdict(self.weights),
            "search": self.search.to_dict(), "seed": self.seed,
        } | ({"per_channel": True} if self.layout.per_channel else {})  # fmt: skip


def found_by(
    sets: Sequence[StudentSet], names: Sequence[str], options: StudentOptions, progress: Progress | None = None
) -> StudentDistillation:
    """The search of `distill_student` on sets that are checked, with the names of their extra columns."""
    if options.weights.interpretation and any(one.gradients is None for one in sets):
        raise ValueError(
            f"the interpretation term has the weight {options.weights.interpretation} and no gradients are given; give "
            "gradients= of the teacher (input_gradients), or a weight of zero"
        )
    everything = StudentObjective(sets, options.layout, options.numbers, options.weights)
    objective, judge = _two_parts(everything, options)
    layout = options.layout
    rows = layout.levels if options.per_level else layout.channels if layout.per_channel else 1
    history: list[StudentStart] = []
    candidates: list[StudentStart] = []
    for length in options.lengths:
        begin = list(all_starts(options.named, [length], rows, options.search, options.seed))
        if options.most is not None and objective.tables(begin[0][1], False)[0].shape[1] > WIDE:
            found = begun_with_few(objective, begin, options.most, options.search, progress)
            candidates += found
        else:
            found = searched(objective, begin, options.search, progress)
            candidates += finalists(found, options.search, plain=1 if options.most is None else len(found))
        history += found
    if options.most is not None:
        return _with_few(everything, objective, judge, candidates, names, history, options)
    candidates, by_group = held_out(judge, candidates, options.search, anew=judge is objective)
    tried = {start.key: start for start in candidates}
    history = [tried.get(start.key, start) for start in history]
    best = winner(candidates, by_group, options.search.standard_errors)
    return _result(everything, best, None, names, history, options)


def _two_parts(everything: StudentObjective, options: StudentOptions) -> tuple[StudentObjective, StudentObjective]:
    """The objective of the groups that are searched on, and of those that choose; the same, of all, with share=1."""
    if options.search.share == 1:
        return everything, everything
    searched_on: list[StudentSet] = []
    chosen_on: list[StudentSet] = []
    for number, one in enumerate(everything.sets):
        groups = np.random.default_rng([options.seed, 0x5A4E, number]).permutation(np.unique(one.groups))
        count = math.ceil(options.search.share * len(groups))
        first = np.isin(one.groups, groups[:count])
        for part, rows in ((searched_on, first), (chosen_on, ~first)):
            part.append(taken := one.take(np.flatnonzero(rows)))
            if not enough(taken, np.arange(len(taken.X))) or len(np.unique(taken.groups)) < 2:
                raise ValueError(
                    f"share is {options.search.share:g}, and {len(groups)} groups of {len(one.X)} inputs are too few "
                    "to be searched on and chosen by; give share=1, or more groups"
                )
    return everything.on(searched_on), everything.on(chosen_on)


def _with_few(
    everything: StudentObjective, objective: StudentObjective, judge: StudentObjective,
    candidates: Sequence[StudentStart], names: Sequence[str], history: Sequence[StudentStart], options: StudentOptions,
) -> StudentDistillation:  # fmt: skip
    """Of the candidates the one from which few numbers tell most, each with those that are best for it.

    A wavelet that is good with all numbers need not be with few: each candidate, plain wavelets too, is searched on
    from with its own few numbers, and plain ones are candidates as they are beside.
    """
    ends: list[StudentStart] = []
    kept: list[tuple[int, ...]] = []
    parts: list[Array] = []
    for start in candidates:
        columns = kept_columns(objective, start, options.most or 1)
        few = objective.with_columns(columns)
        found = replace(descend(few, start, options.search.iterations), name=f"{start.name} refined", held_out=None)
        as_it_is = [] if start.searched else [replace(start, objective=few(start.free, start.negated)[0])]
        judges = few if judge is objective else judge.with_columns(columns)
        own, by_group = held_out(judges, [*as_it_is, found], options.search, anew=judge is objective)
        ends, parts = ends + own, parts + by_group
        kept += [columns] * len(own)
    best = winner(ends, parts, options.search.standard_errors)
    columns = next(columns for end, columns in zip(ends, kept, strict=True) if end is best)
    return _result(everything.with_columns(columns), best, columns, names, [*history, *ends], options)


def begun_with_few(
    objective: StudentObjective, begin: Sequence[tuple[str, Array]], most: int, search: StudentSearch,
    progress: Progress | None,
) -> list[StudentStart]:  # fmt: skip
    """The best starts of one length as they are, each with the few numbers that are best for it."""
    signs = (False, True) if objective.numbers.signed else (False,)
    found = []
    for done, (name, free) in enumerate(begin):
        if progress:
            progress(done, len(begin), f"{2 * (free.shape[1] + 1)} taps, few numbers of {name}")
        for negated in signs:
            start = as_it_is(name, negated, 0.0, free)
            few = objective.with_columns(kept_columns(objective, start, most))
            found.append(as_it_is(name, negated, few(free, negated)[0], free))
    return sorted(found, key=lambda start: start.objective)[: search.descents]


def kept_columns(objective: StudentObjective, start: StudentStart, most: int) -> tuple[int, ...]:
    """Columns that forward selection takes at a wavelet."""
    tables = objective.tables(start.free, start.negated)
    return forward_selection(
        tables, [one.outputs for one in objective.sets], most, groups=[one.left_out for one in objective.sets]
    )


def refined(objective: StudentObjective, start: StudentStart, search: StudentSearch) -> StudentStart:
    """The search gone on with, from where it ended, or a wavelet that stays as it is."""
    if not start.searched:
        return start
    found = descend(objective, start, search.iterations)
    return replace(found, name=f"{start.name} refined", held_out=start.held_out)


def _result(
    objective: StudentObjective, best: StudentStart, columns: tuple[int, ...] | None, names: Sequence[str],
    history: Sequence[StudentStart], options: StudentOptions,
) -> StudentDistillation:  # fmt: skip
    table = column_table(objective.sets[0].X, options.layout, options.numbers, best.wavelets, names)
    kept = range(len(table)) if columns is None else columns
    settings = options.to_dict() | {
        "leave_out": "group" if objective.sets[0].by_group else "input",
        "data": [digest_of(one) for one in objective.sets],
    }
    name, origin = "student" if best.searched else best.name, {"start": best.name, "seed": options.seed}
    wavelets = [Wavelet.from_angles(one.angles, name=name, metadata=origin) for one in best.wavelets]
    return StudentDistillation(
        tuple(wavelets), best.negated, tuple(table[k].name for k in kept), objective.error(best.free, best.negated),
        best.held_out, tuple(history), settings,
    )  # fmt: skip


def digest_of(one: StudentSet) -> str:
    """SHA-256 of all values of a set."""
    sha = hashlib.sha256()
    for values in (one.X, one.outputs, one.extra, one.gradients):
        if values is not None:
            sha.update(f"{tuple(values.shape)}".encode())
            sha.update(np.ascontiguousarray(values.numpy()).data)
    sha.update(one.groups.tobytes())
    return sha.hexdigest()


def _lengths(lengths: Any, named: Sequence[Wavelet]) -> tuple[int, ...]:
    if lengths is None:
        return tuple(dict.fromkeys(one.length for one in named))
    given = [lengths] if is_whole_number(lengths) else lengths
    if (
        not isinstance(given, Sequence)
        or not len(given)
        or not all(is_whole_number(length) and 2 <= length <= 76 and length % 2 == 0 for length in given)
    ):
        raise ValueError(f"lengths is {lengths!r}; give even numbers of taps from 2 to 76, or None for the wavelet's")
    return tuple(dict.fromkeys(int(length) for length in given))


def as_given(
    one: StudentSet, names: Sequence[str], options: StudentOptions, found: StudentDistillation | None
) -> StudentDistillation:
    """A wavelet that is given, or what was found elsewhere, on a set: nothing is searched but the numbers."""
    layout = options.layout
    what, count = ("channels", layout.channels) if layout.per_channel else ("levels", layout.levels)
    if found is None and len(options.named) not in (1, count):
        raise ValueError(
            f"wavelet has {len(options.named)} entries for {count} {what}; without learning, give one for all {what} "
            "or one for each"
        )
    if found is not None:
        own = options.to_dict()
        if differing := [
            f"{name} ({found.settings.get(name)!r} there, {own[name]!r} here)"
            for name in ("numbers", "levels", "undecimated", "mode", "ndim")
            if found.settings.get(name) != own[name]
        ]:
            raise ValueError(f"the distillation is of other settings: {', '.join(differing)}; give the same")
    if len({wavelet.length for wavelet in options.named}) > 1:
        raise ValueError("the wavelets of the levels differ in length; give wavelets with as many taps each")
    objective = StudentObjective([one], options.layout, options.numbers, options.weights)
    free = np.array([wavelet.angles[1:] for wavelet in options.named]).reshape(len(options.named), -1)
    if options.layout.per_channel and len(free) == 1:
        free = np.tile(free, (options.layout.channels, 1))
    start = replace(
        as_it_is(options.named[0].name, False if found is None else found.negated, 0.0, free), evaluations=0
    )
    columns = None if options.most is None else kept_columns(objective, start, options.most)
    result = _result(objective.with_columns(columns), start, columns, names, [], options)
    return replace(result, wavelets=options.named)
