"""TLS of the web server: an event loop shakes hands and passes the octets on to waitress.

TLS 1.2 at least. A client may show a certificate that `tls-ca` has signed; one that shows another
is not let in. Renewed files are taken up without a restart (`adapter.doors.renewal`).

Each connection has a pair of sockets inside the process: waitress holds one end as if the client
had connected there, and what it says of slow callers and of too many (`adapter.doors.patience`)
holds for them as well. Neither a handshake nor a request that comes slowly keeps a thread
(docs/decisions/0014-tls-before-waitress.md).

Limits: what is passed on is held up to 64 kB in each direction, then the other side waits.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from adapter.doors.renewal import RenewedContext
from adapter.security.certificates import ShownCertificate, shown_in
from connectors.loop import fastest_loop
from connectors.tls import shown_certificate

if TYPE_CHECKING:
    from adapter.config.model import Web

_HANDSHAKE_S = 10.0
_GOODBYE_S = 2.0
_FLUSH_S = 2.0
_BACKLOG = 1_024

log = structlog.get_logger(__name__)


class Inside(Protocol):
    """The web server within: takes connections that were made elsewhere."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def adopt(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve it, as if it came from this address. From any thread."""


class Shown:
    """The certificates of the connections that stand, by the client's address and port."""

    def __init__(self) -> None:
        self._by_address: dict[tuple[str, str], ShownCertificate] = {}

    def note(self, address: tuple[str, int], certificate: ShownCertificate) -> None:
        self._by_address[address[0], str(address[1])] = certificate

    def forget(self, address: tuple[str, int]) -> None:
        self._by_address.pop((address[0], str(address[1])), None)

    def of(self, environ: Mapping[str, Any]) -> ShownCertificate | None:
        """That of the connection over which a request came."""
        at = str(environ.get("REMOTE_ADDR", "")), str(environ.get("REMOTE_PORT", ""))
        return self._by_address.get(at)


class _End(asyncio.Protocol):
    """One end of what is passed on: what comes here goes to the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, not its ancestry.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            other.transport.close()


class _Client(_End):
    """The client's end, once the handshake is done."""

    def __init__(self, server: TlsServer) -> None:
        super().__init__()
        self._server = server
        self._address = "", 0
        self.gone = server.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._address = transport.get_extra_info("peername")[:2]
        for certificate in shown_in(shown_certificate(transport)):
            self._server.shown.note(self._address, certificate)
        self._server.came(self, self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.shown.forget(self._address)
        self._server.left(self)
        self.gone.set_result(None)


class TlsServer:
    """Takes connections by TLS for a server within. `port` is the real one, also where 0 was asked
    for.

    Raises OSError where the address is taken or a file cannot be used.
    """

    def __init__(self, inside: Inside, web: Web, shown: Shown) -> None:
        files = web.tls_certificate, web.tls_key, web.tls_ca
        # Who must show a certificate is said by the client's <entry>.
        self._context = RenewedContext(*files, required=False).standing()
        family = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)[0][0]
        self._socket = socket.create_server((web.host, web.port), family=family, backlog=_BACKLOG)
        self.host, self.port = self._socket.getsockname()[:2]
        self.shown = shown
        self._inside = inside
        self._clients: dict[_Client, None] = {}
        self.loop = fastest_loop()()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="web-tls", daemon=True)

    def start(self) -> None:
        """Serve; returns at once."""
        self._inside.start()
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, answer the requests in work (5 s at most), close. May be repeated."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close_door(), self.loop).result()
        self._socket.close()
        # What it still answers goes out by us.
        self._inside.stop()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._see_off(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
        if not self.loop.is_closed():
            self.loop.close()

    def came(self, client: _Client, address: tuple[str, int]) -> None:
        """A handshake is done."""
        self._clients[client] = None
        task = self.loop.create_task(self._join(client, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def left(self, client: _Client) -> None:
        """A client's connection is gone."""
        self._clients.pop(client, None)

    async def _join(self, client: _Client, address: tuple[str, int]) -> None:
        ours, its = socket.socketpair()
        ours.setblocking(False)
        _, end = await self.loop.create_connection(_End, sock=ours)
        if client.transport is None:
            assert end.transport is not None
            end.transport.close()
            its.close()
            return
        client.other, end.other = end, client
        self._inside.adopt(its, address)
        client.transport.resume_reading()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(_tell)
        self._server = self.loop.run_until_complete(
            self.loop.create_server(
                lambda: _Client(self),
                sock=self._socket,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_S,
                ssl_shutdown_timeout=_GOODBYE_S,
                backlog=_BACKLOG,
            )
        )
        self.loop.run_forever()

    async def _close_door(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _see_off(self) -> None:
        """Let go out what is written, then end what is left."""
        clients = list(self._clients)
        if clients:
            await asyncio.wait([client.gone for client in clients], timeout=_FLUSH_S)
        for client in clients:
            if client.transport is not None:
                client.transport.abort()


def _tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Broken handshakes, mostly: strangers make as many as they like."""
    error = context.get("exception")
    told = type(error).__name__ if error is not None else str(context.get("message", ""))[:200]
    log.info("web.tls", told=told)
