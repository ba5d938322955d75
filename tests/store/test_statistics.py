from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from sqlalchemy import Engine, delete, func, insert, select, text, update

from adapter.domain.outcomes import Verdict
from adapter.domain.states import Carrier, Door, State
from adapter.domain.values import WHOLE
from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.recount import recompute
from adapter.store.schema import statistics_day, statistics_hour, tally
from adapter.store.statistics import day_of, fold, hours_of
from tests.store.life import Life

SHANGHAI = ZoneInfo("Asia/Shanghai")
# 23:30 on the first of March in Shanghai.
LATE = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)
KEPT_FROM = date(2026, 1, 1)


@pytest.fixture
def life(store: Engine) -> Iterator[Life]:
    made = Life(store, LATE)
    yield made
    made.end()


def fold_all(engine: Engine, most: int = 5_000) -> int:
    total = 0
    while count := fold(engine, SHANGHAI, most):
        total += count
    return total


def figures(engine: Engine, table: object = statistics_day) -> dict[tuple[int, str, str], int]:
    """Messages by period, state and channel."""
    period = statistics_day.c.day if table is statistics_day else statistics_hour.c.hour
    counted = period.table.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(period, counted.state, counted.channel, func.sum(counted.messages)).group_by(
                period, counted.state, counted.channel
            )
        )
        return {(at, state, channel): int(count) for at, state, channel, count in rows}


def everything(engine: Engine) -> list[list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return [
            sorted(tuple(row) for row in connection.execute(select(table)))
            for table in (statistics_hour, statistics_day)
        ]


def a_day(life: Life) -> None:
    """Two hours around midnight with every kind of end."""
    sent = life.accept(5)
    life.submit(sent)
    life.cancel(life.accept(1, client="lis", business="note"))
    life.submit(life.accept(2, carrier=Carrier.UNICOM), "spare", Verdict.REJECTED)
    life.now += timedelta(minutes=45)
    life.report(sent[:3])
    life.report(sent[3:4], delivered=False)
    long = life.accept(4, door=Door.DBPOLL, segments=3)
    life.submit(long[:2], "spare")
    life.report(long[:1], "spare")
    life.cancel(long[2:3], State.EXPIRED)
    life.inbound(sent[0].message.mobile)
    life.inbound("13900000000", "spare")


def test_a_message_counts_on_the_day_it_was_accepted(store: Engine, life: Life) -> None:
    a_day(life)
    fold_all(store)
    assert figures(store) == {
        (20260301, "ACCEPTED", "-"): 8,
        (20260301, "SUBMITTED", "main"): 5,
        (20260301, "DELIVERED", "main"): 3,
        (20260301, "UNDELIVERED", "main"): 1,
        (20260301, "CANCELLED", "-"): 1,
        (20260301, "REJECTED", "spare"): 2,
        (20260302, "ACCEPTED", "-"): 4,
        (20260302, "SUBMITTED", "spare"): 2,
        (20260302, "DELIVERED", "spare"): 1,
        (20260302, "EXPIRED", "-"): 1,
        (20260302, "INBOUND", "main"): 1,
        (20260302, "INBOUND", "spare"): 1,
    }
    hours = figures(store, statistics_hour)
    assert hours[int(LATE.timestamp()) // 3600, "DELIVERED", "main"] == 3


def test_folding_in_bites_gives_the_same(store: Engine, life: Life) -> None:
    a_day(life)
    with store.connect() as connection:
        tallies = connection.execute(select(func.count()).select_from(tally)).scalar_one()
    assert fold_all(store, most=1) == tallies
    in_bites = everything(store)
    with write_connection(store) as connection, connection.begin():
        connection.execute(delete(statistics_hour))
        connection.execute(delete(statistics_day))
    life.now = LATE + timedelta(days=1)
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM)
    assert recompute(store, date(2026, 3, 2), SHANGHAI, KEPT_FROM)
    assert everything(store) == in_bites


def test_segments_are_counted_too(store: Engine, life: Life) -> None:
    a_day(life)
    fold_all(store)
    with store.connect() as connection:
        rows = connection.execute(
            select(statistics_day.c.state, statistics_day.c.segments).where(
                statistics_day.c.door == "dbpoll"
            )
        )
        found = {row.state: row.segments for row in rows}
    assert found == {"ACCEPTED": 12, "SUBMITTED": 6, "DELIVERED": 3, "EXPIRED": 3}


def test_a_fold_that_fails_changes_nothing(store: Engine, life: Life) -> None:
    a_day(life)
    with write_connection(store) as connection, connection.begin():
        connection.execute(text("ALTER TABLE statistics_day RENAME TO elsewhere"))
    with pytest.raises(Exception, match="statistics_day"):
        fold(store, SHANGHAI)
    assert figures(store, statistics_hour) == {}
    with write_connection(store) as connection, connection.begin():
        connection.execute(text("ALTER TABLE elsewhere RENAME TO statistics_day"))
    fold_all(store)
    assert figures(store)[20260301, "ACCEPTED", "-"] == 8


def test_nodes_that_fold_at_once_share_the_work(store: Engine) -> None:
    rows = [
        (number, 480_000 + number % 3, "his", "lab", "soap", "-", "mobile", "ACCEPTED", 1, 2)
        for number in range(3_000)
    ]
    with write_connection(store) as connection, connection.begin():
        bulk.insert(connection, tally, rows)
    counts: list[int] = []

    def node() -> None:
        counts.append(fold_all(store, most=100))

    threads = [threading.Thread(target=node) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(figures(store).values()) == 3_000
    assert sum(figures(store, statistics_hour).values()) == 3_000


def test_recount_agrees_with_the_fold(store: Engine, life: Life) -> None:
    a_day(life)
    fold_all(store)
    before = everything(store)
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM) == []
    assert recompute(store, date(2026, 3, 2), SHANGHAI, KEPT_FROM) == []
    assert everything(store) == before


def test_a_receipt_that_settles_a_doubt_counts_the_submit(store: Engine, life: Life) -> None:
    lost = life.accept(2, segments=2)
    life.lose(lost)
    life.report(lost[:1])
    life.now += timedelta(minutes=2)
    life.settle()
    fold_all(store)
    assert figures(store) == {
        (20260301, "ACCEPTED", "-"): 2,
        (20260301, "SUBMITTED", "main"): 1,
        (20260301, "DELIVERED", "main"): 1,
        (20260301, "UNKNOWN", "main"): 1,
    }
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM) == []


def test_a_text_that_a_provider_took_whole_counts_all_its_segments(
    store: Engine, life: Life
) -> None:
    sent = [structs.replace(each, parts=(WHOLE,)) for each in life.accept(2, segments=3)]
    life.submit(sent, "web")
    life.report(sent[:1], "web")
    fold_all(store)
    with store.connect() as connection:
        counted = connection.execute(
            select(statistics_day.c.state, statistics_day.c.segments).order_by("state")
        ).all()
    assert [tuple(row) for row in counted] == [("ACCEPTED", 6), ("DELIVERED", 3), ("SUBMITTED", 6)]
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM) == []


def test_recount_takes_in_what_is_not_folded_yet(store: Engine, life: Life) -> None:
    a_day(life)
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM) == []
    assert recompute(store, date(2026, 3, 2), SHANGHAI, KEPT_FROM) == []
    assert fold_all(store) == 0
    recounted = everything(store)
    assert figures(store)[20260302, "INBOUND", "main"] == 1
    assert recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM) == []
    assert everything(store) == recounted


def test_recount_names_and_mends_what_is_wrong(store: Engine, life: Life) -> None:
    a_day(life)
    fold_all(store)
    right = everything(store)
    delivered = statistics_hour.c.state == "DELIVERED"
    with write_connection(store) as connection, connection.begin():
        connection.execute(update(statistics_hour).where(delivered).values(messages=99))
        stray = (491_000, "ghost", "lab", "soap", "-", "mobile", "ACCEPTED", 7, 7)
        connection.execute(insert(statistics_hour).values(stray))
    wrong = recompute(store, date(2026, 3, 1), SHANGHAI, KEPT_FROM)
    assert [(each.state, each.messages, each.counted_messages) for each in wrong] == [
        ("DELIVERED", 99, 3)
    ]
    recompute(store, date(2026, 3, 2), SHANGHAI, KEPT_FROM)
    with write_connection(store) as connection, connection.begin():
        connection.execute(delete(statistics_hour).where(statistics_hour.c.client == "ghost"))
    assert everything(store) == right


def test_recount_refuses_days_that_are_forgotten(store: Engine) -> None:
    with pytest.raises(ValueError, match="kept from 2026-01-01"):
        recompute(store, date(2025, 12, 31), SHANGHAI, KEPT_FROM)


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("Asia/Shanghai", date(2026, 3, 1), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Kolkata", date(2026, 3, 1), 24),
        ("UTC", date(2026, 3, 1), 24),
    ],
)
def test_hours_of_a_day(zone: str, day: date, count: int) -> None:
    hours = hours_of(day, day, ZoneInfo(zone))
    assert len(hours) == count
    number = int(f"{day:%Y%m%d}")
    assert {day_of(hour, ZoneInfo(zone)) for hour in hours} == {number}
    assert day_of(hours[0] - 1, ZoneInfo(zone)) < number < day_of(hours[-1] + 1, ZoneInfo(zone))
