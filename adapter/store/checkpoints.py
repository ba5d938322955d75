"""SQLite's write-ahead log goes home into the database beside the commits, not within one.

The commit that finds the log long enough would do it itself, 20 ms and more, and whoever waits for
that commit or the next one with it. A thread and a connection of their own do it a little at
a time: a passive checkpoint holds up no writer. Where it cannot keep up, the commits do it
after all (`adapter.store.engine`).
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

LOOK_S = 0.25

log = structlog.get_logger(__name__)


class Checkpoints:
    """Does nothing where the store is no file of SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log = Path(f"{engine.url.database}-wal")
        self._written = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)

    def start(self) -> None:
        if self._engine.dialect.name == "sqlite":
            self._thread.start()

    def stop(self) -> None:
        """May be repeated."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Bring home what was written since the last look."""
        try:
            written = self._log.stat().st_mtime_ns
        except OSError:
            return
        if written == self._written:
            return
        self._written = written
        try:
            with self._engine.connect() as connection:
                _check_point(connection)
        except (SQLAlchemyError, sqlite3.Error) as error:
            # The next look tries again; until then the commits see to it.
            self._written = 0
            log.warning("store.checkpoint", error=type(error).__name__)

    def _work(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.look()


def _check_point(connection: Connection) -> None:
    """Past SQLAlchemy, which would begin a transaction: within one it cannot be done."""
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error:
        connection.invalidate()
        raise
