"""Options of a teacher stand in its signature, its help and its parameters, with the defaults of its own class."""

import inspect
import pydoc
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from awd_core.teacher.networks import MLP
from awd_core.teacher.settings import RANGES, Training, check
from awd_core.teacher.teacher import Teacher, TeacherClassifier


@pytest.mark.parametrize("kind", [Teacher, TeacherClassifier])
def test_every_option_of_a_training_is_one_of_each_teacher(kind: type[Teacher]) -> None:
    signature = inspect.signature(kind)
    assert {"factory", "factory_kwargs"} | {one.name for one in fields(Training)} <= signature.parameters.keys()
    assert [name for name, one in signature.parameters.items() if one.kind is not one.KEYWORD_ONLY] == [
        "factory", "factory_kwargs",
    ]  # fmt: skip
    defaults = {name: one.default for name, one in signature.parameters.items() if name != "factory"}
    assert kind(MLP).get_params() == defaults | {"factory": MLP}


def test_help_tells_of_every_option() -> None:
    shown, _, told = pydoc.render_doc(Teacher, renderer=pydoc.plaintext).partition("Parameters")
    for name in inspect.signature(Teacher).parameters:
        assert name in shown
        assert name in told


def test_a_teacher_with_defaults_of_its_own_names_them_again() -> None:
    from dataclasses import KW_ONLY, dataclass

    @dataclass(eq=False, repr=False)
    class Patient(Teacher):
        _: KW_ONLY
        patience: int | None = 50
        colour: str = "red"

    teacher = Patient(MLP, {"n_in": 3}, max_epochs=7)
    assert (teacher.patience, teacher.max_epochs, teacher.batch_size) == (50, 7, Teacher(MLP).batch_size)
    assert clone(teacher).get_params() == teacher.get_params() != Teacher(MLP, {"n_in": 3}, max_epochs=7).get_params()
    assert repr(teacher) == repr(clone(teacher))
    assert "colour" not in repr(teacher)  # scikit-learn shows what was changed


def test_numbers_of_numpy_are_plain_for_the_loop() -> None:
    given: dict[str, Any] = {
        "batch_size": np.int64(7),
        "learning_rate": np.float32(0.5),
        "gradient_clip": np.float64(2),
    }
    plain = Training.of(Teacher(MLP, **given))
    assert {name: type(getattr(plain, name)) for name in given} == {
        "batch_size": int, "learning_rate": float, "gradient_clip": float,
    }  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_every_number_refuses_what_is_none(name: str) -> None:
    for bad in ("1", True, [1], 1 + 2j):
        with pytest.raises(TypeError, match=f"{name} is an? .*; got"):
            check(Training(**{name: bad}))
    for bad in (-1, np.int64(-1)):
        with pytest.raises(ValueError, match=f"{name} is an? .*; got"):
            check(Training(**{name: bad}))
    check(Training(**{name: 1}))
    check(Training(**{name: np.int32(1)}))
