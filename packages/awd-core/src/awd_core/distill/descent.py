"""Local searches over the free lattice angles, and where they start.

The objective has few unknowns, exact gradients and several local minima: hence a quasi-Newton method from many starts.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize

from awd_core.distill.objective import Terms
from awd_core.files.record import Record
from awd_core.typing import Array
from awd_core.wavelets.lattice import QUARTER_PI
from awd_core.wavelets.pywavelets import orthogonal_names
from awd_core.wavelets.wavelet import Wavelet


class Objective(Protocol):
    """What is minimised: `awd_core.distill.objective`, or one that is summed over several processes."""

    evaluations: int

    def __call__(self, free: Array, sparsity: float, interpretation: float, /) -> tuple[float, Array, Terms]:
        """Value, gradient and terms at some angles."""
        ...


@dataclass(frozen=True)
class Step:
    """One iteration: where the search stood and what the terms were there (NaN for a term without weight)."""

    free_angles: tuple[float, ...]
    sparsity: float
    interpretation: float
    objective: float

    def _to_json(self) -> list[Any]:
        terms = (None if math.isnan(term) else term for term in (self.sparsity, self.interpretation))
        return [list(self.free_angles), *terms, self.objective]

    @classmethod
    def _from_json(cls, values: Sequence[Any]) -> "Step":
        free, *terms, objective = values
        sparsity, interpretation = (math.nan if term is None else float(term) for term in terms)
        return cls(tuple(map(float, free)), sparsity, interpretation, float(objective))


@dataclass(frozen=True)
class Descent(Record):
    """One local search, from its start to a local minimum.

    Attributes
    ----------
    start : str
        What it started from.
    steps : tuple of Step
        The start, every iteration, and with the last the minimum.
    evaluations : int
        Evaluations of the objective.
    seconds : float
        Time it took; NaN where it is not known, as of a path that was read.
    """

    start: str
    steps: tuple[Step, ...]
    evaluations: int
    seconds: float = math.nan

    @property
    def free_angles(self) -> Array:
        """Free lattice angles at the minimum, in radians."""
        return np.array(self.steps[-1].free_angles)

    @property
    def objective(self) -> float:
        """Value at the minimum."""
        return self.steps[-1].objective

    @property
    def angles(self) -> Array:
        """All lattice angles at the minimum, with sum π/4."""
        return all_angles(self.free_angles)


def all_angles(free: Array) -> Array:
    """Lattice angles with sum π/4, from all but the first."""
    return np.concatenate([[QUARTER_PI - free.sum()], free])


def descend(
    objective: Objective,
    start: Array,
    name: str,
    sparsity: float,
    interpretation: float,
    *,
    iterations: int = 200,
    tolerance: float = 1e-8,
    curvature: Array | None = None,
) -> Descent:
    """Minimise λ S + γ A from one start by L-BFGS (Nocedal and Wright, "Numerical optimization", algorithm 7.5).

    Kinks of the L1 norm lie where single coefficients vanish; a mean over many is smooth enough for a quasi-Newton
    method, which ends where the line search finds no decrease. Where the curvature is known, the search runs in
    coordinates in which it is the unit matrix, so that the first step is Newton's. Without it the first trial is a
    whole radian long, which from a place near a minimum leads away from it.

    Parameters
    ----------
    objective : DistillationObjective
        The data.
    start : ndarray, shape (L/2 − 1,)
        Free angles to start from.
    name : str
        Its name in the record.
    sparsity, interpretation : float
        λ and γ.
    iterations : int
        Largest number of iterations.
    tolerance : float
        Relative decrease of the value in one step that is not worth another.
    curvature : ndarray, shape (L/2 − 1, L/2 − 1), optional
        What `curvature_at` found for the same weights, on a smaller batch perhaps.
    """
    began, evaluated = time.perf_counter(), objective.evaluations
    seen: dict[bytes, tuple[float, Terms]] = {}
    steps: list[Step] = []

    def value_and_gradient(free: Array) -> tuple[float, Array]:
        value, gradient, terms = objective(free, sparsity, interpretation)
        seen[free.tobytes()] = value, terms
        return value, gradient

    def record(free: Array) -> None:
        value, terms = seen[free.tobytes()]
        steps.append(Step(tuple(free.tolist()), terms.sparsity, terms.interpretation, value))
        seen.clear()
        seen[free.tobytes()] = value, terms

    _, slope = value_and_gradient(start)
    record(start)
    # Where the slope is zero already, there is nothing to search, nor a length to measure steps by.
    if len(start) and np.abs(slope).max() > 0:
        turn, scale = _newton_coordinates(slope, curvature)

        def turned(u: Array) -> tuple[float, Array]:
            value, gradient = value_and_gradient(start + turn @ u)
            return scale * value, scale * (turn.T @ gradient)

        found = minimize(
            turned, np.zeros(len(start)), jac=True, method="L-BFGS-B", callback=lambda u: record(start + turn @ u),
            options={"ftol": tolerance, "gtol": 1e-6 if curvature is None else 1e-3, "maxiter": iterations},
        )  # fmt: skip
        if found.fun / scale < steps[-1].objective:
            value_and_gradient(start + turn @ found.x)
            record(start + turn @ found.x)
    return Descent(name, tuple(steps), objective.evaluations - evaluated, time.perf_counter() - began)


def curvature_at(
    objective: Objective, free: Array, sparsity: float, interpretation: float, *, step: float = 1e-2
) -> Array:
    """Second derivatives of λ S + γ A, made positive definite.

    By central differences of exact gradients, over a step that is wide against the distances between kinks. Negative
    eigenvalues, which a minimum has not but a rough estimate may have, change their sign; small ones are raised to a
    thousandth of the largest.

    Parameters
    ----------
    objective : DistillationObjective
        The data.
    free : ndarray, shape (L/2 − 1,)
        Where.
    sparsity, interpretation : float
        λ and γ.
    step : float
        Half the distance of the differences, in radians.

    Returns
    -------
    ndarray, shape (L/2 − 1, L/2 − 1)
    """

    def slope(at: Array) -> Array:
        return objective(at, sparsity, interpretation)[1]

    rows = [(slope(free + d) - slope(free - d)) / (2 * step) for d in step * np.eye(len(free))]
    hessian = np.array(rows).reshape(len(free), len(free))
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    magnitudes = np.abs(values)
    least = 1e-3 * magnitudes.max(initial=0.0) or 1.0
    return np.asarray((vectors * np.maximum(magnitudes, least)) @ vectors.T)


def _newton_coordinates(slope: Array, curvature: Array | None) -> tuple[Array, float]:
    """Coordinates u with θ = θ₀ + T u and a factor of the value, such that Newton's first step is of length one.

    One is the length of L-BFGS-B's own first trial.
    """
    if curvature is None:
        return np.eye(len(slope)), 1.0
    values, vectors = np.linalg.eigh(curvature)
    scale = 1.0 / float(slope @ (vectors / values) @ (vectors.T @ slope))
    return vectors / np.sqrt(scale * values), scale


def starts(wavelet: Wavelet, random: int, seed: int) -> Iterator[tuple[str, Array]]:
    """Where to search from: the wavelet, PyWavelets' of that length, all of them reversed, and seeded random ones.

    Parameters
    ----------
    wavelet : Wavelet
        The one that the user starts from.
    random : int
        How many random ones: angles uniform over all filters of that length.
    seed : int
        Of the random ones.

    Yields
    ------
    name : str
    free_angles : ndarray, shape (L/2 − 1,)
    """
    named = {wavelet.name: wavelet}
    for name in orthogonal_names():
        if name != "dmey" and name not in named:
            candidate = Wavelet.from_name(name)
            # db2 and sym2 are one wavelet, in tables that are rounded differently.
            if candidate.length == wavelet.length and all(
                np.abs(candidate.taps - other.taps).max() > 1e-6 for other in named.values()
            ):
                named[name] = candidate
    for name, candidate in named.items():
        yield name, np.array(candidate.angles[1:])
        backward = Wavelet.from_taps(candidate.taps[::-1], tolerance=candidate.tolerance)
        yield f"{name} reversed", np.array(backward.angles[1:])
    rng = np.random.default_rng(seed)
    for number in range(random):
        yield f"random {number}", rng.uniform(-math.pi / 2, math.pi / 2, wavelet.free_angle_count)


def distinct(descents: Sequence[Descent], *, most: int, tolerance: float = 1e-3) -> list[Descent]:
    """The best descents that ended in different places, best first: taps differ by more than the tolerance (L2)."""
    kept: list[tuple[Descent, Array]] = []
    for descent in sorted(descents, key=lambda d: d.objective):
        taps = Wavelet.from_angles(descent.angles).taps
        if all(np.linalg.norm(taps - other) > tolerance for _, other in kept):
            kept.append((descent, taps))
    return [descent for descent, _ in kept[:most]]
