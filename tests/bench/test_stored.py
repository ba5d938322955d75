"""The store that a benchmark fills is one as a node would leave it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, inspect, select

from adapter.bench.rig import STORE_KEY
from adapter.bench.stored import fill, mobile_of
from adapter.domain.states import State
from adapter.store.engine import open_engine
from adapter.store.reading import reading
from adapter.store.schema import message, metadata, segment
from adapter.store.search import Search, search
from adapter.store.store_keys import open_seal

MESSAGES = 1_100


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: str = request.getfixturevalue("postgres_url")
    return server


def test_a_filled_store(url: str) -> None:
    fill(url, MESSAGES)
    engine = open_engine(url)
    assert open_seal(engine, [STORE_KEY]).is_sealed
    with reading(engine) as connection:
        for table in (message, segment):
            assert connection.scalar(select(func.count()).select_from(table)) == MESSAGES
        states: dict[str, int] = dict(
            connection.execute(
                select(message.c.state, func.count()).group_by(message.c.state)
            ).all()
        )
        assert states == {State.DELIVERED: 1_079, State.UNDELIVERED: 19, State.REJECTED: 2}
        for state, number in states.items():
            assert len(search(connection, Search(state=State(state)), MESSAGES)) == number
        assert len(search(connection, Search(client="client-3"), MESSAGES)) == MESSAGES // 10
        assert len(search(connection, Search(mobile=mobile_of(7919)), MESSAGES)) == 1
    indexes = {
        index["name"] for name in metadata.tables for index in inspect(engine).get_indexes(name)
    }
    assert indexes >= {index.name for table in metadata.tables.values() for index in table.indexes}
    engine.dispose()
