"""Load by connections that stay open: so many clients, each with a window of requests in the air.

One thread with an event loop of its own for all of them. Once a request is answered the next one
follows, or when the pace has it due."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from adapter.bench.speech import Speech
from connectors.loop import fastest_loop

_TICK_S = 0.002
_ENTER_S = 30.0


class Crowd:
    """`accepted` counts messages; `home` has the ids of those whose receipt was pushed; `waits`
    the seconds from each request to its answer."""

    def __init__(
        self, speech: Callable[[], Speech], port: int, callers: int, window: int, batch: int = 1
    ) -> None:
        self._speech = speech
        self._port = port
        self._window = window
        self._batch = batch
        self._loop = fastest_loop()()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._talks: list[_Talk] = []
        self._idle: deque[_Talk] = deque()
        self._next = self._end = self._left = self._given = 0
        self._rate = self._started = 0.0
        self._all: asyncio.Future[None] | None = None
        self.accepted = 0
        self.home: set[int] = set()
        self.failed: list[str] = []
        self.waits: list[float] = []
        self._run(self._enter(callers))

    def feed(self, messages: int, rate: float = 0.0, after: int = 0) -> None:
        """Send all, numbered from `after`, `rate` a second (0: as fast as can be); returns when
        the last one was answered. What goes wrong is in `failed`."""
        self._run(self._feed(after, after + messages, rate))

    def finished(self) -> int:
        """How many receipts have come."""
        return len(self.home)

    def close(self) -> None:
        """Part from the node."""
        self._run(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()  # type: ignore[arg-type]

    async def _enter(self, callers: int) -> None:
        for _ in range(callers):
            _, talk = await self._loop.create_connection(
                lambda: _Talk(self, self._speech(), self._window), "127.0.0.1", self._port
            )
            self._talks.append(talk)
            await asyncio.wait_for(talk.opened, _ENTER_S)

    async def _leave(self) -> None:
        for talk in self._talks:
            talk.close()

    async def _feed(self, first: int, end: int, rate: float) -> None:
        self._next, self._end, self._left, self._rate = first, end, end - first, rate
        self._started, self._given = time.monotonic(), 0
        self._all = self._loop.create_future()
        self._idle.clear()
        for talk in self._talks:
            self._idle.extend([talk] * self._window)
        while not self._all.done():
            self.go_on()
            if not self._rate:
                await self._all
            else:
                await asyncio.wait((self._all,), timeout=_TICK_S)

    def room(self, talk: _Talk) -> None:
        """A request of this connection is over."""
        self._idle.append(talk)

    def go_on(self) -> None:
        """Let those ask who have room, as far as something is due."""
        while self._idle and self._next < self._end:
            most = min(self._batch, self._end - self._next)
            if self._rate:
                due = int((time.monotonic() - self._started) * self._rate) - self._given
                if due < most:
                    return
            numbers = range(self._next, self._next + most)
            self._next, self._given = numbers.stop, self._given + most
            self._idle.popleft().ask(numbers)

    def over(self, messages: int) -> None:
        """Nothing more is to be awaited of so many messages."""
        self._left -= messages
        if self._left <= 0 and self._all is not None and not self._all.done():
            self._all.set_result(None)


class _Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, crowd: Crowd, speech: Speech, window: int) -> None:
        self._crowd = crowd
        self._speech = speech
        self._asked: dict[int, tuple[int, float]] = {}
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if opening := self._speech.opening:
            self._transport.write(opening)
        else:
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("not let in"))
        for asked, _ in self._asked.values():
            self._crowd.failed.append("the connection fell")
            self._crowd.over(asked)
        self._asked.clear()

    def ask(self, numbers: range) -> None:
        if self._transport is None:
            self._crowd.failed.append("the connection fell")
            self._crowd.over(len(numbers))
            return
        self._asked[numbers[0]] = len(numbers), time.perf_counter()
        self._transport.write(self._speech.ask(numbers))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        crowd = self._crowd
        try:
            heard = self._speech.hear(data)
        except RuntimeError as error:
            crowd.failed.append(str(error))
            self.close()
            return
        if heard.is_open:
            self.opened.set_result(None)
        now = time.perf_counter()
        for number, accepted in heard.answered:
            asked, at = self._asked.pop(number)
            crowd.waits.append(now - at)
            if accepted == asked:
                crowd.accepted += asked
            else:
                crowd.failed.append(f"request {number}: {accepted} of {asked} accepted")
            crowd.room(self)
            crowd.over(asked)
        crowd.home.update(heard.home)
        if heard.reply and self._transport is not None:
            self._transport.write(b"".join(heard.reply))
        if heard.answered:
            crowd.go_on()
