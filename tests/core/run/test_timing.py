"""The time of a call by a clock that the test sets."""

import itertools

import pytest

from awd_core.run import timing
from awd_core.run.timing import shortest_seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves on only where a call takes time."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def test_the_shortest_of_repeated_calls_counts_and_the_first_does_not(clock):
    lasts = itertools.chain([0.001], itertools.cycle([0.05, 0.02, 0.04]))
    calls = []

    def call():
        calls.append(next(lasts))
        clock[0] += calls[-1]

    assert shortest_seconds(call, seconds=0.2) == pytest.approx(0.02)
    assert sum(calls[1:-1]) < 0.2 <= sum(calls[1:])


def test_a_call_that_takes_longer_is_timed_once(clock):
    calls = []

    def call():
        calls.append(1)
        clock[0] += 3.0

    assert shortest_seconds(call) == pytest.approx(3.0)
    assert len(calls) == 2


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_there_must_be_time(seconds):
    with pytest.raises(ValueError, match=f"seconds is {seconds}; give a time to repeat the call for above 0"):
        shortest_seconds(lambda: None, seconds)
