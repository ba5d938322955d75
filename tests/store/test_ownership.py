"""One node works on a store, whatever happens to the lock that keeps the second one out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select

from adapter.domain.errors import StoreUnavailable
from adapter.store import ownership as module
from adapter.store import schema
from adapter.store.committer import Committer, Kind
from adapter.store.engine import open_engine, write_connection
from adapter.store.ownership import Ownership, StoreLostError, StoreOwnedError, claim
from tests.nodes import until

WAIT_S = 30
Make = Callable[[str], Ownership]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.02)


@pytest.fixture
def make(store: Engine) -> Iterator[Make]:
    """An ownership of a node of this name, each over an engine of its own."""
    made: list[tuple[Ownership, Engine]] = []

    def make(node: str) -> Ownership:
        engine = open_engine(store.url)
        its = Ownership(engine, node)
        made.append((its, engine))
        return its

    yield make
    for its, engine in made:
        its.release()
        engine.dispose()


def owner(store: Engine) -> tuple[int, str]:
    with store.connect() as connection:
        row = connection.execute(select(schema.ownership)).one()
        return row.epoch, row.node


def take_away(store: Engine) -> None:
    with write_connection(store) as connection, connection.begin():
        claim(connection, "b")


def test_each_owner_makes_an_epoch(store: Engine, make: Make) -> None:
    for epoch, node in enumerate(("a", "b", "a"), 1):
        its = make(node)
        its.acquire()
        assert its.claim() == epoch
        assert owner(store) == (epoch, node)
        its.release()


def test_a_second_one_is_refused_until_the_first_has_released(make: Make) -> None:
    first, second = make("a"), make("b")
    first.acquire()
    # Often: a lock that goes when the server notices a closed connection may go too late.
    for _ in range(100):
        with pytest.raises(StoreOwnedError, match="another node"):
            second.acquire()
        first.release()
        second.acquire()
        first, second = second, first


def test_who_lost_the_store_commits_nothing_more(store: Engine, make: Make) -> None:
    its = make("a")
    its.acquire()
    its.claim()
    lost: list[str] = []
    its.watch(lambda: lost.append(its.lost))
    committer = Committer(store, "test", guard=its.check)
    committer.start()
    ran: list[int] = []

    def run(_connection: Any, works: Any) -> list[None]:
        ran.extend(works)
        return [None for _ in works]

    patient: Kind[int, None] = Kind("patient", 1, run, patient=True)
    assert committer.submit(patient, 1).exception(WAIT_S) is None
    take_away(store)
    for work in (2, 3):
        fault = committer.submit(patient, work).exception(WAIT_S)
        assert isinstance(fault, StoreLostError)
        assert isinstance(fault, StoreUnavailable)
    committer.stop()
    assert ran == [1]
    assert len(lost) == 1
    assert "node b" in lost[0]


def test_a_node_without_work_notices_too(store: Engine, make: Make) -> None:
    its = make("a")
    its.acquire()
    its.claim()
    lost = threading.Event()
    its.watch(lost.set)
    take_away(store)
    assert lost.wait(WAIT_S)


def test_two_claims_at_once_are_two_epochs(store: Engine) -> None:
    take_away(store)
    start, epochs = threading.Barrier(4), []

    def node(name: str) -> None:
        start.wait(WAIT_S)
        with write_connection(store) as connection, connection.begin():
            epochs.append(claim(connection, name))

    threads = [threading.Thread(target=node, args=(name,)) for name in "cdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(epochs) == [2, 3, 4, 5]


@pytest.fixture
def owned(postgres_url: str) -> Iterator[tuple[Engine, Ownership]]:
    """A PostgreSQL store and its owner."""
    engine = open_engine(postgres_url)
    schema.metadata.create_all(engine)
    its = Ownership(engine, "a")
    its.acquire()
    its.claim()
    yield engine, its
    its.release()
    engine.dispose()


def cut_all(server: str, engine: Engine) -> None:
    """What a restart of the server does to every connection."""
    with psycopg.connect(server.format("postgres"), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            (engine.url.database,),
        )


def test_a_lock_whose_connection_broke_is_taken_again(
    owned: tuple[Engine, Ownership], postgres_server: str
) -> None:
    engine, its = owned
    its.watch(lambda: None)
    cut_all(postgres_server, engine)

    def refused() -> bool:
        other = Ownership(engine, "b")
        try:
            other.acquire()
        except StoreOwnedError:
            return True
        other.release()
        return False

    until(refused)
    assert its.lost == ""
    with engine.connect() as connection:
        its.check(connection)


def test_who_was_faster_after_a_restart_has_the_store(
    owned: tuple[Engine, Ownership], postgres_server: str
) -> None:
    engine, first = owned
    cut_all(postgres_server, engine)
    second = Ownership(engine, "b")
    second.acquire()
    second.claim()
    lost = threading.Event()
    first.watch(lost.set)
    assert lost.wait(WAIT_S)
    with engine.connect() as connection:
        second.check(connection)
        with pytest.raises(StoreLostError):
            first.check(connection)
    second.release()


def test_a_released_lock_does_not_stay_in_the_pool(owned: tuple[Engine, Ownership]) -> None:
    engine, first = owned
    first.release()
    other = open_engine(engine.url)
    second = Ownership(other, "b")
    second.acquire()
    second.release()
    other.dispose()


def test_a_removed_lock_file_does_not_make_two_owners(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    schema.metadata.create_all(engine)
    first, second = Ownership(engine, "a"), Ownership(engine, "b")
    first.acquire()
    first.claim()
    (tmp_path / "store.db.lock").unlink()
    second.acquire()
    second.claim()
    with engine.connect() as connection, pytest.raises(StoreLostError, match="node b"):
        first.check(connection)
    second.release()
    first.release()
    engine.dispose()
