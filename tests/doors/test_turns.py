"""Whose turn it is: a flood waits behind itself, and in company nobody takes much at a time."""

from __future__ import annotations

import pytest

from adapter.doors.company import HEARD_S, Company
from adapter.doors.turns import Bite, Kind, Turns

JOINED = Kind(at_once=2, most=8, least=4, shared=3)
ALONE = Kind(at_once=2)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def turns() -> tuple[Turns[str], Clock]:
    clock = Clock()
    return Turns(Company(clock)), clock


def put(waiting: Turns[str], client: str, count: int, kind: Kind = JOINED) -> None:
    for number in range(count):
        waiting.put(client, kind, f"{client}{number}")


def taken(waiting: Turns[str]) -> Bite[str]:
    bite = waiting.take()
    assert bite is not None
    return bite


def test_a_client_that_is_alone_takes_large_bites_in_order() -> None:
    waiting, _ = turns()
    put(waiting, "a", 20)
    first, second = taken(waiting), taken(waiting)
    assert first.pieces + second.pieces == [f"a{number}" for number in range(16)]
    assert waiting.take() is None, "two at a time, no more"
    waiting.over(first)
    assert taken(waiting).pieces == ["a16", "a17", "a18", "a19"]
    assert waiting.take() is None
    assert not waiting


def test_a_second_bite_must_be_worth_it() -> None:
    waiting, _ = turns()
    put(waiting, "a", 1)
    first = taken(waiting)
    put(waiting, "a", 3)
    assert waiting.takeable == 0
    assert waiting.take() is None
    waiting.put("a", JOINED, "fourth")
    assert waiting.takeable == 1
    second = taken(waiting)
    assert len(second.pieces) == 4
    put(waiting, "a", 1)
    waiting.over(first)
    assert waiting.take() is None
    waiting.over(second)
    assert taken(waiting).pieces == ["a0"], "one that waits alone is not forgotten"


def test_in_company_bites_are_small_and_one_at_a_time() -> None:
    waiting, clock = turns()
    put(waiting, "flood", 100)
    put(waiting, "b", 1)
    flood = taken(waiting)
    assert len(flood.pieces) == JOINED.shared
    assert taken(waiting).pieces == ["b0"]
    assert waiting.take() is None, "the flood has its bite"
    waiting.over(flood)
    flood = taken(waiting)
    assert len(flood.pieces) == JOINED.shared
    waiting.over(flood)
    assert waiting.rest_s() == 0, "no time has passed"
    clock.now += HEARD_S
    put(waiting, "flood", 1)
    assert len(taken(waiting).pieces) == JOINED.most, "the other one has gone"


def test_in_company_a_flood_rests_as_long_as_it_worked_and_others_hardly() -> None:
    waiting, clock = turns()
    put(waiting, "flood", 100)
    put(waiting, "b", 1)
    flood, other = taken(waiting), taken(waiting)
    clock.now += 0.3
    waiting.over(flood)
    waiting.over(other)
    put(waiting, "b", 1)
    assert waiting.take() is None
    assert waiting.rest_s() == pytest.approx(0.1), "one of three pieces, a third of the rest"
    clock.now += 0.1
    assert taken(waiting).pieces == ["b0"]
    assert waiting.take() is None
    clock.now += 0.2
    assert taken(waiting).key[0] == "flood"
    assert waiting.rest_s() is None


def test_who_is_alone_never_rests() -> None:
    waiting, clock = turns()
    put(waiting, "a", 20)
    bite = taken(waiting)
    clock.now += 0.3
    waiting.over(bite)
    assert waiting.rest_s() is None
    assert waiting.take() is not None


def test_one_that_comes_waits_for_one_bite_of_each_other() -> None:
    waiting, _ = turns()
    for client in ("a", "b", "c"):
        put(waiting, client, 1_000)
    order: list[str] = []
    for number in range(30):
        if number == 11:
            waiting.put("late", JOINED, "late0")
        bite = taken(waiting)
        order.append(str(bite.key[0]))
        waiting.over(bite)
    assert order[11:].index("late") <= 3
    assert {order.count(client) for client in ("a", "b", "c")} <= {9, 10}


def test_kinds_of_a_client_have_turns_of_their_own() -> None:
    waiting, _ = turns()
    put(waiting, "a", 9, ALONE)
    first, second = taken(waiting), taken(waiting)
    assert (first.pieces, second.pieces) == (["a0"], ["a1"])
    assert waiting.take() is None
    waiting.put("a", JOINED, "quick")
    assert taken(waiting).pieces == ["quick"]


def test_what_is_turned_away_is_all_that_waited() -> None:
    waiting, _ = turns()
    put(waiting, "a", 20)
    put(waiting, "b", 2, ALONE)
    bite = taken(waiting)
    assert sorted([*bite.pieces, *waiting.drain()]) == sorted(
        [f"a{number}" for number in range(20)] + ["b0", "b1"]
    )
    assert not waiting


def test_company_is_who_was_heard_of_just_now() -> None:
    clock = Clock()
    company = Company(clock)
    company.heard("a")
    assert not company.beside("a")
    assert company.beside("b")
    company.heard("b")
    for _ in range(3):
        company.heard("a")
    assert company.beside("a")
    clock.now += HEARD_S
    company.heard("a")
    assert not company.beside("a")
    assert company.beside("b")
    for number in range(5_000):
        company.heard(number)
    assert len(company._heard) <= 1_000


def test_several_that_are_one_are_no_company() -> None:
    waiting: Turns[str] = Turns(Company(Clock()), lambda client: client[0])
    for client in ("a1", "a2"):
        put(waiting, client, 20)
    assert len(taken(waiting).pieces) == JOINED.most
    put(waiting, "b1", 1)
    assert len(taken(waiting).pieces) == JOINED.shared
