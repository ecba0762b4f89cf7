"""Settings said once: what a dataclass says is what the command line and Python take, and what both refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from awd_core.run.command import Command, field_descriptions
from awd_core.run.program import Program
from awd_core.run.settings import (
    ARGUMENTS,
    AtLeast,
    Fields,
    OneOf,
    Panel,
    SettingError,
    Typed,
    check_settings,
    parse_shares,
)
from commands import invoke

MODEL = Panel("Model", 1)
TABLE = {"one": 1, "two": 2}


@dataclass(frozen=True)
class Search:
    """How hard.

    Attributes
    ----------
    starts
        How many.
    """

    starts: Annotated[int, AtLeast(0)] = 3
    hidden: int = 7

    def __post_init__(self):
        check_settings(self)


@dataclass(frozen=True)
class Network:
    """A network of one's own.

    Attributes
    ----------
    factory, weights
        Both of it.
    """

    factory: Annotated[str, MODEL, Typed(name="--network"), "What builds it."]
    weights: Annotated[Path, MODEL, "Its weights."]
    extra: Annotated[Sequence[str], MODEL, "More."] = ()


@dataclass(frozen=True)
class Settings:
    """Settings of every kind.

    Parameters
    ----------
    data : str
        What is read,
        over two lines.
    rate
        A number.
    """

    data: Annotated[str, ARGUMENTS]
    rate: Annotated[float, MODEL, AtLeast(0, 1)] = 0.5
    size: Annotated[int | None, MODEL, AtLeast(2), "A size."] = None
    kind: Annotated[Literal["small", "large"], MODEL, "A kind."] = "small"
    kinds: Annotated[tuple[Literal["a", "b"], ...], MODEL, "Some."] = ("a", "b")
    entry: Annotated[str | None, MODEL, OneOf(f"{__name__}:TABLE", ("none",)), "Of a table."] = None
    shares: Annotated[tuple[float, ...], MODEL, Typed("LIST|COUNT", parse_shares), "Shares."] = (0.0, 1.0)
    options: Annotated[Mapping[str, Any], MODEL, "JSON."] = field(default_factory=dict)
    report: Annotated[bool, MODEL, "No report."] = True
    loud: Annotated[bool, MODEL, "Loud."] = False
    search: Annotated[Search, MODEL, Fields("starts")] = field(default_factory=Search)
    network: Annotated[Network | None, Fields()] = None
    unseen: int = 1

    def __post_init__(self):
        check_settings(self)
        if self.kind == "large" and self.size is None:
            raise SettingError("{kind} is large, which needs {size}, not {{{given}}}", given="{rate}")


@pytest.fixture
def program():
    """A program that keeps what its command was given."""
    app = Program("awd-demo", "awd-core", "A program.")
    app.given = []

    @app.command()
    def work(settings: Settings, times: Annotated[int, AtLeast(1), "How often."] = 1) -> None:
        """Work."""
        app.given.append((settings, times))

    return app


def test_values_arrive_with_their_types(program):
    line = (
        'work here --rate 0.25 --size 4 --kind large --kinds b --entry two --shares 3 --options {"n":1} --no-report '
        "--loud --starts 0 --network a:b --weights w --extra x --extra y --times 2"
    )
    assert invoke(program, line.split()).output == ""
    network = Network("a:b", Path("w"), ["x", "y"])
    expected = Settings(
        "here", 0.25, 4, "large", ("b",), "two", (0.0, 0.5, 1.0), {"n": 1}, False, True, Search(0), network
    )
    assert program.given == [(expected, 2)]


def test_what_is_not_given_is_as_in_python(program):
    assert invoke(program, ["work", "here"]).output == ""
    assert program.given == [(Settings("here"), 1)]


def test_one_of_two_would_hold_in_silence(program):
    assert "--rate specified multiple times" in invoke(program, ["work", "here", "--rate", "0.1", "--rate=0.2"]).output
    assert program.given == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"rate": 1.5}, "{rate} is 1.5; it must be 0 to 1, a number"),
        ({"rate": float("nan")}, "{rate} is nan; it must be 0 to 1, a number"),
        ({"size": 1}, "{size} is 1; it must be 2 or more, a whole number"),
        ({"kind": "larg"}, "{kind} is 'larg' (did you mean large?); choose one of small, large"),
        ({"kinds": ("a", "c")}, "{kinds} is 'c'; choose one of a, b"),
        ({"entry": "tow"}, "{entry} is 'tow' (did you mean two?); choose one of none, one, two"),
        ({"kind": "large"}, "{kind} is large, which needs {size}, not {{rate}}"),
    ],
)
def test_both_refuse_the_same_in_the_words_of_each(program, values, told):
    with pytest.raises(SettingError) as error:
        Settings("here", **values)
    python, options = (
        told.replace("{{rate}}", "<>").replace("{", before).replace("}", "").replace("<>", "{{rate}}")
        for before in ("", "--")
    )
    assert str(error.value) == python
    ((name, value),) = values.items()
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    said = invoke(program, ["work", "here", f"--{name}", text])
    assert said.exit_code == 2
    assert said.stderr == f"awd-demo: {options} (add --debug for the traceback)\n"
    assert program.given == []


def test_settings_within_settings_are_whole_or_left_out(program):
    assert "--extra needs --network, which is not given" in invoke(program, ["work", "x", "--extra", "e"]).stderr
    assert "--network needs --weights, which is not given" in invoke(program, ["work", "x", "--network", "n"]).stderr
    assert "--times is 0; it must be 1 or more, a whole number" in invoke(program, ["work", "x", "--times", "0"]).stderr


@pytest.mark.parametrize("value", ["3", True, 2.5, None])
def test_a_whole_number_is_one(value):
    with pytest.raises(ValueError, match=rf"starts is {value!r}; it must be 0 or more, a whole number"):
        Search(value)
    assert type(Search(np.int64(2)).starts) is int


def test_help_has_it_all(program):
    told = " ".join(invoke(program, ["work", "--help"]).stdout.replace("│", " ").split())
    for text in (
        "DATA What is read, over two lines. [required]",
        "--rate FLOAT A number. [0 to 1] [default: 0.5]",
        "--kind STR A kind. [small, large] [default: small]",
        "--shares LIST|COUNT Shares. [default: 0,1]",
        "--no-report No report.",
        "--starts INT How many. [0 or more] [default: 3]",
        "--network STR What builds it.",
    ):
        assert text in told
    for name in ("--unseen", "--hidden", "--report", "--no-loud"):
        assert f" {name} " not in told


def test_a_command_may_ask_for_some_fields_with_other_defaults():
    given = []

    def some(values: Annotated[Mapping[str, Any], Fields("rate unseen", of=Settings, others={"rate": 0.1})]) -> None:
        given.append(values)

    command = Command(some)
    assert [(one.name, one.default) for one in command.options] == [("--unseen", "1"), ("--rate", "0.1")]
    command({})
    command({("values", "unseen"): 3})
    assert given == [{"rate": 0.1}, {"rate": 0.1, "unseen": 3}]


def test_the_texts_of_parents_are_read_and_those_for_several_names_passed_over():
    class Child(Search):
        """A child.

        Attributes
        ----------
        starts
            Of the child.
        other : int
            One.

            Two.
        """

    assert field_descriptions(Child) == {"starts": "Of the child.", "other": "One. Two."}
    assert field_descriptions(Network) == {}
