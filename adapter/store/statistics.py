"""Statistics: tallies folded into hours and days, and counted again for an audit.

Every change of state writes what it means for the statistics into `tally`, in its own
transaction. `fold` takes tallies away and adds them to `statistics_hour` and
`statistics_day`, all in one transaction: a crash at any point leaves a tally either there
or added, never both, and two nodes that fold at once share the work. Nothing ever scans
the messages, except `recompute`, which is asked for by hand.

An hour belongs to the day in which it begins, in the hospital's time zone. Were the
zone ever changed, days already folded keep the old one until they are recomputed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from adapter.domain.ids import id_at
from adapter.domain.tally import Tally
from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.schema import (
    statistics_day,
    statistics_hour,
    submission,
    tally,
)

BITE = 5_000
_HOUR_MS = 3_600_000
# A submission's id and its `accepted_at` are made within one call, but after a clock was set
# back the ids keep counting from where they were.
_ID_SLACK = timedelta(hours=1)
# An inbound text gets its id when it is stored, which waits while the store is away.
_INBOUND_SLACK = timedelta(days=1)

Key = tuple[int, str, str, str, str, str, str]
Sums = dict[Key, tuple[int, int]]


def fold(engine: Engine, zone: tzinfo, most: int = BITE) -> int:
    """Fold the oldest `most` tallies in one transaction; how many there were."""
    with write_connection(engine) as connection, connection.begin():
        oldest = select(tally.c.id).order_by(tally.c.id).limit(most)
        # Only rows that this transaction deleted are added: another node may be faster.
        keys = connection.execute(oldest).scalars().all()
        rows = bulk.delete(connection, tally, keys, tuple(tally.c)[1:])
        hours = _sum((Tally(*row) for row in rows), lambda row: row.hour)
        days = _sum((Tally(*row) for row in rows), lambda row: day_of(row.hour, zone))
        _add(connection, statistics_hour, hours)
        _add(connection, statistics_day, days)
        return len(rows)


def day_of(hour: int, zone: tzinfo) -> int:
    """The day, as YYYYMMDD, in which an hour begins."""
    return number_of(datetime.fromtimestamp(hour * 3600, zone).date())


def number_of(day: date) -> int:
    """A date as YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day


def hours_of(day: date, zone: tzinfo) -> range:
    """The hours that begin on a day: 24 of them, or 23 or 25 where clocks are changed."""
    first = _first_hour(day, zone)
    return range(first, _first_hour(day + timedelta(days=1), zone))


def _first_hour(day: date, zone: tzinfo) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    # Rounded up: where zones lie half an hour off, midnight falls into an hour of yesterday.
    return -int(-midnight // 3600)


def _sum(rows: Iterable[Tally], period: Callable[[Tally], int]) -> Sums:
    messages: Counter[Key] = Counter()
    segments: Counter[Key] = Counter()
    for row in rows:
        key = (period(row), *row[1:7])
        messages[key] += row.messages
        segments[key] += row.segments
    return {key: (messages[key], segments[key]) for key in messages}


def _add(connection: Connection, table: Table, sums: Sums) -> None:
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


class Difference(NamedTuple):
    """What an hour's statistics said of a key, and what its records say."""

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


def recompute(engine: Engine, day: date, zone: tzinfo) -> list[Difference]:
    """Count a day's messages again and put its statistics right; what was wrong.

    One transaction an hour. Sound only while the day's messages are kept: raises ValueError
    where retention may have begun to delete them.
    """
    hours = hours_of(day, zone)
    _refuse_forgotten(engine, hours)
    found: list[Difference] = []
    for hour in hours:
        found += _recompute_hour(engine, hour, number_of(day), hours)
    return found


def _refuse_forgotten(engine: Engine, hours: range) -> None:
    with engine.connect() as connection:
        oldest = connection.execute(select(func.min(submission.c.id))).scalar()
        counted = connection.execute(
            select(statistics_hour.c.hour).where(_between(statistics_hour, hours)).limit(1)
        ).scalar()
    if counted is not None and (oldest is None or oldest >= id_at(_moment(hours[-1] + 1))):
        raise ValueError("the day's messages are no longer kept")


def _recompute_hour(engine: Engine, hour: int, day: int, hours: range) -> list[Difference]:
    with write_connection(engine) as connection:
        if connection.dialect.name == "postgresql":
            # One snapshot for what is deleted and what is counted; a commit in between
            # stays a tally and is folded later.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            had = _had(connection, hour)
            counted = _count(connection, hour)
            connection.execute(delete(tally).where(tally.c.hour == hour))
            connection.execute(delete(statistics_hour).where(statistics_hour.c.hour == hour))
            _add(connection, statistics_hour, counted)
            _sum_day(connection, day, hours)
    return [
        Difference(*key, *had.get(key, (0, 0)), *counted.get(key, (0, 0)))
        for key in sorted(had.keys() | counted.keys())
        if had.get(key) != counted.get(key)
    ]


def _had(connection: Connection, hour: int) -> Sums:
    rows = [
        Tally(*row)
        for table in (statistics_hour, tally)
        for row in connection.execute(
            select(*(table.c[name] for name in Tally._fields)).where(table.c.hour == hour)
        )
    ]
    return _sum(rows, lambda row: row.hour)


def _sum_day(connection: Connection, day: int, hours: range) -> None:
    connection.execute(delete(statistics_day).where(statistics_day.c.day == day))
    keys = [statistics_hour.c[name] for name in Tally._fields[1:7]]
    sums = select(
        literal(day),
        *keys,
        func.sum(statistics_hour.c.messages),
        func.sum(statistics_hour.c.segments),
    )
    sums = sums.where(_between(statistics_hour, hours)).group_by(*keys)
    connection.execute(statistics_day.insert().from_select(statistics_day.c.keys(), sums))


def _between(table: Table, hours: range) -> ColumnElement[bool]:
    return table.c.hour.between(hours[0], hours[-1])


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def _count(connection: Connection, hour: int) -> Sums:
    """An hour's statistics from its records."""
    counted: Sums = {}
    for statement in (_accepted(hour), _submitted(hour), _ended(hour), _received(hour)):
        for *key, messages, segments in connection.execute(statement):
            counted[(hour, *(str(part) for part in key))] = messages, int(segments)  # type: ignore[assignment]
    return counted
