"""Many rows in one statement, in the form that each dialect takes fastest.

PostgreSQL takes many new rows by COPY and everything else as one array for each column. Both
are written out here, column by column, because the driver's own forms, value by value, cost
four times the CPU. SQLite is fastest with plain
executemany. Rows are tuples in the order of the columns named; values are None, numbers,
booleans or text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy import (
    delete as sql_delete,
)
from sqlalchemy import (
    update as sql_update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import DBAPIError

from adapter.store import journeys
from adapter.store.journeys import array

Row = tuple[Any, ...]

COPY_FROM = 256
"""PostgreSQL takes this many rows and more by COPY, fewer as arrays: COPY costs less for each row,
and needs journeys of its own."""

_POSTGRESQL: Dialect = PGDialect()  # type: ignore[no-untyped-call]


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert whole rows, all columns in the table's order."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(_insert(table, connection), list(rows))
    elif len(rows) < COPY_FROM:
        journeys.write(connection, _unnest_insert(table), _arrays(rows))
    else:
        _copy_in(connection, table, rows)


def _copy_in(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    dialect = connection.dialect
    error_class = dialect.loaded_dbapi.Error
    driver: Any = connection.connection.driver_connection
    statement = _copy(table)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_text(rows))
    except error_class as error:
        # Past SQLAlchemy, but callers tell faults apart by its classes.
        raise DBAPIError.instance(
            statement, None, error, error_class, hide_parameters=True, dialect=dialect
        ) from error


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
        names = [f"b_{name}" for name in (*key, *changed)]
        statement = sql_update(table).values({name: bindparam(f"b_{name}") for name in changed})
        for name in key:
            statement = statement.where(table.c[name] == bindparam(f"b_{name}"))
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


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
        text = f"DELETE FROM {table.name} WHERE {column.name} = ANY(%s::bigint[])"  # noqa: S608
        journeys.write(connection, text, (array(keys),))
    else:
        connection.execute(sql_delete(table).where(among(connection, column, keys)))


def among(
    connection: Connection, column: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """`column IN values` as one parameter, so that the statement is the same for any number."""
    listed = list(values)
    match connection.dialect.name:
        case "postgresql":
            return column == func.any(cast(literal(array(listed), Text), ARRAY(column.type)))
        case "sqlite":
            return column.in_(
                select(func.json_each(json.dumps(listed)).table_valued("value").c.value)
            )
        case _:
            return column.in_(listed)


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


def _insert(table: Table, connection: Connection) -> str:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    return (
        f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) "  # noqa: S608
        f"VALUES ({', '.join([mark] * len(table.c))})"
    )


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
    sets = ", ".join(f"{name} = u.{name}" for name in changed)
    found = " AND ".join(f"t.{name} = u.{name}" for name in key)
    return (
        f"UPDATE {table.name} t SET {sets} "  # noqa: S608
        f"FROM unnest({_placeholders(table, columns)}) AS u({', '.join(columns)}) WHERE {found}"
    )
