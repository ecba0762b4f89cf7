"""Whether the contenders compute the same, seen to before any of them is timed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from awd_core.wavelets import OrthonormalFilter
from benchmarks.contenders import (
    ANGLES,
    OURS,
    SEED,
    TAPS,
    Prepare,
    Prepared,
    Problem,
    ours,
    reference,
    reference_slope,
)
from benchmarks.timing import Settings, quiet

FORWARD, INVERSE, BACKWARD = "forward", "inverse", "fwd + bwd"

COEFFICIENTS_WITHIN = 1e-4
"""Largest difference of float32 coefficients, and of a signal that comes back, for an input of unit variance."""

GRADIENT_WITHIN = 1e-3
"""Largest difference of a gradient relative to its largest element: a sum over millions of terms in float32."""

WITHIN = {FORWARD: COEFFICIENTS_WITHIN, INVERSE: COEFFICIENTS_WITHIN, BACKWARD: GRADIENT_WITHIN}


@dataclass
class Field:
    """The contenders of one problem, ready to be timed, with what the comparison of their results showed.

    Parameters
    ----------
    problem : Problem
        What they transform.
    signal : Tensor
        The input.
    calls : dict
        By task, then by contender: what to time.
    differences : dict
        By task, then by contender: the largest difference.
    absent : dict of str to str
        Contenders that cannot do the problem, and why.
    """

    problem: Problem
    signal: Tensor
    calls: dict[str, dict[str, Callable[[], object]]] = field(default_factory=dict)
    differences: dict[str, dict[str, float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def differing(self, task: str) -> frozenset[str]:
        """Contenders whose results are not the same (a NaN is not)."""
        return frozenset(name for name, gap in self.differences[task].items() if not gap <= WITHIN[task])

    @property
    def sound(self) -> bool:
        """Whether all of our own results are what they should be."""
        return not any(name.startswith(OURS) for task in self.differences for name in self.differing(task))

    def release(self) -> None:
        """Forget signal and calls, whose closures hold the coefficients, once the timing is done."""
        self.calls = {}
        self.signal = self.signal.new_empty(0)


def assemble(problem: Problem, peers: Mapping[str, Prepare], tasks: tuple[str, ...], settings: Settings) -> Field:
    """Prepare all contenders for a problem and compare what they compute.

    Coefficients are compared with PyWavelets' in float64, inverses with the signal itself. Our gradient into the taps
    is compared with differences of PyWavelets' coefficients along random directions, the peers' with ours, and
    ours into the angles with ours into the taps by the chain rule.

    Parameters
    ----------
    problem : Problem
        What to transform.
    peers : mapping of str to callable
        The others.
    tasks : tuple of str
        Of `FORWARD`, `INVERSE` and `BACKWARD`.
    settings : Settings
        What the command line decided.

    Returns
    -------
    Field
        Peers that raise an error, in their preparation or in a task, are recorded as absent. An error of ours is
        raised.
    """
    x = problem.signal()
    result = Field(problem, x, {task: {} for task in tasks}, {task: {} for task in tasks})
    with quiet():
        expected = reference(problem, x)
        taps = _enter(result, OURS, ours(problem, x, settings), expected, tasks, None)
        for name, prepare in peers.items():
            try:
                _enter(result, name, prepare(problem, x, settings), expected, tasks, taps)
            except Exception as error:  # whatever a peer stumbles over, the others go on
                result.absent[name] = str(error) or type(error).__name__
                for task in tasks:
                    result.calls[task].pop(name, None)
                    result.differences[task].pop(name, None)
    return result


def ours_by(parameter: str) -> str:
    """Name under which our gradient into the taps or the angles runs."""
    return OURS if parameter == TAPS else f"{OURS}, {parameter}"


def _enter(
    into: Field, name: str, contender: Prepared, expected: list[Tensor], tasks: tuple[str, ...], taps: Tensor | None
) -> Tensor | None:
    """Put a contender in the field; returns our gradient into the taps, which serves as reference for the others."""
    coefficients = contender.forward()
    for task in tasks:
        if task == FORWARD:
            into.differences[task][name] = _gap(contender.bands(coefficients), expected)
            into.calls[task][name] = contender.forward
        elif task == INVERSE:
            into.differences[task][name] = _gap([torch.as_tensor(contender.inverse(coefficients))], [into.signal])
            into.calls[task][name] = _inverse_of(contender, coefficients)
        else:
            for parameter, gradient in contender.gradients.items():
                found = gradient()
                if taps is None:
                    taps = found
                    gap = _slope_gap(into.problem, into.signal, found)
                else:
                    gap = _gap([found], [_into_angles(into.problem, taps) if parameter == ANGLES else taps])
                key = ours_by(parameter) if name == OURS else name
                into.differences[task][key] = gap / float(found.abs().max())
                into.calls[task][key] = gradient
    return taps


def _inverse_of(contender: Prepared, coefficients: Any) -> Callable[[], object]:
    return lambda: contender.inverse(coefficients)


def _into_angles(problem: Problem, taps: Tensor) -> Tensor:
    """The gradient into the free angles that a gradient into the taps amounts to."""
    filter = OrthonormalFilter(problem.wavelet)
    return torch.autograd.grad(filter(), filter.free_angles, taps)[0]


def _slope_gap(problem: Problem, signal: Tensor, taps: Tensor, directions: int = 2) -> float:
    """Largest difference of a gradient's slopes from the reference's, along random directions of unit length."""
    rows = torch.randn(directions, len(taps), generator=torch.Generator().manual_seed(SEED)).double()
    rows /= rows.norm(dim=1, keepdim=True)
    return max(abs(float(row @ taps.double()) - reference_slope(problem, signal, row.tolist())) for row in rows)


def _gap(found: list[Tensor], expected: list[Tensor]) -> float:
    """Largest absolute difference; infinite where bands or shapes differ, NaN where a value is."""
    if [band.shape for band in found] != [band.shape for band in expected]:
        return float("inf")
    gaps = [(one.double() - other.double()).abs().max() for one, other in zip(found, expected, strict=True)]
    return float(torch.stack(gaps).max())
