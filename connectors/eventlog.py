"""What a simulator saw, as JSON lines in a file and as events a test can wait for.

Lines are gathered and written every 50 ms and at the end, so that logging does not set the
simulator's pace. A crash of the simulator itself may lose the last 50 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from msgspec.json import Encoder

FLUSH_S = 0.05

_encode = Encoder().encode


class EventLog:
    """`keep`: how many events stay readable in `events`, newest last; 0 for none."""

    def __init__(self, path: Path | None, *, keep: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self.events: deque[dict[str, Any]] = deque(maxlen=keep)
        self._path = path
        self._file: BinaryIO | None = None
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[str, int, asyncio.Future[None]]] = []
        self._second = -1
        self._prefix = ""

    def open(self) -> None:
        """Append to the file from now on."""
        if self._path is not None:
            self._file = self._path.open("ab")

    def close(self) -> None:
        """Write what is gathered and let the file go."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, event: str, values: dict[str, Any]) -> None:
        """One event; `values` follow its name and its time (ISO 8601, UTC, microseconds)."""
        if self._file is not None or self.events.maxlen:
            line = {"event": event, "time": self._now(), **values}
            if self.events.maxlen:
                self.events.append(line)
            if self._file is not None:
                self._lines.append(_encode(line))
                if self._timer is None:
                    loop = asyncio.get_running_loop()
                    self._timer = loop.call_later(FLUSH_S, self._flush)
        self.counts[event] += 1
        if self._waiting:
            self._wake(event)

    async def wait_for(
        self,
        event: str,
        count: int = 1,
        timeout: float | None = 10.0,  # noqa: ASYNC109
    ) -> None:
        """Until there have been `count` events of this name; raises TimeoutError."""
        if self.counts[event] >= count:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, count, done))
        await asyncio.wait_for(done, timeout)

    def _wake(self, event: str) -> None:
        seen = self.counts[event]
        for name, count, done in self._waiting:
            if name == event and seen >= count and not done.done():
                done.set_result(None)
        self._waiting = [entry for entry in self._waiting if not entry[2].done()]

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._prefix}{int((now - second) * 1e6):06d}Z"

    def _flush(self) -> None:
        self._timer = None
        if self._lines and self._file is not None:
            self._lines.append(b"")
            self._file.write(b"\n".join(self._lines))
            self._file.flush()
        self._lines.clear()
