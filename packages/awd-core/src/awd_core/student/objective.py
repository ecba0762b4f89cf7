"""What the student minimises over the lattice angles, with its exact gradient.

    E(θ) = w · mean over sets of [leave-one-out error of the ridge from the K numbers of Ψ_θ x to the outputs]
         + λ S(θ)/S_haar + γ A(θ)/A_haar

The ridge is solved for every θ (variable projection: Golub and Pereyra 1973, "The differentiation of pseudo-inverses
and nonlinear least squares problems whose variables separate"), so the angles are all that is searched. S and A are the
L1 terms of `awd_core.distill.objective`, of the decimated orthonormal transform whatever the numbers are read from,
over those of the Haar wavelet, so that lengths can be compared. With w = 0 this is what `distill_path` minimises; with
λ = γ = 0 the answer alone decides.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from awd_core.checks.real_numbers import is_real_number
from awd_core.distill.objective import DistillationObjective
from awd_core.student.bands import Bands, Layout, banks_of, banks_of_taps
from awd_core.student.data import StudentSet
from awd_core.student.numbers import Numbers
from awd_core.student.reading import Column
from awd_core.student.ridge import relative_error
from awd_core.typing import Array
from awd_core.wavelets.wavelet import Wavelet

FEW = 2
"""Inputs that are enough to see which columns there are."""


@dataclass(frozen=True)
class StudentWeights:
    """Weights of the three terms.

    Attributes
    ----------
    outputs : float
        w, of the leave-one-out error.
    sparsity : float
        λ, of the inputs' L1 norm relative to the Haar wavelet's.
    interpretation : float
        γ, of the attributions'; needs gradients.
    """

    outputs: float = 1.0
    sparsity: float = 0.0
    interpretation: float = 0.0

    def __post_init__(self) -> None:
        values = (self.outputs, self.sparsity, self.interpretation)
        if not all(is_real_number(value) and value >= 0 for value in values) or not any(values):
            raise ValueError(f"weights are {values}; give three numbers, zero or more, and one of them above zero")


class StudentObjective:
    """The objective over some sets.

    Parameters
    ----------
    sets : sequence of StudentSet
        They share the wavelet; each has a ridge of its own.
    layout : Layout
        Which bands there are.
    numbers : Numbers
        What is read off them.
    weights : StudentWeights
        Of the terms.
    columns : tuple of int, optional
        Which of all numbers and extra columns the ridge may use; all of them by default.
    """

    def __init__(
        self,
        sets: Sequence[StudentSet],
        layout: Layout,
        numbers: Numbers,
        weights: StudentWeights,
        columns: tuple[int, ...] | None = None,
    ) -> None:
        self.sets, self.layout, self.numbers, self.weights = list(sets), layout, numbers, weights
        self.columns = columns
        self.evaluations = 0
        self._norms: dict[int, list[tuple[DistillationObjective, float, float]]] = {}

    def on(self, sets: Sequence[StudentSet]) -> "StudentObjective":
        """The same of other sets."""
        return StudentObjective(sets, self.layout, self.numbers, self.weights, self.columns)

    def with_columns(self, columns: tuple[int, ...] | None) -> "StudentObjective":
        """The same with other columns."""
        return StudentObjective(self.sets, self.layout, self.numbers, self.weights, columns)

    def __call__(self, free: Array, negated: bool) -> tuple[float, Array | None]:
        """Value and gradient.

        Parameters
        ----------
        free : ndarray, shape (1, L/2 − 1), (J, L/2 − 1) or (C, L/2 − 1)
            Free angles, of all levels, of each, or of each channel.
        negated : bool
            Whether details have the other sign.

        Returns
        -------
        value : float
        gradient : ndarray, of the shape of `free`, or None where a number has no derivatives
        """
        self.evaluations += 1
        angles = torch.from_numpy(free).clone().requires_grad_()
        value, gradient = 0.0, np.zeros_like(free)
        if self.weights.outputs:
            banks = banks_of(angles, self.layout.levels, negated, self.layout.per_channel)
            errors, smooth = [], True
            for one, bands in zip(self.sets, self._bands(banks), strict=True):
                numbers, all_smooth = self.numbers.with_smoothness(bands)
                errors.append(relative_error(self._chosen(numbers, one.extra), one.outputs, groups=one.left_out))
                smooth &= all_smooth
            error = self.weights.outputs * torch.stack(errors).mean()
            value = float(error.detach())
            if not smooth:
                return value + self.l1(free)[0], None
            if free.size and error.requires_grad:
                gradient += torch.autograd.grad(error, angles)[0].numpy()
        norm, slope = self.l1(free)
        return value + norm, gradient + slope

    @torch.no_grad()
    def error(self, free: Array, negated: bool) -> float:
        """Leave-one-out error alone, mean over sets."""
        tables = zip(self.tables(free, negated), self.sets, strict=True)
        return float(torch.stack([relative_error(F, one.outputs, groups=one.left_out) for F, one in tables]).mean())

    @torch.no_grad()
    def tables(self, free: Array, negated: bool) -> list[Tensor]:
        """Numbers and extra columns of every set, (n, K) each."""
        banks = banks_of(torch.from_numpy(free), self.layout.levels, negated, self.layout.per_channel)
        pairs = zip(self.sets, self._bands(banks), strict=True)
        return [self._chosen(self.numbers.of(bands), one.extra) for one, bands in pairs]

    def _bands(self, banks: Sequence[Tensor]) -> Iterator[Bands]:
        """Bands of every set; what sets of one shape share is computed once."""
        made: dict[tuple[int, ...], Callable[[Tensor], Bands]] = {}
        for one in self.sets:
            shape = tuple(one.X.shape[1:])
            if shape not in made:
                made[shape] = self.layout.transform(shape, banks, self.numbers.bands)
            yield made[shape](one.X)

    def _chosen(self, numbers: Tensor, extra: Tensor) -> Tensor:
        table = torch.cat([numbers, extra], dim=1)
        return table if self.columns is None else table[:, list(self.columns)]

    def l1(self, free: Array) -> tuple[float, Array]:
        """The L1 terms with their weights, and their gradient, of the shape of `free`."""
        weights = self.weights
        if not (weights.sparsity or weights.interpretation):
            return 0.0, np.zeros_like(free)
        value, gradient = 0.0, np.zeros_like(free)
        for objective, sparsity, interpretation in self._l1_terms(2 * (free.shape[1] + 1)):
            share, slope, _ = objective(free[0], weights.sparsity / sparsity, weights.interpretation / interpretation)
            value += share / len(self.sets)
            gradient[0] += slope / len(self.sets)
        return value, gradient

    def _l1_terms(self, length: int) -> list[tuple[DistillationObjective, float, float]]:
        """For each set the L1 terms of filters of that length, and what they are for the Haar wavelet."""
        if length not in self._norms:
            self._norms[length] = []
            for one in self.sets:
                made = [
                    DistillationObjective(
                        one.X.numpy(), (one.X if one.gradients is None else one.gradients).numpy(), length=taps,
                        levels=self.layout.levels, mode=self.layout.mode, ndim=self.layout.ndim, dtype=torch.float64,
                    )
                    for taps in (length, 2)
                ]  # fmt: skip
                _, _, haar = made[1](np.empty(0), 1.0, 1.0)
                self._norms[length].append((made[0], haar.sparsity, haar.interpretation))
        return self._norms[length]


@torch.no_grad()
def number_table(X: Tensor, layout: Layout, numbers: Numbers, wavelets: Sequence[Wavelet], negated: bool) -> Array:
    """Numbers of inputs with the wavelet of all levels, or of each, shape (n, K)."""
    taps = [torch.from_numpy(np.array(wavelet.taps)) for wavelet in wavelets]
    table: Array = numbers.of(layout.of(X, banks_of_taps(taps, layout.levels, negated, layout.per_channel))).numpy()
    return table


@torch.no_grad()
def column_table(
    X: Tensor, layout: Layout, numbers: Numbers, wavelets: Sequence[Wavelet], extra: Sequence[str]
) -> list[Column]:
    """What the numbers and the extra columns are; how many values a decimated band has, goes by the filters' length."""
    taps = [torch.from_numpy(np.array(wavelet.taps)) for wavelet in wavelets]
    found = numbers.table(layout.of(X[:FEW], banks_of_taps(taps, layout.levels, False, layout.per_channel)))
    return found + [Column(name, "given beside the input", "") for name in extra]
