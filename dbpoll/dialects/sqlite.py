"""SQLite: one writer, no row locks, a file instead of a server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, Select, event

from dbpoll.dialects.base import Tongue
from dbpoll.settings import Settings
from dbpoll.wakeup import Ear, FileWatch


class Sqlite(Tongue):
    returning: ClassVar[bool] = True
    wide_integers: ClassVar[bool] = True
    moments_as_text: ClassVar[bool] = True

    @property
    def skips_locked(self) -> bool:
        return False

    def arguments(self, settings: Settings) -> dict[str, Any]:
        return {"check_same_thread": False, "isolation_level": None}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        event.listen(engine, "connect", partial(_prepare, settings))
        event.listen(engine, "begin", _begin)

    def ear(self, engine: Engine, settings: Settings, wake: Callable[[], None]) -> Ear | None:
        file = engine.url.database
        return FileWatch(Path(file), wake) if file else None

    def interrupt(self, driver: Any) -> None:
        driver.interrupt()

    def held(self, query: Select[Any]) -> Select[Any]:
        return query

    def returned(self, keys: Select[Any]) -> Select[Any]:
        return keys

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str]:
        lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return [str(line[-1]) for line in lines]

    def scans(self, plan: list[str], table: str) -> bool:
        return any(line.startswith(f"SCAN {table}") and "INDEX" not in line for line in plan)


def _prepare(settings: Settings, connection: Any, _record: Any) -> None:
    # A text that isn't UTF-8 must not stop the rows beside it; see reading.py.
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    connection.execute(f"PRAGMA busy_timeout={int(settings.lock_timeout_s * 1000)}")


def _begin(connection: Connection) -> None:
    # A read that turns into a write fails at once when another wrote in between.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
