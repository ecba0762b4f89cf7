"""Do the attributions deserve trust? What four checks found, and a verdict in plain words.

- Removing the coefficients with the largest attributions must change the prediction more than removing others, and
  putting them back must restore it sooner (`awd_core.evidence.insertion_deletion`). Others are random ones, but also
  the largest coefficients and those that the network names before its training: an order that does not beat these says
  nothing of what was learnt (`awd_core.evidence.compare_orders`).
- Where the method promises that attributions add up to a difference of predictions, they must
  (`awd_core.evidence.completeness_gap`).
- Teachers that differ in their seed alone must name the same coefficients (`awd_core.evidence.seed_agreement`).
- A network that has learnt nothing must name others (`awd_core.evidence.randomised_teacher_check`).

`awd_core.evidence.assessment` makes all of them for a distilled wavelet.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from awd_core.attribution.methods import Method
from awd_core.evidence.jackknife import Interval
from awd_core.files.record import Record

CHECKS = ("order", "completeness", "agreement", "randomised")
"""The checks, in the order of the verdict."""
COEFFICIENTS, UNTRAINED = "the largest coefficients", "the attributions of a network without training"
"""Names of the orders that attributions must beat."""
DEVIATIONS = 3.0
"""By how many standard deviations of random orders the areas of the curves must be better than their mean."""
COMPLETE = 0.05
"""Largest relative gap of completeness; quadrature with 50 steps leaves less than a hundredth for smooth networks."""
AGREEMENT = 0.5
"""Least overlap of the largest attributions of teachers with different seeds. By chance it would be `top`. Not the rank
correlation: among coefficients that hardly matter, which may be most of them, ranks are noise."""
ADVICE: dict[Method, str] = {
    "saliency": "saliency promises no sum",
    "input_x_gradient": "input × gradient does so for networks alone that are linear in their inputs",
    "integrated_gradients": "take more n_steps",
    "gradient_shap": "take more n_samples, and one baseline",
}
"""What to say where attributions do not add up."""
RANDOMISED = 0.5
"""Largest rank correlation with a randomised teacher, as a share of that between trained ones (of 1 if unknown)."""


class Finding(NamedTuple):
    """One sentence of a verdict: what speaks for the attributions, against them, or is open since nobody looked."""

    outcome: Literal["pass", "warn", "open"]
    sentence: str


@dataclass(frozen=True)
class PerturbationCurves:
    """How much of the predictions is left when some coefficients are removed; made by `insertion_deletion`.

    With f_k the predictions when k coefficients are put back (or removed), f those for the inputs and f₀ those with
    all coefficients removed, a curve is 1 − Σ(f_k − f)² / Σ(f₀ − f)², sums over inputs: 1 where the predictions are
    as they were, 0 where they are as bad as without any coefficient. It can fall below 0, where what is left of
    coefficients that cancel each other misleads.

    Attributes
    ----------
    order : str
        "attribution" or "random".
    fractions : tuple of float
        Share of the coefficients that were put back or removed, from 0 to 1.
    insertion, deletion : tuple of float
        The curves; means over the random orders.
    insertion_error, deletion_error : tuple of float
        Standard deviations over the random orders; NaN where there is one order.
    insertion_area, deletion_area : float
        Areas below the curves. Of good attributions the first is large and the second small.
    insertion_area_error, deletion_area_error : float
        Standard deviations over the random orders; NaN where there is one order.
    """

    order: str
    fractions: tuple[float, ...]
    insertion: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion_error: tuple[float, ...]
    deletion_error: tuple[float, ...]
    insertion_area: float
    deletion_area: float
    insertion_area_error: float
    deletion_area_error: float


@dataclass(frozen=True)
class RivalOrder:
    """Another order of the coefficients, and by how much that of the attributions is better; made by `compare_orders`.

    Attributes
    ----------
    name : str
        By what the coefficients are ordered.
    insertion_area, deletion_area : float
        Areas below its curves, as of `PerturbationCurves`.
    insertion_gain, deletion_gain : Interval
        By how much the attributions' areas are better, larger or smaller, with 95 % intervals over inputs.
    """

    name: str
    insertion_area: float
    deletion_area: float
    insertion_gain: Interval
    deletion_gain: Interval

    @property
    def beaten(self) -> bool:
        """Whether both intervals lie above zero."""
        return self.insertion_gain.low > 0 and self.deletion_gain.low > 0


@dataclass(frozen=True)
class SignedFaithfulness(Record):
    """How predictions move when what speaks for them, or against them, is removed; made by `signed_faithfulness`.

    Attributes
    ----------
    fractions : tuple of float
        Share of the coefficients that were removed, from 0 to 1.
    for_first, against_first : tuple of float
        Mean change f(x) − f(x without them) when those with the largest attributions are removed first, or those with
        the smallest, in units of `scale`.
    scale : float
        Root mean square of f(x) − f(baseline), in units of the prediction.
    score : Interval
        The mean over steps of the first curve less the second, with a 95 % interval over inputs: above 0 where signs
        are right, 0 by chance, below 0 where they are wrong.
    """

    fractions: tuple[float, ...]
    for_first: tuple[float, ...]
    against_first: tuple[float, ...]
    scale: float
    score: Interval


@dataclass(frozen=True)
class Completeness:
    """Σ attributions against f(x) − f(b); made by `completeness_gap`.

    Attributes
    ----------
    relative : float
        Σ|gap| / Σ|f(x) − f(b)|, sums over inputs.
    worst : float
        Largest |gap| over the mean |f(x) − f(b)|.
    method : Method
        Of the attributions. Input × gradient promises the sum for networks alone that are linear in their inputs.
    """

    relative: float
    worst: float
    method: Method = "integrated_gradients"


@dataclass(frozen=True)
class SeedAgreement:
    """How alike attributions of several teachers are; made by `seed_agreement`.

    Attributes
    ----------
    spearman, overlap : float
        Means over pairs of teachers and inputs: rank correlation of the absolute attributions; share of the largest
        that both name.
    worst_overlap : float
        Of the pair that agrees least.
    top : float
        Which share of the coefficients are the largest: the overlap that chance would give.
    teachers : int
        How many there were.
    """

    spearman: float
    overlap: float
    worst_overlap: float
    top: float
    teachers: int


@dataclass(frozen=True)
class RandomisedTeacher:
    """A trained teacher against one that has learnt nothing; made by `randomised_teacher_check`.

    Attributes
    ----------
    spearman, cosine : float
        Means over inputs: rank correlation of the absolute attributions, and cosine of the attributions themselves.
    distance : float
        Between the taps of the wavelets that are distilled from either.
    trained_spearman, trained_cosine, trained_distance : float
        The same between trained teachers, means over pairs; NaN where only one was given.
    """

    spearman: float
    cosine: float
    distance: float
    trained_spearman: float
    trained_cosine: float
    trained_distance: float

    @property
    def limit(self) -> float:
        """Largest rank correlation that passes."""
        return RANDOMISED * (1.0 if math.isnan(self.trained_spearman) else self.trained_spearman)


@dataclass(frozen=True)
class AttributionQuality(
    Record, format="awd-quality", writer="awd_core.evidence.attribution_quality", ignored=("verdict", "asked")
):
    """What is known about some attributions; a check that was not made is None.

    Attributes
    ----------
    curves, random_curves : PerturbationCurves, optional
        In the order of the attributions, and at random.
    completeness : Completeness, optional
        Whether attributions add up.
    agreement : SeedAgreement, optional
        With teachers of other seeds.
    randomised : RandomisedTeacher, optional
        Against a network without training.
    rivals : tuple of RivalOrder
        Other orders that those of the attributions must beat: by the size of the coefficients, and by the attributions
        of the same network without training.
    signed : SignedFaithfulness, optional
        Whether the attributions' signs are right; no part of the verdict.
    reasons : mapping of str to str
        Why a check of `CHECKS` was not made, as a sentence.

    Examples
    --------
    >>> AttributionQuality(completeness=Completeness(0.001, 0.01)).verdict()[1].sentence
    'The attributions add up to the difference of predictions (relative gap 0.001, 0.05 allowed).'
    """

    curves: PerturbationCurves | None = None
    random_curves: PerturbationCurves | None = None
    completeness: Completeness | None = None
    agreement: SeedAgreement | None = None
    randomised: RandomisedTeacher | None = None
    rivals: tuple[RivalOrder, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    signed: SignedFaithfulness | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what is not known is None. The verdict is there for people."""
        return super().to_dict() | {"verdict": [finding._asdict() for finding in self.verdict()]}

    def verdict(self) -> list[Finding]:
        """One sentence for each of `CHECKS`, by the thresholds of this module."""
        return [self._order(), self._completeness(), self._agreement(), self._randomised()]

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        outcomes = [finding.outcome for finding in self.verdict()]
        passed, warned = outcomes.count("pass"), outcomes.count("warn")
        made = passed + warned
        if made == 0:
            return "That is not known: none of the checks was made."
        if warned:
            speaks = "speaks" if warned == 1 else "speak"
            return f"Not without care: of {made} checks that were made, {warned} {speaks} against them."
        if made == len(outcomes):
            return "Yes: all checks speak for them."
        return (
            f"As far as is known: of {len(outcomes)} checks, {made} {'was' if made == 1 else 'were'} made, and "
            f"{'it speaks' if made == 1 else 'they speak'} for them."
        )

    def _open(self, check: str, question: str) -> Finding:
        reason = self.reasons.get(check)
        return Finding("open", f"It was not checked whether {question}{f': {reason}' if reason else '.'}")

    def _order(self) -> Finding:
        mine, chance = self.curves, self.random_curves
        if mine is None or chance is None:
            return self._open("order", "the coefficients with large attributions matter")
        better = mine.insertion_area > chance.insertion_area + DEVIATIONS * chance.insertion_area_error
        worse = mine.deletion_area < chance.deletion_area - DEVIATIONS * chance.deletion_area_error
        numbers = (
            f"area {mine.insertion_area:.2f} when they are put back, in random order {chance.insertion_area:.2f} ± "
            f"{chance.insertion_area_error:.2f}; {mine.deletion_area:.2f} when they are removed, in random order "
            f"{chance.deletion_area:.2f} ± {chance.deletion_area_error:.2f}"
        )
        if not (better and worse):
            failed = _halves(not better, not worse)
            held = "" if not better and not worse else f", though they do when they are {_halves(better, worse)}"
            return Finding(
                "warn",
                f"Large attributions do not tell clearly better than chance what matters when coefficients are {failed}"
                f"{held} ({numbers}).",
            )
        told = "; ".join(_gain(rival) for rival in self.rivals)
        lost = [
            f"{rival.name} when coefficients are {_halves(rival.insertion_gain.low <= 0, rival.deletion_gain.low <= 0)}"
            for rival in self.rivals
            if not rival.beaten
        ]
        if lost:
            return Finding(
                "warn",
                f"Large attributions tell better than chance what matters ({numbers}), but not clearly better than "
                f"{' and '.join(lost)} ({told}): that order says little of what the teacher has learnt.",
            )
        if not self.rivals:
            return Finding(
                "open",
                f"The coefficients with large attributions carry the prediction better than chance ({numbers}). It was "
                f"not checked whether they do better than {COEFFICIENTS}, as any network's may not.",
            )
        return Finding("pass", f"The coefficients with large attributions carry the prediction ({numbers}; {told}).")

    def _completeness(self) -> Finding:
        known = self.completeness
        if known is None:
            return self._open("completeness", "attributions add up to the difference of predictions")
        numbers = f"relative gap {known.relative:.2g}, {COMPLETE:g} allowed"
        return _finding(
            known.relative <= COMPLETE,
            f"The attributions add up to the difference of predictions ({numbers}).",
            f"The attributions do not add up to the difference of predictions ({numbers}): {ADVICE[known.method]}.",
        )

    def _agreement(self) -> Finding:
        known = self.agreement
        if known is None:
            return self._open("agreement", "teachers with other seeds give the same attributions")
        numbers = (
            f"{known.teachers} teachers share {known.overlap:.0%} of the largest {known.top:.0%}, {AGREEMENT:.0%} "
            f"wanted; rank correlation {known.spearman:.2f}"
        )
        return _finding(
            known.overlap >= AGREEMENT,
            f"Teachers with other seeds name the same coefficients ({numbers}).",
            f"What the attributions name depends on the teacher's seed ({numbers}).",
        )

    def _randomised(self) -> Finding:
        known = self.randomised
        if known is None:
            return self._open("randomised", "a network without training gives other attributions")
        alone = math.isnan(known.trained_spearman)
        numbers = (
            f"rank correlation {known.spearman:.2f}, {known.limit:.2f} allowed; wavelets {known.distance:.3f} apart"
        )
        numbers += "" if alone else f", those of trained teachers {known.trained_distance:.3f}"
        same_wavelet = not alone and known.distance <= known.trained_distance
        same = "the same wavelet" if same_wavelet else "much the same attributions"
        return _finding(
            known.spearman <= known.limit and not same_wavelet,
            f"A network without training gives other attributions ({numbers}).",
            f"A network without training gives {same} ({numbers}).",
        )


def _finding(good: bool, yes: str, no: str) -> Finding:
    return Finding("pass", yes) if good else Finding("warn", no)


def _halves(back: bool, away: bool) -> str:
    """Which halves of a check are meant: coefficients put back, removed, or both."""
    return " and when they are ".join(name for name, meant in (("put back", back), ("removed", away)) if meant)


def _gain(rival: RivalOrder) -> str:
    back, away = rival.insertion_gain, rival.deletion_gain
    return (
        f"against {rival.name} better by {back.value:.3f} ({back.low:.3f} to {back.high:.3f}) when put back, "
        f"{away.value:.3f} ({away.low:.3f} to {away.high:.3f}) when removed"
    )
