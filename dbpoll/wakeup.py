"""Hearing that something is new, instead of asking for it.

An Ear is a thread that calls `wake`. It promises nothing: whoever is woken looks, and looks
from time to time anyway. One that fails tries again, slower and slower, and says nothing: the
source itself will tell that its database is away.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from dbpoll.pacing import Pace

GLANCE_S = 0.05
RETRY_S = (1.0, 60.0)
HEAR_S = 0.25
"""So soon a listener notices that it is to stop."""


class Ear(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Listener:
    """LISTEN on a channel of PostgreSQL: a trigger of the hospital NOTIFYs it."""

    def __init__(self, engine: Engine, channel: str, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._channel = channel
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"listen-{channel}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2.0)

    def _work(self) -> None:
        trouble = Pace(*RETRY_S, jitter=True)
        while not self._stopping.is_set():
            with suppress(Exception):
                self._listen(trouble)
            self._stopping.wait(trouble.next())

    def _listen(self, trouble: Pace) -> None:
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.autocommit = True
            try:
                driver.execute(f'LISTEN "{self._channel}"')
                trouble.reset()
                # What came while nobody listened.
                self._wake()
                while not self._stopping.is_set():
                    for _ in driver.notifies(timeout=HEAR_S, stop_after=1):
                        self._wake()
            finally:
                connection.invalidate()


class FileWatch:
    """Looks at the time of an SQLite file and of its log, which costs the database nothing."""

    def __init__(self, file: Path, wake: Callable[[], None]) -> None:
        self._files = (file, file.with_name(f"{file.name}-wal"))
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"watch-{file.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2.0)

    def _work(self) -> None:
        known = self._times()
        while not self._stopping.wait(GLANCE_S):
            found = self._times()
            if found != known:
                known = found
                self._wake()

    def _times(self) -> list[int]:
        times = []
        for file in self._files:
            with suppress(OSError):
                found = os.stat(file)
                times += [found.st_mtime_ns, found.st_size]
        return times
