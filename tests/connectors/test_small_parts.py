"""Window, heartbeat, back-off, token bucket: by the clock of the test."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.backoff import Backoff
from connectors.heartbeat import Heartbeat
from connectors.pace import Pace, TokenBucket
from connectors.window import Window


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_back_off_doubles_up_to_its_limit_and_begins_again() -> None:
    pauses = Backoff(1.0, 5.0, rand=lambda: 0.5)
    assert [pauses.next() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    pauses.reset()
    assert pauses.next() == 1.0


def test_back_off_jitters_by_a_quarter() -> None:
    assert Backoff(4.0, 60.0, rand=lambda: 0.0).next() == 3.0
    assert Backoff(4.0, 60.0, rand=lambda: 1.0).next() == 5.0


def test_back_off_survives_very_many_tries() -> None:
    pauses = Backoff(1.0, 60.0, rand=lambda: 0.5)
    assert [pauses.next() for _ in range(5000)][-1] == 60.0


@given(st.floats(1, 1000), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_rate_and_burst(rate: float, waits: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    taken = 0
    for wait in waits:
        clock.now += wait
        taken += bucket.take(1000)
    assert taken <= bucket.burst + rate * (clock.now - 100.0) + 1e-6


def test_a_bucket_says_how_long_to_wait() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 2, clock=clock)
    assert bucket.take(5) == 2
    assert bucket.wait_s() == 0.1
    assert bucket.wait_s(2) == 0.2
    clock.now += 0.15
    assert bucket.wait_s() == 0.0
    assert bucket.free() == bucket.take() == 1


def test_a_pace_says_how_long_to_wait_for_several() -> None:
    clock = Clock()
    pace = Pace(50, clock=clock)
    assert pace.most == pace.free() == 5
    pace.spend(5)
    assert pace.wait_s(3) == 3 / 50
    assert pace.wait_s(100) == 5 / 50
    clock.now += 0.1001
    assert pace.free() == 5


def most_in_a_window(spent: list[tuple[float, int]], window_s: float) -> int:
    """The most in any window of this length, wherever it begins."""
    most = inside = first = 0
    for at, count in spent:
        inside += count
        while at - spent[first][0] >= window_s:
            inside -= spent[first][1]
            first += 1
        most = max(most, inside)
    return most


@given(
    st.floats(0.2, 2000),
    st.lists(st.tuples(st.floats(0, 1.5), st.integers(1, 500)), min_size=1, max_size=300),
)
def test_no_second_sees_more_than_the_rate(rate: float, takes: list[tuple[float, int]]) -> None:
    clock = Clock()
    pace = Pace(rate, clock=clock)
    spent = []
    for wait, wanted in takes:
        clock.now += wait
        count = min(wanted, pace.free())
        if count:
            # What is handed over a little later was free even so.
            clock.now += wait / 10
            pace.spend(count)
            spent.append((clock.now, count))
    assert most_in_a_window(spent, 1.0) <= max(1.0, rate)
    assert most_in_a_window(spent, max(1.0, 1 / rate)) <= max(1.0, rate)


@given(st.floats(0.5, 500), st.integers(1, 100))
def test_who_waits_as_told_gets_the_whole_rate(rate: float, at_once: int) -> None:
    clock = Clock()
    pace = Pace(rate, clock=clock)
    began, spent = clock.now, 0
    whole = int(rate) if rate >= 1 else rate
    while spent < 5 * max(1, rate):
        wait = pace.wait_s()
        assert wait <= max(1.0, 1 / rate) + 1e-9
        # The clock of a computer has its steps.
        clock.now += wait + 1e-6
        count = min(at_once, pace.free())
        assert count
        pace.spend(count)
        spent += count
    assert clock.now - began <= spent / whole + 0.01


def test_a_window_gives_slots_back_in_any_order() -> None:
    window: Window[str] = Window(3)
    for sequence, item in enumerate("abc"):
        window.put(sequence, item, float(sequence))
    assert window.room == 0
    assert window.take(1) == "b"
    assert window.take(1) is None
    assert window.room == 1
    assert window.expired(0.5) == [(0, "a")]
    assert window.expired(0.5) == []
    assert window.drain() == ["c"]
    assert window.room == 3


def test_a_throttled_window_grows_again_by_doubling() -> None:
    window: Window[str] = Window(6)
    window.shrink()
    assert window.room == 1
    limits = []
    for _ in range(4):
        window.grow()
        limits.append(window.limit)
    assert limits == [2, 4, 6, 6]


def test_a_heartbeat_counts_silence_and_forgives() -> None:
    beat = Heartbeat(10.0, 2, 0.0)
    assert not beat.due(9.0)
    assert beat.due(10.0)
    assert not beat.due(11.0)
    beat.heard(15.0)
    assert not beat.due(24.0)
    assert beat.due(25.0)
    assert beat.due(35.0)
    assert not beat.dead
    assert not beat.due(45.0)
    assert beat.dead
