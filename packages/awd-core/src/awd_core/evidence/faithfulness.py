"""Whether the signs of attributions are right: predictions must rise with what speaks for them and fall without it.

Insertion and deletion by absolute size ask how far a prediction moves, and not where to: attributions whose signs are
all wrong pass them, and what cancels is not seen. Here coefficients are removed by falling attribution, and by rising
one, and the change of the prediction keeps its sign (cumulative prediction difference).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from awd_core.attribution.coefficients import baseline_like
from awd_core.attribution.model_gradients import Target, evaluation_mode
from awd_core.attribution.trim import TrimModel
from awd_core.checks.whole_numbers import whole_number
from awd_core.evidence.checks import Attributions, as_rows, predicted
from awd_core.evidence.jackknife import jackknife
from awd_core.evidence.quality import PerturbationCurves, SignedFaithfulness
from awd_core.transforms.fourier import Transform, flatten_coefficients
from awd_core.typing import AnyArray, Array


def signed_faithfulness(
    model: Callable[..., Tensor],
    transform: Transform | None,
    x: Tensor | AnyArray,
    attributions: Attributions,
    *,
    target: Target = None,
    steps: int = 20,
    baseline: Tensor | AnyArray | float = 0.0,
    batch_size: int = 256,
) -> SignedFaithfulness:
    """Remove coefficients by falling and by rising attribution, with signs, and watch where the prediction goes.

    Parameters
    ----------
    model : Module or callable
        The network; asked in evaluation mode and left as it was found.
    transform : Transform, optional
        Whose coefficients are removed; None: values of the input.
    x : Tensor or ndarray, shape (m, *shape)
        Two inputs or more.
    attributions : Coefficients or array
        One for each coefficient of each input, in the order of the coefficients, with signs: of input × gradient,
        integrated gradients, SHAP or contextual decomposition. (Saliency's signs are those of slopes.)
    target : int, tuple of int or None
        Which prediction.
    steps : int
        How many groups are removed, one after the other.
    baseline : float or array, optional
        Input whose coefficients stand in the place of those that are removed; 0 removes them.
    batch_size : int
        Inputs at a time.

    Returns
    -------
    SignedFaithfulness

    Raises
    ------
    ValueError
        If attributions do not fit the coefficients, there are fewer than two inputs, or predictions do not change when
        all coefficients are removed.

    Examples
    --------
    >>> x = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0]])
    >>> right = signed_faithfulness(lambda x: x.sum(1), None, x, x, steps=3)
    >>> wrong = signed_faithfulness(lambda x: x.sum(1), None, x, -x, steps=3)
    >>> right.score.value > 0, abs(right.score.value + wrong.score.value) < 1e-6
    (True, True)
    """
    steps, batch_size = whole_number("steps", steps), whole_number("batch_size", batch_size)
    inputs, given = torch.as_tensor(x), as_rows(attributions)
    if len(inputs) < 2:
        raise ValueError(f"there is {len(inputs)} input; give two or more, for an interval")
    changes, whole = np.zeros((2, steps + 1, len(inputs))), np.zeros(len(inputs))
    with evaluation_mode(model, None) as (teacher, where), torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            rows = slice(start, start + batch_size)
            some = inputs[rows].to(where)
            ask, values, removed = _rows(teacher, transform, some, baseline, target)
            if given.shape != (len(inputs), values.shape[1]):
                raise ValueError(
                    f"the attributions have shape {given.shape} when flattened; {len(inputs)} inputs have "
                    f"{values.shape[1]} coefficients each: give the attributions of this transform and these inputs"
                )
            before = ask(values)
            whole[rows] = before - ask(removed)
            for number, order in enumerate((-given[rows], given[rows])):
                ranks = torch.from_numpy(order.argsort(axis=1, kind="stable").argsort(axis=1)).to(where)
                for step in range(steps + 1):
                    first = ranks < round(step / steps * values.shape[1])
                    changes[number, step, rows] = before - ask(torch.where(first, removed, values))
    scale = float(np.sqrt((whole**2).mean()))
    if scale == 0:
        raise ValueError("the predictions are the same when all coefficients are removed; give another baseline")
    score = jackknife(
        lambda sums: sums[0] / np.sqrt(sums[1] * sums[2]),
        np.column_stack([(changes[0] - changes[1]).mean(axis=0), whole**2, np.ones(len(inputs))]),
    )
    falling, rising = (tuple(line.tolist()) for line in changes.mean(axis=2) / scale)
    return SignedFaithfulness(tuple(step / steps for step in range(steps + 1)), falling, rising, scale, score)


def insertion_minus_deletion(curves: PerturbationCurves) -> float:
    """How far putting the first coefficients back is from removing them: faithfulness as one number.

    After Kasmi, Brunetto, Fel, Parekh 2025, "One wave to explain them all: a unifying perspective on feature
    attribution": the area below the curve of insertion less that of deletion; 0 by chance, 1 at best.

    Parameters
    ----------
    curves : PerturbationCurves
        What `insertion_deletion` returned.

    Examples
    --------
    >>> steps = (0.0, 1.0)
    >>> insertion_minus_deletion(PerturbationCurves("attribution", steps, *[steps] * 4, 0.9, 0.2, 0.0, 0.0))
    0.7
    """
    return round(curves.insertion_area - curves.deletion_area, 12)


def _rows(
    teacher: Callable[..., Tensor], transform: Transform | None, x: Tensor, baseline: Any, target: Target
) -> tuple[Callable[[Tensor], Array], Tensor, Tensor]:
    """What predicts from coefficients as rows, those of the inputs, and those that stand where they are removed."""
    base = baseline_like(x, baseline)
    if transform is None:
        leaves, removed = [x], [base]
        asks: Callable[..., Tensor] = teacher
    else:
        trim, held, _ = TrimModel.at(teacher, transform, x)
        forward: Any = transform if callable(transform) else transform.forward
        leaves, removed, asks = list(held), list(flatten_coefficients(forward(base))), trim
    sizes = [leaf[0].numel() for leaf in leaves]

    def ask(rows: Tensor) -> Array:
        parts = torch.split(rows, sizes, dim=1)
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        return np.asarray(predicted(lambda first: asks(first, *shaped[1:]), shaped[0], target).cpu().numpy())

    values, without = (torch.cat([leaf.detach().flatten(1) for leaf in each], dim=1) for each in (leaves, removed))
    return ask, values, without
