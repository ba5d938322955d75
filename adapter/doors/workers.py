"""A bounded number of threads, which clients take in turn (`adapter.doors.turns`).

A client has half of them at most, so one that sends as fast as it can leaves the other half to
others, and its own work waits its turn behind theirs. What is cheaper done together is handed in
by `join`: while some of it runs, the next bite gathers. Lives on an event loop; the work
runs on the threads. How much may wait is for those to bound who hand it in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

from adapter.doors.company import Company
from adapter.doors.turns import Bite, Kind, Turns

T = TypeVar("T")
P = TypeVar("P")

MOST = 200
"""Messages done together by a client that is alone."""
SHARED = 12
"""The same in company: more would keep others from the interpreter, and from the commit that
they share."""
FLIGHTS = 2
"""Bites of a client's joined pieces at a time: one computes while the other commits."""
WORTH = 24
"""Messages for which a second bite is worth its commit; fewer wait for the first one's end."""
OCTETS = 1_600
"""Of a request that are as much work as a message, whatever they say."""


def joined(threads: int) -> Kind:
    """How pieces are done together on so many threads: half of them at most."""
    return Kind(min(FLIGHTS, max(1, threads // 2)), MOST, WORTH, SHARED)


def messages_in(octets: bytes) -> int:
    """How many messages a request seems to ask for, JSON or XML: one for each number, and no fewer
    than its length is worth. A guess, good enough for how much is taken at a time."""
    named = octets.count(b'"mobile"') + octets.count(b"mobile>") // 2
    return max(1, named, len(octets) // OCTETS)


class Workers(Generic[P, T]):
    """For one event loop. `together` does the pieces that were joined, one result for each."""

    def __init__(
        self,
        threads: int,
        name: str,
        together: Callable[[Sequence[P]], Sequence[T]] | None = None,
        company: Company | None = None,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._free = threads
        self._joined = joined(threads)
        self._alone = Kind(max(1, threads // 2))
        self._loop = asyncio.get_running_loop()
        self._together = together
        self._turns: Turns[tuple[Any, asyncio.Future[Any]]] = Turns(company or Company())
        self._starting = False
        self._rested: asyncio.TimerHandle | None = None
        self._held: dict[Hashable, dict[Callable[[], None], None]] = {}

    def run(self, client: Hashable, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """The result of `work`, when it was this client's turn."""
        future = self._put(client, self._alone, work)
        self._start()
        return future

    def join(self, client: Hashable, piece: P, messages: int = 1) -> asyncio.Future[T]:
        """The result of a piece, of so many messages, done together with the client's others."""
        future = self._put(client, self._joined, piece, messages)
        # What comes in the same turn of the loop belongs to the same bite.
        if not self._starting:
            self._starting = True
            self._loop.call_soon(self._start)
        return future

    def has_room(self, client: Hashable, then: Callable[[], None]) -> bool:
        """Whether more of a client may come. Where not, because in company it has enough waiting,
        whoever brings it should stop reading until `then` is called: a burst is work, too."""
        if not self._turns.enough(client):
            return True
        self._held.setdefault(client, {})[then] = None
        return False

    def turn_away(self) -> list[asyncio.Future[Any]]:
        """What waits is not done; its futures, for whoever closes to answer."""
        return [future for _, future in self._turns.drain()]

    def stop(self) -> None:
        """Nothing new begins; what runs is left to end."""
        if self._rested:
            self._rested.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _put(
        self, client: Hashable, kind: Kind, piece: Any, messages: int = 1
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._turns.put(client, kind, (piece, future), messages)
        return future

    def _start(self) -> None:
        self._starting = False
        while self._free and (bite := self._turns.take()) is not None:
            self._free -= 1
            pieces = [piece for piece, _ in bite.pieces]
            run: Callable[[], Any] = pieces[0]
            if bite.key[1] is self._joined:
                assert self._together is not None
                run = partial(self._together, pieces)
            running = self._loop.run_in_executor(self._pool, run)
            running.add_done_callback(partial(self._done, bite))
        if self._rested:
            # Another one's rest may be over before.
            self._rested.cancel()
            self._rested = None
        rest_s = self._turns.rest_s()
        if rest_s is not None:
            self._rested = self._loop.call_later(rest_s, self._start)
        for client in [each for each in self._held if not self._turns.enough(each)]:
            for then in self._held.pop(client):
                then()

    def _done(self, bite: Bite[tuple[Any, asyncio.Future[Any]]], done: asyncio.Future[Any]) -> None:
        self._free += 1
        self._turns.over(bite)
        error = None if done.cancelled() else done.exception()
        results: Sequence[Any] = ()
        if error is None and not done.cancelled():
            results = done.result() if bite.key[1] is self._joined else [done.result()]
        for place, (_, future) in enumerate(bite.pieces):
            if future.cancelled():
                continue
            if done.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(results[place])
        self._start()
