"""Whose turn it is: a flood waits behind itself, and in company nobody takes much at a time."""

from __future__ import annotations

import pytest

from adapter.doors import turns as turns_module
from adapter.doors.company import HEARD_S, Company
from adapter.doors.turns import LONGEST_REST_S, REST, Bite, Kind, Turns

JOINED = Kind(at_once=2, most=8, least=4, shared=3)
LARGE = Kind(at_once=2, shared=3)
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


def test_in_company_a_client_rests_after_its_work_the_longer_the_larger_it_was() -> None:
    waiting, clock = turns()
    put(waiting, "much", 8)
    put(waiting, "b", 1)
    much, other = taken(waiting), taken(waiting)
    clock.now += 0.03
    waiting.over(much)
    waiting.over(other)
    put(waiting, "b", 1)
    assert waiting.take() is None
    assert waiting.rest_s() == pytest.approx(0.01 * REST), "one message of three"
    clock.now += 0.01 * REST
    assert taken(waiting).pieces == ["b0"]
    assert waiting.take() is None
    clock.now += 0.02 * REST
    assert taken(waiting).key[0] == "much"
    assert waiting.rest_s() is None


def test_after_a_large_request_a_client_rests_longer_but_not_for_ever() -> None:
    for messages, rest_s in ((2 * turns_module.LARGE, 0.02 * REST), (10_000, LONGEST_REST_S)):
        waiting, clock = turns()
        waiting.put("flood", JOINED, "large", messages)
        put(waiting, "b", 1)
        large = taken(waiting)
        assert large.messages == messages
        clock.now += 0.01
        waiting.over(large)
        put(waiting, "flood", 1)
        assert taken(waiting).pieces == ["b0"]
        assert waiting.rest_s() == pytest.approx(rest_s)


def test_who_sends_little_need_not_rest_beside_a_flood() -> None:
    waiting, clock = turns()
    put(waiting, "flood", 100)
    put(waiting, "b", 1)
    flood, other = taken(waiting), taken(waiting)
    clock.now += 0.03
    waiting.over(flood)
    waiting.over(other)
    put(waiting, "b", 1)
    assert taken(waiting).pieces == ["b0"]
    assert waiting.take() is None, "the flood rests"


def test_a_bite_is_as_large_as_its_messages_are_many() -> None:
    waiting, clock = turns()
    for number, messages in enumerate([1, 1, 5, 1, 2, 1]):
        waiting.put("flood", JOINED, f"flood{number}", messages)
    put(waiting, "b", 1)
    sizes = []
    for _ in range(4):
        bite = taken(waiting)
        if bite.key[0] == "flood":
            sizes.append((len(bite.pieces), bite.messages))
        waiting.over(bite)
    assert sizes == [(2, 2), (1, 5), (2, 3)], "what is larger than a bite is one by itself"
    clock.now += HEARD_S
    assert not waiting.enough("flood")
    waiting.put("flood", JOINED, "more", 8)
    assert taken(waiting).messages == 1
    assert taken(waiting).messages == 8, "worth a bite beside the other one"


def test_all_that_sends_shares_one_bite_and_one_rest_in_company() -> None:
    waiting, clock = turns()
    put(waiting, "b", 1)
    waiting.over(taken(waiting))
    put(waiting, "flood", 2, LARGE)
    put(waiting, "flood", 2)
    waiting.put("flood", ALONE, "asks")
    large = taken(waiting)
    assert (large.key[1], large.pieces) == (LARGE, ["flood0"])
    assert taken(waiting).pieces == ["asks"], "what sends nothing is no part of it"
    assert waiting.take() is None
    clock.now += 0.3
    waiting.over(large)
    assert waiting.take() is None, "it rests from both"
    clock.now += 0.1 * REST
    assert taken(waiting).key[1] is JOINED


def test_a_client_in_company_has_enough_waiting_for_two_bites() -> None:
    waiting, clock = turns()
    put(waiting, "flood", 5)
    put(waiting, "b", 1)
    assert not waiting.enough("flood")
    put(waiting, "flood", 1)
    assert waiting.enough("flood")
    assert not waiting.enough("b")
    clock.now += HEARD_S
    assert not waiting.enough("flood"), "the other one has gone"


def test_two_that_flood_are_no_company_for_each_other() -> None:
    waiting, _ = turns()
    for client in ("a", "b"):
        put(waiting, client, 40)
    first, second = taken(waiting), taken(waiting)
    assert [len(each.pieces) for each in (first, second)] == [JOINED.shared] * 2
    waiting.over(first)
    waiting.over(second)
    assert len(taken(waiting).pieces) == JOINED.most
    put(waiting, "quiet", 1)
    sizes = {str(bite.key[0]): len(bite.pieces) for bite in iter(waiting.take, None)}
    assert sizes == {"b": JOINED.shared, "quiet": 1}, "it is for both of them"


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
    first = taken(waiting)
    assert len(first.pieces) == JOINED.most
    put(waiting, "b1", 1)
    assert taken(waiting).key[0] == "b1"
    assert waiting.take() is None, "both have one bite between them"
    waiting.over(first)
    assert len(taken(waiting).pieces) == JOINED.shared
