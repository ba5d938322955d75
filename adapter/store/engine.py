"""Opening the store: SQLite or PostgreSQL, set so that a commit survives a power cut."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

from adapter.store.journeys import driver_of, keep_writes

# Another process that holds SQLite's write lock for longer is a fault: callers wait for us.
BUSY_S = 5

OLDEST_SQLITE = (3, 33)
"""The first with UPDATE FROM; it takes thousands of values in a statement, too."""

# A server that vanished without a word is given up after some ten seconds, not a quarter of
# an hour: callers wait for an answer. What the URL says goes first.
_NOTICE_SILENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


def open_engine(url: str | URL, *, pool_size: int = 8) -> Engine:
    """An engine for a store URL (`sqlite:///file`, `postgresql://...`).

    Connections are made on first use. The folder of an SQLite file is created.
    Raises sqlalchemy.exc.ArgumentError for a URL that cannot be read, OSError where Python came
    with an SQLite that is too old.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, pool_size)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        parsed = parsed.set(query={**_NOTICE_SILENCE, **parsed.query})
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=4,
        pool_pre_ping=True,
        pool_recycle=1800,
        # An error must not repeat the row: it holds contents and numbers.
        hide_parameters=True,
    )
    if parsed.get_backend_name() == "postgresql":
        event.listen(engine, "connect", _prepare_postgresql)
        keep_writes(engine)
    return engine


# The store's statements find a few hundred rows by index, or walk along one. A fresh table has no
# statistics: without this the planner reads all of it for each batch of receipts (900 ms instead of
# 2 ms at 100,000 rows), and sorts all of the rest for each bite of a walk, until the first ANALYZE.
_PLANS_OFF = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        for name in _PLANS_OFF:
            cursor.execute(f"SET {name} = off")
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    connection.commit()


def _open_sqlite(url: URL, pool_size: int) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        told = f"this Python came with SQLite {sqlite3.sqlite_version}; the store needs {needed}"
        raise OSError(f"{told} or newer, or PostgreSQL")
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=4,
        hide_parameters=True,
        connect_args={
            "timeout": BUSY_S,
            "check_same_thread": False,
            # The driver must not begin transactions of its own: see _begin_sqlite.
            "isolation_level": None,
            # Each statement of `adapter.store.bulk` is there for eight numbers of rows.
            "cached_statements": 512,
        },
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in (
        "journal_mode=WAL",
        # With WAL, only FULL syncs at every commit; NORMAL would lose accepted messages.
        "synchronous=FULL",
        f"busy_timeout={BUSY_S * 1000}",
        "cache_size=-8192",
        "temp_store=MEMORY",
        # Pages after which a commit does what `adapter.store.checkpoints` should have done.
        "wal_autocheckpoint=16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A read that later turns into a write fails at once when another wrote in between;
    # writers take their place in the queue at the start instead.
    writes = connection.get_execution_options().get("writes", False)
    with driver_of(connection) as driver:
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def write_connection(engine: Engine) -> Connection:
    """A connection whose transactions write."""
    return engine.connect().execution_options(writes=True)
