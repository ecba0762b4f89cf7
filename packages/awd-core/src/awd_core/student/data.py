"""What a student learns from: sets of inputs with outputs, columns beside them, and groups, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import plain_array, real_array
from awd_core.student.reading import extra_columns, refuse_not_finite
from awd_core.typing import Array, Rows

LEAVE_OUT = ("input", "group")
"""What a leave-one-out error leaves out at a time."""
LEAST_ROWS = 4
"""Inputs without which nothing can be left out: a mean, a slope, and something to be wrong about."""


@dataclass(frozen=True)
class StudentSet:
    """One set of inputs, such as the tracks of one strain.

    Attributes
    ----------
    X : Tensor, shape (n, N) or (n, H, W), or with channels (n, C, N) or (n, C, H, W), float64
        Inputs.
    outputs : Tensor, shape (n, T), float64
        What the numbers are to tell: a teacher's outputs, or labels.
    extra : Tensor, shape (n, E), float64
        Columns beside the numbers.
    groups : ndarray, shape (n,)
        What is held out together, as whole numbers.
    by_group : bool
        Whether the leave-one-out error leaves out a group at a time, not an input.
    gradients : Tensor, of X's shape, optional
        Input gradients of the teacher, for the interpretation term.
    """

    X: Tensor
    outputs: Tensor
    extra: Tensor
    groups: Rows
    gradients: Tensor | None = None
    by_group: bool = False

    @property
    def left_out(self) -> Rows | None:
        """What the leave-one-out error leaves out together, as whole numbers from 0; None for every input by itself."""
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64) if self.by_group else None

    def take(self, rows: Rows) -> "StudentSet":
        """Some of the rows."""
        chosen = torch.from_numpy(rows)
        gradients = None if self.gradients is None else self.gradients[chosen]
        return StudentSet(
            self.X[chosen], self.outputs[chosen], self.extra[chosen], self.groups[rows], gradients, self.by_group
        )

    def with_outputs(self, outputs: Tensor) -> "StudentSet":
        """The same inputs with other outputs."""
        return replace(self, outputs=outputs)


def sets_of(
    X: Any, outputs: Any, ndim: int | None, *, extra: Any = None, groups: Any = None, gradients: Any = None,
    leave_out: str = "input",
) -> tuple[list[StudentSet], list[str]]:  # fmt: skip
    """One set for each of several inputs, or of one alone; and the names of the extra columns.

    Raises
    ------
    TypeError
        If something is no array of real numbers.
    ValueError
        If lengths disagree, there are too few rows, or a value is not finite.
    """
    check_choice("leave_out", leave_out, LEAVE_OUT, required=True)
    several = isinstance(X, list | tuple) and len(X) > 0 and all(hasattr(one, "shape") for one in X)
    columns = [_each(value, name, X, several) for name, value in (
        ("outputs", outputs), ("extra", extra), ("groups", groups), ("gradients", gradients)
    )]  # fmt: skip
    names: list[str] | None = None
    found = []
    for place, one in enumerate(X if several else [X]):
        where = f" of set {place}" if several else ""
        tables = extra_columns(columns[1][place], f"extra{where}")
        if names is not None and tables[1] != names:
            raise ValueError(f"extra{where} has the columns {tables[1]}; the first set has {names}")
        names = tables[1]
        made = _set(one, columns[0][place], tables[0], columns[2][place], columns[3][place], ndim, where)
        if leave_out == "group" and (columns[2][place] is None or len(np.unique(made.groups)) < 2):
            told = "is not given" if columns[2][place] is None else "names one group"
            raise ValueError(
                f"leave_out is 'group' and groups{where} {told}; give two groups or more, or leave_out='input'"
            )
        found.append(replace(made, by_group=leave_out == "group"))
    axes = {one.X.ndim for one in found}
    targets = {one.outputs.shape[1] for one in found}
    if len(axes) > 1 or len(targets) > 1:
        raise ValueError(
            "the sets are of series and of images, or differ in the number of outputs; give sets of a kind"
        )
    return found, names or []


def inputs_of(X: Any, ndim: int | None, name: str = "X") -> Tensor:
    """Inputs (n, N) or (n, H, W), or with channels (n, C, N) or (n, C, H, W), as a tensor of float64.

    Raises
    ------
    TypeError
        If they are no real numbers.
    ValueError
        If the shape is another one, or a value is not finite.
    """
    values = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
    array = real_array(values, name)
    allowed = {None: (2, 3), 1: (2, 3), 2: (3, 4)}
    if ndim not in allowed or isinstance(ndim, bool):
        raise ValueError(f"ndim is {ndim!r}; give 1 for series, 2 for images, or None to tell by the shape of X")
    if array.ndim not in allowed[ndim] or 0 in array.shape:
        raise ValueError(
            f"{name} has shape {array.shape}; give series (n, N) or images (n, H, W), n samples of one "
            "size; with an axis "
            "of channels (n, C, N) and ndim=1, or (n, C, H, W) and ndim=2"
        )
    refuse_not_finite(array, name)
    return torch.from_numpy(np.array(array, dtype=np.float64))


def outputs_of(outputs: Any, rows: int, name: str = "outputs") -> Tensor:
    """Outputs as a tensor (n, T) of float64, of which each varies.

    Raises
    ------
    TypeError, ValueError
        If they are no real numbers, not as many as inputs, not finite, or all alike.
    """
    values = outputs.detach().cpu().numpy() if isinstance(outputs, Tensor) else outputs
    array = real_array(values, name).astype(np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != rows or array.shape[1] == 0:
        raise ValueError(f"{name} has shape {np.shape(values)} for {rows} inputs; give (n,) or (n, outputs)")
    refuse_not_finite(array, name)
    constant = np.flatnonzero(np.ptp(array, axis=0) <= 1e-12 * np.abs(array).max(axis=0))
    if len(constant):
        raise ValueError(
            f"{name} are all alike in column {constant[0]}: there is nothing to tell inputs apart by. Leave it out, "
            "or see whether the teacher has learnt anything"
        )
    return torch.from_numpy(array)


def _set(
    X: Any, outputs: Any, extra: Array | None, groups: Any, gradients: Any, ndim: int | None, where: str
) -> StudentSet:
    inputs = inputs_of(X, ndim, f"X{where}")
    n = len(inputs)
    if n < LEAST_ROWS:
        raise ValueError(f"X{where} has {n} sample(s); a leave-one-out error needs {LEAST_ROWS} or more")
    beside = np.empty((n, 0)) if extra is None else extra
    numbered = np.arange(n) if groups is None else plain_array(groups, f"groups{where}")
    for name, values in (("extra", beside), ("groups", numbered)):
        if len(values) != n:
            raise ValueError(f"{name}{where} has {len(values)} rows for {n} inputs; give one for each")
    if numbered.ndim != 1:
        raise ValueError(f"groups{where} has shape {numbered.shape}; give one name or number for each input")
    slopes = None if gradients is None else inputs_of(gradients, ndim, f"gradients{where}")
    if slopes is not None and slopes.shape != inputs.shape:
        raise ValueError(
            f"gradients{where} have shape {tuple(slopes.shape)}, not that of X, {tuple(inputs.shape)}; give one each"
        )
    return StudentSet(
        inputs, outputs_of(outputs, n, f"outputs{where}"), torch.from_numpy(beside),
        np.unique(numbered, return_inverse=True)[1].astype(np.int64), slopes,
    )  # fmt: skip


def _each(value: Any, name: str, X: Any, several: bool) -> Sequence[Any]:
    """One for each set."""
    if not several:
        return [value]
    if value is None and name != "outputs":
        return [None] * len(X)
    if not isinstance(value, list | tuple) or len(value) != len(X):
        told = f"{len(value)} entries" if isinstance(value, list | tuple) else f"of type {type(value).__name__}"
        raise ValueError(f"X is a list of {len(X)} sets and {name} is {told}; give a list with one for each set")
    return value
