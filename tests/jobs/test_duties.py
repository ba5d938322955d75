"""Fold, retention and upkeep on real stores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, Table, func, select

from adapter.config.model import Jobs
from adapter.domain.ids import id_at
from adapter.domain.outcomes import Verdict
from adapter.domain.values import Waiting
from adapter.jobs.fold import Fold
from adapter.jobs.retention import Retention
from adapter.jobs.upkeep import Upkeep
from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.retention import forget_messages
from adapter.store.schema import (
    arrival,
    inbound,
    message,
    notification,
    receipt,
    segment,
    spool,
    statistics_day,
    statistics_hour,
    submission,
    tally,
)
from tests.store.life import Life

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def life(store: Engine) -> Iterator[Life]:
    made = Life(store, NOW)
    yield made
    made.end()


def count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def retention(engine: Engine, now: datetime, **options: int) -> Retention:
    keep = Jobs(keep_days=200, statistics_keep_days=400, notices_keep_days=30)
    return Retention(engine, keep, ZONE, pause_s=0, clock=lambda: now, **options)


def delivered(life: Life, number: int) -> list[Waiting]:
    sent = life.accept(number, source="his")
    life.submit(sent)
    life.report(sent)
    return sent


def test_fold_takes_every_tally(store: Engine, life: Life) -> None:
    for _ in range(4):
        delivered(life, 2)
    Fold(store, ZONE, bite=3, pause_s=0).run(threading.Event())
    assert count(store, tally) == 0
    with store.connect() as connection:
        total = connection.execute(select(func.sum(statistics_day.c.messages))).scalar_one()
    assert total == 4 * 2 * 3


def test_fold_ends_when_told(store: Engine, life: Life) -> None:
    delivered(life, 2)
    delivered(life, 2)
    stop = threading.Event()
    stop.set()
    before = count(store, tally)
    Fold(store, ZONE, bite=2).run(stop)
    assert count(store, tally) == before - 2


def test_old_messages_go_with_all_that_is_theirs(store: Engine, life: Life) -> None:
    sent = delivered(life, 25)
    life.report(sent[:3])
    life.inbound(sent[0].message.mobile)
    life.now += timedelta(days=100)
    delivered(life, 7)
    retention(store, NOW + timedelta(days=201), bite=10).run(threading.Event())
    assert count(store, message) == 7
    assert count(store, segment) == 7
    assert count(store, submission) == 1
    assert count(store, receipt) == 0
    assert count(store, inbound) == 0


def test_what_is_young_stays(store: Engine, life: Life) -> None:
    sent = delivered(life, 5)
    life.inbound(sent[0].message.mobile)
    retention(store, NOW + timedelta(days=199)).run(threading.Event())
    assert (count(store, message), count(store, segment), count(store, inbound)) == (5, 5, 1)


def test_what_came_is_remembered_for_a_fortnight(store: Engine) -> None:
    with write_connection(store) as connection, connection.begin():
        bulk.insert(connection, arrival, [(id_at(NOW), "main", "a"), (id_at(NOW) + 1, "b", "a")])
    retention(store, NOW + timedelta(days=14)).run(threading.Event())
    assert count(store, arrival) == 2
    retention(store, NOW + timedelta(days=14, seconds=1)).run(threading.Event())
    assert count(store, arrival) == 0


def test_open_messages_are_never_touched(store: Engine, life: Life) -> None:
    waiting = life.accept(3)
    life.submit(waiting[:1])
    life.submit(waiting[1:2], verdict=Verdict.REJECTED)
    retention(store, NOW + timedelta(days=900)).run(threading.Event())
    with store.connect() as connection:
        kept = set(connection.execute(select(message.c.id)).scalars())
    assert kept == {waiting[0].message.id, waiting[2].message.id}
    assert count(store, spool) == 1
    assert count(store, segment) == 1
    assert count(store, submission) == 1


def test_a_message_that_ended_lately_stays(store: Engine, life: Life) -> None:
    sent = life.accept(1)
    life.now += timedelta(days=150)
    life.submit(sent)
    life.report(sent)
    retention(store, NOW + timedelta(days=201)).run(threading.Event())
    assert count(store, message) == 1
    retention(store, NOW + timedelta(days=351)).run(threading.Event())
    assert count(store, message) == 0


def test_notices_are_given_up_sooner(store: Engine, life: Life) -> None:
    delivered(life, 5)
    assert count(store, notification) > 0
    retention(store, NOW + timedelta(days=31)).run(threading.Event())
    assert (count(store, notification), count(store, message)) == (0, 5)


def test_statistics_are_kept_longest(store: Engine, life: Life) -> None:
    delivered(life, 5)
    life.now += timedelta(days=20)
    delivered(life, 5)
    Fold(store, ZONE).run(threading.Event())
    rows = count(store, statistics_hour)
    retention(store, NOW + timedelta(days=399)).run(threading.Event())
    assert count(store, statistics_hour) == count(store, statistics_day) == rows
    retention(store, NOW + timedelta(days=402)).run(threading.Event())
    assert count(store, statistics_hour) == count(store, statistics_day) == rows // 2


def test_no_transaction_deletes_more_than_a_bite(store: Engine, life: Life) -> None:
    sent = delivered(life, 25)
    later = NOW + timedelta(days=300)
    first = forget_messages(store, later, 0, 10)
    assert (first.deleted, first.after) == (10, sent[9].message.id)
    assert count(store, message) == 15
    assert forget_messages(store, later, first.after or 0, 20) == (15, None)


def test_retention_ends_when_told(store: Engine, life: Life) -> None:
    delivered(life, 5)
    stop = threading.Event()
    stop.set()
    retention(store, NOW + timedelta(days=300)).run(stop)
    assert count(store, message) == 5


def test_upkeep_brings_the_log_back_and_can_run_beside_a_reader(store: Engine, life: Life) -> None:
    delivered(life, 50)
    with store.connect() as reader:
        reader.execute(select(message.c.id)).all()
        Upkeep(store).run(threading.Event())
    Upkeep(store).run(threading.Event())
    if store.dialect.name == "sqlite":
        assert store.url.database is not None
        assert Path(store.url.database + "-wal").stat().st_size == 0
    delivered(life, 1)
