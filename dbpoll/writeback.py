"""Carrying results home: into the row, the receipt table and the inbound table.

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
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from dbpoll.bulk import Insert, Update
from dbpoll.database import Line, blames_lock, blames_row, reason
from dbpoll.tables import Tables
from dbpoll.values import InboundRow, Locked, StateChange, Status

# Far below 4,000, where some databases turn row locks into a lock on the whole table.
CHUNK = 1000

_WRITTEN = (
    "STATUS",
    "MESSAGE_ID",
    "RESULT_CODE",
    "RESULT_TEXT",
    "SEGMENTS",
    "SUBMITTED_AT",
    "DONE_AT",
)
_RECEIPT = (
    "OUTBOUND_ID",
    "MESSAGE_ID",
    "MOBILE",
    "STATE",
    "CARRIER_CODE",
    "SEGMENTS",
    "CHANNEL",
    "SUBMITTED_AT",
    "DONE_AT",
)
_ONE_RECEIPT = ("OUTBOUND_ID", "MESSAGE_ID", "STATE")
_INBOUND = (
    "ID",
    "MOBILE",
    "CONTENT",
    "ACCESS_NUMBER",
    "EXTENSION",
    "OUTBOUND_ID",
    "RECEIVED_AT",
)

# A row takes a new status only while its own is less than this.
LIMIT = {
    Status.NEW: Status.NEW,
    Status.TAKEN: Status.SUBMITTED,
    Status.SUBMITTED: Status.SUBMITTED,
    Status.DELIVERED: Status.DELIVERED,
    Status.FAILED: Status.DELIVERED,
    Status.REFUSED: Status.SUBMITTED,
    Status.CANCELLED: Status.DELIVERED,
}

T = TypeVar("T", bound=tuple[Any, ...])


def newest(changes: Iterable[StateChange]) -> list[StateChange]:
    """One change a row: the one that went furthest, the later of two that went as far."""
    found: dict[str, StateChange] = {}
    for change in changes:
        known = found.get(change.key)
        if known is None or LIMIT[change.status] >= LIMIT[known.status]:
            found[change.key] = change
    return list(found.values())


class Writeback:
    """Writes through one line; one thread at a time."""

    def __init__(self, name: str, line: Line, tables: Tables, dialect: str) -> None:
        self._line = line
        self._log = structlog.get_logger("dbpoll").bind(source=name)
        self._update = Update(tables.outbound, dialect, _WRITTEN)
        receipt, inbound = tables.receipt, tables.inbound
        self._receipt = None
        if receipt is not None:
            self._receipt = Insert(receipt, dialect, _RECEIPT, _ONE_RECEIPT)
        self._inbound = None
        if inbound is not None:
            self._inbound = Insert(inbound, dialect, _INBOUND, ("ID",))

    def rows(self, changes: Iterable[StateChange]) -> int:
        """Bring rows forward; how many were written or needed nothing. Raises Locked."""
        values = self._update.rows([_row(change) for change in newest(changes)])
        locked: list[str] = []
        done = 0
        for part in _chunks(values):
            done += self._write(part, self._update.execute, locked)
        if locked:
            raise Locked(locked)
        return done

    def receipts(self, changes: Iterable[StateChange]) -> int:
        """Add final states to the receipt table, if there is one."""
        return self._add(self._receipt, [_receipt(change) for change in changes])

    def inbound(self, texts: Iterable[InboundRow]) -> int:
        """Add inbound texts to the inbound table, if there is one."""
        return self._add(self._inbound, [_inbound(text) for text in texts])

    def _add(self, insert: Insert | None, values: Sequence[tuple[Any, ...]]) -> int:
        if insert is None:
            return 0
        added = dict.fromkeys(insert.rows(values))
        return sum(self._write(part, insert.execute, []) for part in _chunks(list(added)))

    def _write(
        self,
        rows: Sequence[tuple[Any, ...]],
        execute: Callable[[Connection, Sequence[tuple[Any, ...]]], None],
        locked: list[str],
    ) -> int:
        try:
            self._line.run(lambda connection: execute(connection, rows))
        except Exception as fault:
            if blames_lock(fault) and execute == self._update.execute:
                return self._write_free(rows, locked)
            if not blames_row(fault):
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                return sum(
                    self._write(half, execute, locked) for half in (rows[:middle], rows[middle:])
                )
            self._log.error("write_back_refused", key=str(rows[0][0]), reason=reason(fault))
            return 0
        return len(rows)

    def _write_free(self, rows: Sequence[tuple[Any, ...]], locked: list[str]) -> int:
        """Write those rows that the hospital doesn't hold, and name the others."""

        def write(connection: Connection) -> list[tuple[Any, ...]]:
            held, free = self._update.divide(connection, rows)
            if free:
                self._update.execute(connection, free)
            return held

        held = self._line.run(write)
        locked.extend(str(row[0]) for row in held)
        return len(rows) - len(held)


def _row(change: StateChange) -> tuple[Any, ...]:
    key, message_id, status, code, text, segments, submitted_at, done_at, *_ = change
    return (
        key,
        status,
        message_id,
        code,
        text,
        segments or None,
        submitted_at,
        done_at,
        LIMIT[status],
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
