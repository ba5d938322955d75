"""A provider of web services for tests: HTTP over real sockets, on threads of its own.

with Provider() as provider:
    provider.serve("/send", lambda asked: Given(200, b'{"code": 0}'))
    ... provider.url("/send") ...
    provider.asked("/send")         every request so far
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

PATIENCE_S = 20.0


class Asked(NamedTuple):
    """A request. Names of headers are in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def form(self, charset: str = "utf-8") -> dict[str, str]:
        found = parse_qs(self.body.decode("ascii"), keep_blank_values=True, encoding=charset)
        return {name: values[0] for name, values in found.items()}


@dataclass(frozen=True)
class Given:
    """An answer. `cut` closes the connection after so many octets of the body, `wait_for` holds
    the answer back until the event."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    wait_for: threading.Event | None = None


Serve = Callable[[Asked], Given]


def _not_found(_asked: Asked) -> Given:
    return Given(404)


class Provider:
    """Answers what it was told to; 404 for anything else. A context."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        provider = self
        self._serving: dict[str, Serve] = {}
        self._asked: defaultdict[str, list[Asked]] = defaultdict(list)
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                provider._connections.add(self.connection)

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_args: Any) -> None:
                return

            def do_GET(self) -> None:
                provider._answer(self)

            do_POST = do_PUT = do_GET  # noqa: N815 - the names of the standard library

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="provider"
        )

    def serve(self, path: str, serve: Serve) -> None:
        self._serving[path] = serve

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, path: str) -> list[Asked]:
        with self._changed:
            return list(self._asked[path])

    def wait_for(self, path: str, count: int) -> list[Asked]:
        """The requests of a path, when there are so many."""
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while len(self._asked[path]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{path}: {len(self._asked[path])} of {count} requests came"
                self._changed.wait(left)
            return list(self._asked[path])

    def hang_up(self) -> None:
        """Close every connection that stands."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self.hang_up()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(length)
        asked = Asked(handler.command, parts.path, parts.query, headers, body)
        serve = self._serving.get(parts.path, _not_found)
        with self._changed:
            self._asked[parts.path].append(asked)
            self._changed.notify_all()
        given = serve(asked)
        if given.wait_for is not None:
            given.wait_for.wait(PATIENCE_S)
        handler.send_response(given.status)
        for name, value in {"Content-Type": given.kind, **given.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(given.body)))
        handler.end_headers()
        handler.wfile.write(given.body if given.cut is None else given.body[: given.cut])
        if given.cut is not None:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
