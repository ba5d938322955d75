"""Deleting what is old, a bite at a time.

Each function deletes one bite in one transaction and says where to go on. Rows are found
by their id, which tells when it was made, so nothing is scanned twice within a sweep.

A message goes with its segments, and only when it has been final for that long: an open
message, and one that ended lately (it had been scheduled far ahead), stay. A submission
goes when its last message has gone. Its client reference is forgotten with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, exists, func, select

from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.store import bulk
from adapter.store.clock import to_ms
from adapter.store.engine import write_connection
from adapter.store.schema import (
    arrival,
    dead_letter,
    inbound,
    message,
    not_delivered,
    notification,
    receipt,
    segment,
    staged,
    statistics_day,
    statistics_hour,
    submission,
    upload,
)


class Bite(NamedTuple):
    """What one transaction deleted; `after` is where the next begins, None at the end."""

    deleted: int
    after: int | None


def forget_messages(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Delete messages that were final before a moment, with their segments."""
    with write_connection(engine) as connection, connection.begin():
        old = (
            select(message.c.id)
            .where(
                message.c.id > after,
                message.c.id < id_at(before),
                message.c.state != State.ACCEPTED.value,
                message.c.done_at < to_ms(before),
            )
            .order_by(message.c.id)
            .limit(most)
        )
        keys = list(connection.execute(old).scalars())
        bulk.delete(connection, segment, keys)
        bulk.delete(connection, not_delivered, keys)
        bulk.delete(connection, message, keys)
        return _bite(keys, most)


def forget_submissions(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Delete submissions made before a moment whose messages are all gone."""
    with write_connection(engine) as connection, connection.begin():
        old = (
            select(submission.c.id)
            .where(
                submission.c.id > after,
                submission.c.id < id_at(before),
                ~exists().where(message.c.submission_id == submission.c.id),
            )
            .order_by(submission.c.id)
            .limit(most)
        )
        keys = list(connection.execute(old).scalars())
        bulk.delete(connection, upload, keys)
        bulk.delete(connection, submission, keys)
        return _bite(keys, most)


def forget_staged(engine: Engine, before: datetime, _after: int, most: int) -> Bite:
    """Delete the messages of a request that was begun before a moment and never accepted; `after`
    stays 0 while there may be others."""
    with write_connection(engine) as connection, connection.begin():
        begun = connection.execute(
            select(staged.c.submission_id)
            .where(staged.c.submission_id < id_at(before))
            .order_by(staged.c.submission_id)
            .limit(1)
            # Not one that is being accepted right now, however old.
            .with_for_update(skip_locked=True)
        ).scalar()
        if begun is None:
            return Bite(0, None)
        its = select(message.c.id).where(message.c.submission_id == begun).limit(most)
        keys = list(connection.execute(its).scalars())
        bulk.delete(connection, message, keys)
        if len(keys) < most:
            bulk.delete(connection, staged, [begun])
        return Bite(len(keys), 0)


def forget_inbound(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Delete inbound texts that came before a moment."""
    return _forget(engine, inbound, before, after, most)


def forget_arrivals(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Forget what came before a moment: should a carrier send it again, it is kept again."""
    return _forget(engine, arrival, before, after, most)


def forget_receipts(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Delete kept receipts (parked, repeated, late) that came before a moment."""
    return _forget(engine, receipt, before, after, most)


def forget_notices(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Give up notices that nobody fetched and no table took since a moment. One that was replayed
    since then is younger than it looks."""
    replayed = exists().where(
        dead_letter.c.id == notification.c.id, dead_letter.c.replayed_at >= to_ms(before)
    )
    return _forget(engine, notification, before, after, most, ~replayed)


def forget_dead_letters(engine: Engine, before: datetime, after: int, most: int) -> Bite:
    """Give up dead letters that nobody replayed since a moment."""
    return _forget(engine, dead_letter, before, after, most)


def forget_statistics(engine: Engine, hour: int, day: int) -> int:
    """Delete the oldest hour and the oldest day of the statistics, where older than these."""
    with write_connection(engine) as connection, connection.begin():
        return _forget_oldest(connection, statistics_hour, "hour", hour) + _forget_oldest(
            connection, statistics_day, "day", day
        )


def _forget(
    engine: Engine,
    table: Table,
    before: datetime,
    after: int,
    most: int,
    *conditions: ColumnElement[bool],
) -> Bite:
    with write_connection(engine) as connection, connection.begin():
        old = (
            select(table.c.id)
            .where(table.c.id > after, table.c.id < id_at(before), *conditions)
            .order_by(table.c.id)
            .limit(most)
        )
        keys = list(connection.execute(old).scalars())
        bulk.delete(connection, table, keys)
        return _bite(keys, most)


def _forget_oldest(connection: Connection, table: Table, period: str, before: int) -> int:
    column = table.c[period]
    oldest = connection.execute(select(func.min(column))).scalar()
    if oldest is None or oldest >= before:
        return 0
    return connection.execute(delete(table).where(column == oldest)).rowcount


def _bite(keys: list[int], most: int) -> Bite:
    return Bite(len(keys), keys[-1] if len(keys) == most else None)
