"""Window, heartbeat, back-off, token bucket: by the clock of the test."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.backoff import Backoff
from connectors.heartbeat import Heartbeat
from connectors.pace import TokenBucket
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


def test_a_bucket_says_how_long_to_wait_and_takes_tokens_back() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 2, clock=clock)
    assert bucket.take(5) == 2
    assert bucket.wait_s() == 0.1
    clock.now += 0.15
    assert bucket.wait_s() == 0.0
    assert bucket.take() == 1
    bucket.put_back(1)
    assert bucket.take() == 1


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
