"""Counting a day's messages again, to prove its statistics or to mend them.

An audit, run by hand. It goes hour by hour, in one transaction each, over the ids of that
hour; acceptance on SQLite waits as long as one hour's messages take to count (about a
second for 100,000).

Limits
    The records must still be there: the day must be younger than retention.
    A message that went from channel to channel counts as SUBMITTED on the last one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    and_,
    delete,
    distinct,
    func,
    literal,
    or_,
    select,
)

from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.domain.tally import INBOUND, NONE, Tally
from adapter.domain.values import WHOLE
from adapter.store.endings import HOUR_MS
from adapter.store.engine import write_connection
from adapter.store.schema import (
    inbound,
    message,
    segment,
    statistics_day,
    statistics_hour,
    submission,
    tally,
)
from adapter.store.statistics import Sums, add, hours_of, number_of, summed

# A submission's id and its `accepted_at` are made within one call, but after a clock was set
# back the ids keep counting from where they were.
_ID_SLACK = timedelta(hours=1)
# An inbound text gets its id when it is stored, which waits while the store is away.
_INBOUND_SLACK = timedelta(days=1)


class Difference(NamedTuple):
    """What the statistics said of one key in one hour, and what the records say."""

    hour: int
    client: str
    business: str
    door: str
    channel: str
    carrier: str
    state: str
    messages: int
    segments: int
    counted_messages: int
    counted_segments: int


def recompute(engine: Engine, day: date, zone: tzinfo, kept_from: date) -> list[Difference]:
    """Count a day again from its records and put its statistics right; what was wrong.

    Raises ValueError for a day before `kept_from`, whose records may be deleted by now.
    """
    if day < kept_from:
        raise ValueError(f"{day} cannot be counted again: records are kept from {kept_from} on")
    hours = hours_of(day, day, zone)
    return [
        difference
        for hour in hours
        for difference in _recompute_hour(engine, hour, number_of(day), hours)
    ]


def _recompute_hour(engine: Engine, hour: int, day: int, hours: range) -> list[Difference]:
    with write_connection(engine) as connection:
        if connection.dialect.name == "postgresql":
            # One snapshot for what is deleted and what is counted; what commits meanwhile
            # stays a tally, and is folded later.
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            had = _had(connection, hour)
            counted = _count(connection, hour)
            connection.execute(delete(tally).where(tally.c.hour == hour))
            connection.execute(delete(statistics_hour).where(statistics_hour.c.hour == hour))
            add(connection, statistics_hour, counted)
            _sum_day(connection, day, hours)
    return [
        Difference(*key, *had.get(key, (0, 0)), *counted.get(key, (0, 0)))
        for key in sorted(had.keys() | counted.keys())
        if had.get(key) != counted.get(key)
    ]


def _had(connection: Connection, hour: int) -> Sums:
    rows: list[Tally] = []
    for table in (statistics_hour, tally):
        columns = [table.c[name] for name in Tally._fields]
        found = connection.execute(select(*columns).where(table.c.hour == hour))
        rows += [Tally(*row) for row in found]
    return summed(rows, lambda row: row.hour)


def _sum_day(connection: Connection, day: int, hours: range) -> None:
    keys = [statistics_hour.c[name] for name in Tally._fields[1:7]]
    sums = (
        select(
            literal(day),
            *keys,
            func.sum(statistics_hour.c.messages),
            func.sum(statistics_hour.c.segments),
        )
        .where(statistics_hour.c.hour.between(hours[0], hours[-1]))
        .group_by(*keys)
    )
    connection.execute(delete(statistics_day).where(statistics_day.c.day == day))
    connection.execute(statistics_day.insert().from_select(statistics_day.c.keys(), sums))


def _count(connection: Connection, hour: int) -> Sums:
    counted: Sums = {}
    for records in (_accepted(hour), _submitted(hour), _ended(hour), _received(hour)):
        rows = records.subquery()
        keys = [rows.c[name] for name in Tally._fields[1:7]]
        sums = select(*keys, func.count(), func.sum(rows.c.segments)).group_by(*keys)
        for row in connection.execute(sums):
            found = Tally._make((hour, *row))
            counted[found[:7]] = found.messages, int(found.segments)
    return counted


def _accepted(hour: int) -> Select[Any]:
    return _messages(literal(NONE), literal(State.ACCEPTED.value)).where(_accepted_in(hour))


def _ended(hour: int) -> Select[Any]:
    return _messages(func.coalesce(message.c.channel, NONE), message.c.state).where(
        _accepted_in(hour), message.c.state != State.ACCEPTED.value
    )


def _submitted(hour: int) -> Select[Any]:
    """Messages of which every part was taken by a carrier, with the last attempt's channel."""
    taken = (
        select(segment.c.message_id, func.max(segment.c.attempt).label("attempt"))
        .join(message, message.c.id == segment.c.message_id)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(_accepted_in(hour), segment.c.state != State.REJECTED.value)
        .group_by(segment.c.message_id, message.c.segments)
        .having(
            or_(
                func.count(distinct(segment.c.number)) >= message.c.segments,
                func.min(segment.c.number) == WHOLE,
            )
        )
        .subquery()
    )
    last = (
        select(segment.c.message_id, func.max(segment.c.channel).label("channel"))
        .join(
            taken,
            and_(
                taken.c.message_id == segment.c.message_id,
                taken.c.attempt == segment.c.attempt,
            ),
        )
        .group_by(segment.c.message_id)
        .subquery()
    )
    return _messages(last.c.channel, literal(State.SUBMITTED.value)).join(
        last, last.c.message_id == message.c.id
    )


def _received(hour: int) -> Select[Any]:
    start, end = _moment(hour), _moment(hour + 1)
    return (
        select(
            func.coalesce(inbound.c.client, NONE).label("client"),
            func.coalesce(submission.c.business, NONE).label("business"),
            literal(NONE).label("door"),
            inbound.c.channel,
            literal(NONE).label("carrier"),
            literal(INBOUND).label("state"),
            literal(1).label("segments"),
        )
        .select_from(inbound)
        .outerjoin(message, message.c.id == inbound.c.message_id)
        .outerjoin(submission, submission.c.id == message.c.submission_id)
        .where(
            inbound.c.id >= id_at(start - _INBOUND_SLACK),
            inbound.c.id < id_at(end + _INBOUND_SLACK),
            *_within(inbound, "received_at", hour),
        )
    )


def _messages(channel: ColumnElement[str], state: ColumnElement[str]) -> Select[Any]:
    return (
        select(
            submission.c.client,
            submission.c.business,
            submission.c.door,
            channel.label("channel"),
            message.c.carrier,
            state.label("state"),
            message.c.segments,
        )
        .select_from(message)
        .join(submission, submission.c.id == message.c.submission_id)
    )


def _accepted_in(hour: int) -> ColumnElement[bool]:
    start, end = _moment(hour), _moment(hour + 1)
    return and_(
        submission.c.id >= id_at(start - _ID_SLACK),
        submission.c.id < id_at(end + _ID_SLACK),
        *_within(submission, "accepted_at", hour),
    )


def _within(table: Table, column: str, hour: int) -> tuple[ColumnElement[bool], ...]:
    return table.c[column] >= hour * HOUR_MS, table.c[column] < (hour + 1) * HOUR_MS


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)
