"""The settler over a real store: what was forgotten is found, what is counted is put right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import Engine, select

from adapter.config.model import LanePolicy, Policies
from adapter.dispatch.settler import Settler
from adapter.domain.errors import StoreUnavailable
from adapter.domain.outcomes import Begin, QueueKey, Verdict
from adapter.domain.states import DoubtRule, Lane, State
from adapter.domain.values import Notice, Waiting
from adapter.store import recording
from adapter.store.clock import now_ms
from adapter.store.endings import NO_ANSWER
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import attempt
from adapter.store.spooling import begin, read_due
from tests.store.making import IDS, Intake, at_work, lose_next_answer, outcome, pair, writing


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    its = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(its)
    yield its
    its.dispose()


@pytest.fixture
def intake(engine: Engine) -> Iterator[Intake]:
    with at_work(engine) as its:
        yield its


def settler(
    intake: Intake, told: list[Notice], alive: set[int], policies: Policies | None = None
) -> Settler:
    return Settler(
        intake.engine,
        intake.committer,
        IDS,
        intake.capacity,
        policies or Policies(),
        {},
        told.extend,
        lambda _keys, _due_at: None,
        alive.__contains__,
    )


def sending(intake: Intake, number: int = 1) -> list[Waiting]:
    made = intake.accept(*[pair() for _ in range(number)])
    with writing(intake.engine) as connection:
        begin(connection, [Begin(each, "main", now_ms()) for each in made])
    return made


def in_doubt(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(
            connection.execute(
                select(attempt.c.message_id).where(attempt.c.doubt_at.is_not(None))
            ).scalars()
        )


def test_a_forgotten_attempt_is_rescued_and_a_living_one_left_alone(intake: Intake) -> None:
    living, forgotten = sending(intake, 2)
    its = settler(intake, [], {living.message.id})
    assert (its.rescue(), its.rescue()) == (1, 0)
    assert in_doubt(intake.engine) == {forgotten.message.id}
    assert its.recover() == 1
    assert in_doubt(intake.engine) == {forgotten.message.id, living.message.id}


def test_who_gets_no_answer_is_sent_as_often_as_the_lane_says(intake: Intake) -> None:
    lanes = {lane: LanePolicy(lane, DoubtRule.RESEND, 10.0, tries=3) for lane in Lane}
    told: list[Notice] = []
    its = settler(intake, told, set(), Policies(lanes))
    (going,) = sending(intake)
    key = QueueKey("mobile", going.submission.lane, "his")
    for sent in (1, 2, 3):
        with writing(intake.engine) as connection:
            recording.record(connection, IDS, [outcome(going, Verdict.DOUBT)], ())
        assert not told
        assert its.settle_doubts() == 1
        found, _ = read_due(intake.engine, key, 10, now_ms(), ())
        assert len(found) == (sent < 3)
        for going in found:
            # What never reached the wire uses up none of them.
            for _ in range(3):
                with writing(intake.engine) as connection:
                    begin(connection, [Begin(going, "main", now_ms())])
                    unsent = structs.replace(outcome(going, Verdict.RETRY, due_at=0), sent=False)
                    recording.record(connection, IDS, [unsent], ())
                ((going,), _) = read_due(intake.engine, key, 10, now_ms(), ())
            with writing(intake.engine) as connection:
                begin(connection, [Begin(going, "main", now_ms())])
    assert [(each.state, each.code) for each in told] == [(State.UNKNOWN, NO_ANSWER)]


def test_silence_is_searched_to_the_end_and_again_from_the_first_open(intake: Intake) -> None:
    told: list[Notice] = []
    its = settler(intake, told, set(), Policies(receipt_wait_s=-3600.0))
    (early,) = sending(intake)
    (waiting,) = intake.accept(pair(due_in_s=600))
    (later,) = sending(intake)
    for made in (later, early):
        with writing(intake.engine) as connection:
            recording.record(connection, IDS, [outcome(made, at=now_ms())], ())
        assert its.settle_silent() == 1
    assert [(each.message_id, each.state) for each in told] == [
        (later.message.id, State.UNKNOWN),
        (early.message.id, State.UNKNOWN),
    ]
    assert its.settle_silent() == 0
    assert waiting.message.id not in {each.message_id for each in told}


def test_thousands_expire_in_several_commits(intake: Intake) -> None:
    told: list[Notice] = []
    stale = intake.accept(pair(1_200, expire_in_s=-1))
    fresh = intake.accept(pair(2))
    assert settler(intake, told, set()).expire() == 0
    assert {each.message_id for each in told} == {each.message.id for each in stale}
    assert {each.state for each in told} == {State.EXPIRED}
    assert intake.capacity.waiting == len(fresh)


def test_the_capacity_is_put_right(intake: Intake) -> None:
    intake.accept(pair(3))
    lose_next_answer(intake.engine)
    with pytest.raises(StoreUnavailable):
        intake.accept(pair(2))
    assert intake.capacity.waiting == 3
    settler(intake, [], set()).expire()
    assert intake.capacity.waiting == 5


def test_the_capacity_is_put_right_soon_after_the_store_came_back(intake: Intake) -> None:
    lose_next_answer(intake.engine)
    with pytest.raises(StoreUnavailable):
        intake.accept(pair(2))
    its = settler(intake, [], set())
    its.settle()
    assert intake.capacity.waiting == 0
    its.count_again()
    its.settle()
    assert intake.capacity.waiting == 2
