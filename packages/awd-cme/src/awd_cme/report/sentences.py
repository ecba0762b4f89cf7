"""What a report says in words: who is better and how sure that is, and what each coefficient of the card does.

A difference is called a difference only where its interval leaves zero out; else the sentence says that these tracks do
not tell the two apart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from awd_cme.model.card import ModelCard
from awd_cme.model.results import Results
from awd_cme.report.examples import FeatureSpread
from awd_core.report import interval, number

ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ")
KINDS = {
    "largest": "largest positive coefficient",
    "lowest": "most negative coefficient",
    "largest size": "largest size of a coefficient",
    "largest by size": "largest coefficient by size, with its sign,",
}
"""From the words of `awd_cme.model.coefficients.Selection.names`."""

SURE = 0.05
"""p-value, after correction for the number of features, below which an effect is called sure."""

FREE = "95 % without the penalty:"
"""What the interval of an effect is of."""

MOST_ODDS = 700.0
"""Log odds above which their factor is no number of double precision any more."""

HERE = "for this trained network and this split"
"""What intervals of scores and differences do not reach beyond: they are of other cells, scored by the same models."""


@dataclass(frozen=True)
class Effect:
    """What one standard deviation more of a feature does to the prediction.

    Attributes
    ----------
    description : str
        The feature, such as "the second largest positive coefficient at 4–8 s".
    short : str
        The same where there is little room.
    scale : int
        Its band, 0 the approximation.
    value, low, high : float
        In the target's unit, or the factor of the odds: what the model does, and the interval of the effect without
        the model's penalty; NaN where there is none.
    weight : tuple of float
        What the card holds: value, low, high, per unit of the feature.
    p : float
        Of no effect, corrected for the number of features; NaN where it is not known.
    strength : float
        By which effects are ordered: the size of the change of the prediction, or of the log odds.
    """

    description: str
    short: str
    scale: int
    value: float
    low: float
    high: float
    weight: tuple[float, float, float]
    p: float
    strength: float

    @property
    def sure(self) -> bool:
        """Whether no effect is ruled out, all features considered, and the model's weight has the effect's sign."""
        value, low, high = self.weight
        return self.p < SURE and (low if value > 0 else -high) > 0


def seconds(value: float) -> str:
    """A time as people say it.

    Examples
    --------
    >>> seconds(4.0), seconds(12.345)
    ('4', '12.3')
    """
    return number(value, ".3g")


def bands(card: ModelCard) -> list[str]:
    """Scales of a card from coarse to fine, as the times over which changes count.

    A detail of level j holds frequencies between 1/2^(j+1) and 1/2^j per sample: periods from 2^j to 2^(j+1) samples.
    """
    step = card.seconds_per_sample or 1.0
    periods = [2**level * step for level in range(card.levels, 0, -1)]
    details = [f"{seconds(period)}–{seconds(2 * period)} {card.unit}" for period in periods]
    return [f"slower than {seconds(2 * periods[0])} {card.unit}", *details]


def effects(card: ModelCard, spread: FeatureSpread) -> list[Effect]:
    """What each feature does, in the card's order."""
    unit = card.targets.sd if card.task == "regression" and card.targets.rule != "none" else 1.0
    found = []
    for (description, short, scale), row, sd in zip(
        _features(card), card.coefficients.tolist(), spread.sd, strict=True
    ):
        moved = [weight * float(sd) * unit for weight in row[:3]]
        value, low, high = moved if card.task == "regression" else [_factor(odds) for odds in moved]
        weight = (row[0], row[1], row[2])
        found.append(Effect(description, short, scale, value, low, high, weight, row[3], abs(moved[0])))
    return found


def _factor(odds: float) -> float:
    """Factor of the odds; infinite where it is too large for a number."""
    return math.inf if odds > MOST_ODDS else math.exp(odds)


def sentence(effect: Effect, card: ModelCard, unit: str) -> str:
    """An effect in plain words, with its interval if it is sure; `unit` is the target's."""
    known = not math.isnan(effect.low)
    if card.task == "classification":
        interval = f" ({FREE} {number(effect.low, '.2f')} to {number(effect.high, '.2f')})" if known else ""
        return f"Each standard deviation more of {effect.description} multiplies the odds of success by " + (
            f"{number(effect.value, '.2f')}{interval}."
        )
    ends = sorted([abs(effect.low), abs(effect.high)]) if known else []
    interval = f" ({FREE} {number(ends[0], '.3g')} to {number(ends[1], '.3g')})" if known and effect.sure else ""
    direction = "raises" if effect.value > 0 else "lowers"
    return (
        f"Each standard deviation more of {effect.description} {direction} the predicted {card.channels[1]} by "
        f"{number(abs(effect.value), '.3g')} {unit}{interval}."
    )


def strongest(found: Sequence[Effect], most: int) -> list[Effect]:
    """The strongest effects, whether their intervals leave zero out or not."""
    return sorted(found, key=lambda effect: -effect.strength)[:most]


def compared(results: Results, of: str, to: str, name: str) -> str:
    """Sentence on two rows of results.json; `name` is what the second is called, such as "the teacher".

    Examples
    --------
    >>> from awd_cme.model.results import Difference, ModelRow
    >>> rows = [ModelRow(key, key, "awd", "timed", "ridge", score) for key, score in (("awd", 0.4), ("db5", 0.5))]
    >>> compared(Results("R2", rows), "awd", "db5", "DB5")
    'AWD is below DB5 (R² 0.500) by 0.100; there is no interval for that.'
    >>> difference = Difference("awd", "db5", -0.1, -0.2, 0.05)
    >>> compared(Results("R2", rows, differences=[difference]), "awd", "db5", "DB5")
    'These tracks do not tell AWD and DB5 (R² 0.500) apart: difference −0.100 (95 %: −0.200 to 0.050).'
    """
    if results.row(of) is None or (second := results.row(to)) is None:
        return ""
    other = f"{name} ({results.score_name} {number(second.score, '.3f')})"
    found = results.difference(of, to)
    value, low, high = found.value, found.low, found.high
    if value == low == high == 0:
        return f"AWD is the same model as {other} here: cross-validation chose no other."
    if found.verdict == "unknown":
        way = "above" if value > 0 else "below" if value < 0 else "level with"
        return f"AWD is {way} {other} by {number(abs(value), '.3f')}; there is no interval for that."
    if found.verdict == "above":
        return f"AWD is better than {other} by {number(value, '.3f')} ({interval(low, high)}), {HERE}."
    if found.verdict == "below":
        return f"AWD is worse than {other}, by {number(-value, '.3f')} ({interval(-high, -low)}), {HERE}."
    return f"These tracks do not tell AWD and {other} apart: difference {number(value, '.3f')} ({interval(low, high)})."


def sparser(before: float | None, after: float | None, start: str) -> str:
    """Sentence on the published compression factor before and after.

    Examples
    --------
    >>> sparser(0.70, 0.57, "db5")
    'AWD needs 57.0 % of the coefficients, db5 70.0 %: the distilled wavelet compresses better.'
    """
    if before is None or after is None or math.isnan(before) or math.isnan(after):
        return ""
    verdict = (
        "the distilled wavelet compresses better"
        if after < before - 5e-4
        else "the distilled wavelet does not compress better"
    )
    return (
        f"AWD needs {number(100 * after, '.1f')} % of the coefficients, {start} {number(100 * before, '.1f')} %: "
        f"{verdict}."
    )


def _features(card: ModelCard) -> Iterator[tuple[str, str, int]]:
    """Description, short name and scale of each feature, in the order of `Selection.select`."""
    sizes = [card.length]
    for _ in range(card.levels):
        sizes.append((sizes[-1] + len(card.taps) - 1) // 2)
    for scale, (band, size) in enumerate(zip(bands(card), [sizes[-1], *sizes[:0:-1]], strict=True)):
        for name in card.selection.names("", size):
            bare = name.removeprefix(", ")
            yield f"{_described(bare)} {'at scales ' if scale == 0 else 'at '}{band}", f"{bare}, {band}", scale


def _described(name: str) -> str:
    """A feature's name without its scale, as `Selection.names` gives it, in words.

    Examples
    --------
    >>> _described("time of largest 2"), _described("energy")
    ('the time of the second largest positive coefficient', 'the energy (root of the sum of squares)')
    """
    if name == "energy":
        return "the energy (root of the sum of squares)"
    kind, rank = name.removeprefix("time of ").rsplit(" ", 1)
    place = int(rank) - 1
    ordinal = ORDINALS[place] if place < len(ORDINALS) else f"{rank}th "
    description = f"the {ordinal}{KINDS[kind]}"
    return f"the time of {description}" if name.startswith("time of ") else description
