"""Sources in a process of their own: what happens when that process, or this one, ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import IO, Any

import psutil
import pytest
from structlog.testing import capture_logs

from dbpoll.apart import poller as apart
from dbpoll.apart.calls import Calls, Elsewhere, Gone, Handler
from dbpoll.apart.poller import BROKEN_AFTER, ApartSource, Poller
from dbpoll.settings import Settings, Strategy
from dbpoll.values import Locked, NotNow, Row, StateChange, Status, Take, at_once
from tests.dbpoll.conftest import Book, His, eventually, in_file

AT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[His]:
    with in_file(tmp_path / "his.db") as made:
        yield made


@pytest.fixture
def polled() -> Iterator[Callable[..., ApartSource]]:
    """Starts a source in a process of its own."""
    started: list[tuple[Poller, ApartSource]] = []

    def start(settings: Settings, take: Take) -> ApartSource:
        poller = Poller()
        source = poller.source(settings, take)
        started.append((poller, source))
        poller.start()
        source.start()
        return source

    yield start
    for poller, source in started:
        source.stop()
        poller.stop()


def child() -> psutil.Process:
    """The process that polls for this one."""
    [found] = [
        each for each in psutil.Process().children() if "dbpoll.apart" in " ".join(each.cmdline())
    ]
    return found


def one_answered(table: His, polled: Callable[..., ApartSource]) -> tuple[ApartSource, Book]:
    """A source that polls, and has taken one row."""
    table.insert(1)
    book = Book()
    source = polled(table.settings(), at_once(book.take))
    eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 1)
    return source, book


def change(key: str, book: Book) -> StateChange:
    return StateChange(key, book.messages[key], Status.DELIVERED, "DELIVRD", "", 1, AT, AT)


def test_rows_come_over_and_answers_and_states_go_back(
    table: His, polled: Callable[..., ApartSource]
) -> None:
    table.insert(1200)
    book = Book(refuse=["7"])
    source = polled(table.settings(), at_once(book.take))
    eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 1199)
    assert table.count("STATUS = 5 AND RESULT_CODE = 'BAD_REQUEST'") == 1
    source.write([change("1", book)])
    assert table.count("STATUS = 3 AND ID = 1") == 1
    eventually(lambda: source.health().written >= 1200)


def test_a_process_that_ends_is_started_anew_and_nothing_is_lost(
    table: His, polled: Callable[..., ApartSource]
) -> None:
    book, held = Book(), threading.Event()

    def take(rows: Sequence[Row]) -> Callable[[], object]:
        held.set()
        threading.Event().wait(0.2)
        return at_once(book.take)(rows)

    source = polled(table.settings(batch=50), take)
    eventually(lambda: source.health().polled_at)
    table.insert(1000)
    assert held.wait(30)
    with capture_logs() as logs:
        for _ in range(3):
            first = child()
            first.kill()
            eventually(lambda: logs[-1:] and logs[-1]["event"] == "poller_ended")
            assert "process ended" in source.health().reason
            eventually(lambda: psutil.Process().children() and source.health().up)
            logs.clear()
    eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 1000)
    assert len(book.messages) == 1000
    source.write([change("1", book)])
    assert table.count("STATUS = 3") == 1


def test_a_write_fails_while_its_process_is_away(
    table: His, polled: Callable[..., ApartSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "RETRY_MIN_S", 3600.0)
    monkeypatch.setattr(apart, "RETRY_MAX_S", 3600.0)
    source, book = one_answered(table, polled)
    os.kill(child().pid, signal.SIGTERM)  # which is for its parent to heed
    source.write([change("1", book)])
    child().kill()
    eventually(lambda: not source.health().up)
    with pytest.raises(Gone):
        source.write([change("1", book)])
    assert source.stop()


def test_a_process_that_is_silent_is_ended(
    table: His, polled: Callable[..., ApartSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "SILENT_S", 2.0)
    source, book = one_answered(table, polled)
    first = child()
    first.suspend()
    with pytest.raises(Gone):
        source.write([change("1", book)])
    eventually(lambda: not source.health().up)
    eventually(lambda: source.health().up)
    assert child().pid != first.pid


def test_a_process_that_does_not_listen_holds_up_nobody_for_long(
    table: His, polled: Callable[..., ApartSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "SILENT_S", 2.0)
    source, book = one_answered(table, polled)
    child().suspend()
    with ThreadPoolExecutor() as threads:
        # More than a pipe takes.
        writing = threads.submit(source.write, [change("1", book)] * 20_000)
        starting = threads.submit(source.start)
        with pytest.raises(Gone):
            writing.result(60)
        starting.result(60)
    eventually(lambda: source.health().up)
    table.insert(1, first=2)
    eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 2)


def test_what_was_raised_comes_over(table: His, polled: Callable[..., ApartSource]) -> None:
    table.insert(2)
    book = Book()

    def later(rows: Sequence[Row]) -> None:
        raise NotNow("1000000 messages are waiting")

    book.fault = later
    source = polled(table.settings(), at_once(book.take))
    eventually(lambda: "1000000 messages are waiting" in source.health().reason)
    book.fault = None
    eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 2)
    table.run("ALTER TABLE SMS_OUTBOUND RENAME TO ELSEWHERE")
    with pytest.raises(Elsewhere, match="SMS_OUTBOUND"):
        source.write([change("1", book)])
    assert Locked(["1", "2"]).__reduce__() == (Locked, (list(Locked(["1", "2"]).keys),))


def test_what_it_logs_is_logged_here(table: His, polled: Callable[..., ApartSource]) -> None:
    with capture_logs() as logs:
        polled(table.settings(table="NOT_THERE"), at_once(Book().take))
        eventually(lambda: logs)
    [told] = [each for each in logs if each["event"] == "source_down"]
    assert (told["source"], told["log_level"]) == ("his", "warning")
    assert "NOT_THERE" in told["reason"]


def test_a_mark_is_kept_here(table: His) -> None:
    marks: list[str] = []

    class Kept:
        def read(self) -> str | None:
            return marks[-1] if marks else None

        def write(self, mark: str) -> None:
            marks.append(mark)

    book, poller = Book(), Poller()
    settings = table.settings(
        strategy=Strategy.WATERMARK, from_start=True, late_s=0.0, row_written=False
    )
    source = poller.source(settings, at_once(book.take), Kept())
    table.insert(5)
    poller.start()
    source.start()
    eventually(lambda: marks and "5" in marks[-1])
    assert len(book.messages) == 5
    source.stop()
    poller.stop()


def test_it_ends_with_the_process_that_started_it(table: His, tmp_path: Path) -> None:
    table.insert(1)
    script = tmp_path / "parent.py"
    script.write_text(
        dedent(f"""
        import time
        from dbpoll.apart.poller import Poller
        from dbpoll.settings import Settings
        from dbpoll.values import Taken, at_once

        poller = Poller()
        take = at_once(lambda rows: [Taken(row.key, "1", 1) for row in rows])
        source = poller.source(Settings("his", "{table.url}", answer_delay_s=0.0), take)
        poller.start()
        source.start()
        while True:
            time.sleep(1)
        """),
        "utf-8",
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    try:
        eventually(lambda: table.count("MESSAGE_ID IS NOT NULL") == 1)
        [its] = psutil.Process(parent.pid).children()
    finally:
        parent.kill()
        parent.wait()
    eventually(lambda: not its.is_running() or its.status() == psutil.STATUS_ZOMBIE)


def test_an_answer_that_never_comes_keeps_no_process(table: His, tmp_path: Path) -> None:
    table.insert(1)
    script = tmp_path / "parent.py"
    script.write_text(
        dedent(f"""
        import threading
        from concurrent.futures import Future
        from dbpoll.apart.poller import Poller
        from dbpoll.settings import Settings

        taken = threading.Event()

        def take(rows):
            taken.set()
            return Future().result

        poller = Poller()
        source = poller.source(Settings("his", "{table.url}"), take)
        poller.start()
        source.start()
        assert taken.wait(30)
        poller.stop()
        """),
        "utf-8",
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)


def test_what_cannot_be_read_ends_the_line_and_what_cannot_be_said_fails_alone() -> None:
    one, other = _pair()
    listening = [
        threading.Thread(target=end.listen, args=(lambda name, source: _echo,))
        for end in (one, other)
    ]
    for thread in listening:
        thread.start()
    assert one.ask("echo", "his", 7).result(30) == 7
    with pytest.raises(Exception, match="pickle"):
        one.ask("echo", "his", lambda: 0)
    with pytest.raises(Elsewhere):
        one.ask("lambda", "his", _Unsayable()).result(30)
    with capture_logs() as logs, pytest.raises(Gone):
        one.ask("echo", "his", _Unreadable()).result(30)
    assert [each["event"] for each in logs] == ["calls_unreadable"]
    with pytest.raises(Gone):
        one.ask("echo", "his", 7).result(30)


class _Unsayable:
    """Becomes something that cannot go back."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("lambda: 0",)


class _Unreadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("seven",)


_echo = Handler(ThreadPoolExecutor(1), lambda value: value)


def _pair() -> tuple[Calls, Calls]:
    """Two ends of a line. One that stops listening lets go of it, as a process does that ends."""
    here, there = socket.socketpair()
    return (
        _Ending(here, here.makefile("rb"), here.makefile("wb")),
        _Ending(there, there.makefile("rb"), there.makefile("wb")),
    )


class _Ending(Calls):
    def __init__(self, line: socket.socket, heard: IO[bytes], said: IO[bytes]) -> None:
        super().__init__(heard, said)
        self._line = line

    def listen(self, handler: Callable[[str, str], Handler]) -> None:
        super().listen(handler)
        self._line.shutdown(socket.SHUT_RDWR)


def test_a_line_that_is_closed_is_gone() -> None:
    here, there = socket.socketpair()
    with there, here, here.makefile("wb") as said:
        line = Calls(here.makefile("rb"), said)
        said.close()
        with pytest.raises(Gone):
            line.ask("echo", "his", 7).result(30)
        line.tell("echo", "his", 7)


def test_a_source_whose_process_ends_again_and_again_is_broken() -> None:
    source = Poller().source(Settings("his", "sqlite://"), at_once(Book().take))
    health = source.health()
    for _ in range(BROKEN_AFTER):
        assert not source.health().broken
        source.orphaned("its process ended with code -11")
        source.hear(health)  # of a process that has not polled yet
        assert not source.health().up
    assert source.health().broken
    source.hear(replace(health, up=False, reason="the server is away"))
    assert (source.health().reason, source.health().broken) == ("the server is away", False)
    source.orphaned("its process ended with code -11")
    source.hear(replace(health, polled_at=AT))
    assert source.health().up
