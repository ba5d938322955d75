"""Carrying results home: into the row, the receipt table and the inbound table, or where
the hospital's own statements put them.

A row only moves forward: new, taken, submitted, then one of delivered, failed and
cancelled, which stay; refused stays, too. So any write may be repeated, come late or
come twice, and the newest state still stands. Receipts and inbound texts are added
only where they aren't yet.

A batch is one transaction. Where the database refuses a value of one row (a constraint,
a trigger), the batch is halved until that row stands alone; it is given up and told of,
and the others are written. Where the hospital has locked rows, all the others are
written and `Locked` names those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog
from msgspec import structs
from sqlalchemy import Connection

from dbpoll.binding import plain_moment
from dbpoll.bulk import Insert, Own, Removal, Update
from dbpoll.database import Line, reason
from dbpoll.parameters import INBOUND, RECEIPT, ROW, of_statement
from dbpoll.settings import Settings, Strategy
from dbpoll.tables import Tables
from dbpoll.values import InboundRow, Locked, StateChange, Status

# Far below 4,000, where some databases turn row locks into a lock on the whole table.
CHUNK = 1000

_ONE_RECEIPT = ("OUTBOUND_ID", "MESSAGE_ID", "STATE")

# How far a status goes: one that goes less far never follows.
LIMIT = {
    Status.NEW: Status.NEW,
    Status.TAKEN: Status.SUBMITTED,
    Status.SUBMITTED: Status.SUBMITTED,
    Status.DELIVERED: Status.DELIVERED,
    Status.FAILED: Status.DELIVERED,
    Status.REFUSED: Status.SUBMITTED,
    Status.CANCELLED: Status.DELIVERED,
}

_ENDS = {status: int(limit > Status.SUBMITTED) for status, limit in LIMIT.items()}

_NEVER = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T", bound=tuple[Any, ...])


def newest(changes: Iterable[StateChange]) -> list[StateChange]:
    """One change a row: of its last sending the one that went furthest, the later of two that
    went as far."""
    found: dict[str, StateChange] = {}
    for change in changes:
        known = found.get(change.key)
        if known is None or _order(change) >= _order(known):
            found[change.key] = change
    return list(found.values())


def _order(change: StateChange) -> tuple[datetime, Status]:
    return change.accepted_at or _NEVER, LIMIT[change.status]


NO_ROW = "-1"
"""A key that no row has, to try statements on."""


def probes(settings: Settings, line: Line) -> Iterator[tuple[str, Callable[[Connection], None]]]:
    """The hospital's own statements that write, by their names, each for a row that is not there:
    with every value that we may give, and with no more than there must be."""
    at, sql = datetime.now(UTC), settings.sql
    full = StateChange(
        NO_ROW, "1", Status.DELIVERED, "DELIVRD", "text", 1, at, at, "13800138000", "DELIVERED", "-"
    )
    bare = StateChange(NO_ROW, "", Status.REFUSED)
    answered = InboundRow("1", "13800138000", "text", "10690001", "01", NO_ROW, at)
    alone = InboundRow("2", "13800138000", "text", "10690001", "", "", at)
    asked: tuple[tuple[str, str, Sequence[str], list[tuple[Any, ...]]], ...] = (
        ("result", sql.result, of_statement("result"), [_row(full), _row(bare)]),
        ("receipt", sql.receipt, RECEIPT, [_receipt(full)]),
        ("inbound", sql.inbound, INBOUND, [_inbound(answered), _inbound(alone)]),
    )
    for name, statement, names, values in asked:
        if statement:
            own = Own(statement, names, _words(settings, line))
            yield name, partial(own.execute, rows=own.rows(values))


class _Writer(Protocol):
    """`single`: writes with one statement, however many rows."""

    @property
    def single(self) -> bool: ...
    def rows(self, values: Iterable[Any]) -> list[Any]: ...
    def execute(self, connection: Connection, rows: Sequence[Any]) -> None: ...


class Writeback:
    """Writes through one line; one thread at a time. `refused` hears why a row was given up."""

    def __init__(
        self,
        settings: Settings,
        line: Line,
        tables: Tables,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._line = line
        self._refused = refused
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._removes = settings.strategy is Strategy.REMOVE
        self._refusals = not settings.row_written
        self._row = _row_writer(settings, line, tables)
        self._receipt = _adder(
            settings.sql.receipt, settings, line, tables.receipt, RECEIPT, _ONE_RECEIPT
        )
        self._inbound = _adder(
            settings.sql.inbound, settings, line, tables.inbound, INBOUND, ("ID",)
        )

    def rows(self, changes: Iterable[StateChange]) -> int:
        """Bring rows forward; how many were written or needed nothing. Raises Locked."""
        latest = newest(changes)
        if self._refusals:
            # A row that stays as it is cannot tell why it was refused.
            self.receipts([_refusal(each) for each in latest if each.status is Status.REFUSED])
        if self._row is None:
            return 0
        values: list[Any] = [_row(change) for change in latest]
        if self._removes:
            values = [each.key for each in latest if each.status in (Status.TAKEN, Status.REFUSED)]
        locked: list[str] = []
        done = 0
        for part in _chunks(self._row.rows(values)):
            done += self._write(part, self._row, locked)
        if locked:
            raise Locked(locked)
        return done

    def receipts(self, changes: Iterable[StateChange]) -> int:
        """Add final states to the receipt table, if there is one."""
        return self._add(self._receipt, [_receipt(change) for change in changes])

    def inbound(self, texts: Iterable[InboundRow]) -> int:
        """Add inbound texts to the inbound table, if there is one."""
        return self._add(self._inbound, [_inbound(text) for text in texts])

    def _add(self, writer: _Writer | None, values: Sequence[tuple[Any, ...]]) -> int:
        if writer is None:
            return 0
        added = dict.fromkeys(writer.rows(values))
        return sum(self._write(part, writer, []) for part in _chunks(list(added)))

    def _write(self, rows: Sequence[Any], writer: _Writer, locked: list[str]) -> int:
        tongue = self._line.tongue
        try:
            self._line.run(lambda connection: writer.execute(connection, rows), alone=writer.single)
        except Exception as fault:
            if tongue.blames_lock(fault) and isinstance(writer, Update):
                return self._write_free(rows, writer, locked)
            if not tongue.blames_row(fault):
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                return sum(
                    self._write(half, writer, locked) for half in (rows[:middle], rows[middle:])
                )
            told = reason(fault, tongue)
            self._log.error("write_back_refused", key=str(rows[0][0]), reason=told)
            self._refused(told)
            return 0
        return len(rows)

    def _write_free(self, rows: Sequence[Any], update: Update, locked: list[str]) -> int:
        """Write those rows that the hospital doesn't hold, and name the others."""

        def write(connection: Connection) -> list[tuple[Any, ...]]:
            held, free = update.divide(connection, rows)
            if free:
                update.execute(connection, free)
            return held

        held = self._line.run(write)
        locked.extend(str(row[0]) for row in held)
        return len(rows) - len(held)


def _row_writer(settings: Settings, line: Line, tables: Tables) -> _Writer | None:
    if settings.strategy is Strategy.REMOVE:
        if settings.sql.remove:
            return _Keys(Own(settings.sql.remove, of_statement("remove"), {}))
        assert tables.outbound is not None
        return Removal(tables.outbound, tables.target)
    if settings.sql.result:
        return Own(settings.sql.result, of_statement("result"), _words(settings, line))
    if settings.row_written and tables.outbound is not None:
        return Update(tables.outbound, line.tongue, ROW, resend=settings.resend)
    return None


def _adder(
    statement: str,
    settings: Settings,
    line: Line,
    found: Any,
    names: Sequence[str],
    same: Sequence[str],
) -> _Writer | None:
    if statement:
        return Own(statement, names, _words(settings, line))
    return None if found is None else Insert(found, line.tongue, names, same)


def _words(settings: Settings, line: Line) -> dict[str, Any]:
    """How values go into the hospital's own statements."""

    def word(status: Status) -> Any:
        found = settings.statuses[status]
        return int(found) if found.isdecimal() else found or None

    def wall(value: datetime | None) -> Any:
        return plain_moment(value, settings.zone, as_text=line.tongue.name == "sqlite")

    moments = ("SUBMITTED_AT", "DONE_AT", "RECEIVED_AT")
    return {"STATUS": word, **dict.fromkeys(moments, wall)}


class _Keys:
    """An own statement that wants nothing but keys."""

    single = False

    def __init__(self, own: Own) -> None:
        self._own = own

    def rows(self, values: Iterable[str]) -> list[Any]:
        return self._own.rows([(key,) for key in values])

    def execute(self, connection: Connection, rows: Sequence[Any]) -> None:
        self._own.execute(connection, rows)


def _refusal(change: StateChange) -> StateChange:
    # Not empty: '' is NULL in Oracle, and the column is part of the key.
    return structs.replace(change, message_id="0", state=Status.REFUSED.name)


def _row(change: StateChange) -> tuple[Any, ...]:
    return (
        change.key,
        change.status,
        change.message_id,
        change.code,
        change.text,
        change.segments or None,
        change.submitted_at,
        change.done_at,
        _ENDS[change.status],
        change.accepted_at,
    )


def _receipt(change: StateChange) -> tuple[Any, ...]:
    return (
        change.key,
        change.message_id,
        change.mobile,
        change.state,
        change.code,
        change.segments or None,
        change.channel,
        change.submitted_at,
        change.done_at,
    )


def _inbound(text: InboundRow) -> tuple[Any, ...]:
    return (
        text.id,
        text.mobile,
        text.content,
        text.access_number,
        text.extension,
        text.key,
        text.received_at,
    )


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
