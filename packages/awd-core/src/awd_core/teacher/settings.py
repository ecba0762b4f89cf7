"""The options of a training: each with its default, and what it may be."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from awd_core.typing import Rows

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Takes inputs (n, …) in the data's units, on the training's device, and a generator on the CPU; returns new inputs."""

Penalty = Callable[[torch.nn.Module, Tensor, Rows | None, int], Tensor]
"""From a network (inputs in the data's units to standardised predictions), a batch, the numbers of its samples or None
for other samples, and the epoch from 0 on, to the term (n,) that each sample adds to its loss."""

Scaling = Literal["none", "global", "feature"]
Optimizer = Literal["adam", "adamw"]
Schedule = Literal[None, "one-cycle", "cosine", "plateau"]
Precision = Literal["32-true", "64-true", "bf16-mixed", "16-mixed"]

MACHINE = ("accelerator", "devices", "strategy", "progress")
"""Options that say where a training runs, not what it is: no part of a checkpoint's identity or of a saved teacher."""

RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "learning_rate": (lambda v: 0 < v < np.inf, "a positive number"),
    "weight_decay": (lambda v: 0 <= v < np.inf, "a number from 0 on"),
    "gradient_clip": (lambda v: 0 < v < np.inf, "a positive number, or None"),
    "batch_size": (lambda v: v >= 1, "an integer from 1 on"),
    "max_epochs": (lambda v: v >= 1, "an integer from 1 on"),
    "patience": (lambda v: v >= 1, "an integer from 1 on, or None to run all epochs"),
    "seed": (lambda v: v >= 0, "an integer from 0 on"),
}
"""What a number may be, and the same in words."""


@dataclass(eq=False, repr=False, kw_only=True)
class Training:
    """How to train: the options of every teacher, described at `awd_core.teacher.Teacher`.

    A teacher is a dataclass that inherits them; with a default of its own it names an option again.
    """

    scale_inputs: Scaling = "global"
    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Schedule = None
    batch_size: int = 32
    max_epochs: int = 100
    patience: int | None = 10
    gradient_clip: float | None = None
    augment: Augment | None = None
    penalty: Penalty | None = None
    seed: int = 0
    precision: Precision = "32-true"
    accelerator: Any = "auto"
    devices: Any = 1
    strategy: Any = "auto"
    progress: bool | Callable[[int, int, str], object] = False

    @classmethod
    def of(cls, teacher: "Training") -> Self:
        """Options of a teacher, NumPy's numbers as Python's own, which is what Lightning and torch ask for."""
        return cls(**{one.name: _plain(getattr(teacher, one.name)) for one in fields(cls)})


def check(options: Training) -> None:
    """Raise TypeError or ValueError for the first option that isn't what it may be."""
    for one in fields(options):
        name, value, allowed = one.name, getattr(options, one.name), get_args(one.type)
        if get_origin(one.type) is Literal and value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}; got {value!r}.")
        if name not in RANGES or (value is None and type(None) in allowed):
            continue
        accept, what = RANGES[name]
        kinds = (int,) if int in (one.type, *allowed) else (int, float)
        if not isinstance(_plain(value), kinds) or isinstance(_plain(value), bool):
            raise TypeError(f"{name} is {what}; got {value!r}.")
        if not accept(value):
            raise ValueError(f"{name} is {what}; got {value!r}.")
    if options.augment is not None and not callable(options.augment):
        raise TypeError(f"augment is {options.augment!r}; give a function of a batch and a generator, or None.")
    if options.penalty is not None and not callable(options.penalty):
        raise TypeError(
            f"penalty is {options.penalty!r}; give a function of network, batch, rows and epoch, such as "
            "awd_core.decomposition.ExplanationPenalty, or None."
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
