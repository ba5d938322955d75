"""A store with something in every table, whatever the schema has, and how to compare two."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Column, Engine, Table, select

from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.schema import metadata

TEXTS = ("张女士，您预约的检查", "a\tb\nc\rd\\e", "\\N", "\\", "x", "'\"", "𠮷")

Contents = dict[str, Counter[tuple[Any, ...]]]


def fill(engine: Engine, rows: int = 10) -> None:
    """`rows` rows in every table but `ownership`: NULL where it may be, awkward texts."""
    with write_connection(engine) as connection, connection.begin():
        for table in metadata.sorted_tables:
            if table.name != "ownership":
                bulk.insert(connection, table, [_row(table, n) for n in range(rows)])


def contents(engine: Engine) -> Contents:
    """Every row of every table but `ownership`."""
    with engine.connect() as connection:
        return {
            table.name: Counter(tuple(row) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
            if table.name != "ownership"
        }


def _row(table: Table, number: int) -> tuple[Any, ...]:
    return tuple(_value(column, number) for column in table.c)


def _value(column: Column[Any], number: int) -> Any:
    if column.nullable and number % 3 == 0:
        return None
    if column.name == "lane":
        return "bulk"
    if column.name == "wrapped":
        # A key that no configuration opens would be refused.
        return None
    kind = column.type.python_type
    if kind is bool:
        return number % 2 == 0
    if kind is int:
        return number + 1 if column.primary_key else number * 31 % 32_000
    length = getattr(column.type, "length", None) or 40
    if column.primary_key or _is_unique(column):
        return f"{number:06}"[:length]
    return TEXTS[number % len(TEXTS)][:length]


def _is_unique(column: Column[Any]) -> bool:
    table: Any = column.table
    return any(index.unique and column.name in index.columns for index in table.indexes)
