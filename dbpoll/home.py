"""The way home: one line into the hospital's tables, whose writers take turns.

What the tables have is looked at before the first write, and again after any error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from dbpoll.database import Line
from dbpoll.settings import Settings
from dbpoll.tables import Tables, find, find_results
from dbpoll.values import Locked
from dbpoll.writeback import Writeback


class Home:
    """Safe to share between threads. `turns` is held by whoever uses `line`: two writers of one
    table would meet each other's locks. Counted since the start: results `written`, and `refused`
    by the database, the last one with this `refusal`."""

    def __init__(self, settings: Settings, line: Line) -> None:
        self.line = line
        self.turns = threading.Lock()
        self.written = 0
        self.refused = 0
        self.refusal = ""
        self._settings = settings
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._writeback: Writeback | None = None

    def write(self, work: Callable[[Writeback], int]) -> None:
        """Have results written. Raises what the database raises, and Locked."""
        with self.turns:
            try:
                if self._writeback is None:
                    self._writeback = self._found()
                self.written += work(self._writeback)
            except Locked:
                raise
            except BaseException:
                # The table may have been altered: look at it again.
                self._writeback = None
                raise

    def close(self) -> None:
        with self.turns:
            self.line.close()

    def _found(self) -> Writeback:
        tables = self.line.run(self._find, writes=False)
        if tables.missing:
            self._log.info("columns_missing", columns=list(tables.missing))
        return Writeback(self._settings, self.line, tables, self._refuse)

    def _find(self, connection: Connection) -> Tables:
        if not self._settings.results_url:
            return find(connection, self._settings)
        receipt, inbound = find_results(connection, self._settings)
        return Tables(None, receipt, inbound, None, ())

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.refusal = why
