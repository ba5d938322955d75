"""Statistics: tallies folded into hours and days.

Every change of state writes what it means for the statistics into `tally`, in its own
transaction. `fold` takes tallies away and adds them to `statistics_hour` and
`statistics_day`, all in one transaction: a crash at any point leaves a tally either there
or added, never both, and two nodes that fold at once share the work. The messages
themselves are never scanned, except by an audit (`recount`).

An hour belongs to the day in which it begins, in the hospital's time zone. Were the
zone ever changed, days already folded keep the old one until they are recounted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from adapter.domain.tally import Tally
from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.schema import statistics_day, statistics_hour, tally

BITE = 500
"""Tallies in one transaction: SQLite has one writer, and whoever accepts waits for it."""

Key = tuple[int, str, str, str, str, str, str]
"""A period, and what is counted apart within it."""

Sums = dict[Key, tuple[int, int]]
"""Messages and segments."""


def fold(engine: Engine, zone: tzinfo, most: int = BITE) -> int:
    """Fold the oldest `most` tallies in one transaction; how many there were."""
    with write_connection(engine) as connection, connection.begin():
        oldest = select(tally.c.id).order_by(tally.c.id).limit(most)
        keys = connection.execute(oldest).scalars().all()
        # Only rows that this transaction deleted are added: another node may be faster.
        rows = [Tally(*row) for row in bulk.delete(connection, tally, keys, tuple(tally.c)[1:])]
        add(connection, statistics_hour, summed(rows, lambda row: row.hour))
        add(connection, statistics_day, summed(rows, lambda row: day_of(row.hour, zone)))
        return len(rows)


def summed(rows: Iterable[Tally], period: Callable[[Tally], int]) -> Sums:
    """Tallies added up by period and key."""
    messages: Counter[Key] = Counter()
    segments: Counter[Key] = Counter()
    for row in rows:
        key = (period(row), *row[1:7])
        messages[key] += row.messages
        segments[key] += row.segments
    return {key: (messages[key], segments[key]) for key in messages}


def add(connection: Connection, table: Table, sums: Sums) -> None:
    """Add to the rows of a statistics table, making those that are missing."""
    if not sums:
        return
    make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = make(table)
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + statement.excluded[name] for name in ("messages", "segments")},
    )
    # In one order, or two nodes that fold at once could wait for each other for ever.
    connection.execute(statement, [_row(table, key, sums[key]) for key in sorted(sums)])


def _row(table: Table, key: Key, sums: tuple[int, int]) -> dict[str, Any]:
    return dict(zip(table.c.keys(), (*key, *sums), strict=True))


def day_of(hour: int, zone: tzinfo) -> int:
    """The day, as YYYYMMDD, in which an hour begins."""
    return number_of(datetime.fromtimestamp(hour * 3600, zone).date())


def number_of(day: date) -> int:
    """A date as YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day


def hours_of(first: date, last: date, zone: tzinfo) -> range:
    """The hours that begin on the days from `first` to `last`."""
    return range(_first_hour(first, zone), _first_hour(last + timedelta(days=1), zone))


def _first_hour(day: date, zone: tzinfo) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    # Rounded up: where a zone lies half an hour off, midnight falls into an hour of yesterday.
    return -int(-midnight // 3600)
