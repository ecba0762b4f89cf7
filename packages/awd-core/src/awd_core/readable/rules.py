"""A model in words: what adds how much, as one would say it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from awd_core.readable.model import ReadableModel, Told


def rules(model: "ReadableModel") -> str:
    """The whole model as text that one reads.

    Each line adds to the prediction: the weight times the number. Lines stand by how much the number matters, its
    weight times its deviation over the training inputs.
    """
    return "\n".join(_lines(model))


def _lines(model: "ReadableModel") -> Iterator[str]:
    card = model.card
    scored = model.told.get("score")
    wavelet = f"{'wavelets' if len(card.wavelets) > 1 else 'a wavelet'} of {len(card.taps[0])} taps"
    yield f"{len(card.numbers)} number{'s' if len(card.numbers) != 1 else ''} of {wavelet}" + (
        f"; on inputs that were held out: {scored}" if scored else ""
    )
    by_target: dict[str, list[Told]] = {}
    for row in model.table():
        by_target.setdefault(row.target, []).append(row)
    for target, (intercept, *numbers) in by_target.items():
        yield ""
        yield f"{_what(model, target)} = {intercept.weight:.4g}"
        for row in sorted(numbers, key=lambda one: -abs(one.per_deviation)):
            sign = "+" if row.weight >= 0 else "−"
            yield (
                f"    {sign} {abs(row.weight):.4g} × {row.meaning}"
                f"   [{row.low:.3g} to {row.high:.3g}; usual change {row.per_deviation:+.3g}; {row.scale}, "
                f"{row.position}]"
            )
    yield ""
    if card.classes is not None and len(by_target) > 1:
        yield "The class with the largest sum is predicted."
    elif card.classes is not None:
        yield f"Above 0 it is {card.classes[1]}, else {card.classes[0]}."
    yield (
        f"Holds for inputs like the {model.domain.rows} that it was fitted to: `unlike(X)` marks others. In "
        "brackets: 95 % "
        "interval of the weight, the change of the sum for one standard deviation of the number, what it "
        "sees and where."
    )


def _what(model: "ReadableModel", target: str) -> str:
    if model.card.classes is None:
        return target
    return f"log odds of {target}" if model.card.head.kind == "logistic" else f"value of {target}"
