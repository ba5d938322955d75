"""Frames of a 4-byte big-endian length and so many octets, over one TCP connection.

What is held of a frame that is not whole yet never exceeds `most` octets and one read. While
`hold` is set nothing is read, so a peer that sends faster than it is served waits in its own
buffers. Frames sent during one turn of the event loop leave in one `transport.write`.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import cast

from connectors.tls import shown_certificate

HEAD = 4
_CLOSE_GRACE_S = 2.0


def framed(octets: bytes) -> bytes:
    """A frame with this content."""
    return len(octets).to_bytes(HEAD, "big") + octets


class Frames(asyncio.Protocol, ABC):
    """One connection. Subclasses say what happens to frames and when it is over."""

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._held = False
        self._reason = ""
        self.most = most
        """The longest frame that is taken; may change between frames."""
        self.closing = False
        self.peer = ""
        self.stuck_since: float | None = None
        """When the peer stopped reading what we write; None while it reads."""
        self.heard_at = self._loop.time()
        """When the last frame came in whole."""

    @property
    def certificate(self) -> bytes:
        """The certificate (DER) that the peer has shown, by TLS that asked for one; else empty."""
        return shown_certificate(self._transport)

    @abstractmethod
    def opened(self) -> None:
        """The connection stands."""

    @abstractmethod
    def frame_received(self, octets: bytes) -> None:
        """One whole frame."""

    @abstractmethod
    def too_long(self, length: int) -> None:
        """A frame of this length was announced; the connection is closed afterwards."""

    @abstractmethod
    def closed(self, reason: str) -> None:
        """The connection is gone, for the reason first given."""

    def send(self, octets: bytes) -> None:
        """Send one frame with this turn's others; nothing happens on a closing connection."""
        if self.closing:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(framed(octets))

    def hold(self, held: bool) -> None:
        """Read nothing more, or go on."""
        if held == self._held or self.closing:
            return
        self._held = held
        transport = self._transport
        if transport is None:
            return
        if held:
            transport.pause_reading()
        else:
            transport.resume_reading()
            # Not at once: whoever lets go may be in the middle of a frame's work.
            self._loop.call_soon(self._take_apart)

    def close(self, reason: str) -> None:
        """Send what is written, then close."""
        if self.closing:
            return
        self._flush()
        self.closing = True
        self._reason = self._reason or reason
        self._buffer.clear()
        if self._transport is not None:
            self._transport.close()
            # A peer that stopped reading would keep the unsent rest, and us, for ever.
            self._loop.call_later(_CLOSE_GRACE_S, self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, not its ancestry.
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = transport.get_extra_info("peername")
        self.peer = address[0] if address else ""
        self.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self._transport = None
        self._buffer.clear()
        self._out.clear()
        self.closed(self._reason or ("connection broke" if exc else "closed by the peer"))

    def data_received(self, data: bytes) -> None:
        if not self.closing:
            self._buffer += data
            self._take_apart()

    def pause_writing(self) -> None:
        self.stuck_since = self._loop.time()
        self.flow_changed()

    def resume_writing(self) -> None:
        self.stuck_since = None
        self.flow_changed()

    def flow_changed(self) -> None:
        """`stuck_since` changed."""

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self.closing:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _take_apart(self) -> None:
        at = 0
        buffer = self._buffer
        while len(buffer) - at >= HEAD and not self._held and not self.closing:
            length = int.from_bytes(buffer[at : at + HEAD], "big")
            if not 0 < length <= self.most:
                self.too_long(length)
                self.close(f"bad frame length {length}")
                return
            end = at + HEAD + length
            if len(buffer) < end:
                break
            frame = bytes(buffer[at + HEAD : end])
            at = end
            self.heard_at = self._loop.time()
            self.frame_received(frame)
        if at and not self.closing:
            del buffer[:at]
