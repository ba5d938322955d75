"""Where rows lie: a table or view, or a query of the hospital's own.

Nothing here is claimed; these are the looks that the strategies are made of. Records have the
order of READ, then template values, then TAKEN_AT where a row may be sent again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    bindparam,
    func,
    null,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from dbpoll.binding import Binder, key_text
from dbpoll.bulk import chunks
from dbpoll.dialects.base import Tongue
from dbpoll.reading import MOMENTS, READ, TAKEN_AT, TEXTS, Reader
from dbpoll.settings import Settings
from dbpoll.tables import Found
from dbpoll.values import Row, TableFault

Record = Sequence[Any]
_MOMENTS = frozenset({*MOMENTS, "CREATED_AT"})


class Shelf(Protocol):
    """`reader` makes rows of records. A `mark` is a key as the driver gives it, None for the
    beginning."""

    reader: Reader

    def after(self, connection: Connection, mark: Any, most: int) -> Sequence[Record]:
        """The next records with greater keys, in the order of keys."""

    def keys_after(self, connection: Connection, mark: Any, most: int) -> list[Any]:
        """The same, but only keys are read. Where a query gives whole records, these are kept
        for `by_keys` until `forget`."""

    def forget(self) -> None:
        """A walk begins: what an earlier one read is of no use any more."""

    def by_keys(self, connection: Connection, keys: Sequence[Any]) -> list[Record]:
        """The records of these keys that are still there."""

    def singly(self, connection: Connection, keys: Sequence[Any]) -> list[Row]:
        """The rows of these keys; one that cannot be read says so."""

    def last(self, connection: Connection) -> Any:
        """The greatest key, None in an empty table."""

    def key_of(self, written: str) -> Any:
        """A key that was written down, as the driver takes it."""


def lag_s(reader: Reader, records: Sequence[Record], now: datetime) -> float:
    """Age of the first record."""
    return reader.age_s(records[0], now) if records else 0.0


class TableShelf:
    """A table or a view. `found` is its description, `fields` what is read of it, `where` the
    conditions that narrow what is new."""

    def __init__(self, settings: Settings, found: Found, tongue: Tongue) -> None:
        self.reader = Reader(settings)
        self.found = found
        self.tongue = tongue
        self.key = found.columns["ID"]
        self.fields = [self._field(name) for name in READ]
        self.fields += found.parameters.values()
        if settings.resend:
            self.fields.append(self.moment(TAKEN_AT))
        self.where = [_plain(settings.where)] if settings.where else []
        self._bind: Binder = found.binders["ID"]
        self._by_keys = select(*self.fields).where(self.key.in_(bindparam("keys", expanding=True)))
        self._last = self.narrowed(select(func.max(self.key)))

    def narrowed(self, query: Select[Any]) -> Select[Any]:
        """A query about new rows only."""
        return query.where(self.key.is_not(None), *self.where)

    def after(self, connection: Connection, mark: Any, most: int) -> Sequence[Record]:
        return list(self._after(connection, self.fields, mark, most))

    def keys_after(self, connection: Connection, mark: Any, most: int) -> list[Any]:
        return list(self._after(connection, [self.key], mark, most).scalars())

    def forget(self) -> None:
        """Nothing is kept."""

    def by_keys(self, connection: Connection, keys: Sequence[Any]) -> list[Record]:
        return [
            record
            for some in chunks(keys)
            for record in connection.execute(self._by_keys, {"keys": some})
        ]

    def singly(self, connection: Connection, keys: Sequence[Any]) -> list[Row]:
        return [row for key in keys for row in self._one(connection, key)]

    def last(self, connection: Connection) -> Any:
        return connection.execute(self._last).scalar()

    def key_of(self, written: str) -> Any:
        return self._bind(written)

    def _field(self, name: str) -> ColumnElement[Any]:
        column = self.found.columns.get(name)
        if column is None:
            return null().label(name)
        if name in self.found.raw and name in TEXTS:
            return self.tongue.raw(column).label(name)
        return self.moment(name) if name in _MOMENTS else column

    def moment(self, name: str) -> ColumnElement[Any]:
        """A column of moments, as it is to be read."""
        return self.tongue.moment(self.found.columns[name], self.found.kinds[name])

    def _after(
        self, connection: Connection, fields: Sequence[ColumnElement[Any]], mark: Any, most: int
    ) -> Any:
        query = self.narrowed(select(*fields)).order_by(self.key)
        given = {"most": most}
        if mark is not None:
            query = query.where(self.key > bindparam("mark"))
            given["mark"] = mark
        return connection.execute(self.tongue.first(query), given)

    def _one(self, connection: Connection, key: Any) -> list[Row]:
        try:
            with connection.begin_nested():
                records = self.by_keys(connection, [key])
        except (DBAPIError, UnicodeError) as fault:
            if not self.tongue.blames_row(fault):
                raise
            name = type(getattr(fault, "orig", fault)).__name__
            return [self.reader.unreadable(key, f"the row cannot be read ({name})")]
        return self.reader.rows(records)


class QueryShelf:
    """A query of the hospital's own, which may know the parameters :MARK and :MOST. `keyless`:
    how many rows without a key it gave when it was asked last; they are left out."""

    def __init__(self, settings: Settings) -> None:
        self.reader = Reader(settings)
        self._settings = settings
        self._query = text(settings.sql.fetch)
        self._seen: dict[Any, Record] = {}
        self.keyless = 0

    def after(self, connection: Connection, mark: Any, most: int) -> Sequence[Record]:
        given = used(self._settings.sql.fetch, {"MARK": mark, "MOST": most})
        found = fetched(connection, self._query, given, self._settings)
        records = [record for record in found if record[0] is not None]
        self.keyless = len(found) - len(records)
        return records

    def keys_after(self, connection: Connection, mark: Any, most: int) -> list[Any]:
        page = {record[0]: record for record in self.after(connection, mark, most)}
        self._seen.update(page)
        return list(page)

    def forget(self) -> None:
        self._seen = {}

    def by_keys(self, connection: Connection, keys: Sequence[Any]) -> list[Record]:
        return [self._seen[key] for key in keys if key in self._seen]

    def singly(self, connection: Connection, keys: Sequence[Any]) -> list[Row]:
        return self.reader.rows(self.by_keys(connection, keys))

    def last(self, connection: Connection) -> Any:
        """Unknown: a watermark over a query begins at the first row."""

    def key_of(self, written: str) -> Any:
        return int(written) if written.isdecimal() else written


def _plain(condition: str) -> TextClause:
    """A condition without parameters: a colon is a colon."""
    return text("(" + condition.replace(":", r"\:") + ")")


def fetched(
    connection: Connection, query: Any, given: Mapping[str, Any], settings: Settings
) -> list[Record]:
    """What a query of the hospital's own gives, as records. Raises TableFault where it lacks
    what is needed."""
    result = connection.execute(query, given)
    if not result.returns_rows:
        raise TableFault("the statement <fetch> gives no rows")
    there = {name.lower(): place for place, name in enumerate(result.keys())}
    wanted = [settings.columns.get(name) or name for name in READ]
    wanted += settings.parameters.values()
    if settings.resend:
        wanted.append(settings.columns.get(TAKEN_AT) or TAKEN_AT)
    places = [there.get(name.lower()) for name in wanted]
    for name, place in zip(("ID", "MOBILE"), places):
        if place is None and name not in settings.constants:
            raise TableFault(f"the statement <fetch> gives no column for {name}")
    return [
        tuple([None if place is None else record[place] for place in places]) for record in result
    ]


def used(statement: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that a statement names."""
    return {
        name: value
        for name, value in given.items()
        if re.search(rf"(?<![:\w]):{name}\b", statement)
    }


def keys_of(records: Sequence[Record]) -> list[str]:
    return [key_text(record[0]) for record in records]
