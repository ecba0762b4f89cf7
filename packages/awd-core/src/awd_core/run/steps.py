"""A run as a list of steps, from which all else follows: what is done, until where, and what lies in the folder.

    RUN: tuple[Step[Work], ...] = (
        Step("maps", "Maps", Work.read, {"maps.json": "what the maps are"}),
        Step("teacher", "Teacher", Work.teach, {"teacher.safetensors": "weights of the teacher"}),
    )

`Work` is the program's own: it has the open folder as `run`, steps are its methods, and what they have left it reads
when it is first asked for. So a run that was interrupted and one that was not go on from the same bits.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from awd_core.checks.choices import check_choice
from awd_core.run.folder import RunFolder
from awd_core.run.screen import Report


class Working(Protocol):
    """What steps share."""

    @property
    def run(self) -> RunFolder:
        """The open folder."""
        ...


W = TypeVar("W", bound=Working, contravariant=True)


def never_done(work: object) -> bool:
    """Never done: the step is followed at every start, and finds out itself what there is to do."""
    return False


def files_exist(*names: str) -> Callable[[Working], bool]:
    """Done if these are there, of a step that leaves other files too, which may be deleted to save space."""
    return lambda work: all((work.run / name).exists() for name in names)


@dataclass(frozen=True)
class Step(Generic[W]):
    """A step of a run.

    Attributes
    ----------
    name : str
        The part of the run that it belongs to, after which the run can be stopped; several steps in a row may be of
        one part.
    title : str
        What log, screen and timings call it. Without one the step is too short to be told of, or tells of itself.
    do : callable
        Does it: called with what the steps share and with how progress is reported.
    files : mapping of str to str
        What it leaves in the folder, from the names to a few words on each.
    wanted : callable
        Whether the run has this step. Files of one that it has not are removed: other options have made them.
    done : callable, optional
        Whether there is nothing to do; whether all its files are there, if not given.
    """

    name: str
    title: str
    do: Callable[[W, Report], object]
    files: Mapping[str, str]
    wanted: Callable[[W], object] = lambda work: True
    done: Callable[[W], bool] | None = None


def follow(steps: Iterable[Step[W]], work: W) -> None:
    """Do what is not done, step by step: timed, logged, and shown.

    Parameters
    ----------
    steps : iterable of Step
        In their order.
    work : object
        What they share; its `run` is the open folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace
    >>> def count(work, report):
    ...     work.run.write_json("count.json", 1)
    ...     print("counted")
    >>> steps = [Step("count", "Count", count, {"count.json": "how many"})]
    >>> with TemporaryDirectory() as place, RunFolder.open(place, program="demo", settings={}, quiet=True) as run:
    ...     follow(steps, SimpleNamespace(run=run))
    ...     follow(steps, SimpleNamespace(run=run))
    counted
    """
    for step in steps:
        done = step.done or files_exist(*step.files)
        if not step.wanted(work):
            for name in step.files:
                if (work.run / name).is_file():  # a folder may hold what somebody put there
                    (work.run / name).unlink()
        elif not done(work) and step.title:
            with work.run.step(step.title) as report:
                step.do(work, report)
        elif not done(work):
            step.do(work, lambda done, total, what="", /: None)


def steps_until(steps: Sequence[Step[W]], until: str) -> Sequence[Step[W]]:
    """The steps up to the last one of a part.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    names = [step.name for step in steps]
    check_choice("until", until, dict.fromkeys(names), required=True)
    return steps[: len(names) - names[::-1].index(until)]


def files_of(steps: Sequence[Step[Any]]) -> dict[str, str]:
    """What the steps leave in the folder: the last first, which is what people look for."""
    return {name: what for step in reversed(steps) for name, what in step.files.items()}
