"""The options of a training, and what each of them may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

MACHINE = ("accelerator", "devices", "strategy", "progress")
"""Options that say where a training runs, not what it is: no part of a checkpoint's identity or of a saved teacher."""

CHOICES: dict[str, tuple[str | None, ...]] = {
    "scale_inputs": ("none", "global", "feature"),
    "scale_targets": ("none", "global", "feature"),
    "optimizer": ("adam", "adamw"),
    "schedule": (None, "one-cycle", "cosine", "plateau"),
    "precision": ("32-true", "64-true", "bf16-mixed", "16-mixed"),
}

NUMBERS: dict[str, tuple[tuple[type, ...], Callable[[Any], bool], str]] = {
    "learning_rate": ((float, int), lambda v: 0 < v < np.inf, "a positive number"),
    "weight_decay": ((float, int), lambda v: 0 <= v < np.inf, "a number from 0 on"),
    "gradient_clip": ((float, int, type(None)), lambda v: v is None or 0 < v < np.inf, "a positive number, or None"),
    "batch_size": ((int,), lambda v: v >= 1, "an integer from 1 on"),
    "max_epochs": ((int,), lambda v: v >= 1, "an integer from 1 on"),
    "patience": ((int, type(None)), lambda v: v is None or v >= 1, "an integer from 1 on, or None to run all epochs"),
    "seed": ((int,), lambda v: v >= 0, "an integer from 0 on"),
}


@dataclass(frozen=True)
class Settings:
    """How to train: those options of `awd_core.teacher.Teacher`, described there, that the loop needs."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str | None
    batch_size: int
    max_epochs: int
    patience: int | None
    gradient_clip: float | None
    seed: int
    precision: str
    accelerator: Any
    devices: Any
    strategy: Any
    progress: bool | Callable[[int, int, str], object]

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Options of an estimator, NumPy's numbers as Python's own, which is what Lightning and torch ask for."""
        given = {name: getattr(estimator, name) for name in cls.__dataclass_fields__}
        return cls(**{name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()})


def check(options: dict[str, Any]) -> None:
    """Raise TypeError or ValueError for the first option that isn't what it may be."""
    for name, allowed in CHOICES.items():
        if name in options and options[name] not in allowed:
            raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}; got {options[name]!r}.")
    for name, (kinds, accept, what) in NUMBERS.items():
        value = options[name]
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(plain, kinds) or isinstance(plain, bool):
            raise TypeError(f"{name} is {what}; got {value!r}.")
        if not accept(plain):
            raise ValueError(f"{name} is {what}; got {value!r}.")
