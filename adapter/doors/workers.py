"""A bounded number of threads, which clients take in turn.

A client has half of them at most, so one that sends as fast as it can leaves the other half to
others, and its own work waits its turn behind theirs. Lives on an event loop; the work runs on
the threads. How much may wait is for those to bound who hand it in.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """For one event loop."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._free = threads
        self._share = max(1, threads // 2)
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, deque[tuple[Callable[[], Any], asyncio.Future[Any]]]] = {}
        self._running: Counter[str] = Counter()

    def run(self, client: str, work: Callable[[], T]) -> asyncio.Future[T]:
        """The result of `work`, when it was this client's turn."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.setdefault(client, deque()).append((work, future))
        self._start()
        return future

    def stop(self) -> None:
        """Nothing new begins; what runs is left to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._free and (client := self._next()) is not None:
            queue = self._waiting.pop(client)
            work, future = queue.popleft()
            if queue:
                # Behind all others.
                self._waiting[client] = queue
            self._free -= 1
            self._running[client] += 1
            running = self._loop.run_in_executor(self._pool, work)
            running.add_done_callback(partial(self._done, client, future))

    def _next(self) -> str | None:
        return next((each for each in self._waiting if self._running[each] < self._share), None)

    def _done(self, client: str, future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._free += 1
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        if done.cancelled():
            future.cancel()
        elif future.cancelled():
            done.exception()
        elif (error := done.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(done.result())
        self._start()
