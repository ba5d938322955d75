"""Reading a store as it is at one moment, while it goes on working.

SQLite in WAL mode shows a reader the moment of its first read for as long as it reads;
PostgreSQL does so in a transaction of REPEATABLE READ. Nobody waits for either. Until the
end SQLite's write-ahead log grows by what is written meanwhile, and PostgreSQL keeps rows
that were deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, inspect
from sqlalchemy.engine import make_url

from adapter.backup import rows
from adapter.backup.drivers import driver_of
from adapter.backup.faults import BackupError
from adapter.backup.tables import tables_at
from adapter.store import migrate
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine

_BLOCK = 256 << 10
_ROWS = 2_000


class Snapshot:
    """A store at one moment. Nothing that happened before `taken_at` (ms) is missing in it."""

    def __init__(self, connection: Connection, schema: str, taken_at: int) -> None:
        self.schema = schema
        self.tables = tables_at(schema)
        self.database = connection.dialect.name
        self.taken_at = taken_at
        self._connection = connection
        there = set(inspect(connection).get_table_names())
        lacking = [table.name for table in self.tables if table.name not in there]
        if lacking:
            raise BackupError(
                f"the store lacks the table {', '.join(lacking)} of its schema {schema}: "
                "it is damaged; restore the last good backup"
            )

    def blocks(self, table: Table) -> Iterator[bytes]:
        """The rows of a table, as `adapter.backup.rows` writes them, in blocks of whole lines."""
        columns = ", ".join(table.c.keys())
        with driver_of(self._connection) as driver:
            if self.database == "postgresql":
                yield from _copied(driver, f"COPY {table.name} ({columns}) TO STDOUT")
            else:
                # Names are those of the migrations, never from outside.
                statement = f"SELECT {columns} FROM {table.name}"  # noqa: S608
                yield from _selected(driver, statement, list(table.c))


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The store behind a URL, now. Raises BackupError where there is none, and what the driver
    raises when it cannot be read."""
    engine = open_existing(url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            taken_at = now_ms()
            with connection.begin():
                # The first read: from here on the moment stands still.
                schema = migrate.revision_of(connection)
                if schema is None:
                    raise BackupError("the store is empty: it has no schema yet")
                yield Snapshot(connection, schema, taken_at)
    finally:
        engine.dispose()


def open_existing(url: str) -> Engine:
    """An engine for a store that is there: opening alone would make an SQLite file."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        raise BackupError(f"there is no store {parsed.database}")
    return open_engine(parsed, pool_size=2)


def _copied(driver: Any, statement: str) -> Iterator[bytes]:
    gathered = bytearray()
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            gathered += line
            if len(gathered) >= _BLOCK:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)


def _selected(driver: Any, statement: str, columns: Sequence[Column[Any]]) -> Iterator[bytes]:
    cursor = driver.execute(statement)
    while found := cursor.fetchmany(_ROWS):
        yield rows.encode(columns, found)
