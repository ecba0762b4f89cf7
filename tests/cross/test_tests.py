"""What holds for all tests: none of their verdicts follows from how fast the machine is."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = {"monotonic", "perf_counter", "process_time", "time", "time_ns", "monotonic_ns", "perf_counter_ns"}


def reads_a_clock(node, timed=frozenset()):
    """Whether an expression asks a clock, or holds a name that did."""
    called = {part.func for part in ast.walk(node) if isinstance(part, ast.Call)}
    asked = {getattr(function, "attr", getattr(function, "id", None)) for function in called}
    return bool(asked & CLOCKS) or any(isinstance(part, ast.Name) and part.id in timed for part in ast.walk(node))


def timed_assertions(source):
    """Lines of the assertions about times that a clock gave."""
    tree = ast.parse(source)
    timed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and reads_a_clock(node.value, timed):
            timed |= {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert) and reads_a_clock(node.test, timed)]


def test_nothing_is_asserted_of_the_time_that_something_takes():
    found = {path.relative_to(TESTS).as_posix(): timed_assertions(path.read_bytes()) for path in TESTS.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_assertions_of_times_are_seen():
    source = (
        "began = time.monotonic()\nassert x\nassert perf_counter() < 3\ntook = perf_counter() - began\nassert took < 1"
    )
    assert timed_assertions(source) == [3, 5]
    assert timed_assertions("while time.monotonic() < 3: pass\nassert not alive") == []
