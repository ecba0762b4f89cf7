"""PyWavelets' own tests run through ours: `python -m benchmarks.pywavelets_tests PATH [-k EXPRESSION]`.

PATH is a checkout of PyWavelets, or the folder of the installed package where it brings its tests. All test files that
call one of eight functions (dwt, idwt, wavedec, waverec and their 2-D forms) are run by pytest against the installed
PyWavelets, while `DWT1d` and `DWT2d` answer these functions (`benchmarks.pywavelets_stand_in`). What ours has no means
to do goes to PyWavelets and is counted by reason. Each answer is also compared with PyWavelets' own, computed in
float64 from the same numbers.

A test may fail because of numbers, or because an error is of another type or in other words than the test wants: these
are told apart, and the failed tests are run again without us, to see whether they fail anyway.
"""

import argparse
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from importlib.metadata import version
from os import devnull
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pywt
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.pywavelets_stand_in import FUNCTIONS, Answer, OutOfScopeError, flat

WITHIN = {torch.float64: 1e-12, torch.float32: 1e-5}
"""Largest difference relative to the largest coefficient: the tolerances of our own tests."""

CALLS = re.compile(rf"\bpywt\.({'|'.join(FUNCTIONS)})\b")
ABOUT_ERRORS = {"assert_raises", "assert_raises_regex", "assert_warns", "_raiseFailure"}
"""Functions of NumPy and unittest in whose frames a test fails that is about an error or a warning."""


@dataclass
class Tally:
    """What became of the calls, from any thread."""

    answered: Counter[str] = field(default_factory=Counter)
    passed_on: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[tuple[str, Exception]] = field(default_factory=list)
    deviations: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By kind of number: the largest, and the call."""
    wrong: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock, repr=False)

    def compare(self, call: str, answer: Answer, theirs: Any) -> None:
        """Count an answer and note how far it is from PyWavelets'."""
        ours, reference = list(flat(answer.value)), list(flat(theirs))
        same = [band.shape for band in ours] == [band.shape for band in reference]
        gap = _largest(a - b for a, b in zip(ours, reference, strict=True)) if same else np.inf
        deviation = gap / (_largest(answer.bands) or 1.0)
        kind, allowed = _allowed(answer)
        with self.lock:
            self.answered[call.partition("(")[0]] += 1
            if deviation > allowed:
                self.wrong.append(f"{call}: {f'{deviation:.1e} off' if same else 'other shapes'}")
            if deviation > self.deviations.get(kind, (-1.0, ""))[0]:
                self.deviations[kind] = deviation, call


def _largest(bands: Iterable[Any]) -> float:
    """Largest magnitude; a NaN is infinitely large."""
    found = np.max([np.abs(band).max(initial=0.0) for band in bands])
    return np.inf if np.isnan(found) else float(found)


def _allowed(answer: Answer) -> tuple[str, float]:
    """Kind of number, and tolerance: smooth extension carries the rounding of two samples over a whole filter."""
    kind = str(answer.dtype).removeprefix("torch.")
    if answer.mode == "smooth" and answer.dtype == torch.float32:
        return f"{kind}, smooth", max(WITHIN[answer.dtype], answer.taps**2 * torch.finfo(answer.dtype).eps)
    return kind, WITHIN[answer.dtype]


def stood_in(ours: Callable[..., Answer], theirs: Callable[..., Any], tally: Tally) -> Callable[..., Any]:
    """PyWavelets' function, answered by ours where that is possible."""

    @wraps(theirs)
    def function(*args: Any, **kwargs: Any) -> Any:
        call = f"{theirs.__name__}({', '.join([*map(_told, args), *(f'{k}={_told(v)}' for k, v in kwargs.items())])})"
        try:
            answer = ours(*args, **kwargs)
        except OutOfScopeError as reason:
            with tally.lock:
                tally.passed_on[theirs.__name__, str(reason)] += 1
            return theirs(*args, **kwargs)
        except Exception as refusal:
            try:
                theirs(*args, **kwargs)
            except Exception:
                with tally.lock:
                    tally.refusals.append((theirs.__name__, refusal))
            else:
                with tally.lock:
                    tally.wrong.append(f"{call}: {type(refusal).__name__}: {refusal}")
            raise
        try:
            # In float64, so that the difference is ours alone.
            reference = theirs(*map(_double, args), **{k: _double(v) for k, v in kwargs.items()})
        except Exception:
            with tally.lock:
                tally.passed_on[theirs.__name__, "refused by PyWavelets alone"] += 1
            raise
        tally.compare(call, answer, reference)
        return answer.value

    return function


def _double(argument: Any) -> Any:
    if isinstance(argument, list | tuple):
        return type(argument)(map(_double, argument))
    if isinstance(argument, np.ndarray) and argument.dtype.kind in "fc" and argument.dtype.itemsize < 16:
        return argument.astype(np.complex128 if argument.dtype.kind == "c" else np.float64)
    return argument


def _told(argument: Any) -> str:
    if isinstance(argument, list | tuple) and any(isinstance(part, np.ndarray) for part in argument):
        return f"[{', '.join(map(_told, argument))}]"
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}{list(argument.shape)}"
    return argument.name if isinstance(argument, pywt.Wavelet) else repr(argument)


@contextmanager
def answered_by_ours(tally: Tally) -> Iterator[None]:
    """Let ours answer PyWavelets' functions for as long as the context lasts."""
    before = {name: getattr(pywt, name) for name in FUNCTIONS}
    try:
        for name, ours in FUNCTIONS.items():
            setattr(pywt, name, stood_in(ours, before[name], tally))
        yield
    finally:
        for name, theirs in before.items():
            setattr(pywt, name, theirs)


class Outcomes:
    """A plugin of pytest that counts tests and keeps why they failed."""

    def __init__(self) -> None:
        self.passed = self.skipped = 0
        self.failed: dict[str, pytest.ExceptionInfo[BaseException]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count."""
        self.passed += report.when == "call" and report.passed
        self.skipped += report.skipped

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo[Any]) -> None:
        """Keep."""
        if call.excinfo is not None:
            self.failed[node.nodeid] = call.excinfo


def is_about_errors(failure: pytest.ExceptionInfo[BaseException], tally: Tally) -> bool:
    """Whether a test failed on what is raised or warned of, and not on numbers."""
    return (
        isinstance(failure.value, pytest.fail.Exception)
        or any(failure.value is refusal for _, refusal in tally.refusals)
        or any(entry.name in ABOUT_ERRORS for entry in failure.traceback)
    )


def tests_folder(path: Path) -> Path:
    """Folder of PyWavelets' tests in a checkout or an installed package.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    for folder in (path / "pywt" / "tests", path / "tests", path):
        if (folder / "test_dwt_idwt.py").is_file():
            return folder.resolve()
    raise FileNotFoundError(
        f"{path} holds no tests of PyWavelets (test_dwt_idwt.py in pywt/tests or tests); give a checkout of "
        "PyWavelets/pywt, or the folder of an installed package that brings its tests"
    )


def run_tests(folder: Path, names: list[str], expression: str) -> tuple[int, Outcomes]:
    """Exit code of pytest, and what became of the tests; nothing is written, and no configuration of theirs read."""
    outcomes = Outcomes()
    options = ["-q", "--tb=no", "--no-header", "--no-summary", "--disable-warnings", "--noconftest", "--assert=plain"]
    options += ["--import-mode=importlib", "-p", "no:cacheprovider", "-c", devnull, "-o", "markers=slow"]
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        chosen = [str(folder / name) for name in names]
        code = pytest.main([*options, f"--rootdir={folder}", "-k", expression, *chosen], [outcomes])
    finally:
        sys.dont_write_bytecode = written
    return int(code), outcomes


def main(arguments: list[str] | None = None) -> int:
    """Run the tests and tell; 1 if any number is not PyWavelets' or the tests could not be run, else 0."""
    parser = argparse.ArgumentParser(description="PyWavelets' own tests, answered by DWT1d and DWT2d.")
    parser.add_argument("path", metavar="PATH", type=Path, help="checkout of PyWavelets/pywt, or the package's folder")
    parser.add_argument("-k", metavar="EXPRESSION", default="", help="run these tests only, as pytest's -k")
    options = parser.parse_args(arguments)
    try:
        folder = tests_folder(options.path)
    except FileNotFoundError as error:
        parser.error(str(error))
    names = sorted(file.name for file in folder.glob("test_*.py") if CALLS.search(file.read_text()))
    tally = Tally()
    with answered_by_ours(tally):
        code, outcomes = run_tests(folder, names, options.k)
    anyway = run_tests(folder, list(outcomes.failed), "")[1].failed if outcomes.failed and code == 1 else {}
    numerical = []
    console = Console(width=150, highlight=False)
    for test, failure in outcomes.failed.items():
        if test in anyway:
            why = "fails without us, too"
        elif is_about_errors(failure, tally):
            why = "not numerical: another error or message than the test wants"
        else:
            why = "NUMERICAL"
            numerical.append(test)
        console.print(f"{test}: {why}: {type(failure.value).__name__}: {failure.value}"[:600], markup=False)
    for table in (calls_table(tally), reasons_table(tally), deviations_table(tally)):
        console.print(table)
    console.print(
        f"PyWavelets {version('PyWavelets')}; of the tests in {', '.join(names)}: {outcomes.passed} passed, "
        f"{len(outcomes.failed)} failed ({len(numerical)} on numbers, {len(anyway)} without us, too), "
        f"{outcomes.skipped} skipped. Calls: {tally.answered.total()} answered, {tally.passed_on.total()} passed on.",
        markup=False,
    )
    for line in tally.wrong[:20]:
        console.print(f"WRONG: {line}", markup=False)
    if code > 1:
        console.print(f"pytest could not run the tests and ended with exit code {code}; see above.")
    sound = code <= 1 and not numerical and not tally.wrong
    console.print("No numerical failure." if sound else f"{len(tally.wrong)} calls are wrong.")
    return 0 if sound else 1


def calls_table(tally: Tally) -> Table:
    """By function: calls answered, refused by both, and passed on."""
    table = Table("function", "answered", "refused by both", "passed on")
    refused = Counter(name for name, _ in tally.refusals)
    for name in FUNCTIONS:
        passed_on = sum(count for (of, _), count in tally.passed_on.items() if of == name)
        table.add_row(name, str(tally.answered[name]), str(refused[name]), str(passed_on))
    return table


def reasons_table(tally: Tally) -> Table:
    """By reason: calls passed on."""
    table = Table("passed on because of", "calls", "functions")
    for reason in sorted({reason for _, reason in tally.passed_on}):
        of = {name: count for (name, why), count in tally.passed_on.items() if why == reason}
        table.add_row(reason, str(sum(of.values())), ", ".join(sorted(of)))
    return table


def deviations_table(tally: Tally) -> Table:
    """By kind of number: the largest deviation."""
    table = Table("numbers", "largest deviation", "allowed", "in")
    for kind, (deviation, call) in sorted(tally.deviations.items()):
        smooth = kind.endswith("smooth")
        allowed = "1e-05, or L² roundings" if smooth else f"{WITHIN[getattr(torch, kind)]:.0e}"
        table.add_row(kind, f"{deviation:.1e}", allowed, call)
    return table


if __name__ == "__main__":
    sys.exit(main())
