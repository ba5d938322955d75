"""Dead letters: kept whole, shown, replayed under the id that they always had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from adapter.config.model import Jobs
from adapter.domain.ids import id_at
from adapter.domain.outcomes import Received
from adapter.domain.values import Home
from adapter.jobs.retention import Retention
from adapter.store import bulk, dead_letters, notices
from adapter.store.committer import Committer
from adapter.store.dead_letters import Burial, DeadLetters
from adapter.store.inbound import take
from adapter.store.schema import dead_letter, notification
from tests.store.making import IDS, Intake, count, pair, writing

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HIS = "client:his"


@pytest.fixture
def waiting(store: Engine) -> list[Home]:
    """What waits for `his`: three receipts and an inbound text. There is one of `lis`, too."""
    intake = Intake(store)
    intake.committer.start()
    accounts = ("his", "his", "his", "lis")
    made = intake.accept(*(pair(client=each, mobile="13800138000") for each in accounts))
    intake.committer.stop()
    with writing(store) as connection:
        rows = [
            (made, f"client:{of}", its.message.id, None, "DELIVERED", "DELIVRD", "main", 1, 2)
            for made, of, its in zip(IDS.take(4), accounts, made, strict=True)
        ]
        bulk.insert(connection, notification, rows)
        texts = [Received("main", "13800138000", "yes", "10690", "01", 9)]
        take(connection, IDS, texts, {"01": "his"}, {}, 0)
    return read(store)


def read(store: Engine, destination: str = HIS) -> list[Home]:
    with store.connect() as connection:
        return [
            *notices.read_states(connection, destination, 100),
            *notices.read_inbound(connection, destination, 100),
        ]


@contextmanager
def opened(store: Engine) -> Iterator[DeadLetters]:
    committer = Committer(store, "test")
    committer.start()
    try:
        yield DeadLetters(committer)
    finally:
        committer.stop()


def burial(events: list[Home], at: datetime = NOW, reason: str = "HTTP 500") -> Burial:
    return Burial(HIS, [each.id for each in events], at - 3 * DAY, at, reason)


def replayed(store: Engine, at: datetime, *only: int, most: int = 100) -> int:
    with writing(store) as connection:
        return dead_letters.replay(connection, HIS, at, most, only)


def test_what_dies_and_is_replayed_is_what_it_was(store: Engine, waiting: list[Home]) -> None:
    with opened(store) as letters:
        assert letters.bury(burial(waiting)) == {}
        assert read(store) == []
        assert len(read(store, "client:lis")) == 1
        with store.connect() as connection:
            assert dead_letters.count_dead(connection) == {HIS: 4}
            assert dead_letters.count_waiting(connection, HIS) == (0, None)
            shown = dead_letters.read_dead(connection, HIS, 3)
        assert [each.kind for each in shown] == ["receipt", "receipt", "receipt"]
        assert {(each.mobile, each.state, each.reason) for each in shown} == {
            ("13800138000", "DELIVERED", "HTTP 500")
        }
        assert replayed(store, NOW) == 4
        assert read(store) == waiting
        assert replayed(store, NOW) == 0
        with store.connect() as connection:
            assert dead_letters.count_dead(connection) == {}
            assert dead_letters.read_dead(connection, HIS, 9) == []
            oldest = min(each.id for each in waiting)
            assert dead_letters.count_waiting(connection, HIS) == (4, oldest)
        assert letters.arrived("his", [each.id for each in waiting]) == 4
    assert count(store, dead_letter) == 0
    assert count(store, notification) == 1


def test_some_are_replayed_and_not_those_of_others(store: Engine, waiting: list[Home]) -> None:
    with opened(store) as letters:
        letters.bury(burial(waiting))
        (other,) = read(store, "client:lis")
        letters.bury(Burial("client:lis", [other.id], NOW - DAY, NOW, "x"))
        assert replayed(store, NOW, waiting[1].id, other.id, 12345) == 1
        assert read(store) == [waiting[1]]
        assert replayed(store, NOW, most=2) == 2


def test_a_burial_takes_nothing_of_others_and_nothing_that_is_gone(
    store: Engine, waiting: list[Home]
) -> None:
    (other,) = read(store, "client:lis")
    with opened(store) as letters:
        letters.arrived("his", [waiting[0].id])
        assert letters.bury(burial([*waiting, other])) == {}
        assert len(read(store, "client:lis")) == 1
        with store.connect() as connection:
            assert dead_letters.count_dead(connection) == {HIS: 3}
        letters.bury(burial(waiting))
        assert count(store, dead_letter) == 3


def test_what_was_replayed_lately_is_spared_and_dies_again_later(
    store: Engine, waiting: list[Home]
) -> None:
    with opened(store) as letters:
        letters.bury(burial(waiting))
        replayed(store, NOW, waiting[0].id)
        spared = letters.bury(burial(waiting[:1], NOW + DAY))
        assert list(spared) == [waiting[0].id]
        assert abs(spared[waiting[0].id] - NOW) < timedelta(milliseconds=1)
        assert read(store) == waiting[:1]
        assert letters.bury(burial(waiting[:1], NOW + 4 * DAY, "r" * 999)) == {}
        with store.connect() as connection:
            assert dead_letters.count_dead(connection) == {HIS: 4}
            assert dead_letters.read_dead(connection, HIS, 1)[0].reason == "r" * 200


def test_dead_letters_are_kept_as_long_as_messages(store: Engine, waiting: list[Home]) -> None:
    with opened(store) as letters:
        letters.bury(burial(waiting))
    keep = Jobs(keep_days=200, notices_keep_days=30)
    for days, left in ((199, 4), (201, 0)):
        clock = NOW + timedelta(days=days)
        job = Retention(store, keep, UTC, clock=lambda clock=clock: clock)  # type: ignore[misc]
        job.run(threading.Event())
        assert count(store, dead_letter) == left
    assert all(each.id < id_at(NOW + DAY) for each in waiting)


def test_what_was_replayed_late_is_not_given_up_as_old(store: Engine, waiting: list[Home]) -> None:
    """It died forty days ago, was replayed now, and the service is still away in the night."""
    with opened(store) as letters:
        letters.bury(burial(waiting[:1]))
    late = NOW + 40 * DAY
    assert replayed(store, late) == 1
    keep = Jobs(keep_days=200, notices_keep_days=30)
    Retention(store, keep, UTC, clock=lambda: late + DAY).run(threading.Event())
    assert read(store) == waiting[:1]
    assert read(store, "client:lis") == []
    Retention(store, keep, UTC, clock=lambda: late + 31 * DAY).run(threading.Event())
    assert read(store) == []
