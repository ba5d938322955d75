"""What a database needs done now and then to stay fast."""

from __future__ import annotations

from sqlalchemy import Engine

from adapter.store.engine import BUSY_S


def tend(engine: Engine) -> None:
    """On SQLite, refresh what the planner knows and bring the write-ahead log back.

    Freed pages are used again: nothing is compacted, because that would lock the store.
    PostgreSQL tends itself (autovacuum, which must stay on).
    """
    if engine.dialect.name == "sqlite":
        _tend_sqlite(engine)


def _tend_sqlite(engine: Engine) -> None:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA analysis_limit=1000")
        cursor.execute("PRAGMA optimize=0x10002")
        # The log's pages move as commits go, but the file shrinks only when nobody reads.
        # Waiting for that moment would hold up every writer: now or not at all.
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_S * 1000}")
        cursor.close()
    finally:
        connection.close()
