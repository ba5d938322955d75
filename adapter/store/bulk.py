"""Many rows in one statement, in the form that each dialect takes fastest.

PostgreSQL takes many new rows by COPY and everything else as one array for each column. Both
are written out here, column by column, because the driver's own forms, value by value, cost
four times the CPU. SQLite takes rows as long lists of VALUES: executemany lets the interpreter go
for each row, and others, who wake up for it, find it taken again. Rows are tuples in the order of
the columns named; values are None, numbers, booleans or text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from itertools import chain, repeat
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy import (
    delete as sql_delete,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import PGDialect

from adapter.store import journeys
from adapter.store.journeys import array

Row = tuple[Any, ...]

COPY_FROM = 256
"""PostgreSQL takes this many rows and more by COPY, fewer as arrays: COPY costs less for each row,
and needs journeys of its own."""

VALUES_MOST = 128
"""SQLite takes so many rows in one statement: more make it no faster, and each statement is kept
prepared."""

_POSTGRESQL: Dialect = PGDialect()  # type: ignore[no-untyped-call]


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert whole rows, all columns in the table's order."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        _in_steps(connection, partial(_values_insert, table), rows)
    elif len(rows) < COPY_FROM:
        journeys.write(connection, _unnest_insert(table), _arrays(rows))
    else:
        _copy_in(connection, table, rows)


def _copy_in(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    with (
        journeys.driver_of(connection) as driver,
        driver.cursor() as cursor,
        cursor.copy(_copy(table)) as copy,
    ):
        copy.write(copy_text(rows))


def update(
    connection: Connection,
    table: Table,
    key: Sequence[str],
    changed: Sequence[str],
    rows: Sequence[Row],
) -> None:
    """Set the `changed` columns of rows found by `key`; each row: key values, then new values."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        text = _unnest_update(table, tuple(key), tuple(changed))
        journeys.write(connection, text, _arrays(rows))
    else:
        text_of = partial(_values_update, table, tuple(key), tuple(changed))
        _in_steps(connection, text_of, rows)


def delete(
    connection: Connection,
    table: Table,
    keys: Iterable[int],
    returning: Sequence[Column[Any]] = (),
    *conditions: ColumnElement[bool],
) -> list[Row]:
    """Delete by the first column what also meets the `conditions`; returns `returning` (the
    first column if empty) of the rows that were there."""
    keys = list(keys)
    if not keys:
        return []
    column = next(iter(table.c))
    statement = sql_delete(table).where(among(connection, column, keys), *conditions)
    columns = tuple(returning) or (column,)
    return [tuple(row) for row in connection.execute(statement.returning(*columns))]


def remove(connection: Connection, table: Table, keys: Sequence[int]) -> None:
    """Delete by the first column, where nobody asks which were there."""
    if not keys:
        return
    column = next(iter(table.c))
    if connection.dialect.name == "postgresql":
        text = f"DELETE FROM {table.name} WHERE {column.name} IN (SELECT unnest(%s::bigint[]))"  # noqa: S608
        journeys.write(connection, text, (array(keys),))
    else:
        connection.execute(sql_delete(table).where(among(connection, column, keys)))


def among(
    connection: Connection, column: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """`column IN values` as one parameter, so that the statement is the same for any number.

    Not for one side of an OR: databases find rows by a subquery only where it stands alone."""
    return column.in_(_given(connection, column, values))


def none_of(
    connection: Connection, column: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """`column NOT IN values`, as `among`; of a column that is never NULL."""
    return column.not_in(_given(connection, column, values))


def _given(
    connection: Connection, column: ColumnElement[Any], values: Iterable[Any]
) -> Select[Any]:
    """A subquery, of which databases make a hash table, or go from there to an index; a list they
    walk for every row."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        return select(func.unnest(cast(literal(array(listed), Text), ARRAY(column.type))))
    return select(func.json_each(json.dumps(listed)).table_valued("value").c.value)


def copy_text(rows: Sequence[Row]) -> str:
    """Rows in the text form of COPY (PostgreSQL, COPY, "Text Format")."""
    columns = map(_copy_column, zip(*rows, strict=True))
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _copy_column(values: Sequence[Any]) -> Iterable[str]:
    if None in values:
        if values.count(None) == len(values):
            return repeat("\\N", len(values))
        return map(_copied, values)
    if not isinstance(values[0], str):
        return map(str, values)
    joined = "".join(values)
    if "\\" in joined or "\n" in joined or "\r" in joined or "\t" in joined:
        return [value.translate(_ESCAPES) for value in values]
    return values


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPES) if isinstance(value, str) else str(value)


_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def _arrays(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(map(array, zip(*rows, strict=True)))


def _in_steps(connection: Connection, text_of: Callable[[int], str], rows: Sequence[Row]) -> None:
    """Execute for all rows the statement that `text_of` makes for a number of rows: always for a
    power of two, so that there are few to prepare."""
    at = 0
    with journeys.driver_of(connection) as driver:
        while left := len(rows) - at:
            count = min(VALUES_MOST, 1 << left.bit_length() - 1)
            driver.execute(text_of(count), tuple(chain.from_iterable(rows[at : at + count])))
            at += count


@cache
def _values_insert(table: Table, count: int) -> str:
    columns = table.c.keys()
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) "  # noqa: S608
        f"VALUES {_marks(len(columns), count)}"
    )


@cache
def _values_update(table: Table, key: tuple[str, ...], changed: tuple[str, ...], count: int) -> str:
    columns = [*key, *changed]
    values = f"WITH u({', '.join(columns)}) AS (VALUES {_marks(len(columns), count)}) "
    return values + _set_from("u", table, key, changed)


def _marks(columns: int, rows: int) -> str:
    row = ", ".join(["?"] * columns)
    return ", ".join([f"({row})"] * rows)


@cache
def _copy(table: Table) -> str:
    return f"COPY {table.name} ({', '.join(table.c.keys())}) FROM STDIN"


@cache
def _unnest_insert(table: Table) -> str:
    columns = table.c.keys()
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) "  # noqa: S608
        f"SELECT * FROM unnest({_placeholders(table, columns)})"
    )


def _placeholders(table: Table, columns: Sequence[str]) -> str:
    return ", ".join(f"%s::{table.c[name].type.compile(_POSTGRESQL)}[]" for name in columns)


@cache
def _unnest_update(table: Table, key: tuple[str, ...], changed: tuple[str, ...]) -> str:
    columns = [*key, *changed]
    given = f"unnest({_placeholders(table, columns)}) AS u({', '.join(columns)})"
    return _set_from(given, table, key, changed)


def _set_from(given: str, table: Table, key: Sequence[str], changed: Sequence[str]) -> str:
    """An update of rows by those of `given`, called u."""
    sets = ", ".join(f"{name} = u.{name}" for name in changed)
    found = " AND ".join(f"t.{name} = u.{name}" for name in key)
    return f"UPDATE {table.name} AS t SET {sets} FROM {given} WHERE {found}"  # noqa: S608
