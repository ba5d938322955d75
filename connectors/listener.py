"""Where a carrier connects to us: protocols whose gateway opens its own connection to deliver.

A `Listener` accepts the carrier's connections, checks its credentials and address, and hands
what it delivers to the `Handler`, acknowledged once the handler says so. A `DuplexLink` is a
client link and its listener in one: what arrives at the listener is delivered as the link's.

Limits: at most `connections` at once, each with one frame and one read in memory; the next
one is refused by its login's answer. A connection without a login in `login_timeout_s` or
without a frame in `idle_s` is closed; the carrier opens another when it needs one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.backoff import Backoff
from connectors.dialect import Declined, Delivered, Leaving, Left, Unknown
from connectors.errors import DecodeError
from connectors.link import Link
from connectors.listener_dialect import ListenerDialect, ListenerDialectFactory, Refusal
from connectors.protocols import LISTENERS
from connectors.settings import LinkSettings
from connectors.trace import Trace
from connectors.values import Ack, Handler, Inbound, Report, Responding
from connectors.wire import Wire

log = logging.getLogger(__name__)

_AT_THE_DOOR = 64
"""Connections that have not logged in, beside those that have."""
_RETRY_MIN_S, _RETRY_MAX_S = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where to listen, and who may come in.

    `account` and `password` are ours to choose: the carrier presents them. `peers`: addresses
    or networks it may come from, empty for all. `trace` keeps what passes. Times are seconds.
    """

    protocol: str
    host: str
    port: int
    account: str
    password: str = field(repr=False)
    name: str = ""
    peers: Sequence[str] = ()
    connections: int = 32
    login_timeout_s: float = 10.0
    idle_s: float = 300.0
    tls: ssl.SSLContext | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        for peer in self.peers:
            ipaddress.ip_network(peer, strict=False)


@dataclass(slots=True)
class ListenerCounters:
    """What a listener has done since it was made. `refused`: logins and addresses."""

    accepted: int = 0
    refused: int = 0
    reports: int = 0
    inbound: int = 0
    unknown: int = 0


Deliver = Callable[[Report | Inbound, Ack], None]
"""What takes an item and the function that acknowledges it."""


class Listener:
    """Belongs to one event loop."""

    def __init__(
        self,
        settings: ListenerSettings,
        deliver: Deliver,
        *,
        dialect: ListenerDialectFactory | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.name or f"{settings.protocol}-listener"
        self.counters = ListenerCounters()
        self.last_error = ""
        self._deliver = deliver
        self._dialect = dialect or LISTENERS[settings.protocol]
        self._networks = [ipaddress.ip_network(peer, strict=False) for peer in settings.peers]
        self._calls: set[_Call] = set()
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """It listens."""
        return self._server is not None

    @property
    def port(self) -> int:
        """Where it listens; the configured one while it does not."""
        if self._server is None or not self._server.sockets:
            return self.settings.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connected(self) -> int:
        """Connections of the carrier that are logged in."""
        return sum(call.welcome for call in self._calls)

    async def open(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        settings = self.settings
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Call(self, self._dialect()), settings.host, settings.port, ssl=settings.tls
        )
        self.last_error = ""
        log.info("%s: listening on %s:%d", self.name, settings.host, self.port)

    def start(self) -> None:
        """Listen as soon as the address is free; never raises."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._keep_opening())

    async def stop(self) -> None:
        """Listen no more, and end every connection."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
            self._opening = None
        if self._server is None:
            return
        self._server.close()
        self._server = None
        gone = [call.gone for call in self._calls]
        for call in list(self._calls):
            call.close("stopped")
        if gone:
            await asyncio.wait(gone)

    async def _keep_opening(self) -> None:
        pauses = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)
        while True:
            try:
                await self.open()
            except OSError as fault:
                self.last_error = f"cannot listen on port {self.settings.port}: {fault.strerror}"
                log.warning("%s: %s", self.name, self.last_error)
                await asyncio.sleep(pauses.next())
            else:
                return

    # What the connections tell.

    def came(self, call: _Call) -> bool:
        """A connection stands; False to end it at once."""
        self._calls.add(call)
        known = self._known(call.peer)
        at_the_door = len(self._calls) - self.connected
        if known and at_the_door <= _AT_THE_DOOR:
            return True
        self.counters.refused += 1
        return False

    def left(self, call: _Call) -> None:
        self._calls.discard(call)

    def full(self) -> bool:
        """As many connections are logged in as may be."""
        return self.connected >= self.settings.connections

    def delivered(self, item: Report | Inbound, ack: Ack) -> None:
        if isinstance(item, Report):
            self.counters.reports += 1
        else:
            self.counters.inbound += 1
        self._deliver(item, ack)

    def _known(self, peer: str) -> bool:
        if not self._networks:
            return True
        try:
            address: Any = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


class _Call(Wire):
    """One connection that the carrier opened."""

    def __init__(self, listener: Listener, dialect: ListenerDialect) -> None:
        trace = listener.settings.trace
        tap = trace.tap(listener.name) if trace is not None else None
        super().__init__(dialect.header_size, dialect.frame_limit, tap)
        self._listener = listener
        self._dialect = dialect
        self._settings = listener.settings
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self.welcome = False
        """Logged in."""
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def opened(self) -> None:
        if not self._listener.came(self):
            self.abort("not expected from there, or too many without a login")
            return
        self._timer = self._loop.call_later(
            self._settings.login_timeout_s, self.abort, "no login in time"
        )

    def closed(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._listener.left(self)
        if not self.gone.done():
            self.gone.set_result(None)
        # Gateways come and go as they need to: no alarm.
        level = logging.INFO if self.welcome else logging.WARNING
        log.log(level, "%s: connection from %s ended: %s", self._listener.name, self.peer, reason)

    def frame_received(self, command: int, frame: bytes) -> None:
        self._heard = self._loop.time()
        if not self.welcome and command not in self._dialect.first:
            self.abort("the first frame was not a login")
            return
        try:
            if self.welcome:
                self._take(self._dialect.read(command, frame))
            else:
                self._login(frame)
        except DecodeError as fault:
            self.abort(f"unreadable frame: {fault}")

    def _login(self, frame: bytes) -> None:
        arrival = self._dialect.arrival(frame)
        settings = self._settings
        refusal = self._dialect.check(arrival, settings.account, settings.password.encode("utf-8"))
        if refusal is Refusal.NONE and self._listener.full():
            refusal = Refusal.TOO_MANY
        self.write(self._dialect.admit(arrival, refusal))
        if refusal is not Refusal.NONE:
            self._listener.counters.refused += 1
            self.close(f"login refused: {refusal.value}")
            return
        self.welcome = True
        self._listener.counters.accepted += 1
        if self._timer is not None:
            self._timer.cancel()
        self._watch()

    def _take(self, event: object) -> None:
        match event:
            case Delivered(item, response):
                self._listener.delivered(item, Responding(self.write, response))
            case Declined(response):
                self.write(response)
            case Leaving(response):
                self.write(response)
                self.close("the carrier took leave")
            case Left():
                self.close("stopped")
            case Unknown(_, response):
                self._listener.counters.unknown += 1
                if response:
                    self.write(response)

    def _watch(self) -> None:
        """Close when nothing was heard for `idle_s`."""
        left = self._heard + self._settings.idle_s - self._loop.time()
        if left <= 0:
            self.close("idle")
        else:
            self._timer = self._loop.call_later(left, self._watch)


class DuplexLink(Link):
    """A client link that also listens for its carrier. It is up when the client's side is."""

    def __init__(
        self, settings: LinkSettings, handler: Handler, listening: ListenerSettings
    ) -> None:
        super().__init__(settings, handler)
        self._arrived = handler.delivered
        self.listener = Listener(listening, self._deliver)

    def start(self) -> None:
        self.listener.start()
        super().start()

    async def stop(self, wait_s: float = 5.0) -> None:
        """Reports still come in while the answers of the last submits are awaited."""
        await super().stop(wait_s)
        await self.listener.stop()

    def _deliver(self, item: Report | Inbound, ack: Ack) -> None:
        self._arrived(self, [(self.settings.quirks.delivered(item), ack)])
