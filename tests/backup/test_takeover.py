"""A standby takes over, and whoever was replaced notices."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from adapter.backup import fence, mark
from adapter.backup.faults import BackupError, RefusedError
from adapter.backup.making import backup
from adapter.backup.takeover import promote_replica, promote_shipped
from adapter.config.model import Config
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.ownership import Ownership, StoreOwnedError
from adapter.store.schema import attempt, message, ownership, spool
from scripts.replication import Server
from tests.backup.conftest import Configure
from tests.store.making import Intake, count, pair

NewStore = Callable[[str], str]


def accept(config: Config, messages: int) -> None:
    """As the node of a configuration does, which then goes away."""
    engine = open_engine(config.store.url)
    owner = Ownership(engine, config.node.name)
    owner.acquire()
    upgrade(engine)
    owner.claim()
    intake = Intake(engine)
    intake.committer.start()
    intake.accept(pair(messages))
    intake.committer.stop()
    owner.release()
    engine.dispose()


def planned(folder: Path) -> str:
    return f'<jobs><backup to="{folder}"/></jobs>'


def test_the_newest_shipped_backup_is_taken_over_and_the_old_node_is_refused(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    old = configure(new_store("sqlite"), "old", planned(folder))
    new = configure(new_store("sqlite"), "new", planned(folder), number=2)
    accept(old, 2)
    backup(old, folder, 9)
    accept(old, 3)
    backup(old, folder, 9)
    fence.heed(old)
    promoted = promote_shipped(new, folder, replace=False)
    assert sum(promoted.afterwards.in_doubt.values()) == 5
    assert promoted.epoch == 3
    fence.heed(new)
    with pytest.raises(StoreOwnedError, match="node new took over"):
        fence.heed(old)
    with pytest.raises(StoreOwnedError):
        backup(old, folder, 9)
    # Back again: what the new one did is shipped, and the old one promoted.
    backup(new, folder, 9)
    promote_shipped(old, folder, replace=True)
    fence.heed(old)
    with pytest.raises(StoreOwnedError, match="node old took over"):
        fence.heed(new)


def test_two_nodes_of_one_name_cannot_be_told_apart(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    old = configure(new_store("sqlite"))
    accept(old, 1)
    backup(old, tmp_path / "backups", 9)
    with pytest.raises(RefusedError, match="a name and an id of its own"):
        promote_shipped(configure(new_store("sqlite")), tmp_path / "backups", replace=False)


def test_a_folder_without_a_backup(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="there is no backup"):
        promote_shipped(configure(new_store("sqlite")), tmp_path, replace=False)


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"node": "x", "since": "y"})])
def test_a_mark_that_cannot_be_read_lets_nobody_start(
    text: str, configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    (tmp_path / mark.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(StoreOwnedError, match="cannot be read"):
        fence.heed(configure(new_store("sqlite"), more=planned(tmp_path)))


@pytest.fixture
def servers() -> Iterator[Path]:
    """A folder that the servers' own user can reach: pytest's is closed to it."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        yield Path(folder)


@pytest.fixture
def primary(servers: Path) -> Iterator[Server]:
    server = Server.new(servers / "primary")
    server.do("CREATE DATABASE store")
    yield server
    server.kill()


@pytest.mark.slow
def test_a_synchronous_standby_is_promoted_with_everything(
    primary: Server, configure: Configure, servers: Path
) -> None:
    standby = primary.new_standby(servers / "standby")
    old = configure(primary.url("store"), "old")
    new = configure(standby.url("store"), "new", number=2)
    try:
        accept(old, 5)
        with pytest.raises(RefusedError, match="still sends"):
            promote_replica(new, lossless=True, force=False)
        primary.kill()
        promoted = promote_replica(new, lossless=True, force=True)
        assert promoted.epoch == 2
        assert (promoted.afterwards.waiting, promoted.afterwards.in_doubt["resend"]) == (5, 0)
        assert "synchronous_standby_names" in promoted.notes[0]
        # Without that note's change this would wait for ever.
        accept(new, 1)
        primary.start()
        back = configure(old.store.url, "old", store_more=f'standby="{new.store.url}"')
        with pytest.raises(StoreOwnedError, match="node new took over"):
            fence.heed(back)
        # The old one is no reason for the new one not to start.
        fence.heed(configure(new.store.url, "new", store_more=f'standby="{old.store.url}"'))
    finally:
        standby.kill()


@pytest.mark.slow
def test_an_asynchronous_standby_leaves_doubts(
    primary: Server, configure: Configure, servers: Path
) -> None:
    standby = primary.new_standby(servers / "standby", synchronous=False)
    new = configure(standby.url("store"), "new", number=2)
    try:
        accept(configure(primary.url("store"), "old"), 5)
        primary.wait_replayed()
        primary.kill()
        promoted = promote_replica(new, lossless=False, force=True)
        assert (promoted.afterwards.waiting, promoted.afterwards.in_doubt["resend"]) == (0, 5)
        assert promoted.notes == ()
        engine = open_engine(new.store.url)
        assert (count(engine, attempt), count(engine, spool), count(engine, message)) == (5, 0, 5)
        with engine.connect() as connection:
            row = connection.execute(select(ownership)).one()
        assert row.node == "new"
        assert row.since <= now_ms()
        engine.dispose()
    finally:
        standby.kill()


@pytest.mark.slow
def test_a_node_that_still_runs_on_the_old_database_loses_it(
    primary: Server, configure: Configure, servers: Path
) -> None:
    standby = primary.new_standby(servers / "standby")
    old = configure(primary.url("store"), "old")
    new = configure(standby.url("store"), "new", number=2, store_more=f'standby="{old.store.url}"')
    engine = open_engine(old.store.url)
    owner = Ownership(engine, "old")
    owner.acquire()
    upgrade(engine)
    owner.claim()
    lost = threading.Event()
    owner.watch(lost.set)
    try:
        promoted = promote_replica(new, lossless=True, force=True)
        assert lost.wait(30)
        assert "node new" in owner.lost
        assert len(promoted.notes) == 2
    finally:
        owner.release()
        engine.dispose()
        standby.kill()


def test_a_store_in_use_is_not_taken(configure: Configure, postgres_url: str) -> None:
    config = configure(postgres_url)
    accept(config, 1)
    engine = open_engine(postgres_url)
    owner = Ownership(engine, "running")
    owner.acquire()
    with pytest.raises(StoreOwnedError):
        promote_replica(configure(postgres_url, "new"), lossless=True, force=False)
    owner.release()
    engine.dispose()
