"""The write-ahead log goes home without a commit that waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from adapter.store import checkpoints
from adapter.store.checkpoints import Checkpoints
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import message
from tests.store.making import Intake, at_work, count, pair


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(made)
    return made


@pytest.fixture
def intake(engine: Engine) -> Iterator[Intake]:
    with at_work(engine) as its:
        yield its


@pytest.fixture
def home(tmp_path: Path) -> Callable[[], int]:
    """Octets in the database itself."""
    return lambda: (tmp_path / "store.db").stat().st_size


def test_what_was_written_goes_home(
    engine: Engine, intake: Intake, home: Callable[[], int]
) -> None:
    before = home()
    intake.accept(pair(2_000))
    assert home() == before
    Checkpoints(engine).look()
    assert home() > before
    intake.accept(pair(1))
    assert count(engine, message) == 2_001


def test_nothing_is_done_where_nothing_was_written(engine: Engine, intake: Intake) -> None:
    asked: list[str] = []
    brought = Checkpoints(engine)
    brought.look()
    event.listen(engine, "checkout", lambda *_: asked.append("asked"))
    brought.look()
    assert not asked
    intake.accept(pair(1))
    asked.clear()
    brought.look()
    assert asked


def test_a_connection_that_broke_is_replaced(
    engine: Engine, intake: Intake, home: Callable[[], int]
) -> None:
    brought, before = Checkpoints(engine), home()
    intake.accept(pair(2_000))
    event.listen(engine, "checkout", lambda driver, *_: driver.close(), once=True)
    brought.look()
    assert home() == before
    brought.look()
    assert home() > before


def test_it_looks_by_itself_until_it_is_stopped(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LOOK_S", 0.001)
    brought = Checkpoints(store)
    brought.start()
    brought.stop()
    brought.stop()
    assert not brought._thread.is_alive()
