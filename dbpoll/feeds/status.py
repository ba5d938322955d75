"""The strategy `status`: STATUS goes from new to taken, and whoever made it so owns the row.

Every claim is one short, bounded transaction that walks the index on (STATUS, ID) from
its first new row on. The condition is written as a range and the order as (STATUS, ID) on
purpose: with `STATUS = 0 ORDER BY ID` a database may prefer to walk the primary key, and
with it ten million old rows. MySQL takes the right way with `=` alone.

    skip-locked, where an UPDATE tells   one statement; rows that the hospital or another
    what it changed                      poller holds are passed over
    skip-locked elsewhere                rows are locked and read, then marked
    compare-and-set                      rows are read, then marked if they still are new; where
                                         some were lost to another poller, one by one

All of them read what they claim, and nothing is claimed that was not read.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    bindparam,
    null,
    select,
    update,
)

from dbpoll.bulk import Among, chunks
from dbpoll.feeds.base import Batch
from dbpoll.feeds.recovery import Recovery
from dbpoll.feeds.shelf import Record, TableShelf, lag_s
from dbpoll.parameters import ROW
from dbpoll.settings import Claim, Settings
from dbpoll.values import Row, Status

NO_KEY = "ID is NULL"


class Unanswered(NamedTuple):
    """A row that was claimed. `answered`: it has its MESSAGE_ID."""

    key: Any
    answered: bool
    taken_at: Any


class StatusFeed:
    """`held` are the keys that this process is busy with."""

    writes = True

    def __init__(self, settings: Settings, shelf: TableShelf, held: Container[str]) -> None:
        self.claims = Claims(settings, shelf)
        self._shelf = shelf
        self.alone = self.claims.in_one
        self.may_lack_keys = shelf.found.keyless
        self._recovery = Recovery(settings, held)
        self._resend = settings.resend
        self.looks_first = not (self.claims.in_one and shelf.tongue.skips_locked)

    def waiting(self, connection: Connection) -> bool:
        return self.claims.any_new(connection)

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        return self._shelf.reader.rows(self.claims.look(connection, most))

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        records = self.claims.claim(connection, most, now)
        reader = self._shelf.reader
        rows = reader.rows(records)
        if self._resend:
            # Where rows are read before they are marked, their TAKEN_AT is of the time before.
            rows = [row._replace(taken_at=now) for row in rows]
        return Batch(rows, lag_s(reader, records, now), len(records) == most)

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        keys = self.claims.claim_keys(connection, most, now)
        return Batch(self._shelf.singly(connection, keys), more=len(keys) == most)

    def left_over(self, connection: Connection, now: datetime) -> Batch:
        keys = self._recovery.page(connection, self.claims, now)
        return Batch(self._shelf.singly(connection, keys))

    def refuse_keyless(self, connection: Connection, now: datetime) -> int:
        return self.claims.refuse_keyless(connection)

    def turned(self, clock: float) -> None:
        self._recovery.turned(clock)

    def due(self, clock: float) -> bool:
        return self._recovery.due(clock)

    def accepted(self, keys: Sequence[str]) -> None:
        """The answer goes into the row."""


class Claims:
    """The claim statements for one table."""

    def __init__(self, settings: Settings, shelf: TableShelf) -> None:
        self._shelf = shelf
        self._found = shelf.found
        self._tongue = shelf.tongue
        self._key = shelf.key
        self._resend = settings.resend
        self._skips = settings.claim is Claim.SKIP_LOCKED or (
            settings.claim is Claim.AUTO and shelf.tongue.skips_locked
        )
        self.in_one = shelf.tongue.returning and settings.claim is not Claim.COMPARE_AND_SET
        self._new = self.newest(shelf.fields)
        self._new_keys = self.newest([self._key])
        self._among = Among(self._key, self._found.kinds["ID"], self._tongue)
        self._mark = self._marking().where(self._among.condition)
        self._mark_run = self._marking().where(self._among.run)
        self._mark_new = self._mark.where(self._found.has(Status.NEW))
        self._mark_one = self._marking().where(
            self._key == bindparam("key"), self._found.has(Status.NEW)
        )
        if self.in_one:
            self._all, self._all_keys = self._in_one(shelf.fields), self._in_one([self._key])
        else:
            self._free = self._locked(shelf.fields)
            self._free_keys = self._locked([self._key])

    def any_new(self, connection: Connection) -> bool:
        """A look that takes no lock."""
        query = self._tongue.first(self._new_keys)
        return connection.execute(query, {"most": 1}).first() is not None

    def look(self, connection: Connection, most: int) -> Sequence[Record]:
        """The next new rows; none is claimed."""
        return connection.execute(self._tongue.first(self._new), {"most": most}).all()

    def claim(self, connection: Connection, most: int, now: datetime) -> list[Record]:
        """Up to `most` new rows, which are ours after the commit."""
        given = {"most": most}
        if self.in_one:
            records = connection.execute(self._all, self._marks(now) | given).all()
            return sorted(records, key=itemgetter(0))
        if self._skips:
            found = connection.execute(self._free, given).all()
            self._keep(connection, [record[0] for record in found], now)
            return list(found)
        seen = {record[0]: record for record in self.look(connection, most)}
        return [seen[key] for key in self._win(connection, list(seen), now)]

    def claim_keys(self, connection: Connection, most: int, now: datetime) -> list[Any]:
        """Like `claim`, but only keys are read: for tables with unreadable rows."""
        given = {"most": most}
        if self.in_one:
            return list(connection.execute(self._all_keys, self._marks(now) | given).scalars())
        if self._skips:
            found = list(connection.execute(self._free_keys, given).scalars())
            self._keep(connection, found, now)
            return found
        keys = connection.execute(self._tongue.first(self._new_keys), given).scalars()
        return self._win(connection, list(keys), now)

    def unanswered(self, connection: Connection, after: Any, most: int) -> list[Unanswered]:
        """Claimed rows with keys after `after` (None: from the first on), answered or not: so
        the work of a call is bounded, however many were answered."""
        query = self.taken(after is not None)
        given = {"most": most} if after is None else {"most": most, "after": after}
        return [
            Unanswered(key, message_id not in (None, ""), taken_at)
            for key, message_id, taken_at in connection.execute(query, given)
        ]

    def taken(self, after: bool) -> Select[Any]:
        """Claimed rows, after the key `:after` or from the first on."""
        columns = self._found.columns
        looked: Select[Any] = (
            select(
                self._key,
                columns.get("MESSAGE_ID", null().label("MESSAGE_ID")),
                self._shelf.moment("TAKEN_AT") if "TAKEN_AT" in columns else null(),
            )
            .where(self._found.has(Status.TAKEN))
            .order_by(columns["STATUS"], self._key)
        )
        if after:
            looked = looked.where(self._key > bindparam("after"))
        return self._tongue.first(looked)

    def newest(self, fields: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """New rows in the order of the index, without an end."""
        query = self._shelf.narrowed(select(*fields)).where(self._found.has(Status.NEW))
        return query.order_by(self._found.columns["STATUS"], self._key)

    def refuse_keyless(self, connection: Connection) -> int:
        """New rows without a key get the status refused and the reason; how many."""
        return connection.execute(self.keyless).rowcount

    @property
    def keyless(self) -> Update:
        """The statement for that."""
        columns, binders = self._found.columns, self._found.binders
        told = {"STATUS": Status.REFUSED, "RESULT_CODE": "BAD_REQUEST", "RESULT_TEXT": NO_KEY}
        values: dict[Any, Any] = {}
        for name, value in told.items():
            if name in columns:
                bound: Any = bindparam(None, binders[name](value))
                raw = name in self._found.raw
                values[columns[name]] = self._tongue.unraw(bound) if raw else bound
        return (
            update(self._found.table)
            .values(values)
            .where(self._found.has(Status.NEW), self._key.is_(None), *self._shelf.where)
        )

    def _marks(self, now: datetime) -> dict[str, Any]:
        binders = self._found.binders
        marks = {"v_STATUS": binders["STATUS"](Status.TAKEN)}
        if "TAKEN_AT" in binders:
            marks["v_TAKEN_AT"] = binders["TAKEN_AT"](now)
        return marks

    def _marking(self) -> Any:
        columns, kinds = self._found.columns, self._found.kinds
        values: dict[Any, Any] = {
            columns[name]: bindparam(f"v_{name}", type_=self._tongue.bind_type(kinds[name]))
            for name in ("STATUS", "TAKEN_AT")
            if name in columns
        }
        if self._resend:
            # Of the sending before: with its MESSAGE_ID the row would look answered after a
            # crash, and the rest would be told of the next one.
            results = [columns[name] for name in ROW if name in columns and name != "STATUS"]
            values.update(dict.fromkeys(results, null()))
        return update(self._found.table).values(values)

    def _in_one(self, fields: Sequence[ColumnElement[Any]]) -> Any:
        keys = self._tongue.returned(self._tongue.first(self.newest([self._key.label("k")])))
        chosen = self._key.in_(keys) if isinstance(keys, Select) else self._key == keys.c.k
        return self._marking().where(chosen).returning(*fields)

    def _locked(self, fields: Sequence[ColumnElement[Any]]) -> Select[Any]:
        query = select(*fields).where(self._found.has(Status.NEW))
        return self._tongue.free(self._shelf.narrowed(query), self._key, self.newest([self._key]))

    def _keep(self, connection: Connection, keys: Sequence[Any], now: datetime) -> None:
        for some in chunks(keys):
            marks = self._marks(now)
            if ends := self._among.ends(some):
                connection.execute(self._mark_run, marks | ends)
            else:
                connection.execute(self._mark, marks | self._among.parameters(some))

    def _win(self, connection: Connection, keys: Sequence[Any], now: datetime) -> list[Any]:
        won: list[Any] = []
        for some in chunks(keys):
            marks = self._marks(now)
            with connection.begin_nested() as attempt:
                given = marks | self._among.parameters(some)
                got = connection.execute(self._mark_new, given).rowcount
                if got == len(some):
                    won += some
                    continue
                attempt.rollback()
            won += [key for key in some if self._won(connection, marks | {"key": key})]
        return won

    def _won(self, connection: Connection, given: dict[str, Any]) -> bool:
        return connection.execute(self._mark_one, given).rowcount >= 1
