"""Large submissions: stored in slices, accepted in one commit; before it nobody finds them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Table

from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.outcomes import QueueKey
from adapter.domain.values import Message
from adapter.store import retention, spooling
from adapter.store.acceptance import Pair, first_answer
from adapter.store.capacity import Capacity
from adapter.store.clock import now_ms
from adapter.store.schema import message, spool, staged, submission
from adapter.store.staging import SLICE, Staging, claim, drop, is_staged
from tests.dbpoll.conftest import eventually
from tests.store.making import Intake, count, lose_next_answer, pair, writing

MANY = 3 * SLICE + 1


def rows(engine: Engine) -> dict[str, int]:
    """How many there are of each table that has any."""
    tables: tuple[Table, ...] = submission, message, spool, staged
    return {each.name: found for each in tables if (found := count(engine, each))}


def due(engine: Engine) -> list[int]:
    key = QueueKey("mobile", "normal", "his")
    read, _ = spooling.read_due(engine, key, 10 * MANY, now_ms(), ())
    return [each.message.id for each in read]


def test_it_is_one_submission_as_any_other(intake: Intake) -> None:
    its, own = pair(MANY)
    intake.accept((its, own), pair())
    assert rows(intake.engine) == {"submission": 2, "message": MANY + 1, "spool": MANY + 1}
    assert len(intake.arrived) == intake.capacity.waiting == MANY + 1
    assert due(intake.engine)[:MANY] == [each.id for each in own]


def break_off(intake: Intake, begun: Pair) -> None:
    """As if the process had died when all slices were stored."""
    Staging(intake.committer, intake.capacity).store(*begun)


def give_up(engine: Engine, submission_id: int) -> None:
    with writing(engine) as connection:
        drop(connection, [submission_id])


def retain(engine: Engine, _submission_id: int) -> None:
    retention.forget_staged(engine, datetime.now(UTC), 0, 10 * MANY)


def test_one_that_met_trouble_leaves_nothing(intake: Intake) -> None:
    lose_next_answer(intake.engine)
    with pytest.raises(StoreUnavailable):
        intake.acceptance.offer([pair(MANY, ref="7")])()
    eventually(lambda: rows(intake.engine) == {})
    intake.accept(pair(MANY, ref="7"))
    assert intake.capacity.waiting == MANY


def test_of_one_that_broke_off_nothing_is_sent_and_it_may_be_repeated(intake: Intake) -> None:
    break_off(intake, pair(MANY, ref="7"))
    assert rows(intake.engine) == {"message": MANY, "staged": 1}
    assert due(intake.engine) == []
    assert intake.acceptance.first_answers([("his", "", "7")]) == [None]
    again = pair(MANY, ref="7")
    intake.accept(again)
    assert due(intake.engine) == [each.id for each in again[1]]
    assert intake.capacity.waiting == MANY


def test_retention_deletes_what_is_left_of_one_that_broke_off(intake: Intake) -> None:
    break_off(intake, pair(MANY))
    intake.accept(pair(MANY))
    now = datetime.now(UTC)
    assert retention.forget_staged(intake.engine, now - timedelta(days=1), 0, 40).deleted == 0
    bites = []
    while (bite := retention.forget_staged(intake.engine, now, 0, SLICE)).after is not None:
        bites.append(bite.deleted)
    assert bites == [SLICE, SLICE, SLICE, MANY - 3 * SLICE]
    assert rows(intake.engine) == {"submission": 1, "message": MANY, "spool": MANY}


def test_a_reference_that_was_accepted_gets_its_answer_and_leaves_nothing(intake: Intake) -> None:
    first = pair(MANY, ref="7")
    intake.accept(first)
    before = rows(intake.engine)
    assert intake.acceptance.offer([pair(MANY, ref="7")])() == [first_answer(*first)]
    assert rows(intake.engine) == before
    assert intake.capacity.waiting == MANY


def test_one_reference_in_many_threads_is_accepted_once(intake: Intake) -> None:
    offered = [pair(MANY, ref="7") for _ in range(4)]
    with ThreadPoolExecutor(len(offered)) as pool:
        answers = list(pool.map(lambda each: intake.acceptance.offer([each])()[0], offered))
    (first,) = [each for each, answer in zip(offered, answers, strict=True) if answer is None]
    assert [answer for answer in answers if answer is not None] == [first_answer(*first)] * 3
    assert rows(intake.engine) == {"submission": 1, "message": MANY, "spool": MANY}


class Filled(Capacity):
    """A spool that others fill after it was asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__(MANY)
        self._left = times

    def room_for(self, more: int) -> bool:
        self._left -= 1
        return self._left >= 0


@pytest.mark.parametrize("times", [0, 1])
def test_one_that_finds_no_room_leaves_nothing(store: Engine, times: int) -> None:
    intake = Intake(store, Filled(times))
    intake.committer.start()
    with pytest.raises(SpoolFull):
        intake.acceptance.offer([pair(MANY)])()
    intake.committer.stop()
    assert rows(store) == {}


def test_of_two_in_one_call_none_is_left_where_one_finds_no_room(store: Engine) -> None:
    intake = Intake(store, Filled(1))
    intake.committer.start()
    with pytest.raises(SpoolFull):
        intake.acceptance.offer([pair(MANY), pair(MANY)])()
    intake.committer.stop()
    assert rows(store) == {}


def test_what_was_accepted_is_never_given_up(intake: Intake) -> None:
    its, own = pair(MANY)
    intake.accept((its, own))
    Staging(intake.committer, intake.capacity).give_up([its.id])
    intake.accept(pair())
    assert rows(intake.engine) == {"submission": 2, "message": MANY + 1, "spool": MANY + 1}


class Watched(list[Message]):
    """Messages of a submission; `then` is called before their second slice is taken."""

    def __init__(self, own: Sequence[Message], then: Callable[[], object]) -> None:
        super().__init__(own)
        self._then = then

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice) and place.start == SLICE:
            self._then()
        return super().__getitem__(place)


def test_a_first_answer_waits_for_one_that_is_being_stored(intake: Intake) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        begun.set()
        assert go_on.wait(30)

    its, own = pair(MANY, ref="7")
    with ThreadPoolExecutor(2) as pool:
        accepting = pool.submit(intake.acceptance.offer([(its, Watched(own, pause))]))
        assert begun.wait(30)
        asking = pool.submit(intake.acceptance.first_answers, [("his", "", "7")])
        # Of others nobody has to wait.
        assert intake.acceptance.first_answers([("his", "", "8")]) == [None]
        go_on.set()
        assert accepting.result(30) == [None]
        assert asking.result(30) == [first_answer(its, own)]


def test_a_slice_whose_beginning_was_lost_is_not_stored(intake: Intake) -> None:
    its, own = pair(MANY)
    staging = Staging(intake.committer, intake.capacity)

    def give_up() -> None:
        staging.give_up([its.id])
        # After it.
        intake.accept(pair())

    with pytest.raises(Refusal) as refused:
        staging.store(its, Watched(own, give_up))
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert rows(intake.engine) == {"submission": 1, "message": 1, "spool": 1}


def test_one_of_which_a_part_was_lost_is_not_accepted(intake: Intake) -> None:
    its, own = pair(MANY)
    Staging(intake.committer, intake.capacity).store(its, own[1:])
    with pytest.raises(Refusal) as refused, writing(intake.engine) as connection:
        claim(connection, its, MANY)
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert rows(intake.engine) == {"message": MANY - 1, "staged": 1}
    with writing(intake.engine) as connection:
        claim(connection, its, MANY - 1)
    assert len(due(intake.engine)) == 0
    with pytest.raises(Refusal), writing(intake.engine) as connection:
        claim(connection, pair(MANY)[0], 0)


@pytest.mark.parametrize("give_up", [give_up, retain])
def test_what_is_being_accepted_is_not_deleted(
    intake: Intake, give_up: Callable[[Engine, int], None]
) -> None:
    """Whose commit is under way, or perhaps: its answer was lost."""
    its, own = pair(MANY)
    break_off(intake, (its, own))
    claimed, go_on = threading.Event(), threading.Event()

    def accept() -> None:
        with writing(intake.engine) as connection:
            claim(connection, its, MANY)
            claimed.set()
            assert go_on.wait(30)

    with ThreadPoolExecutor(2) as pool:
        accepting = pool.submit(accept)
        assert claimed.wait(30)
        giving_up = pool.submit(give_up, intake.engine, its.id)
        # Whether it waits for the other or has passed it over.
        wait([giving_up], 0.2)
        go_on.set()
        accepting.result(30)
        giving_up.result(30)
    assert rows(intake.engine) == {"message": MANY, "spool": MANY}


def test_what_sources_hand_in_keeps_its_order() -> None:
    assert is_staged(*pair(MANY))
    assert not is_staged(*pair(SLICE))
    assert not is_staged(*pair(MANY, source="his"))
