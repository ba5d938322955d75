"""Claiming rows: STATUS 0 becomes 1, and whoever made it so owns the row.

Every claim is one short, bounded transaction that walks the index on (STATUS, ID) from
its first new row on. The condition is written as a range and the order as (STATUS, ID) on
purpose: with `STATUS = 0 ORDER BY ID` a database may prefer to walk the primary key, and
with it ten million old rows.

    PostgreSQL   one statement, FOR UPDATE SKIP LOCKED inside: rows that the hospital or
                 another poller holds are passed over
    SQLite       one statement inside BEGIN IMMEDIATE
    others       rows are read, then claimed one by one if they still are new

All three read what they claim, and nothing is claimed that was not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from dbpoll.database import blames_row
from dbpoll.reading import READ
from dbpoll.tables import Found
from dbpoll.values import Status

Record = Sequence[Any]

_RETURNING = frozenset({"postgresql", "sqlite"})


class Unanswered(NamedTuple):
    """A row that was claimed. `answered`: it has its MESSAGE_ID."""

    key: Any
    answered: bool
    taken_at: Any


class Claims:
    """The claim statements for one table."""

    def __init__(self, found: Found, dialect: str) -> None:
        self._found = found
        self._key = found.columns["ID"]
        self._fields = [found.columns.get(name, null().label(name)) for name in READ]
        self._in_one = dialect in _RETURNING
        self._sorted = dialect == "postgresql"
        self._new = self._status(Status.NEW)
        self._one = self._claim_one()
        self._all = self._claim_all(self._fields, dialect)
        self._keys = self._claim_all([self._key], dialect)
        self._by_key = select(*self._fields).where(self._key == bindparam("key"))

    def any_new(self, connection: Connection) -> bool:
        """A look that takes no lock."""
        return connection.execute(self._newest([self._key]), {"most": 1}).first() is not None

    def look(self, connection: Connection, most: int) -> Sequence[Record]:
        """The next new rows, in the order of READ; none is claimed."""
        return connection.execute(self._newest(self._fields), {"most": most}).all()

    def claim(self, connection: Connection, most: int, now: datetime) -> list[Record]:
        """Up to `most` new rows, in the order of READ, which are ours after the commit."""
        if self._in_one:
            records = connection.execute(self._all, self._marks(now) | {"most": most}).all()
            return sorted(records, key=itemgetter(0)) if self._sorted else list(records)
        return [
            record for record in self.look(connection, most) if self._won(connection, record, now)
        ]

    def claim_keys(self, connection: Connection, most: int, now: datetime) -> list[Any]:
        """Like `claim`, but only keys are read: for tables with unreadable rows."""
        if self._in_one:
            found = connection.execute(self._keys, self._marks(now) | {"most": most}).scalars()
            return list(found)
        looked = connection.execute(self._newest([self._key]), {"most": most}).all()
        return [record[0] for record in looked if self._won(connection, record, now)]

    def read(self, connection: Connection, key: Any) -> list[Record] | str:
        """The row of this key (none if it is gone), or why it can't be read."""
        try:
            with connection.begin_nested():
                return list(connection.execute(self._by_key, {"key": key}).all())
        except (DBAPIError, UnicodeError) as fault:
            if not blames_row(fault):
                raise
            return f"the row cannot be read ({type(getattr(fault, 'orig', fault)).__name__})"

    def unanswered(self, connection: Connection, after: Any, most: int) -> list[Unanswered]:
        """Claimed rows with keys after `after` (None: from the first on), answered or not: so
        the work of a call is bounded, however many were answered."""
        columns = self._found.columns
        looked: Select[Any] = (
            select(
                self._key,
                columns.get("MESSAGE_ID", null().label("MESSAGE_ID")),
                columns.get("TAKEN_AT", null().label("TAKEN_AT")),
            )
            .where(self._is(Status.TAKEN))
            .order_by(columns["STATUS"], self._key)
            .limit(most)
        )
        if after is not None:
            looked = looked.where(self._key > after)
        return [
            Unanswered(key, message_id not in (None, ""), taken_at)
            for key, message_id, taken_at in connection.execute(looked)
        ]

    def _status(self, status: Status) -> Any:
        return self._found.binders["STATUS"](status)

    def _is(self, status: Status) -> ColumnElement[bool]:
        # Written out, not bound: a partial index on new rows is found, too.
        value = self._status(status)
        written: ColumnElement[Any] = literal_column(
            f"'{value}'" if isinstance(value, str) else str(value)
        )
        return self._found.columns["STATUS"].between(written, written)

    def _newest(self, fields: Sequence[ColumnElement[Any]]) -> Select[Any]:
        return (
            select(*fields)
            .where(self._is(Status.NEW), self._key.is_not(None))
            .order_by(self._found.columns["STATUS"], self._key)
            .limit(bindparam("most"))
        )

    def _marks(self, now: datetime) -> dict[str, Any]:
        marks = {"v_STATUS": self._status(Status.TAKEN)}
        if "TAKEN_AT" in self._found.columns:
            marks["v_TAKEN_AT"] = self._found.binders["TAKEN_AT"](now)
        return marks

    def _marking(self) -> Any:
        names = [name for name in ("STATUS", "TAKEN_AT") if name in self._found.columns]
        return update(self._found.table).values(
            {self._found.columns[name]: bindparam(f"v_{name}") for name in names}
        )

    def _claim_all(self, fields: Sequence[ColumnElement[Any]], dialect: str) -> Any:
        newest = self._newest([self._key])
        if dialect == "postgresql":
            free = newest.with_for_update(skip_locked=True).cte("free")
            return self._marking().where(self._key == free.c[0]).returning(*fields)
        return self._marking().where(self._key.in_(newest)).returning(*fields)

    def _claim_one(self) -> Any:
        return self._marking().where(
            self._key == bindparam("key"), self._found.columns["STATUS"] == bindparam("new")
        )

    def _won(self, connection: Connection, record: Record, now: datetime) -> bool:
        values = self._marks(now) | {"key": record[0], "new": self._new}
        return connection.execute(self._one, values).rowcount == 1
