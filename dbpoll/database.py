"""Connections to a hospital's database, as a guest.

A Line is one connection, opened when needed and thrown away on any error: after the
hospital restarts its database the next use finds it again. Statements and waits for
locks have time limits, so that a hung database never hangs us.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dbpoll.dialects import tongue_of, with_driver
from dbpoll.dialects.base import Tongue, number_of
from dbpoll.dialects.postgresql import sqlstate
from dbpoll.settings import Settings

T = TypeVar("T")


def open_engine(settings: Settings, url: str = "") -> Engine:
    """An engine without a pool, for the settings' own URL or another; nothing is connected yet.

    Raises sqlalchemy.exc.ArgumentError for a URL that cannot be read, ImportError where its
    driver is not installed.
    """
    address = with_driver(make_url(url or settings.url))
    tongue = tongue_of(address.get_dialect()())
    # Parameters hold numbers and contents: they must not come out in an error's text.
    engine = create_engine(
        address,
        poolclass=NullPool,
        connect_args=tongue.arguments(settings),
        hide_parameters=True,
        **tongue.options(settings),
    )
    tongue.prepare(engine, settings)
    return engine


class Line:
    """One connection. Used by one thread at a time; `interrupt` may come from any."""

    def __init__(self, engine: Engine, prepare: Callable[[Connection], None] | None = None) -> None:
        self.tongue: Tongue = tongue_of(engine.dialect)
        self._engine = engine
        self._prepare = prepare
        self._connection: Connection | None = None
        self._closing = threading.Event()

    def run(
        self, work: Callable[[Connection], T], *, writes: bool = True, alone: bool = False
    ) -> T:
        """`work` in one transaction; `alone`: it is a single statement, which needs none said
        around it. After an error that no row or lock is to blame for, the connection is thrown
        away."""
        try:
            connection = self._open().execution_options(writes=writes)
            self.tongue.single(connection, alone)
            with connection.begin():
                return work(connection)
        except BaseException as fault:
            if not self.tongue.blames_row(fault) and not self.tongue.blames_lock(fault):
                self.close()
            raise

    def interrupt(self) -> None:
        """Ask the database to give up the running statement, and run no other one."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            with suppress(Exception):
                self.tongue.interrupt(connection.connection.driver_connection)

    def close(self) -> None:
        """Throw the connection away; the next `run` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.invalidate()
            with suppress(Exception):
                connection.close()

    def _open(self) -> Connection:
        if self._closing.is_set():
            raise ConnectionAbortedError("the source is stopping")
        if self._connection is None:
            connection = self._engine.connect()
            if self._prepare is not None:
                self._prepare(connection)
            self._connection = connection
        return self._connection


def reason(fault: BaseException, tongue: Tongue) -> str:
    """What to log about an error: never a row's values."""
    cause: Any = getattr(fault, "orig", None) or fault
    name = type(cause).__name__
    if tongue.blames_row(fault):
        return " ".join(filter(None, (name, sqlstate(fault) or str(number_of(fault) or ""))))
    first = str(cause).strip().splitlines()[:1]
    return f"{name}: {first[0]}" if first else name
