"""A client link: one TCP connection to a carrier, kept alive.

It connects, logs in, and comes back after a fall with growing, jittered pauses; a login refused
for its account, password or version waits at least `refused_wait_s`. What the connection does
while it stands is the session's (connectors/session.py).

Promises to the `Handler`: every token comes back once, as answered, lost or unsent (and, after
a time-out, perhaps answered late as well); `lost` and `unsent` come before `down`; nothing is
ever sent again by the link itself but a segment whose answer was "throttled". All calls are made
on the event loop, none from within `submit`.

With `rest_s` a link without traffic takes leave and is still up: what is handed to it then
waits for the login. A peer that closes such a link while it is idle puts it to rest, too.

Limits: the queue behind the window is the caller's to bound: look at `free` before `submit`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors import tls
from connectors.backoff import Backoff
from connectors.dialect import DialectFactory
from connectors.protocols import CLIENTS
from connectors.session import Counters, Session
from connectors.settings import LinkSettings
from connectors.values import Answer, Handler, Inbound, Report, Responding, Submit
from connectors.waiting import came_within

log = logging.getLogger(__name__)


class Link:
    """One connection of a channel. `start` and everything else belong to one event loop."""

    def __init__(
        self, settings: LinkSettings, handler: Handler, *, dialect: DialectFactory | None = None
    ) -> None:
        self.settings = settings
        self.name = settings.name or f"{settings.protocol}-{settings.number}"
        self.number = settings.number
        self.counters = Counters()
        self.last_error = ""
        self.changed_at: datetime | None = None
        """When it last came up or went down."""
        self._handler = handler
        self._dialect = dialect or CLIENTS[settings.protocol]
        self.submits = self._dialect(settings).submits
        """Whether submits may go out on it; otherwise it only receives."""
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._fallen = asyncio.Event()
        self._refused = False
        self._resting = False
        self._held: list[Submit] = []
        self._wanted = asyncio.Event()
        self._was_up = False
        self._backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s)

    @property
    def is_up(self) -> bool:
        """Logged in, or at rest until there is something to send."""
        return self._resting or (self._session is not None and self._session.up)

    @property
    def free(self) -> int:
        """Submits that would go out now; 0 when down or paused."""
        if self._resting:
            return max(0, self.settings.window - len(self._held))
        return self._session.free if self._session is not None else 0

    @property
    def window(self) -> int:
        """Submits that may be on the wire at once; less than configured after a throttle."""
        if self._resting:
            return self.settings.window
        return self._session.window.limit if self._session is not None else 0

    @property
    def reconnects(self) -> int:
        """How often it had to connect again since it was made."""
        return self.counters.reconnects

    @property
    def unanswered(self) -> int:
        """Submits on the wire."""
        return self._session.unanswered if self._session is not None else 0

    @property
    def waiting(self) -> int:
        """Submits handed in and not on the wire."""
        waiting = self._session.waiting if self._session is not None else 0
        return waiting + len(self._held)

    def start(self) -> None:
        """Begin to connect; `handler.up` follows, now or after any number of tries."""
        if self._task is None:
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=self.name)

    async def stop(self, wait_s: float = 5.0) -> None:
        """Give back what is not on the wire, wait for answers up to `wait_s`, take leave."""
        self._stopping.set()
        if self._task is None:
            return
        session = self._session
        if session is not None:
            await session.finish(wait_s)
        await self._task
        self._task = None
        if self._resting:
            self._wake_failed("stopped")

    def drop(self, reason: str) -> None:
        """Close the connection now; the link comes back by itself."""
        if self._session is not None:
            self._session.abort(reason)

    def submit(self, submit: Submit) -> None:
        """Send one segment, or queue it behind the window."""
        self.submit_many((submit,))

    def submit_many(self, submits: Sequence[Submit]) -> None:
        """Send segments in this order. On a link that is down they come back as unsent."""
        session = self._session
        if session is None or not session.up or self._stopping.is_set():
            if self._resting and not self._stopping.is_set():
                self._held.extend(submits)
                self._wanted.set()
                return
            tokens = [submit.token for submit in submits]
            asyncio.get_running_loop().call_soon(self._handler.unsent, self, tokens)
            return
        session.submit(submits)

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            self._fallen.clear()
            self._refused = False
            await self._connect()
            await self._fallen.wait()
            if self._resting:
                await self._sleep()
                continue
            if self._stopping.is_set():
                return
            pause = self._backoff.next()
            if self._refused:
                pause = max(pause, self.settings.refused_wait_s)
            log.debug("%s: connecting again in %.1f s", self.name, pause)
            await came_within(self._stopping, pause)
            self.counters.reconnects += 1

    async def _sleep(self) -> None:
        """At rest, until there is something to send or the link stops."""
        loop = asyncio.get_running_loop()
        waits = {loop.create_task(each.wait()) for each in (self._wanted, self._stopping)}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _wake_failed(self, reason: str) -> None:
        """What waited for the end of the rest comes back, and the link is down."""
        self._resting = False
        tokens = [submit.token for submit in self._held]
        self._held.clear()
        if tokens:
            self._handler.unsent(self, tokens)
        self._handler.down(self, reason)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self.settings
        session = self._session = Session(settings, self._dialect(settings), self)
        opening = loop.create_connection(
            lambda: session,
            settings.host,
            settings.port,
            ssl=settings.tls,
            server_hostname=(settings.tls_name or settings.host) if settings.tls else None,
        )
        stopping = loop.create_task(self._stopping.wait())
        connecting = loop.create_task(opening)
        try:
            await asyncio.wait(
                {connecting, stopping},
                timeout=settings.connect_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not connecting.done():
                connecting.cancel()
            await asyncio.wait({connecting})
            fault = self._fault(connecting)
        finally:
            stopping.cancel()
        if fault:
            session.abort(fault)
            self.session_closed(session, fault)

    def _fault(self, connecting: asyncio.Task[Any]) -> str:
        if connecting.cancelled():
            stopped = self._stopping.is_set()
            limit = self.settings.connect_timeout_s
            return "stopped" if stopped else f"no connection in {limit:g} s"
        error = connecting.exception()
        return f"no connection: {tls.fault(error)}" if error is not None else ""

    def session_up(self) -> None:
        self._was_up = True
        self.changed_at = datetime.now(UTC)
        log.debug("%s: up", self.name)
        if self._resting:
            self._resting = False
            held, self._held = self._held, []
            assert self._session is not None  # it is the caller
            self._session.submit(held)
        else:
            self._handler.up(self)

    def session_closed(self, session: Session, reason: str) -> None:
        if session is not self._session:
            return
        self._session = None
        self._refused = session.lasting
        # A peer that takes the login and then hangs up is no success: keep slowing down.
        if session.worked:
            self._backoff.reset()
        if session.resting and not self._stopping.is_set():
            log.debug("%s: at rest", self.name)
            self._resting = True
            self._wanted.clear()
            self._fallen.set()
            return
        if reason != "stopped":
            self.last_error = reason
            # The owner is told, and knows better how to say it.
            log.debug("%s: down: %s", self.name, reason)
        if self._was_up or self.changed_at is None:
            self.changed_at = datetime.now(UTC)
        self._was_up = False
        self._fallen.set()
        if self._resting:
            self._wake_failed(reason)
        else:
            self._handler.down(self, reason)

    def session_answered(self, answers: list[tuple[Any, Answer]]) -> None:
        self._handler.answered(self, answers)

    def session_lost(self, tokens: list[Any]) -> None:
        self._handler.lost(self, tokens)

    def session_unsent(self, tokens: list[Any]) -> None:
        self._handler.unsent(self, tokens)

    def session_delivered(self, deliveries: list[tuple[Report | Inbound, bytes]]) -> None:
        inbound = sum(isinstance(item, Inbound) for item, _ in deliveries)
        self.counters.inbound += inbound
        self.counters.reports += len(deliveries) - inbound
        session = self._session
        assert session is not None  # it is the caller
        write = session.write
        self._handler.delivered(
            self, [(item, Responding(write, response)) for item, response in deliveries]
        )
