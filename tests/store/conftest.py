from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.store_keys import open_seal, prepare
from tests.store.making import Intake, at_work

MASTERS = (bytes(range(32)),)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store, on each database in turn, sealed as that of a new installation is."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    engine = open_engine(url)
    upgrade(engine)
    prepare(engine, MASTERS)
    open_seal(engine, MASTERS)
    yield engine
    engine.dispose()


@pytest.fixture
def intake(store: Engine) -> Iterator[Intake]:
    with at_work(store) as its:
        yield its
