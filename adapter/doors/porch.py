"""The porch: a thread with an event loop of its own, for the doors that stay open.

They are kept apart from the loop of the links: whatever clients do there, the carriers' answers
are read in time (docs/decisions/0009-doors-that-stay-open.md).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from adapter.notify.feeds import Feeds
from connectors.loop import fastest_loop

_CLOSE_S = 10.0

log = structlog.get_logger(__name__)


class OpenDoor(Protocol):
    """A door as the porch sees it, on its event loop."""

    async def open(self) -> None:
        """Listen. Raises OSError where the address is taken."""

    async def close(self) -> None:
        """Take nothing more, answer what is in work, part from everybody."""


class Porch:
    """`make` builds the doors, on the event loop that they are to live on; what brings events to
    clients' own services lives on one like it, under another name."""

    def __init__(
        self, feeds: Feeds, make: Callable[[], Sequence[OpenDoor]], name: str = "porch"
    ) -> None:
        self._feeds = feeds
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._opened = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Open the doors. Raises OSError where an address is taken."""
        self._thread.start()
        self._opened.wait()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Close the doors; answers have a few seconds. May be repeated."""
        loop, ended = self._loop, self._ended
        if loop is not None and ended is not None and self._thread.is_alive():
            try:
                loop.call_soon_threadsafe(ended.set)
            except RuntimeError:  # it ended by itself
                return
            self._thread.join(2 * _CLOSE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        opened: list[OpenDoor] = []
        try:
            self._feeds.open()
            for door in self._make():
                await door.open()
                opened.append(door)
        except Exception as error:
            self._fault = error
            self._ended.set()
        self._opened.set()
        await self._ended.wait()
        for door in opened:
            try:
                await asyncio.wait_for(door.close(), _CLOSE_S)
            except TimeoutError:
                log.error("porch.left", door=type(door).__name__, after_s=_CLOSE_S)
        await self._feeds.close()
