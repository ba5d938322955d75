"""CMPP as a server speaks it: for our own CMPP door, and for the simulator.

A `ServerSession` is one client's connection. It does the login (both versions, told apart by
the CONNECT's version byte), heartbeats both ways, the window of DELIVERs and their time-outs,
and the orderly end. What a submit becomes is the `Gate`'s business.

Limits: a session keeps what it was given to deliver in memory; look at `free` first.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.cmpp.auth import NO_DIGEST, server_digest, source_matches
from connectors.cmpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    HEADER_SIZE,
    NO_ID,
    STATUS,
    V2,
    V3,
    ActiveTest,
    ActiveTestResp,
    Cancel,
    CancelResp,
    Codecs,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Submit,
    SubmitResp,
    Terminate,
    TerminateResp,
)
from connectors.errors import DecodeError
from connectors.heartbeat import Heartbeat
from connectors.text import plain
from connectors.window import Window
from connectors.wire import Wire

log = logging.getLogger(__name__)

OK, BAD_STRUCTURE, BAD_ACCOUNT, BAD_SECRET, BAD_VERSION, TOO_MANY = range(6)
"""CONNECT_RESP's status; 5 and above are the server's own."""

_SEQUENCES = 1 << 32


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`window`: DELIVERs a client may leave unanswered. Times are seconds."""

    window: int = 16
    heartbeat_s: float = 60.0
    heartbeat_tries: int = 3
    response_timeout_s: float = 60.0
    login_timeout_s: float = 10.0
    versions: Sequence[str] = (V2, V3)
    tls: ssl.SSLContext | None = None


class Gate(Protocol):
    """Who may enter, and what becomes of what they send. Called on the event loop."""

    def secret(self, session: ServerSession, account: str) -> bytes | None:
        """The account's shared secret; None for an unknown account or refused address."""

    def entered(self, session: ServerSession) -> int:
        """The secret fits: OK to let the client in, or a status (TOO_MANY ...) to refuse."""

    def ready(self, session: ServerSession) -> None:
        """The client has been told that it is in: deliver from now on."""

    def submitted(self, session: ServerSession, submit: Submit) -> None:
        """Answer with `session.answer(submit, ...)`, now or later."""

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None:
        """The client answered a DELIVER."""

    def undelivered(self, session: ServerSession, tokens: Sequence[Any]) -> None:
        """These DELIVERs were not answered in time, or the connection fell."""

    def left(self, session: ServerSession, reason: str) -> None:
        """The connection is gone; `session.account` is empty if it never logged in."""


class ServerSession(Wire):
    """One client's connection."""

    def __init__(self, gate: Gate, settings: ServerSettings) -> None:
        super().__init__(HEADER_SIZE, FRAME_LIMIT)
        self._gate = gate
        self._settings = settings
        self._codecs: Codecs = CODECS[V2]
        self._window: Window[Any] = Window(settings.window)
        self._heartbeat = Heartbeat(
            settings.heartbeat_s, settings.heartbeat_tries, self._loop.time()
        )
        self._heard = False
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self.account = ""
        self.version = ""
        self.version_byte = 0
        self.refused = OK
        """The status a login was refused with."""
        self.unknown = 0
        self.muted = False
        """Hears nothing and says nothing any more, like a peer whose process hangs."""

    @property
    def is_up(self) -> bool:
        """Logged in."""
        return bool(self.account) and not self.closing

    @property
    def free(self) -> int:
        """DELIVERs that would go out now."""
        return self._window.room if self.is_up else 0

    def answer(self, submit: Submit, msg_id: bytes = NO_ID, result: int = 0) -> None:
        """Answer a submit; `msg_id` is 8 octets, ignored by clients unless `result` is 0."""
        frame = self._codecs.submit_resp.encode(SubmitResp(submit.sequence_id, msg_id, result))
        self.write(frame)

    def deliver(self, pdu: Deliver, token: Any) -> None:
        """Send a report or an inbound text in a free slot. Raises EncodeError."""
        pdu.sequence_id = self._next_sequence()
        frame = self._codecs.deliver.encode(pdu)
        self._window.put(pdu.sequence_id, token, self._loop.time())
        self.write(frame)

    def leave(self) -> None:
        """Take leave of the client; the connection closes with its answer or a little later."""
        if self.is_up:
            self.write(self._codecs.encode(Terminate(self._next_sequence())))
            self._loop.call_later(1.0, self.close, "stopped")
        else:
            self.close("stopped")

    def opened(self) -> None:
        self._timer = self._loop.call_later(
            self._settings.login_timeout_s, self.abort, "no login in time"
        )

    def closed(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tokens = self._window.drain()
        if tokens:
            self._gate.undelivered(self, tokens)
        self._gate.left(self, reason)

    def write(self, frame: bytes) -> None:
        if not self.muted:
            super().write(frame)

    def frame_received(self, command: int, frame: bytes) -> None:
        if self.muted:
            return
        self._heard = True
        try:
            if not self.account:
                self._login(command, frame)
            elif command == Submit.command:
                self._gate.submitted(self, self._codecs.submit.decode(frame))
            elif command == DeliverResp.command:
                self._delivered(self._codecs.deliver_resp.decode(frame))
            else:
                self._other(command, frame)
        except DecodeError as fault:
            self.abort(f"unreadable frame: {fault}")

    def _other(self, command: int, frame: bytes) -> None:
        sequence = int.from_bytes(frame[8:12], "big")
        if command == ActiveTest.command:
            self.write(self._codecs.encode(ActiveTestResp(sequence)))
        elif command == Terminate.command:
            self.write(self._codecs.encode(TerminateResp(sequence)))
            self.close("the client took leave")
        elif command == TerminateResp.command:
            self.close("stopped")
        elif command == Cancel.command:
            self.write(self._codecs.encode(CancelResp(sequence, 1)))
        elif command != ActiveTestResp.command:
            self.unknown += 1

    def _login(self, command: int, frame: bytes) -> None:
        if command != Connect.command:
            self.abort("the first frame was not a login")
            return
        connect: Connect = self._codecs.decode(frame)
        self.version_byte = connect.version
        version = V3 if connect.version >= 0x30 else V2
        self._codecs = CODECS[version]
        account = plain(connect.source_addr)
        secret = self._gate.secret(self, account)
        status = self._check(connect, version, secret)
        if status == OK:
            self.account, self.version = account, version
            status = self._gate.entered(self)
        self._answer_login(connect, status, secret or b"")
        if status != OK:
            self.account, self.refused = "", status
            self.close(f"login refused with {status}")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._tick()
        self._gate.ready(self)

    def _check(self, connect: Connect, version: str, secret: bytes | None) -> int:
        if version not in self._settings.versions or connect.version > 0x30:
            return BAD_VERSION
        if secret is None:
            return BAD_ACCOUNT
        account = connect.source_addr
        fits = source_matches(connect.authenticator_source, account, secret, connect.timestamp)
        return OK if fits else BAD_SECRET

    def _answer_login(self, connect: Connect, status: int, secret: bytes) -> None:
        width = STATUS[self._codecs.version]
        source = connect.authenticator_source
        digest = NO_DIGEST if status else server_digest(status, source, secret, width=width)
        highest = 0x30 if V3 in self._settings.versions else 0x20
        version = highest if status else connect.version
        self.write(self._codecs.encode(ConnectResp(connect.sequence_id, status, digest, version)))

    def _delivered(self, pdu: DeliverResp) -> None:
        if pdu.sequence_id not in self._window:
            return
        token = self._window.take(pdu.sequence_id)
        self._gate.acknowledged(self, token, pdu.result)

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % _SEQUENCES
        return self._sequence

    def _tick(self) -> None:
        now = self._loop.time()
        if self._heard:
            self._heard = False
            self._heartbeat.heard(now)
        expired = self._window.expired(now - self._settings.response_timeout_s)
        if expired:
            self._gate.undelivered(self, [token for _, token in expired])
        if self._heartbeat.due(now):
            self.write(self._codecs.encode(ActiveTest(self._next_sequence())))
        if self._heartbeat.dead:
            self.abort(f"{self._settings.heartbeat_tries} heartbeats unanswered")
            return
        shortest = min(self._settings.heartbeat_s, self._settings.response_timeout_s)
        self._timer = self._loop.call_later(min(1.0, shortest / 4), self._tick)


async def serve(gate: Gate, host: str, port: int, settings: ServerSettings) -> asyncio.Server:
    """Listen; every connection becomes a ServerSession of `gate`."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: ServerSession(gate, settings), host, port, ssl=settings.tls
    )
