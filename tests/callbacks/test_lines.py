"""Who goes next."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adapter.callbacks.lines import Lines, Portion
from adapter.domain.values import Home
from tests.callbacks.test_callback import FIRST, receipt, reply


def lines(*events: Home) -> Lines:
    made = Lines()
    made.add(events)
    return made


def numbers(portion: Portion) -> list[int]:
    return [event.id - FIRST for _, events in portion for event in events]


def test_a_request_takes_events_of_many_messages_and_of_one_in_order() -> None:
    its = lines(receipt(1), reply(2, 1), receipt(3), receipt(4))
    assert numbers(its.next(3, 0)) == [1, 2, 3]
    assert numbers(its.next(3, 0)) == [4]
    assert numbers(its.next(3, 0)) == []


def test_a_receipt_behind_a_text_of_its_message_waits_for_the_next_request() -> None:
    """In a request receipts stand before texts."""
    its = lines(reply(1, 9), reply(2, 9), receipt(3, 9), receipt(4))
    first = its.next(10, 0)
    assert numbers(first) == [1, 2, 4]
    its.safe(first)
    assert numbers(its.next(10, 0)) == [3]


def test_what_was_refused_together_is_tried_alone_and_together_again_once_it_is_taken() -> None:
    its = lines(receipt(1), reply(2, 1), receipt(3))
    its.failed(its.next(10, 0), apart=True)
    alone = [its.next(10, 0), its.next(10, 0)]
    assert list(map(numbers, alone)) == [[1], [3]]
    for portion in alone:
        its.safe(portion)
    its.add([receipt(4, 1)])
    assert numbers(its.next(10, 0)) == [2]
    assert its.count == 2


def test_nobody_there_takes_nothing_apart() -> None:
    its = lines(receipt(1), receipt(2))
    its.failed(its.next(10, 0), apart=False)
    assert numbers(its.next(10, 0)) == [1, 2]


def test_a_refused_line_waits_until_it_is_due() -> None:
    its = lines(receipt(1), receipt(2))
    portion = its.next(1, 0)
    its.failed(portion, apart=True)
    line = portion[0][0]
    its.refuse(line, at=100.0)
    line.due = 50.0
    its.safe(its.next(10, 10))
    assert numbers(its.next(10, 49)) == []
    assert its.next_due() == 50.0
    assert its.refused == 1
    assert numbers(its.next(10, 50)) == [1]


def test_probes_are_not_always_the_same() -> None:
    its = lines(*(receipt(n) for n in range(1, 5)))
    for due, n in enumerate((1, 2), 1):
        (portion,) = its.probes(1, fresh_first=True)
        assert numbers(portion) == [n]
        its.failed(portion, apart=True)
        its.refuse(portion[0][0], at=0.0)
        portion[0][0].due = float(due)
    assert [numbers(each) for each in its.probes(3)] == [[1], [3], [4]]


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=40), st.data())
def test_whatever_happens_events_of_a_message_keep_their_order(
    events: list[tuple[int, bool]], data: st.DataObject
) -> None:
    its = Lines()
    made: Sequence[Home] = [
        reply(n, message) if is_text else receipt(n, message)
        for n, (message, is_text) in enumerate(events, 1)
    ]
    its.add(made)
    arrived: list[Home] = []
    buried: set[int] = set()
    while its.count:
        portion = its.next(data.draw(st.integers(1, 4)), 0)
        assert portion, "nothing is stuck"
        fate = data.draw(st.sampled_from(["safe", "failed", "away", "buried"]))
        if fate == "safe":
            arrived += [event for _, its_ in portion for event in its_]
            its.safe(portion)
            continue
        its.failed(portion, apart=fate != "away")
        if fate == "buried":
            dead = {portion[0][1][0].id}
            its.bury(dead)
            buried |= dead
    assert {each.id for each in arrived} == {each.id for each in made} - buried
    for message in range(1, 6):
        ids = [each.id for each in arrived if each.message_id == message]
        assert ids == sorted(ids)
