"""Contents and numbers as the store keeps them: sealed, and found by a keyed digest.

A sealed value is text of its own form, so that it stands in the column of the plain one:

    STX  number of the data key  ":"  what `adapter.security.data_keys` made

A plain value is stored as it is; one that begins with STX by itself, which only a phone or a
careless client writes, gets the mark of key 0 in front: "STX 0 : text". So every value tells
how it is to be read, and rows from before the store was sealed stay readable.

The place of a value (table, column, row id) is bound to it: a value moved elsewhere does not
open. What does not open is reported and read as UNREADABLE; the rows beside it are not touched.

Numbers are searched for by `mobile_key`, the digest of a number under the data key that sealed
it; NULL beside a plain number. While a key is replaced by another one, two digests stand for a
number: `of` makes the condition, `numbers` and `same_number` serve the statements that compare
numbers with each other, for which `adapter.store.resealing.refresh` brings both sides under one
key first.

Nobody hands a seal around: it belongs to the engine, and each connection knows it (`seal_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Table,
    and_,
    select,
    union_all,
)

from adapter.security.data_keys import DataKey
from adapter.store import bulk

log = structlog.get_logger(__name__)

MARK = "\x02"
PLAIN_KEY = 0
"""The number of no key: what is under it stands in clear."""
UNREADABLE = "[unreadable]"
"""What is read in the place of a value that does not open. Compared by identity: a text may say
the same."""

SUBMISSION_CONTENT = b"submission.content/"
SUBMISSION_REFUSALS = b"submission.refusals/"
MESSAGE_CONTENT = b"message.content/"
MESSAGE_MOBILE = b"message.mobile/"
RECEIPT_MOBILE = b"receipt.mobile/"
INBOUND_CONTENT = b"inbound.content/"
INBOUND_MOBILE = b"inbound.mobile/"
INBOUND_PART_CONTENT = b"inbound_part.content/"
INBOUND_PART_MOBILE = b"inbound_part.mobile/"
SUBMIT_PART_CONTENT = b"submit_part.content/"

_SEAL = "seal"
_PLAIN_MARK = f"{MARK}{PLAIN_KEY}:"


def mark_of(number: int) -> str:
    """What values under a key begin with."""
    return f"{MARK}{number}:"


class Seal:
    """Seals what is written under the newest key, and opens what any of the live ones sealed.

    `keys` are the live keys by number; with PLAIN_KEY live, rows in clear are there, too. Safe
    to share between threads; `use` changes the keys while others work.
    """

    def __init__(
        self,
        keys: Mapping[int, DataKey],
        live: Collection[int] = (PLAIN_KEY,),
        unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self._unreadable = unreadable
        self.use(keys, live)

    def use(self, keys: Mapping[int, DataKey], live: Collection[int]) -> None:
        """From now on seal under the newest of these keys."""
        self._by_mark = {mark_of(number)[:-1]: key for number, key in keys.items()}
        self._older = [keys[number] for number in sorted(keys, reverse=True)[1:]]
        self.has_plain = PLAIN_KEY in live
        self.is_mixed = len(live) > 1
        *self.older, self.number = sorted(live)
        # One value, set last: others seal and search meanwhile.
        self._newest = (mark_of(self.number), keys[self.number]) if self.number else None

    @property
    def is_sealed(self) -> bool:
        """Whether what is written now is sealed."""
        return self._newest is not None

    def text(self, place: bytes, row: int, value: str | None) -> str | None:
        """A value as the store keeps it in this place."""
        return None if value is None else self.sealed(place, row, value)

    def sealed(self, place: bytes, row: int, value: str) -> str:
        """As `text`, of what is there."""
        if self._newest is None:
            return _plain(value)
        mark, key = self._newest
        return mark + key.seal(value, place + row.to_bytes(8, "big"))

    def key_of(self, number: str | None) -> int | None:
        """What finds a number (`mobile_key`)."""
        newest = self._newest
        return None if newest is None or number is None else newest[1].digest(number)

    def open(self, place: bytes, row: int, value: str | None) -> str | None:
        """What the store keeps in this place, in clear; UNREADABLE where it does not open."""
        return None if value is None else self.opened(place, row, value)

    def opened(self, place: bytes, row: int, value: str) -> str:
        """As `open`, of what is there."""
        if value[:1] != MARK:
            return value
        name, _, rest = value.partition(":")
        if name == _PLAIN_MARK[:-1]:
            return rest
        try:
            return self._by_mark[name].open(rest, place + row.to_bytes(8, "big"))
        except (KeyError, ValueError) as error:
            # KeyError: a key that was taken away, or never was one.
            reason = "unknown key" if isinstance(error, KeyError) else str(error)
            log.error("store.unreadable", place=place.decode()[:-1], row=row, reason=reason)
            self._unreadable()
            return UNREADABLE

    def of(
        self, connection: Connection, table: Table, numbers: Collection[str]
    ) -> ColumnElement[bool]:
        """Whether a row is about one of `numbers`."""
        found = self._ways(connection, table, numbers)
        if len(found) == 1:
            return found[0]
        # Each by its own index. For an OR of them PostgreSQL walks along all rows.
        its = table.alias()
        ids = [select(its.c.id).where(each) for each in self._ways(connection, its, numbers)]
        return table.c.id.in_(union_all(*ids))

    def _ways(
        self, connection: Connection, table: FromClause, numbers: Collection[str]
    ) -> list[ColumnElement[bool]]:
        """How a row may tell that it is about one of them: by its digest, or in clear."""
        ways: list[ColumnElement[bool]] = []
        newest = self._newest
        if newest is not None:
            digests = {key.digest(each) for key in (newest[1], *self._older) for each in numbers}
            ways.append(_filled(connection, table.c.mobile_key, digests))
        if self.has_plain:
            plain = {_plain(each) for each in numbers}
            ways.append(
                and_(table.c.mobile_key.is_(None), _among(connection, table.c.mobile, plain))
            )
        return ways

    def number_of(self, table: Table) -> Column[Any]:
        """The column that tells numbers apart among rows under the newest key."""
        column: Column[Any] = table.c.mobile if self._newest is None else table.c.mobile_key
        return column

    def among_numbers(
        self, connection: Connection, table: Table, told: Collection[Any]
    ) -> ColumnElement[bool]:
        """Whether a row is about a number that `number_of` told of other rows."""
        sealed = self._newest is not None
        side = table.c.mobile_key.is_not(None) if sealed else table.c.mobile_key.is_(None)
        return and_(side, bulk.among(connection, self.number_of(table), told))

    def same_number(self, one: Table, other: Table) -> ColumnElement[bool]:
        """Whether two rows under the newest key are about the same number."""
        sides = [
            table.c.mobile_key.is_not(None) if self._newest else table.c.mobile_key.is_(None)
            for table in (one, other)
        ]
        return and_(self.number_of(one) == self.number_of(other), *sides)


def _filled(
    connection: Connection, column: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    # Said beside the comparison, so that PostgreSQL trusts the partial index.
    return and_(column.is_not(None), _among(connection, column, values))


def _among(
    connection: Connection, column: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    if len(values) == 1:
        (value,) = values
        only: ColumnElement[bool] = column == value
        return only
    return bulk.among(connection, column, values)


def _plain(value: str) -> str:
    return _PLAIN_MARK + value if value[:1] == MARK else value


PLAIN = Seal({})
"""Of a store whose rows stand in clear."""


def attach(engine: Engine, seal: Seal) -> None:
    """Have every connection of this engine know the seal."""
    engine.update_execution_options(**{_SEAL: seal})


def seal_of(connection: Connection) -> Seal:
    """The seal of the store that this connection leads to."""
    seal: Seal = connection.get_execution_options().get(_SEAL, PLAIN)
    return seal
