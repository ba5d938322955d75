"""Frames over one TCP connection, for both roles and every protocol.

All four protocols begin a frame with two 4-byte big-endian integers, its length and its
command. Frames written during one turn of the event loop leave in one `transport.write`, with
TCP_NODELAY set, so that neither Nagle nor a delayed acknowledgement costs a round trip.

A length outside the protocol's limits closes the connection: a stream without a frame border
cannot be read on. What is buffered never exceeds one frame and one read. While `hold` is set
nothing is read, so a peer that sends faster than it is served waits in its own buffers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from typing import cast

from connectors.tls import shown_certificate
from connectors.trace import Tap, Way

_HEAD = struct.Struct(">II").unpack_from
_CLOSE_GRACE_S = 1.0
_UNREAD_LIMIT = 4 << 20
"""Windows bound our requests, but a peer may ask and ask and never read our answers."""


class Wire(asyncio.Protocol, ABC):
    """One connection. Subclasses say what happens to frames and when it is over. `tap` hears
    what passes, where somebody wants to know."""

    def __init__(self, header_size: int, frame_limit: int, tap: Tap | None = None) -> None:
        self._header_size = header_size
        self._frame_limit = frame_limit
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._on_hold = False
        self._out: list[bytes] = []
        self._reason = ""
        self.closing = False
        self.peer = ""

    @property
    def half_read(self) -> bool:
        """The beginning of a frame is here, and its end is not."""
        return bool(self._rest) and not self._on_hold

    @property
    def certificate(self) -> bytes:
        """The certificate (DER) that the peer has shown, by TLS that asked for one; else empty."""
        return shown_certificate(self._transport)

    @abstractmethod
    def opened(self) -> None:
        """The connection stands."""

    @abstractmethod
    def frame_received(self, command: int, frame: bytes) -> None:
        """One whole frame."""

    def heard_out(self) -> None:
        """Every frame that came at once was handed over."""

    @abstractmethod
    def closed(self, reason: str) -> None:
        """The connection is gone, for the reason first given."""

    def write(self, frame: bytes) -> None:
        """Send one frame with this turn's others; nothing happens on a closing connection."""
        if self.closing:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        if self._tap is not None:
            self._tap.sent(frame)

    def hold(self, held: bool) -> None:
        """Read nothing more, or go on."""
        if held == self._on_hold or self.closing:
            return
        self._on_hold = held
        if self._transport is None:
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            self._loop.call_soon(self.data_received, b"")

    def close(self, reason: str) -> None:
        """Send what is written, then close."""
        if self.closing:
            return
        self._flush()
        self.closing = True
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.close()
            # A peer that stopped reading would keep the unsent rest, and us, for ever.
            self._loop.call_later(_CLOSE_GRACE_S, self._transport.abort)

    def abort(self, reason: str) -> None:
        """Close at once, whatever is unsent."""
        self.closing = True
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, not its ancestry.
        self._transport = cast(asyncio.Transport, transport)
        if self.closing:
            # Given up while it was being opened.
            self._transport.abort()
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = transport.get_extra_info("peername")
        self.peer = address[0] if address else ""
        if self._tap is not None:
            self._tap.noted(Way.OPENED)
        self.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self._transport = None
        self._out.clear()
        reason = self._reason or (f"connection broke: {exc}" if exc else "closed by the peer")
        if self._tap is not None:
            if self._rest:
                self._tap.noted(Way.CUT, "left unread", len(self._rest))
            self._tap.noted(Way.CLOSED, reason)
        self.closed(reason)

    def data_received(self, data: bytes) -> None:
        self._cut(data)
        self.heard_out()

    def _cut(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        at, end = 0, len(buffer)
        smallest, largest, tap = self._header_size, self._frame_limit, self._tap
        while end - at >= smallest and not self._on_hold and not self.closing:
            length, command = _HEAD(buffer, at)
            if not smallest <= length <= largest:
                self._rest = b""
                if tap is not None:
                    tap.noted(Way.CUT, f"bad frame length {length}", end - at)
                self.abort(f"bad frame length {length}")
                return
            stop = at + length
            if stop > end:
                break
            frame = buffer[at:stop]
            if tap is not None:
                tap.received(frame)
            self.frame_received(command, frame)
            at = stop
        self._rest = buffer[at:]

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self.closing:
            self._transport.write(b"".join(self._out))
            if self._transport.get_write_buffer_size() > _UNREAD_LIMIT:
                self.abort("the peer does not read")
        self._out.clear()
