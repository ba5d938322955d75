"""Feeds: what waits for a client, pushed over the connections that ask for it.

A feed belongs to one client and one stream. It lives on the event loop of the doors, while
anybody listens; the store is read and written on threads.

Promises
    A notice is forgotten only after its listener answered it. What a listener that fell left
    unanswered is pushed to the next one, first. So pushes come at least once.
    A notice is in the hands of one listener at a time.
    A notice that is refused is set aside and pushed again after `ASIDE_S`; it holds up nobody.
    Memory holds a page of what waits, and what is in the listeners' windows.

Limits
    Order is that of the notices' ids for one listener; several listeners share them as they
    have room. A client's notices are final states, one for each message.
    While the store is away nothing more is pushed than `MOST_UNFORGOTTEN` after it fell.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Protocol

import structlog
from msgspec import structs
from sqlalchemy import Engine

from adapter.domain.values import Home, InboundNotice
from adapter.notify.wording import Describe
from adapter.store import notices
from adapter.store.reading import at_one_moment

log = structlog.get_logger(__name__)

PAGE = 500
LINGER_S = 0.05
"""A notice may wait this long for company: a page costs hardly more than a row."""
ASIDE_S = 600.0
LOOK_AGAIN_S = 30.0
PAUSE_S = 1.0
MOST_UNFORGOTTEN = 5_000
_THREADS = 4


class Stream(StrEnum):
    """What is pushed apart. Receipts of messages from the CMPP door make sense there alone."""

    RECEIPTS = "receipts"
    CMPP_RECEIPTS = "cmpp-receipts"
    INBOUND = "inbound"
    ALL = "all"
    """Receipts and inbound, in the order in which they came."""


class Listener(Protocol):
    """A connection that notices are pushed to, on the event loop of the doors."""

    @property
    def room(self) -> int:
        """How many notices it would take now."""

    def push(self, feed: Feed, notices: Sequence[Home]) -> None:
        """Send them. Each comes back by `answered`, `refused` or `returned` of the feed."""


class Feed:
    """`read(most)` gives the oldest waiting notices and `forget(ids)` deletes them; both
    block, and are called by `run` on a thread."""

    def __init__(
        self,
        name: str,
        read: Callable[[int], Sequence[Home]],
        forget: Callable[[Sequence[int]], object],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._name = name
        self._read = read
        self._forget = forget
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._listeners: deque[Listener] = deque()
        self._waiting: deque[Home] = deque()
        self._out: dict[int, Home] = {}
        self._answered: set[int] = set()
        self._gone: set[int] = set()
        self._aside: dict[int, float] = {}
        self._behind = True
        self._told = False
        self._woken = False
        self.tending: asyncio.Task[None] | None = None
        """Reads and forgets, while there is something to."""

    @property
    def is_idle(self) -> bool:
        """Nobody listens, and everything that was answered is forgotten."""
        return not self._listeners and self.tending is None and not self._answered

    def join(self, listener: Listener) -> None:
        """Push to this one, too."""
        self._listeners.append(listener)
        self.wake()

    def leave(self, listener: Listener, unanswered: Iterable[Home]) -> None:
        """Push no more to this one; what it has not answered goes to others."""
        self._listeners.remove(listener)
        self.returned(unanswered)
        if not self._listeners:
            # Whoever comes next finds in the store what still waits then.
            self._waiting.clear()
            self._behind = True

    def answered(self, ids: Iterable[int]) -> None:
        """These are safe with the client."""
        for made in ids:
            if self._out.pop(made, None) is not None:
                self._answered.add(made)
        self.wake()

    def gone(self, ids: Iterable[int]) -> None:
        """These wait in the store no more: there is nothing to forget."""
        gone = [made for made in ids if made in self._out]
        # A page that is read just now may still hold them: until then they count as answered.
        self._gone.update(gone)
        self.answered(gone)

    def refused(self, ids: Iterable[int]) -> None:
        """The client took them, but wants them again later."""
        for made in ids:
            if self._out.pop(made, None) is not None:
                self._aside[made] = time.monotonic() + ASIDE_S
                log.warning("feed.refused", feed=self._name, id=made)
        self.wake()

    def returned(self, unanswered: Iterable[Home]) -> None:
        """These were not answered; they go first."""
        back = [each for each in unanswered if self._out.pop(each.id, None) is not None]
        self._waiting.extendleft(sorted(back, key=lambda each: each.id, reverse=True))
        self.wake()

    def told(self) -> None:
        """Something came."""
        if not self._told:
            self._told = True
            self._loop.call_later(LINGER_S, self.look_again)

    def look_again(self) -> None:
        """Something may have come."""
        self._told = False
        now = time.monotonic()
        self._aside = {made: due for made, due in self._aside.items() if due > now}
        self._behind = True
        self.wake()

    def wake(self) -> None:
        """Push what can be pushed, soon."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._woken = False
        while self._waiting and (listener := self._free()) is not None:
            count = min(listener.room, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            self._out.update((each.id, each) for each in batch)
            listener.push(self, batch)
        if self.tending is None and self._has_work():
            self.tending = self._loop.create_task(self._tend())

    def _free(self) -> Listener | None:
        """A listener with room, each in turn."""
        if len(self._answered) < MOST_UNFORGOTTEN:
            for _ in range(len(self._listeners)):
                self._listeners.rotate(-1)
                if self._listeners[-1].room > 0:
                    return self._listeners[-1]
        return None

    def _wants_page(self) -> bool:
        return self._behind and not self._waiting and self._free() is not None

    def _has_work(self) -> bool:
        return bool(self._answered) or self._wants_page()

    async def _tend(self) -> None:
        """Forget and read, one after the other: what is forgotten now is not read again."""
        try:
            while self._has_work():
                try:
                    await self._forget_answered()
                    if self._wants_page():
                        await self._read_page()
                except Exception as error:
                    log.warning("feed.store", feed=self._name, error=type(error).__name__)
                    await asyncio.sleep(PAUSE_S)
        finally:
            self.tending = None

    async def _forget_answered(self) -> None:
        gone, ids = set(self._gone), list(self._answered - self._gone)
        if ids:
            await self._loop.run_in_executor(self._pool, self._forget, ids)
        self._answered.difference_update(ids, gone)
        self._gone -= gone

    async def _read_page(self) -> None:
        self._behind = False
        held = len(self._out) + len(self._answered) + len(self._aside)
        try:
            page = await self._loop.run_in_executor(self._pool, self._read, held + PAGE)
        except Exception:
            self._behind = True
            raise
        self._behind = self._behind or len(page) == held + PAGE
        # Whatever came back meanwhile stands in `_waiting` already.
        held_ids = self._out.keys() | self._answered | self._aside.keys()
        held_ids |= {each.id for each in self._waiting}
        self._waiting.extend(each for each in page if each.id not in held_ids)
        self.wake()


class Feeds:
    """The feeds of all clients. `tell` may be called from any thread, the rest on the event
    loop that `open` was called on."""

    def __init__(
        self,
        engine: Engine,
        acknowledge: Callable[[str, Sequence[int]], object],
        describe: Describe,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._engine = engine
        self._look_again_s = look_again_s
        self._acknowledge = acknowledge
        self._describe = describe
        self._feeds: dict[tuple[str, Stream], Feed] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool = ThreadPoolExecutor(_THREADS, "feeds")
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """On the event loop that the feeds are to live on."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._look_again_s, self._look_again)

    async def close(self) -> None:
        """After every listener has left: forget what was answered, as far as that goes."""
        if self._timer is not None:
            self._timer.cancel()
        tending = [feed.tending for feed in self._feeds.values() if feed.tending is not None]
        if tending:
            await asyncio.wait(tending, timeout=2 * PAUSE_S)
        self._loop = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    def feed(self, account: str, stream: Stream) -> Feed:
        """The feed of a client, which reads from now on."""
        key = account, stream
        found = self._feeds.get(key)
        if found is None:
            found = self._feeds[key] = Feed(
                f"{account}/{stream}",
                partial(self._read, account, stream),
                partial(self._acknowledge, account),
                self._pool,
            )
        return found

    def tell(self, committed: Sequence[Home]) -> None:
        """Notices that were just committed."""
        loop = self._loop
        if loop is None or not self._feeds:
            return
        news = {(each.destination, isinstance(each, InboundNotice)) for each in committed}
        try:
            loop.call_soon_threadsafe(self._told, news)
        except RuntimeError:  # the doors closed meanwhile; the store keeps the notices
            return

    def _told(self, news: Iterable[tuple[str, bool]]) -> None:
        for destination, is_inbound in news:
            account = destination.removeprefix("client:")
            streams = (Stream.INBOUND,) if is_inbound else (Stream.RECEIPTS, Stream.CMPP_RECEIPTS)
            for stream in (*streams, Stream.ALL):
                feed = self._feeds.get((account, stream))
                if feed is not None:
                    feed.told()

    def _look_again(self) -> None:
        self._feeds = {key: feed for key, feed in self._feeds.items() if not feed.is_idle}
        for feed in self._feeds.values():
            feed.look_again()
        self.open()

    def _read(self, account: str, stream: Stream, most: int) -> Sequence[Home]:
        destination = f"client:{account}"
        # A receipt that is committed between two statements must not come behind what follows it.
        with at_one_moment(self._engine) as connection:
            if stream is Stream.INBOUND:
                return notices.read_inbound(connection, destination, most)
            chosen = notices.OF_CMPP if stream is Stream.CMPP_RECEIPTS else notices.NOT_OF_CMPP
            states = notices.read_states(connection, destination, most, chosen=chosen)
            texts: Sequence[Home] = ()
            if stream is Stream.ALL:
                texts = notices.read_inbound(connection, destination, most)
        worded: list[Home] = [
            structs.replace(each, text=self._describe(each.state, each.code, each.channel))
            for each in states
        ]
        return sorted([*worded, *texts], key=lambda each: each.id)[:most]
