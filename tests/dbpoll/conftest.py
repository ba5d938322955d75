"""A hospital's database with the contract's tables, and an honest store in memory."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, create_engine, event, text

from dbpoll.ddl import ddl
from dbpoll.settings import Settings
from dbpoll.source import Source
from dbpoll.values import Row, Taken, at_once
from tests.conftest import start_postgres
from tests.mariadb import MariaDb

ZONE = ZoneInfo("Asia/Shanghai")
WAIT_S = 30.0


class Book:
    """Accepts each key once, as the store does, and remembers how often it was asked.

    `refuse` names keys to refuse; `fault` is raised instead of an answer while it is set.
    """

    def __init__(self, refuse: Sequence[str] = ()) -> None:
        self.messages: dict[str, str] = {}
        self.rows: dict[str, Row] = {}
        self.batches: list[int] = []
        self.fault: Callable[[Sequence[Row]], None] | None = None
        self._refuse = frozenset(refuse)
        self._changed = threading.Condition()

    def take(self, rows: Sequence[Row]) -> list[Taken]:
        with self._changed:
            self.batches.append(len(rows))
            self._changed.notify_all()
            if self.fault is not None:
                self.fault(rows)
            answers = [self._answer(row) for row in rows]
            self._changed.notify_all()
        return answers

    def wait_for(self, is_so: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, WAIT_S), "it did not come about"

    def _answer(self, row: Row) -> Taken:
        self.rows[row.key] = row
        if row.fault or row.key in self._refuse:
            return Taken(row.key, "", 0, "BAD_REQUEST", row.fault or "not wanted")
        number = self.messages.setdefault(row.key, str(10**17 + len(self.messages)))
        return Taken(row.key, number, 1)


class His:
    """The hospital's side of its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url)
        self.dialect = self.engine.dialect.name
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _wait)

    def script(self, statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements.split(";\n"):
                if _is_sql(statement):
                    connection.exec_driver_sql(statement)

    def run(self, statement: str, rows: Any = None) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), rows or {})

    def ask(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def insert(self, count: int, first: int = 1) -> None:
        self.run(
            "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (:i, '13800138000', '请准时')",
            [{"i": number} for number in range(first, first + count)],
        )

    def count(self, condition: str) -> int:
        return int(self.ask(f"SELECT COUNT(*) FROM SMS_OUTBOUND WHERE {condition}")[0][0])

    def settings(self, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "name": "his",
            "url": self.url,
            "zone": ZONE,
            "poll_min_s": 0.01,
            "poll_max_s": 0.05,
            "retry_min_s": 0.01,
            "retry_max_s": 0.1,
            "answer_delay_s": 0.05,
            "lock_timeout_s": 0.3,
        }
        return Settings(**(values | changes))


@contextmanager
def in_file(path: Path) -> Iterator[His]:
    """The contract's tables in an SQLite file."""
    made = His(f"sqlite:///{path}")
    with made.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    made.script(ddl("sqlite"))
    yield made
    made.engine.dispose()


def _wait(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA busy_timeout=20000")


def _is_sql(statement: str) -> bool:
    return any(line.strip() and not line.startswith("--") for line in statement.splitlines())


def eventually(is_so: Callable[[], object]) -> None:
    """Ask until it is so; the database tells nobody when it changes."""
    done = threading.Event()
    for _ in range(int(WAIT_S / 0.02)):
        if is_so():
            return
        done.wait(0.02)
    raise AssertionError("it did not come about")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    server = MariaDb()
    yield server
    server.remove()


@pytest.fixture
def mariadb_url(mariadb_server: MariaDb) -> Iterator[str]:
    """A database for this test alone."""
    with mariadb_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def his(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[His]:
    """Empty tables, on every database we have."""
    if request.param == "mysql":
        database = His(request.getfixturevalue("mariadb_url"))
    elif request.param == "sqlite":
        database = His(f"sqlite:///{tmp_path / 'his.db'}")
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    else:
        database = His(request.getfixturevalue("postgres_url"))
    database.script(ddl(request.param))
    yield database
    database.engine.dispose()


@pytest.fixture(params=["postgresql", "mysql"])
def served(request: pytest.FixtureRequest) -> Iterator[His]:
    """Empty tables, on the databases that lock rows."""
    fixture = "mariadb_url" if request.param == "mysql" else "postgres_url"
    database = His(request.getfixturevalue(fixture))
    database.script(ddl(request.param))
    yield database
    database.engine.dispose()


@pytest.fixture
def running() -> Iterator[Callable[..., Source]]:
    """Starts sources, and stops them after the test."""
    started: list[Source] = []

    def run(settings: Settings, take: Any) -> Source:
        source = Source(settings, at_once(take))
        source.start()
        started.append(source)
        return source

    yield run
    for source in started:
        assert source.stop()


@pytest.fixture
def postgres_his(postgres_url: str) -> Iterator[His]:
    """Empty tables on PostgreSQL, for what only it can do."""
    database = His(postgres_url)
    database.script(ddl("postgresql"))
    yield database
    database.engine.dispose()


class OwnPostgres:
    """A server for one test, which may stop and start it."""

    def __init__(self) -> None:
        self._server = start_postgres()
        self.url = self._server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1)
        self.folder = Path(self._server.pgdata)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return int(self._server.get_postmaster_info().pid)

    def stop(self) -> None:
        """At once, as a crash would."""
        os.kill(self._server.get_postmaster_info().pid, signal.SIGQUIT)
        eventually(lambda: not self._server.get_postmaster_info().is_running())

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres()
    yield server
    server.remove()
