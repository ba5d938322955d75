"""Connections to a hospital's database, as a guest.

A Line is one connection, opened when needed and thrown away on any error: after the
hospital restarts its database the next use finds it again. Statements and waits for
locks have time limits, so that a hung database never hangs us.

Limits: on PostgreSQL the settings are made per session; a pooler in transaction mode
between us and the server forgets them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from dbpoll.values import Settings

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
CANCEL_TIMEOUT_S = 2.0

# Dead peers are noticed within half a minute, also while we wait for an answer.
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def open_engine(settings: Settings) -> Engine:
    """An engine without a pool; nothing is connected yet.

    Raises sqlalchemy.exc.ArgumentError for a URL that cannot be read.
    """
    url = make_url(settings.url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    elif url.drivername in ("mysql", "mariadb"):
        url = url.set(drivername=f"{url.drivername}+pymysql")
    arguments: dict[str, Any] = {}
    if url.get_driver_name() == "psycopg":
        # Statements prepared by the client do not survive a pooler in between.
        arguments = {"connect_timeout": CONNECT_TIMEOUT_S, "prepare_threshold": None, **_KEEPALIVE}
    elif url.get_driver_name() == "pymysql":
        wait = settings.statement_timeout_s
        arguments = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": wait,
            "write_timeout": wait,
        }
    elif url.get_backend_name() == "sqlite":
        arguments = {"check_same_thread": False, "isolation_level": None}
    # Parameters hold numbers and contents: they must not come out in an error's text.
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, settings))
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", partial(_prepare_postgresql, settings))
    return engine


def _prepare_sqlite(settings: Settings, connection: Any, _record: Any) -> None:
    # A text that isn't UTF-8 must not stop the rows beside it; see reading.py.
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    connection.execute(f"PRAGMA busy_timeout={int(settings.lock_timeout_s * 1000)}")


def _begin_sqlite(connection: Connection) -> None:
    # A read that turns into a write fails at once when another wrote in between.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# We touch few rows, each by an index. Where the server's statistics are stale (every row was
# new when they were taken), its planner would rather read the whole table.
_BY_INDEX = dict.fromkeys(
    (
        "enable_seqscan",
        "enable_bitmapscan",
        "enable_hashjoin",
        "enable_mergejoin",
        "jit",
    ),
    "off",
)


def _prepare_postgresql(settings: Settings, connection: Any, _record: Any) -> None:
    limits = {
        "application_name": f"sms-adapter {settings.name}",
        "statement_timeout": str(int(settings.statement_timeout_s * 1000)),
        "lock_timeout": str(int(settings.lock_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(settings.statement_timeout_s * 2000)),
        **_BY_INDEX,
    }
    with connection.cursor() as cursor:
        for name, value in limits.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


class Line:
    """One connection. Used by one thread at a time; `interrupt` may come from any."""

    def __init__(self, engine: Engine, prepare: Callable[[Connection], None] | None = None) -> None:
        self._engine = engine
        self._prepare = prepare
        self._connection: Connection | None = None
        self._closing = threading.Event()

    def run(self, work: Callable[[Connection], T], *, writes: bool = True) -> T:
        """`work` in one transaction. After an error that no row or lock is to blame for, the
        connection is thrown away."""
        try:
            connection = self._open().execution_options(writes=writes)
            with connection.begin():
                return work(connection)
        except BaseException as fault:
            if not blames_row(fault) and not blames_lock(fault):
                self.close()
            raise

    def interrupt(self) -> None:
        """Ask the database to give up the running statement, and run no other one."""
        self._closing.set()
        connection = self._connection
        if connection is None:
            return
        with suppress(Exception):
            driver: Any = connection.connection.driver_connection
            if hasattr(driver, "cancel_safe"):
                driver.cancel_safe(timeout=CANCEL_TIMEOUT_S)
            elif hasattr(driver, "interrupt"):
                driver.interrupt()

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


def blames_row(fault: BaseException) -> bool:
    """Whether a value in a row is at fault, and not the connection, the table or a right."""
    if isinstance(fault, UnicodeError | DataError | IntegrityError):
        return True
    return isinstance(fault, DBAPIError) and sqlstate(fault) == "P0001"


def blames_lock(fault: BaseException) -> bool:
    """Whether a row was locked by another for too long."""
    return isinstance(fault, DBAPIError) and sqlstate(fault) in ("55P03", "40P01")


def sqlstate(fault: BaseException) -> str:
    """PostgreSQL's five characters, or ""."""
    return str(getattr(getattr(fault, "orig", None), "sqlstate", None) or "")


def reason(fault: BaseException) -> str:
    """What to log about an error: never a row's values."""
    cause = getattr(fault, "orig", None) or fault
    name = type(cause).__name__
    if blames_row(fault):
        return " ".join(filter(None, (name, sqlstate(fault))))
    first = str(cause).strip().splitlines()[:1]
    return f"{name}: {first[0]}" if first else name
