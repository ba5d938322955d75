"""Callbacks: receipts and inbound texts brought to the clients' own services.

Stands above the doors, whose words and forms it uses; nothing of it is a door. All callbacks live
on an event loop of their own: a service that hangs costs a socket, not a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from adapter.callbacks.callback import Callback, Watch
from adapter.callbacks.forms import Wording, form_of
from adapter.callbacks.target import Target
from adapter.config.model import Callback as Settings
from adapter.domain.ids import made_by
from adapter.domain.status import CallbackStatus
from adapter.doors.shapes import Shapes
from adapter.notify.feeds import Feeds, Stream
from adapter.store import dead_letters
from adapter.store.dead_letters import DeadLetters

LOOK_FOR_REPLAYS_S = 5.0
"""Another process orders replays; the store alone tells of them."""
_THREADS = 64
"""Names are looked up on these: a name server that hangs for one client keeps few of them."""


class Callbacks:
    """All enabled callbacks; a door, as the porch sees it. Raises ValueError for settings that
    cannot work, a file that went away since the check, say."""

    def __init__(
        self,
        settings: Sequence[Settings],
        wording: Wording,
        engine: Engine,
        letters: DeadLetters,
        feeds: Feeds,
        watch: Watch,
        now: Callable[[], float],
    ) -> None:
        self._settings = [each for each in settings if each.enabled]
        shapes = Shapes()
        self._targets = {
            each.account: Target(each, form_of(each, wording, shapes), now)
            for each in self._settings
        }
        self._engine = engine
        self._letters = letters
        self._feeds = feeds
        self._watch = watch
        self._now = now
        self._open: Mapping[str, Callback] = {}

    async def open(self) -> None:
        """Begin to bring what waits."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "callbacks"))
        self._open = {each.account: self._callback(each) for each in self._settings}

    async def close(self) -> None:
        """Bring nothing more."""
        await asyncio.gather(*(each.close() for each in self._open.values()))

    def status(self) -> Sequence[CallbackStatus]:
        """How each stands. Called from any thread."""
        try:
            counted = self._count()
        except SQLAlchemyError:
            counted = {}
        return [self._status(each, counted) for each in self._settings]

    def _callback(self, settings: Settings) -> Callback:
        account = settings.account
        feed = self._feeds.feed(account, _stream(settings))
        target = self._targets[account]
        return Callback(settings, target, feed, self._letters.bury, self._watch, self._now)

    def _count(self) -> dict[str, tuple[int, int | None, int]]:
        """Waiting, the oldest of them, dead."""
        with self._engine.connect() as connection:
            dead = dead_letters.count_dead(connection)
            return {
                each.account: (
                    *dead_letters.count_waiting(connection, f"client:{each.account}"),
                    dead.get(f"client:{each.account}", 0),
                )
                for each in self._settings
            }

    def _status(
        self, settings: Settings, counted: Mapping[str, tuple[int, int | None, int]]
    ) -> CallbackStatus:
        waiting, oldest, dead = counted.get(settings.account, (0, None, 0))
        callback = self._open.get(settings.account)
        failing = None if callback is None else callback.failing_since
        now = self._now()
        return CallbackStatus(
            client=settings.account,
            up=callback is not None and not callback.down,
            waiting=waiting,
            oldest_s=max(0.0, now - made_by(oldest).timestamp()) if oldest else 0.0,
            refused=0 if callback is None else callback.refused,
            dead=dead,
            failing_s=max(0.0, now - failing) if failing else 0.0,
            reason="" if callback is None else callback.reason,
        )


def _stream(settings: Settings) -> Stream:
    if len(set(settings.events)) > 1:
        return Stream.ALL
    return Stream.INBOUND if settings.events[0] == "inbound" else Stream.RECEIPTS
