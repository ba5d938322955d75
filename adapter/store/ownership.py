"""One dispatcher on a store: a second one would send everything twice.

SQLite is kept by a lock on a file beside it, PostgreSQL by an advisory lock that lives as
long as its connection. Both are gone when the process is, however it ended.
"""

from __future__ import annotations

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text

from adapter.domain.errors import StoreUnavailable

# "HISSMS" in ASCII: no other program on the server should take this advisory lock.
_ADVISORY_KEY = 0x484953534D53


class StoreOwnedError(Exception):
    """Another node dispatches from this store."""


class Ownership:
    """Holds the store from `acquire` to `release`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: FileLock | None = None
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Raises StoreOwnedError when another process holds the store."""
        match self._engine.dialect.name:
            case "sqlite":
                self._lock_file()
            case "postgresql":
                self._lock_postgresql()
            case other:
                raise StoreUnavailable(f"a store on {other} cannot be owned")

    def release(self) -> None:
        if self._file is not None:
            self._file.release()
        if self._connection is not None:
            self._connection.close()

    def _lock_file(self) -> None:
        lock = FileLock(f"{self._engine.url.database}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreOwnedError(f"another node uses {self._engine.url.database}") from error
        self._file = lock

    def _lock_postgresql(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        held = connection.execute(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}
        ).scalar_one()
        if not held:
            connection.close()
            raise StoreOwnedError("another node uses this database")
        self._connection = connection
