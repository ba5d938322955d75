"""Finding the hospital's tables: real names, the columns there are, and their types.

Names are looked up without regard to case, since each database folds them its own way:
the name as written first, then the same letters in another case. A contract column
that the configuration doesn't mention may be missing; one that it maps must be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    column,
    inspect,
    literal_column,
    types,
)
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import NoSuchTableError

from dbpoll.binding import (
    Binder,
    key_binder,
    moment_binder,
    number_binder,
    text_binder,
    word_binder,
)
from dbpoll.dialects import tongue_of
from dbpoll.dialects.base import Tongue
from dbpoll.parameters import INBOUND, RECEIPT, ROW
from dbpoll.reading import READ
from dbpoll.settings import Settings, Strategy
from dbpoll.values import Status, TableFault

OUTBOUND = (*READ, *(name for name in ROW if name not in READ), "TAKEN_AT")
_MOMENTS = frozenset({"TAKEN_AT", "SUBMITTED_AT", "DONE_AT", "RECEIVED_AT"})
ID_DIGITS = 19
"""Of our ids: MESSAGE_ID, and the ID of SMS_INBOUND."""
_WORDS = frozenset({"RESULT_CODE", "RESULT_TEXT", "STATE", "CARRIER_CODE", "CHANNEL"})
"""Columns in which few texts come again and again."""
_PLAIN = frozenset({"MESSAGE_ID", "MOBILE", "STATE", "ACCESS_NUMBER"})


@dataclass(frozen=True, slots=True)
class Found:
    """A table as it really is. `columns` and `binders` are by contract name; both lack what
    the table lacks. `kinds` are the columns' types, `parameters` the columns of template
    values by their names, `raw` the names whose bytes the database misunderstands; `by_range`:
    see Tongue; `keyless`: a row may lack a key."""

    table: Table
    columns: Mapping[str, Column[Any]]
    binders: Mapping[str, Binder]
    kinds: Mapping[str, types.TypeEngine[Any]]
    parameters: Mapping[str, ColumnClause[Any]]
    raw: frozenset[str] = frozenset()
    by_range: bool = True
    keyless: bool = False

    def has(self, status: Status, its: ColumnElement[Any] | None = None) -> ColumnElement[bool]:
        """Whether a row has this status (`its`: the expression that tells it). The value is
        written out, not bound, so that a partial index on new rows is found, too."""
        value = self.binders["STATUS"](status)
        its = self.columns["STATUS"] if its is None else its
        if value is None:
            return its.is_(None)
        quoted = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
        written: ColumnElement[Any] = literal_column(quoted)
        return its.between(written, written) if self.by_range else its == written


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows are moved: `sources` are the names of their columns there, in the order of the
    columns that this table has of them."""

    table: Table
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a source. `missing` are contract columns that aren't in the outbound table."""

    outbound: Found | None
    receipt: Found | None
    inbound: Found | None
    target: Target | None
    missing: tuple[str, ...]


def find(connection: Connection, settings: Settings) -> Tables:
    """All tables of a source, by the database's own description. Raises TableFault."""
    outbound = find_outbound(connection, settings)
    unmapped = {name for name in OUTBOUND if settings.columns.get(name) != ""}
    unmapped -= settings.constants.keys()
    receipt, inbound = find_results(connection, settings)
    missing = sorted(unmapped - outbound.columns.keys()) if outbound else ()
    return Tables(outbound, receipt, inbound, find_target(connection, settings), tuple(missing))


def find_target(connection: Connection, settings: Settings) -> Target | None:
    """Where rows are moved, None where they are not. Raises TableFault."""
    if not settings.move_to:
        return None
    seeker = _Seeker(connection, settings)
    there = seeker.describe(settings.move_to)
    ours = {name.lower(): name for name in seeker.describe(settings.table).kinds}
    kept = [name for name in there.kinds if name.lower() in ours]
    table = Table(there.name, MetaData(), *[Column(name) for name in kept], schema=there.schema)
    return Target(table, tuple(ours[name.lower()] for name in kept))


def find_outbound(connection: Connection, settings: Settings) -> Found | None:
    """The table to read; None where the hospital's own statements reach it. Raises TableFault."""
    unknown = sorted(set(settings.columns) - set(OUTBOUND))
    if unknown:
        raise TableFault(f"columns that SMS_OUTBOUND does not have: {', '.join(unknown)}")
    if settings.sql.fetch:
        return None
    seeker = _Seeker(connection, settings)
    found = seeker.find(settings.table, OUTBOUND, settings.columns, settings.parameters)
    for needed in _needed(settings):
        if needed not in found.columns and needed not in settings.constants:
            raise TableFault(f"{settings.table} has no column for {needed}")
    if not {"CONTENT", "TEMPLATE"} & (found.columns.keys() | settings.constants.keys()):
        raise TableFault(f"{settings.table} has a column neither for CONTENT nor for TEMPLATE")
    return found


def find_results(connection: Connection, settings: Settings) -> tuple[Found | None, Found | None]:
    """The receipt and the inbound table, None where there is none. Raises TableFault."""
    seeker = _Seeker(connection, settings)
    return (
        _optional(seeker, settings.receipt_table, RECEIPT, "OUTBOUND_ID", "MESSAGE_ID"),
        _optional(seeker, settings.inbound_table, INBOUND, "ID", "CONTENT"),
    )


def _needed(settings: Settings) -> tuple[str, ...]:
    needed: tuple[str, ...] = ("ID", "MOBILE")
    if settings.strategy is Strategy.STATUS or settings.row_written:
        needed += ("STATUS",)
    return (*needed, "TAKEN_AT") if settings.resend else needed


def _optional(seeker: _Seeker, name: str, contract: Iterable[str], *needed: str) -> Found | None:
    if not name:
        return None
    found = seeker.find(name, contract, {}, {})
    for word in needed:
        if word not in found.columns:
            raise TableFault(f"{name} has no column {word}")
    return found


def holds_id(kind: types.TypeEngine[Any], tongue: Tongue) -> bool:
    """Whether a column of this type keeps all digits of an id."""
    if isinstance(kind, types.Float):
        return False
    if isinstance(kind, types.Integer | types.Numeric):
        # Oracle's NUMBER is both; only where it says nothing it holds anything.
        digits = getattr(kind, "precision", None)
        if digits is not None:
            return bool(digits - (getattr(kind, "scale", None) or 0) >= ID_DIGITS)
        wide = types.BigInteger, types.Numeric
        return tongue.wide_integers or isinstance(kind, wide)
    length = getattr(kind, "length", None)
    return length is None or length >= ID_DIGITS


class _Described(NamedTuple):
    """A table as its database describes it: its real name, its columns' types by their real
    names, those that may be NULL."""

    schema: str | None
    name: str
    kinds: dict[str, types.TypeEngine[Any]]
    nullable: frozenset[str]


class _Seeker:
    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._inspector: Inspector = inspect(connection)
        self._tongue = tongue_of(connection.dialect)
        self._connection = connection
        self._settings = settings

    def find(
        self,
        name: str,
        contract: Iterable[str],
        mapping: Mapping[str, str],
        parameters: Mapping[str, str],
    ) -> Found:
        described = self.describe(name)
        there = described.kinds
        folded = {each.lower(): each for each in reversed(there)}

        def actual(wanted: str) -> str | None:
            return wanted if wanted in there else folded.get(wanted.lower())

        columns: dict[str, Column[Any]] = {}
        for word in contract:
            wanted = mapping.get(word, word)
            if not wanted:
                continue
            known = actual(wanted)
            ours = word == "MESSAGE_ID" or (contract is INBOUND and word == "ID")
            if known is not None and ours and not holds_id(there[known], self._tongue):
                # A part of an id is the number of no message: better none at all.
                if contract is not OUTBOUND or word in mapping:
                    told = f"{name}: the column for {word}, {there[known]}, cannot hold its"
                    raise TableFault(f"{told} {ID_DIGITS} digits")
            elif known is not None:
                # Without a type: values come and go as the driver has them, so that one that
                # doesn't fit its column's type (SQLite) is found by us and not by a driver.
                columns[word] = Column(known, key=word, nullable=True)
            elif word in mapping:
                raise TableFault(f"{name} has no column {wanted} (for {word})")
        values: dict[str, ColumnClause[Any]] = {}
        for word, wanted in parameters.items():
            known = actual(wanted)
            if known is None:
                raise TableFault(f"{name} has no column {wanted} (for the parameter {word})")
            values[word] = column(known)
        table = Table(described.name, MetaData(), *columns.values(), schema=described.schema)
        kinds = {word: there[each.name] for word, each in columns.items()}
        raw = frozenset(word for word in columns if self._is_raw(word, kinds[word]))
        binders = {word: self._binder(name, word, kinds[word], word in raw) for word in kinds}
        keyless = "ID" in columns and columns["ID"].name in described.nullable
        by_range = self._tongue.by_range
        return Found(table, columns, binders, kinds, values, raw, by_range, keyless)

    def describe(self, name: str) -> _Described:
        schema, real = self._table(name)
        found = self._inspector.get_columns(real, schema)
        kinds = {each["name"]: each["type"] for each in found}
        self._tongue.refine(self._connection, schema, real, kinds)
        nullable = frozenset(each["name"] for each in found if each.get("nullable", True))
        return _Described(schema, real, kinds, nullable)

    def _is_raw(self, word: str, kind: types.TypeEngine[Any]) -> bool:
        texts = isinstance(kind, types.String) and not isinstance(kind, types.Unicode)
        keys = word in ("ID", "OUTBOUND_ID", "STATUS") or word in _PLAIN or word in _MOMENTS
        return bool(self._settings.encoding) and texts and not keys

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

    def _binder(self, table: str, word: str, kind: types.TypeEngine[Any], raw: bool) -> Binder:
        try:
            if word in ("ID", "OUTBOUND_ID"):
                return key_binder(kind, blank=word == "ID")
            if word == "STATUS":
                return word_binder(kind, self._settings.statuses)
            if word == "SEGMENTS":
                return number_binder(kind)
            if word in _MOMENTS:
                as_text = self._tongue.moments_as_text
                aware = self._tongue.binds_zones
                return moment_binder(kind, self._settings.zone, as_text=as_text, aware=aware)
        except TypeError as fault:
            raise TableFault(f"{table}, column for {word}: {fault}") from fault
        encoding = self._settings.encoding if raw else ""
        bind = text_binder(kind, octets=self._tongue.octets, encoding=encoding)
        return lru_cache(maxsize=256)(bind) if word in _WORDS else bind
