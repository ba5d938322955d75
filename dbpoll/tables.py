"""Finding the hospital's tables: real names, the columns there are, and their types.

Names are looked up without regard to case, since each database folds them its own way:
the name as written first, then the same letters in another case. A contract column
that the configuration doesn't mention may be missing; one that it maps must be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, inspect, types
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import NoSuchTableError

from dbpoll.binding import (
    Binder,
    key_binder,
    moment_binder,
    number_binder,
    text_binder,
)
from dbpoll.reading import READ
from dbpoll.values import Settings, TableFault

OUTBOUND = (
    *READ,
    "STATUS",
    "MESSAGE_ID",
    "RESULT_CODE",
    "RESULT_TEXT",
    "SEGMENTS",
    "TAKEN_AT",
    "SUBMITTED_AT",
    "DONE_AT",
)
RECEIPT = (
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
INBOUND = (
    "ID",
    "MOBILE",
    "CONTENT",
    "ACCESS_NUMBER",
    "EXTENSION",
    "OUTBOUND_ID",
    "RECEIVED_AT",
)

_NUMBERS = frozenset({"STATUS", "SEGMENTS"})
_MOMENTS = frozenset({"TAKEN_AT", "SUBMITTED_AT", "DONE_AT", "RECEIVED_AT"})


@dataclass(frozen=True, slots=True)
class Found:
    """A table as it really is. `columns` and `binders` are by contract name; both lack what
    the table lacks. `kinds` are the columns' types."""

    table: Table
    columns: Mapping[str, Column[Any]]
    binders: Mapping[str, Binder]
    kinds: Mapping[str, types.TypeEngine[Any]]


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a source. `missing` are contract columns that aren't in the table."""

    outbound: Found
    receipt: Found | None
    inbound: Found | None
    missing: tuple[str, ...]


def find(connection: Connection, settings: Settings) -> Tables:
    """Read the database's own description. Raises TableFault."""
    unknown = sorted(set(settings.columns) - set(OUTBOUND))
    if unknown:
        raise TableFault(f"columns that SMS_OUTBOUND does not have: {', '.join(unknown)}")
    seeker = _Seeker(connection, settings)
    outbound = seeker.find(settings.table, OUTBOUND, settings.columns)
    for needed in ("ID", "MOBILE", "STATUS"):
        if needed not in outbound.columns:
            raise TableFault(f"{settings.table} has no column for {needed}")
    if not {"CONTENT", "TEMPLATE"} & outbound.columns.keys():
        raise TableFault(f"{settings.table} has a column neither for CONTENT nor for TEMPLATE")
    unmapped = {name for name in OUTBOUND if settings.columns.get(name) != ""}
    return Tables(
        outbound,
        _optional(seeker, settings.receipt_table, RECEIPT, "OUTBOUND_ID", "MESSAGE_ID"),
        _optional(seeker, settings.inbound_table, INBOUND, "ID", "CONTENT"),
        tuple(sorted(unmapped - outbound.columns.keys())),
    )


def _optional(seeker: _Seeker, name: str, contract: Iterable[str], *needed: str) -> Found | None:
    if not name:
        return None
    found = seeker.find(name, contract, {})
    for column in needed:
        if column not in found.columns:
            raise TableFault(f"{name} has no column {column}")
    return found


class _Seeker:
    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._inspector: Inspector = inspect(connection)
        self._dialect = connection.dialect
        self._zone = settings.zone

    def find(self, name: str, contract: Iterable[str], mapping: Mapping[str, str]) -> Found:
        schema, real = self._table(name)
        described = self._inspector.get_columns(real, schema)
        there = {column["name"]: column["type"] for column in described}
        folded = {column.lower(): column for column in reversed(there)}
        columns: dict[str, Column[Any]] = {}
        kinds: dict[str, types.TypeEngine[Any]] = {}
        for word in contract:
            wanted = mapping.get(word, word)
            if not wanted:
                continue
            actual = wanted if wanted in there else folded.get(wanted.lower())
            if actual is None:
                if word in mapping:
                    raise TableFault(f"{name} has no column {wanted} (for {word})")
                continue
            # Without a type: values come and go as the driver has them, so that one that
            # doesn't fit its column's type (SQLite) is found by us and not by a driver.
            columns[word] = Column(actual, key=word, nullable=True)
            kinds[word] = there[actual]
        table = Table(real, MetaData(), *columns.values(), schema=schema)
        binders = {word: self._binder(name, word, kind) for word, kind in kinds.items()}
        return Found(table, columns, binders, kinds)

    def _table(self, name: str) -> tuple[str | None, str]:
        schema, _, last = name.rpartition(".")
        for a_schema in dict.fromkeys((schema, schema.lower(), schema.upper())):
            for a_name in dict.fromkeys((last, last.lower(), last.upper())):
                try:
                    if self._inspector.has_table(a_name, a_schema or None):
                        return a_schema or None, a_name
                except NoSuchTableError:
                    continue
        raise TableFault(f"there is no table {name}, or it may not be seen")

    def _binder(self, table: str, word: str, kind: types.TypeEngine[Any]) -> Binder:
        if word in ("ID", "OUTBOUND_ID"):
            return key_binder(kind)
        if word in _NUMBERS:
            return number_binder(kind)
        if word in _MOMENTS:
            try:
                return moment_binder(kind, self._zone, as_text=self._dialect.name == "sqlite")
            except TypeError as fault:
                raise TableFault(f"{table}, column for {word}: {fault}") from fault
        return text_binder(kind)
