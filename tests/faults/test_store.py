"""A store that restarts, breaks in the middle of a commit, is full, busy or not to be written:
callers hear STORE_UNAVAILABLE, the node recovers by itself, and nothing accepted is lost."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from connectors.behaviour import Behaviour, Span
from tests.dbpoll.conftest import His, OwnPostgres, own_postgres
from tests.faults.conftest import Build
from tests.faults.disks import Disk, Limit, SmallDisk, can_mount
from tests.faults.house import DOUBTS_SOON
from tests.faults.proxy import Fate, Proxy
from tests.nodes import ROOT, Setup, free_port, until

__all__ = ["own_postgres"]

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(5, 30), receipt_delay=Span(10, 50), seed=4)
AWAY = "STORE_UNAVAILABLE"


def test_postgresql_restarts_under_load(
    build: Build, sqlite_his: His, own_postgres: OwnPostgres
) -> None:
    house = build(PROMPT, store=own_postgres.url, his=sqlite_his, policies=DOUBTS_SOON)
    house.insert(300)
    with house.callers(150) as callers:
        house.carrier.wait_for("submit", 60)
        own_postgres.stop()
        until(lambda: AWAY in callers.refusals, "callers are told")
        own_postgres.start()
        callers.end()
    house.settle()
    assert set(callers.refusals) == {AWAY}


class Cuts:
    """Every fourth COMMIT is cut off, in both ways in turn, until there were enough."""

    def __init__(self, enough: int) -> None:
        self.made: Counter[Fate] = Counter()
        self._commits = itertools.count(1)
        self._enough = enough

    def __call__(self) -> Fate:
        if self.made.total() >= self._enough or next(self._commits) % 4:
            return Fate.PASS
        fate = Fate.UNSENT if self.made.total() % 2 else Fate.UNANSWERED
        self.made[fate] += 1
        return fate


def test_lines_that_break_in_the_middle_of_a_commit(
    sqlite_his: His, postgres_server: str, postgres_url: str, build: Build
) -> None:
    with psycopg.connect(postgres_server.format("postgres")) as connection:
        (folder,) = connection.execute("SHOW unix_socket_directories").fetchone() or ("",)
    cuts = Cuts(12)
    database = postgres_url.split("?")[0].rpartition("/")[2]
    armed = False

    def fate() -> Fate:
        return cuts() if armed else Fate.PASS

    with Proxy(f"{folder}/.s.PGSQL.5432", fate) as proxy:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{proxy.port}/{database}"
        house = build(PROMPT, store=url, his=sqlite_his, policies=DOUBTS_SOON)
        house.insert(100)
        armed = True
        with house.callers(50) as callers:
            callers.end()
        house.settle()
    assert min(cuts.made[Fate.UNANSWERED], cuts.made[Fate.UNSENT]) >= 3


@pytest.fixture(params=["limit", "small"] if can_mount() else ["limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Disk, Path]]:
    """A disk that can be filled, and where it is."""
    if request.param == "limit":
        yield Limit(), tmp_path
        return
    small = SmallDisk(tmp_path / "disk")
    yield small, tmp_path / "disk"
    small.remove()


def test_a_full_disk(build: Build, disk: tuple[Disk, Path]) -> None:
    its, folder = disk
    house = build(PROMPT, store=f"sqlite:///{folder / 'store.db'}", policies=DOUBTS_SOON)
    with house.callers(150) as callers:
        house.carrier.wait_for("submit", 30)
        its.fill(house.node.pid)
        until(lambda: callers.refusals.count(AWAY) >= 3, "callers are told")
        its.free(house.node.pid)
        callers.end()
    house.settle()
    assert set(callers.refusals) == {AWAY}


def test_another_process_holds_sqlites_write_lock(build: Build) -> None:
    house = build(PROMPT, policies=DOUBTS_SOON)
    with create_engine(house.setup.store).connect() as other:
        # Before the callers: while a node writes, another one may wait for its turn for long.
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with house.callers(100) as callers:
            until(lambda: AWAY in callers.refusals, "callers are told")
            other.rollback()
            callers.end()
    house.settle()
    assert set(callers.refusals) == {AWAY}
    assert callers.slowest_s < 15


def test_a_folder_that_cannot_be_written_ends_the_start_with_a_reason(tmp_path: Path) -> None:
    # Nobody may write there, not even root.
    config = Setup(tmp_path, "sqlite:////proc/store.db", free_port()).write()
    ended = subprocess.run(
        [sys.executable, "-m", "adapter", "run", str(config)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "/proc/store.db" in ended.stderr
    assert "Traceback" not in ended.stderr
