"""Starts the process that polls, speaks with its sources, and starts it anew when it ends.

What its sources had claimed when it ended is left over in the hospital's tables, as after any other
crash (`dbpoll.source`), and is handed in again by the next process.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from dbpoll.apart.calls import Calls, Gone, Handler, Setup
from dbpoll.apart.worker import Worker
from dbpoll.feeds.base import Marks, NoMarks
from dbpoll.pacing import Pace
from dbpoll.settings import Settings
from dbpoll.values import Health, InboundRow, Row, StateChange, Take, Taken

log = structlog.get_logger("dbpoll")

SILENT_S = 60.0
"""A process of which nothing is heard for so long is ended: a driver keeps the interpreter."""
RETRY_MIN_S = 0.5
RETRY_MAX_S = 30.0
STOP_S = 5.0
BROKEN_AFTER = 3
"""Processes that ended one after the other before a source had polled: somebody should come."""
_WINDOWS = os.name == "nt"


class Poller:
    """All sources of one process. Say which by `source`, then `start`."""

    def __init__(self) -> None:
        self._sources: dict[str, ApartSource] = {}
        self._news = Worker("poller-news")
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._calls: Calls | None = None
        self._heard_at = 0.0
        self._keeper = threading.Thread(target=self._keep, name="poller", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="poller-watch", daemon=True)

    def source(self, settings: Settings, take: Take, marks: Marks | None = None) -> ApartSource:
        """One more; see `dbpoll.source.Source`. Before `start`."""
        made = self._sources[settings.name] = ApartSource(self, settings, take, marks)
        return made

    def start(self) -> None:
        """Start the process; its sources poll when they are started. Raises OSError."""
        if self._sources:
            self._watcher.start()
            self._open()
            self._keeper.start()

    def stop(self) -> None:
        """End the process. Its sources should be stopped before."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None:
            process.kill()
            self._keeper.join(STOP_S)
        for source in self._sources.values():
            source.close()
        self._news.shutdown()

    def ask(self, question: str, source: str, *arguments: object) -> Future[Any]:
        """See Calls."""
        calls = self._calls
        if calls is None:
            raise Gone("its process is away")
        return calls.ask(question, source, *arguments)

    def tell(self, question: str, source: str) -> None:
        """See Calls."""
        calls = self._calls
        if calls is not None:
            calls.tell(question, source)

    def _open(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "dbpoll.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C in the terminal is for this process only, which then tells that one.
            start_new_session=not _WINDOWS,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        # Nothing is said under the lock: it may have to wait for a process that does not listen,
        # which the watcher ends.
        with self._lock:
            if self._stopping.is_set():
                process.kill()
            self._process = process
            self._heard_at = time.monotonic()
        level = logging.getLogger("dbpoll").getEffectiveLevel()
        setup = Setup([(each.settings, each.is_marked) for each in self._sources.values()], level)
        try:
            pickle.dump(setup, process.stdin)
            process.stdin.flush()
        except OSError:
            # It ended at once; whoever listens to it finds out.
            log.warning("poller_deaf")
        self._calls = calls = Calls(process.stdout, process.stdin)
        for each in self._sources.values():
            if each.polls:
                calls.tell("start", each.name)

    def _keep(self) -> None:
        trouble = Pace(RETRY_MIN_S, RETRY_MAX_S, jitter=True)
        while True:
            assert self._calls is not None
            assert self._process is not None
            began = time.monotonic()
            self._calls.listen(self._handler)
            self._calls = None
            # It has ended already, but for one that was not understood.
            self._process.kill()
            code = self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            if self._stopping.is_set():
                return
            if time.monotonic() - began > RETRY_MAX_S:
                trouble.reset()
            log.error("poller_ended", code=code)
            for source in self._sources.values():
                # After what it told itself.
                self._news.submit(source.orphaned, f"its process ended with code {code}")
            while not self._stopping.wait(trouble.next()):
                try:
                    self._open()
                except OSError as fault:
                    log.error("poller_not_started", error=str(fault))
                else:
                    break
            else:
                return

    def _watch(self) -> None:
        while not self._stopping.wait(SILENT_S / 10):
            with self._lock:
                process = self._process
                silent_s = time.monotonic() - self._heard_at
            if process is not None and process.poll() is None and silent_s > SILENT_S:
                log.error("poller_silent", seconds=round(silent_s))
                process.kill()

    def _handler(self, question: str, source: str) -> Handler:
        self._heard_at = time.monotonic()
        match question:
            case "log":
                return Handler(self._news, _log)
            case "beat":
                return Handler(self._news, lambda: None)
            case "health":
                return Handler(self._news, self._sources[source].hear)
            case _:
                return self._sources[source].handler(question)


class ApartSource:
    """A source that polls in the process of a Poller: see `dbpoll.source.Source`, whose methods
    these are. `write`, `write_receipts` and `write_inbound` raise Locked, Elsewhere with what the
    database raised in words, or Gone."""

    def __init__(self, poller: Poller, settings: Settings, take: Take, marks: Marks | None) -> None:
        self.settings = settings
        self.polls = False
        self.is_marked = marks is not None
        self._poller = poller
        self._take = take
        self._health = Health(self.name, True, "", None, 0.0, 0, 0, 0, 0)
        self._orphaned = 0
        # One thread takes rows in, in their order, while another waits until they are durable.
        self._hand = Worker(f"hand-{self.name}")
        self._answer = Worker(f"answer-{self.name}")
        kept = marks or NoMarks()
        self._handlers = {
            "take": Handler(self._hand, self._taken),
            "read_mark": Handler(self._answer, kept.read),
            "write_mark": Handler(self._answer, kept.write),
        }

    @property
    def name(self) -> str:
        return self.settings.name

    def start(self) -> None:
        """Poll, in this process and in those that follow it."""
        self.polls = True
        self._poller.tell("start", self.name)

    def claim_no_more(self) -> None:
        self.polls = False
        self._poller.tell("claim_no_more", self.name)

    def stop(self, timeout_s: float = 10.0) -> bool:
        self.polls = False
        try:
            stopped: bool = self._poller.ask("stop", self.name, timeout_s).result(
                timeout_s + STOP_S
            )
        except TimeoutError:
            return False
        except Gone:
            return True
        return stopped

    def health(self) -> Health:
        return self._health

    def write(self, changes: Sequence[StateChange]) -> None:
        self._asked("write", changes)

    def write_receipts(self, changes: Iterable[StateChange]) -> None:
        if self.settings.receipt_table or self.settings.sql.receipt:
            self._asked("write_receipts", list(changes))

    def write_inbound(self, texts: Sequence[InboundRow]) -> None:
        self._asked("write_inbound", texts)

    # For the Poller.

    def handler(self, question: str) -> Handler:
        return self._handlers[question]

    def hear(self, health: Health) -> None:
        """How it does, as it says itself."""
        if self._orphaned and health.up and health.polled_at is None:
            return  # It has not come as far yet as the processes before it.
        self._orphaned = 0
        self._health = health

    def orphaned(self, why: str) -> None:
        """Its process ended."""
        self._orphaned += 1
        broken = self._orphaned >= BROKEN_AFTER
        self._health = replace(self._health, up=False, reason=why, broken=broken)

    def close(self) -> None:
        self._hand.shutdown()
        self._answer.shutdown()

    def _taken(self, rows: Sequence[Row]) -> Future[Sequence[Taken]]:
        return self._answer.submit(self._take(rows))

    def _asked(self, question: str, what: Sequence[StateChange | InboundRow]) -> None:
        if what:
            self._poller.ask(question, self.name, list(what)).result()


def _log(method: str, event: dict[str, Any]) -> None:
    getattr(log, method)(event.pop("event", ""), **event)
