"""What the network itself predicts of the test inputs, by its answers, on the scale of the truths."""

import numpy as np

from awd_core.readable.heads import Samples
from awd_core.typing import Array

OFF = 0.02
"""R² on the training inputs by which answers must gain if they are brought to the truths' scale, to need it."""
LEAST_SHARE = 1e-12


def answered(train: Samples, unseen: Samples) -> tuple[str, Array] | str:
    """A word and the network's predictions, (n, T): numbers, or log odds; or, as a sentence, why there are none."""
    seen, asked = np.asarray(train.answers), np.asarray(unseen.answers)
    if seen.shape[1] != asked.shape[1]:
        return f"The network has no row: it gave {seen.shape[1]} answers to X and {asked.shape[1]} to the test inputs."
    if train.truths.places is None:
        return _numbers(train, seen, asked)
    classes = int(train.truths.places.max()) + 1
    if asked.shape[1] not in ({1, 2} if classes == 2 else {classes}):
        return (
            f"The network has no row: it gives {asked.shape[1]} answers, and there are {classes} classes; "
            "give one for each "
            "class, in sorted order."
        )
    return _log_odds(seen, asked)


def _numbers(train: Samples, seen: Array, asked: Array) -> tuple[str, Array] | str:
    y = train.truths.values
    if seen.shape[1] != y.shape[1]:
        return f"The network has no row: it gives {seen.shape[1]} answers, and there are {y.shape[1]} targets."
    middle, centre = seen.mean(axis=0), y.mean(axis=0)
    slope = ((seen - middle) * (y - centre)).sum(axis=0) / ((seen - middle) ** 2).sum(axis=0)
    total = ((y - centre) ** 2).sum(axis=0)
    as_it_is = 1 - ((y - seen) ** 2).sum(axis=0) / total
    scaled = 1 - ((y - centre - slope * (seen - middle)) ** 2).sum(axis=0) / total
    if (scaled - as_it_is).max() <= OFF:
        return "", asked
    return "its answers brought to the truths' scale", centre + slope * (asked - middle)


def _log_odds(seen: Array, asked: Array) -> tuple[str, Array]:
    """Answers are logits, unless all of them are probabilities."""
    both = np.vstack([seen, asked])
    if both.shape[1] == 1:
        if both.min() >= 0 and both.max() <= 1:
            inside = np.clip(asked, LEAST_SHARE, 1 - LEAST_SHARE)
            return "its probabilities", np.log(inside) - np.log1p(-inside)
        return "its logits", asked
    shares = both.min() >= 0 and bool(np.allclose(both.sum(axis=1), 1, atol=1e-3))
    values = np.log(np.maximum(asked, LEAST_SHARE)) if shares else asked
    told = "its probabilities" if shares else "its logits"
    return told, values[:, 1:] - values[:, :1] if values.shape[1] == 2 else values
