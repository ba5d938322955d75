"""When to look, and for how much."""

from __future__ import annotations

from dbpoll.pacing import FEWEST, SLOW_S, TRIPS, BatchSize, Breaker, Looks


def test_light_traffic_waits_for_nobody_and_an_idle_table_is_left_alone() -> None:
    looks = Looks(0.1, 2.0, warm_s=60.0)
    assert looks.pause(0.0, 1, 0.001) == 0.1
    assert looks.pause(59.0, 0, 0.001) == 0.1
    pauses = [looks.pause(100.0 + n, 0, 0.001) for n in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0
    assert looks.pause(200.0, 3, 0.001) == 0.1


def test_a_look_that_costs_much_is_taken_seldom() -> None:
    looks = Looks(0.1, 2.0, warm_s=60.0)
    assert looks.pause(0.0, 5, 3.0) == 0.1
    assert looks.pause(0.0, 0, 3.0) == 30.0
    assert looks.pause(0.0, 0, 300.0) == 60.0


def test_batches_shrink_with_a_slow_database_and_grow_again() -> None:
    size = BatchSize(500)
    for _ in range(20):
        size.took(size.rows, SLOW_S * 2)
    assert size.rows == FEWEST
    size.took(3, 0.01)
    assert size.rows == FEWEST
    for _ in range(20):
        size.took(size.rows, 0.01)
    assert size.rows == 500


def test_the_breaker_opens_after_some_failures_and_closes_with_one_success() -> None:
    breaker = Breaker(0.2, 30.0)
    states = []
    for _ in range(TRIPS):
        breaker.failed()
        states.append(breaker.open)
    breaker.well()
    states.append(breaker.open)
    assert states == [*[False] * (TRIPS - 1), True, False]


def test_a_database_that_comes_back_is_not_left_alone_for_longer_than_it_was_away() -> None:
    breaker = Breaker(0.2, 30.0)
    away_s = 0.0
    for _ in range(40):
        pause = breaker.failed()
        assert pause <= away_s + 0.21
        away_s += pause
    assert 15.0 <= pause <= 30.0
