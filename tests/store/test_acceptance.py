"""Accepting: durable before it is answered, once for each reference, within the capacity."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, TextClause, select, text

from adapter.domain.errors import Code, SpoolFull, StoreUnavailable
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import State
from adapter.domain.values import Reply, Result
from adapter.store.acceptance import LARGE, Pair, first_answer
from adapter.store.capacity import Capacity
from adapter.store.clock import from_ms, to_ms
from adapter.store.committer import Committer, Kind
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import message, spool, submission
from tests.dbpoll.conftest import eventually
from tests.store.making import Intake, count, held, lose_next_answer, pair


def states(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(message.c.state).order_by(message.c.id)).scalars())


def together(intake: Intake, *calls: tuple[Pair, bool]) -> list[Reply | None]:
    """Calls in this order, in one commit."""
    with held(intake.committer):
        answers = [intake.acceptance.offer([each], [replace]) for each, replace in calls]
    return [answer()[0] for answer in answers]


def test_a_replacement_finds_what_came_in_the_same_commit(intake: Intake) -> None:
    first, second = pair(2, business_key="visit"), pair(business_key="visit")
    other = pair(business_key="visit", client="lis")
    together(intake, (first, False), (other, False), (second, True))
    assert states(intake.engine) == ["CANCELLED", "CANCELLED", "ACCEPTED", "ACCEPTED"]
    assert [notice.state for notice in intake.told] == [State.CANCELLED] * 2
    assert count(intake.engine, spool) == intake.capacity.waiting == 2


def test_a_replacement_finds_what_came_in_the_same_call(intake: Intake) -> None:
    intake.accept(pair(business_key="a"), pair(business_key="b"), pair(business_key="a"))
    intake.accept(pair(business_key="a"), pair(business_key="a"), replace=True)
    assert states(intake.engine) == ["CANCELLED", "ACCEPTED", "CANCELLED", "CANCELLED", "ACCEPTED"]


def test_a_repeated_replacement_replaces_nothing(intake: Intake) -> None:
    again = pair(business_key="visit", ref="1")
    intake.accept(again, replace=True)
    intake.accept(pair(business_key="visit"))
    intake.acceptance.offer([pair(business_key="visit", ref="1")], [True])()
    assert states(intake.engine) == ["ACCEPTED", "ACCEPTED"]


def test_one_reference_in_one_commit_is_accepted_once(intake: Intake) -> None:
    first, second = pair(2, ref="7"), pair(2, ref="7")
    answers = together(intake, (first, False), (second, False), (pair(ref="7"), False))
    assert answers == [None, first_answer(*first), first_answer(*first)]
    assert count(intake.engine, submission) == 1
    assert len(intake.arrived) == intake.capacity.waiting == 2


def test_the_first_answer_is_the_same_from_memory_and_from_the_store(intake: Intake) -> None:
    refusals = [
        (0, Result("123", "x", None, 0, Code.BAD_NUMBER, "not a number")),
        (2, Result("456", "", None, 0, Code.BLACKLISTED, "on the list")),
        (4, Result("", "", None, 0, Code.BAD_NUMBER, "")),
    ]
    first = pair(2, ref="7", refusals=refusals)
    intake.accept(first)
    (again,) = intake.acceptance.offer([pair(ref="7")])()
    assert again == first_answer(*first)
    assert again is not None
    assert [result.code for result in again.results] == [
        Code.BAD_NUMBER,
        Code.OK,
        Code.BLACKLISTED,
        Code.OK,
        Code.BAD_NUMBER,
    ]
    assert again.code is Code.PARTIAL
    assert (again.accepted, again.refused) == (2, 3)


def test_references_of_sources_and_clients_do_not_meet(intake: Intake) -> None:
    intake.accept(
        pair(ref="7"), pair(ref="7", client="lis"), pair(ref="7", source="a"), pair(), pair()
    )
    keys = [("his", "", "7"), ("his", "a", "7"), ("his", "b", "7"), ("his", "", "")]
    answers = intake.acceptance.first_answers(keys)
    assert [answer is not None for answer in answers] == [True, True, False, False]


def test_a_full_spool_refuses_what_is_new_and_answers_what_is_not(store: Engine) -> None:
    intake = Intake(store, Capacity(3))
    intake.committer.start()
    first = pair(3, ref="7")
    intake.accept(first)
    with pytest.raises(SpoolFull):
        intake.accept(pair())
    assert intake.acceptance.offer([pair(3, ref="7")])() == [first_answer(*first)]
    assert count(store, message) == 3
    intake.committer.stop()


def test_in_one_commit_only_those_calls_are_refused_that_find_no_room(store: Engine) -> None:
    intake = Intake(store, Capacity(4))
    intake.committer.start()
    with held(intake.committer):
        calls = [intake.acceptance.offer([pair(3)]) for _ in range(3)]
    refused = 0
    for call in calls:
        try:
            assert call() == [None]
        except SpoolFull:
            refused += 1
    assert refused == 2
    assert count(store, message) == intake.capacity.waiting == 3
    intake.committer.stop()


def test_many_threads_share_commits_and_each_reference_is_accepted_once(intake: Intake) -> None:
    def repeat(number: int) -> list[Reply | None]:
        return [intake.acceptance.offer([pair(2, ref=str(ref))])()[0] for ref in range(number, 40)]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(repeat, [each % 4 for each in range(16)]))
    assert sum(answer is None for each in answers for answer in each) == 40
    assert count(intake.engine, submission) == 40
    assert count(intake.engine, message) == count(intake.engine, spool) == 80
    assert len({each.message.id for each in intake.arrived}) == len(intake.arrived) == 80
    given = {answer.submission_id for each in answers for answer in each if answer}
    assert len(given) == 40


def test_an_acceptance_whose_answer_was_lost_is_answered_when_repeated(intake: Intake) -> None:
    first = pair(2, ref="7")
    lose_next_answer(intake.engine)
    with pytest.raises(StoreUnavailable):
        intake.accept(first)
    # Nobody else knows that these wait.
    assert intake.unsure == [QueueKey("mobile", "normal", "his")]
    assert intake.acceptance.offer([pair(2, ref="7")])() == [first_answer(*first)]
    assert count(intake.engine, spool) == 2


@pytest.mark.parametrize("year", [1970, 2026, 2038, 2100, 2999])
def test_moments_keep_their_milliseconds(year: int) -> None:
    start = datetime(year, 6, 1, tzinfo=UTC)
    for ms in range(1000):
        moment = start + timedelta(milliseconds=ms)
        assert to_ms(moment) % 1000 == ms
        assert from_ms(to_ms(moment)) == moment


@pytest.fixture
def two(postgres_url: str) -> Iterator[Intake]:
    """Small and large commit side by side."""
    engine = open_engine(postgres_url)
    upgrade(engine)
    mass = Committer(engine, "mass")
    its = Intake(engine, further=mass)
    its.committer.start()
    mass.start()
    yield its
    its.committer.stop()
    mass.stop()
    engine.dispose()


def test_what_is_small_does_not_wait_behind_what_is_large(two: Intake) -> None:
    with held(two.mass):
        large = two.acceptance.offer([pair(LARGE + 1)])
        row = two.acceptance.offer([pair(source="his", ref="1")])
        two.accept(pair(LARGE))
    assert large() == row() == [None]
    assert count(two.engine, message) == 2 * LARGE + 2


def test_one_reference_in_two_commits_at_a_time_is_accepted_once(two: Intake) -> None:
    with written_and_not_committed(two, pair(LARGE + 1, ref="7")) as large:
        small = two.acceptance.offer([pair(ref="7")])
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'")
        eventually(lambda: _scalar(two.engine, waits) == 1)
    assert large() == [None]
    (first,) = small()
    assert first is not None
    assert len(first.results) == LARGE + 1
    assert count(two.engine, message) == LARGE + 1


def test_of_a_large_and_a_small_replacement_one_stays(two: Intake) -> None:
    with written_and_not_committed(two, pair(LARGE + 1, business_key="visit"), True) as large:
        small = two.acceptance.offer([pair(business_key="visit")], [True])
        # Whatever single texts wait for, they are through.
        two.accept(pair())
    assert large() == small() == [None]
    assert states(two.engine).count("CANCELLED") == LARGE + 1
    assert states(two.engine).count("ACCEPTED") == 2


@contextmanager
def written_and_not_committed(
    two: Intake, large: Pair, replace: bool = False
) -> Iterator[Callable[[], list[Reply | None]]]:
    """The commit of a large request waits meanwhile."""
    written, go_on = threading.Event(), threading.Event()

    def wait(connection: Connection, works: Sequence[None]) -> list[None]:
        # Writes go to the server with the next statement that is read.
        connection.execute(text("SELECT 1")).all()
        written.set()
        assert go_on.wait(30)
        return list(works)

    with held(two.mass):
        answer = two.acceptance.offer([large], [replace])
        two.mass.submit(Kind("wait", 9, wait), None)
    assert written.wait(30)
    yield answer
    go_on.set()


@pytest.mark.parametrize("source", ["", "his"])
def test_first_answers_know_what_was_handed_in_before(two: Intake, source: str) -> None:
    with ThreadPoolExecutor() as threads:
        with held(two.mass):
            large = two.acceptance.offer([pair(LARGE + 1, source=source, ref="1")])
            asked = threads.submit(two.acceptance.first_answers, [("his", source, "1")])
        assert large() == [None]
        (answer,) = asked.result(30)
    assert answer is not None
    assert len(answer.results) == LARGE + 1


def _scalar(engine: Engine, query: TextClause) -> object:
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()
