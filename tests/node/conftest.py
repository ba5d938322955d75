"""The databases that a whole node works on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbpoll.ddl import ddl
from tests.conftest import new_database
from tests.dbpoll.conftest import His


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store, on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def his(postgres_server: str) -> Iterator[His]:
    """The hospital's PostgreSQL database, with the contract's tables."""
    with new_database(postgres_server) as url:
        database = His(url)
        database.script(ddl("postgresql"))
        yield database
        database.engine.dispose()
