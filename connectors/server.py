"""The server role, for every protocol: for our own doors, and for the simulator.

A `ServerSession` is one client's connection. It does the login, heartbeats both ways, the
window of deliveries and their time-outs, and the orderly end. What a submit becomes is the
`Gate`'s business, what frames look like the `ServerDialect`'s.

Limits: a session keeps what it was given to deliver in memory; look at `free` first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from connectors.dialect import (
    Declined,
    Leaving,
    Left,
    LoginRefused,
    TestAnswered,
    TestAsked,
    Unknown,
)
from connectors.errors import DecodeError
from connectors.heartbeat import Heartbeat, Unfinished
from connectors.protocols import SERVERS
from connectors.server_dialect import (
    Accepted,
    Acknowledged,
    Entry,
    Login,
    Receipt,
    ServerDialect,
    Submitted,
    Text,
)
from connectors.settings import ServerSettings
from connectors.window import Window
from connectors.wire import Wire

Secret = bytes | tuple[bytes, ...] | Entry | None
"""What is known of an account: its secret, or several of which each opens; an Entry that refuses
it whatever it shows; None where nobody knows it."""


class Gate(Protocol):
    """Who may enter, and what becomes of what they send. Called on the event loop."""

    def connected(self, session: ServerSession) -> None:
        """Somebody connected and has said nothing yet; `session.abort` turns them away."""

    def secret(self, session: ServerSession, account: str) -> Secret:
        """What is to be held against a login of this account."""

    def entered(self, session: ServerSession) -> Entry:
        """The secret fits: OK to let the client in, or a reason (TOO_MANY ...) to refuse."""

    def ready(self, session: ServerSession) -> None:
        """The client has been told that it is in: deliver from now on."""

    def submitted(self, session: ServerSession, submit: Submitted) -> None:
        """Answer with `session.answer(submit, ...)`, now or later."""

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None:
        """The client answered a delivery."""

    def undelivered(self, session: ServerSession, tokens: Sequence[Any]) -> None:
        """These deliveries were not answered in time, or the connection fell."""

    def left(self, session: ServerSession, reason: str) -> None:
        """The connection is gone; `session.account` is empty if it never logged in."""


_BACKLOG = 1_024
"""Connections that the system takes while we are busy."""


class ServerSession(Wire):
    """One client's connection, in whatever protocol `dialect` speaks."""

    def __init__(self, gate: Gate, settings: ServerSettings, dialect: ServerDialect) -> None:
        super().__init__(dialect.header_size, dialect.frame_limit)
        self._gate = gate
        self._settings = settings
        self._dialect = dialect
        self._window: Window[Any] = Window(settings.window)
        self._heartbeat = Heartbeat(
            settings.heartbeat_s, settings.heartbeat_tries, self._loop.time()
        )
        self._unfinished = Unfinished(settings.response_timeout_s)
        self._heard = False
        self._receives = False
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self.gone = asyncio.Event()
        """Set when the connection is over."""
        self.account = ""
        self.version = ""
        """What the client says that it speaks; empty while it has not tried to log in."""
        self.refused = 0
        """The protocol's number that a login was refused with."""
        self.unknown = 0
        self.muted = False
        """Hears nothing and says nothing any more, like a peer whose process hangs."""

    @property
    def is_up(self) -> bool:
        """Logged in."""
        return bool(self.account) and not self.closing

    @property
    def free(self) -> int:
        """Deliveries that would go out now."""
        return self._window.room if self._receives and self.is_up and not self.muted else 0

    def answer(self, submit: Submitted, msg_id: str = "", result: int = 0) -> None:
        """Answer a submit: the id it was given, or a `result` of the protocol."""
        self.write(self._dialect.answer(submit, msg_id, result))

    def deliver(self, item: Receipt | Text, token: Any, *, own_id: str = "") -> None:
        """Send a report or an inbound text in a free slot. Raises EncodeError."""
        sequence = self._next_sequence()
        frame = self._dialect.deliver(sequence, own_id, item)
        self._window.put(sequence, token, self._loop.time())
        self.write(frame)

    def leave(self) -> None:
        """Take leave of the client; the connection closes with its answer or a little later."""
        if self.is_up:
            self.write(self._dialect.leave(self._next_sequence()))
            self._loop.call_later(1.0, self.close, "stopped")
        else:
            self.close("stopped")

    def opened(self) -> None:
        self._gate.connected(self)
        self._timer = self._loop.call_later(
            self._settings.login_timeout_s, self.abort, "no login in time"
        )
        greeting = self._dialect.greeting(self._next_sequence())
        if greeting:
            self.write(greeting)

    def closed(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tokens = self._window.drain()
        if tokens:
            self._gate.undelivered(self, tokens)
        self._gate.left(self, reason)
        self.gone.set()

    def write(self, frame: bytes) -> None:
        if not self.muted:
            super().write(frame)

    def frame_received(self, command: int, frame: bytes) -> None:
        if self.muted:
            return
        self._heard = True
        if not self.account and command not in self._dialect.first:
            self.abort("the first frame was not a login")
            return
        try:
            event = self._dialect.read(command, frame)
        except DecodeError as fault:
            self.abort(f"unreadable frame: {fault}")
            return
        kind = type(event)
        if not self.account:
            self._arriving(event)
        elif kind is Submitted:
            self._gate.submitted(self, event)  # type: ignore[arg-type]
        elif kind is Acknowledged:
            self._delivered(event)  # type: ignore[arg-type]
        else:
            self._other(event)

    def _arriving(self, event: object) -> None:
        """The connection is not logged in yet."""
        match event:
            case Login():
                self._login(event)
            case Accepted():
                self.account = self.version = self._settings.protocol
                self._let_in(receives=True)
            case LoginRefused(reason, _):
                self.close(reason)
            case Declined(response):
                self.write(response)
                self.close("the first frame was not a login")
            case _:
                self.abort("the first frame was not a login")

    def _other(self, event: object) -> None:
        match event:
            case TestAsked(response) | Declined(response):
                self.write(response)
            case TestAnswered():
                pass
            case Leaving(response):
                self.write(response)
                self.close("the client took leave")
            case Left():
                self.close("stopped")
            case Unknown(_, response):
                self.unknown += 1
                if response:
                    self.write(response)
            case _:
                self.unknown += 1

    def _login(self, login: Login) -> None:
        self.version = login.version
        entry, secret = self._held(login, self._gate.secret(self, login.account))
        if entry is Entry.OK:
            self.account = login.account
            entry = self._gate.entered(self)
        self.write(self._dialect.admit(login, entry, secret))
        if entry is not Entry.OK:
            self.account, self.refused = "", self._dialect.status(entry)
            self.close(f"login refused with {self.refused}")
            return
        self._let_in(receives=login.receives)

    def _held(self, login: Login, known: Secret) -> tuple[Entry, bytes]:
        """What the login comes to, and the secret that it was held against."""
        if isinstance(known, Entry):
            return known, b""
        entry, secret = Entry.BAD_ACCOUNT, None
        for secret in known if isinstance(known, tuple) else (known,):
            entry = self._dialect.check(login, secret)
            if entry is not Entry.BAD_SECRET:
                break
        return entry, secret or b""

    def _let_in(self, *, receives: bool) -> None:
        self._receives = receives
        if self._timer is not None:
            self._timer.cancel()
        self._tick()
        self._gate.ready(self)

    def _delivered(self, event: Acknowledged) -> None:
        if event.sequence not in self._window:
            return
        token = self._window.take(event.sequence)
        self._gate.acknowledged(self, token, event.result)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % self._dialect.last_sequence + 1
        return self._sequence

    def _tick(self) -> None:
        now = self._loop.time()
        if self._unfinished.too_long(now, waiting=self.half_read and not self._heard):
            self.abort("half a frame, and then silence")
            return
        # Whoever is not read from cannot be heard.
        if self._heard or self._on_hold:
            self._heard = False
            self._heartbeat.heard(now)
        expired = self._window.expired(now - self._settings.response_timeout_s)
        if expired:
            self._gate.undelivered(self, [token for _, token in expired])
        if self._dialect.heartbeats and self._heartbeat.due(now):
            self.write(self._dialect.test(self._next_sequence()))
        if self._heartbeat.dead:
            self.abort(f"{self._settings.heartbeat_tries} heartbeats unanswered")
            return
        shortest = min(self._settings.heartbeat_s, self._settings.response_timeout_s)
        self._timer = self._loop.call_later(min(1.0, shortest / 4), self._tick)


async def serve(gate: Gate, host: str, port: int, settings: ServerSettings) -> asyncio.Server:
    """Listen; every connection becomes a ServerSession of `gate`."""
    dialect = SERVERS[settings.protocol].dialect
    return await asyncio.get_running_loop().create_server(
        lambda: ServerSession(gate, settings, dialect(settings)),
        host,
        port,
        ssl=settings.tls,
        ssl_handshake_timeout=settings.login_timeout_s if settings.tls else None,
        backlog=_BACKLOG,
    )


async def dial(gate: Gate, host: str, port: int, settings: ServerSettings) -> ServerSession:
    """Connect to a client that listens for us. Raises OSError; LookupError where the protocol
    knows no such thing."""
    dialect = SERVERS[settings.protocol].caller
    if dialect is None:
        raise LookupError(f"{settings.protocol}: a server does not call its client")
    _, session = await asyncio.get_running_loop().create_connection(
        lambda: ServerSession(gate, settings, dialect(settings)), host, port, ssl=settings.call_tls
    )
    return session
