"""The web server of a node: mounts, limits, headers and one log line a request.

waitress reads each request whole in its one loop and gives it to a thread (`hands`: several
small ones of a client to one), so a slow client costs a buffer, not a thread; a request that
announces more than the limit is refused before its body is read.

Limits: a handler that hangs keeps its thread. TLS comes from `adapter.doors.tls`, which takes the
connections then.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from waitress import wasyncore
from waitress.server import create_server

from adapter.config.model import Web
from adapter.doors.access_log import CODE_KEY, OPERATION_KEY
from adapter.doors.batches import Answer, Batched, Glimpse
from adapter.doors.company import Company
from adapter.doors.hands import Hands
from adapter.doors.overlong import Channel
from adapter.doors.patience import Patience
from adapter.doors.proxies import Proxied
from adapter.doors.tls import Shown, TlsServer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HEADERS = {
    "x-content-type-options": ("X-Content-Type-Options", "nosniff"),
    "x-frame-options": ("X-Frame-Options", "DENY"),
    "referrer-policy": ("Referrer-Policy", "no-referrer"),
    "cache-control": ("Cache-Control", "no-store"),
}
# Asked every few seconds by somebody who only looks: a line each would bury the others.
_WATCHED = frozenset({"/healthz", "/readyz", "/metrics", "/status"})
# Beyond these the idlest leave; a hospital has some hundred clients.
_CONNECTIONS = 1_000
# Where nobody is idle, waitress stops accepting.
_UTMOST = 1_100
# A client that says nothing for so long is dropped.
_SILENCE_S = 60
# How soon a stop is noticed where nothing happens.
_TURN_S = 0.2
# How long answers may take to leave when the server stops.
_FLUSH_S = 2.0

log = structlog.get_logger(__name__)
# It warns of every request that waits for a thread, be it for a millisecond.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _not_found(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = b"Not found\n"
    start_response(
        "404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    )
    return [body]


class Site:
    """The WSGI application of a node: finds the mount of a path. A mount takes its path and all
    beneath it; the longest one wins."""

    def __init__(self, mounts: Mapping[str, WSGIApplication]) -> None:
        self._mounts = sorted(
            ((path.rstrip("/"), app) for path, app in mounts.items()),
            key=lambda mount: -len(mount[0]),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        mount, app = self._find(environ.get("PATH_INFO", ""))
        status = "500"

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, _secured(headers), *rest)

        try:
            _enter(environ, mount)
            return app(environ, start)
        finally:
            _tell(environ, mount, status, time.perf_counter() - started)

    def account_of(self, path: str, glimpse: Glimpse) -> Hashable | None:
        """Whose a POST to this path is, and where: those may be answered together. None where it
        has to be run alone."""
        mount, app = self._find(path)
        if not isinstance(app, Batched):
            return None
        account = app.account_of(glimpse._replace(path=path[len(mount) :]))
        return None if account is None else (mount, account)

    def several(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        """The answers to requests that `account_of` found alike."""
        started = time.perf_counter()
        mount, app = self._find(environs[0].get("PATH_INFO", ""))
        assert isinstance(app, Batched)
        for environ in environs:
            _enter(environ, mount)
        answers = app.several(environs)
        seconds = time.perf_counter() - started
        for environ, answer in zip(environs, answers, strict=True):
            answer.headers[:] = _secured(answer.headers)
            _tell(environ, mount, answer.status[:3], seconds)
        return answers

    def _find(self, path: str) -> tuple[str, WSGIApplication]:
        for mount, app in self._mounts:
            if path == mount or path.startswith(mount + "/"):
                return mount, app
        return "", _not_found


def _enter(environ: WSGIEnvironment, mount: str) -> None:
    if mount:
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
        environ["PATH_INFO"] = environ["PATH_INFO"][len(mount) :]


def _secured(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in headers}
    return headers + [pair for name, pair in _HEADERS.items() if name not in given]


def _tell(environ: WSGIEnvironment, mount: str, status: str, seconds: float) -> None:
    # The path beneath a mount and the query may hold a number or a secret.
    watched = mount in _WATCHED and status != "500"
    log.log(
        logging.DEBUG if watched else logging.INFO,
        "request",
        method=environ["REQUEST_METHOD"][:10],
        mount=mount or "-",
        status=int(status),
        operation=environ.get(OPERATION_KEY, ""),
        code=environ.get(CODE_KEY, ""),
        address=environ.get("REMOTE_ADDR", ""),
        octets=environ.get("CONTENT_LENGTH") or "0",
        ms=round(seconds * 1000, 1),
    )


class WebServer:
    """waitress in a thread of its own. `port` is the real one, also where 0 was asked for; with
    `adopting` it listens to nobody and serves the connections that it is given."""

    def __init__(
        self, app: Proxied, site: Site, web: Web, company: Company, *, adopting: bool = False
    ) -> None:
        self._map: dict[int, Any] = {}
        self._hands = Hands(web.threads, site.account_of, app.several, company)
        server = create_server(
            app,
            map=self._map,
            _dispatcher=self._hands,
            _start=not adopting,
            host="127.0.0.1" if adopting else web.host,
            port=0 if adopting else web.port,
            url_scheme=web.scheme,
            threads=web.threads,
            max_request_body_size=web.max_body,
            connection_limit=_UTMOST,
            channel_timeout=_SILENCE_S,
            asyncore_use_poll=hasattr(select, "poll"),
            # What proxies say is judged in `adapter.doors.proxies`.
            clear_untrusted_proxy_headers=False,
            expose_tracebacks=False,
            ident=None,
        )
        self._poll = server.adj.asyncore_use_poll
        self._listeners = [each for each in self._map.values() if hasattr(each, "effective_port")]
        self._hands.wake_loop = self._listeners[0].pull_trigger
        for listener in self._listeners:
            listener.channel_class = Channel
            listener.pull_trigger = self._hands.once_a_bite(listener.pull_trigger)
        self.host: str = self._listeners[0].effective_host
        self.port = int(self._listeners[0].effective_port)
        self._patience = Patience(_CONNECTIONS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Serve; returns at once."""
        self._thread.start()

    def adopt(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve a connection as if it came from this address. From any thread."""
        listener = self._listeners[0]

        def take() -> None:
            if self._stopping.is_set():
                connection.close()
            else:
                Channel(listener, connection, address, listener.adj, map=self._map)

        listener.trigger.pull_trigger(take)

    def stop(self) -> None:
        """Accept no more, answer the requests in work (5 s at most), close. May be repeated."""
        self._stopping.set()
        if self._thread.ident is None:
            self._close()
        else:
            self._thread.join()

    def _run(self) -> None:
        self._hands.loop = threading.get_ident()
        while not self._stopping.is_set():
            self._turn(self._hands.sleep_s(_TURN_S))
            self._patience.look(self._map)
        self._close()

    def _turn(self, timeout_s: float) -> None:
        wasyncore.loop(timeout=timeout_s, use_poll=self._poll, map=self._map, count=1)
        self._hands.wake()

    def _close(self) -> None:
        for listener in self._listeners:
            listener.accepting = False
        self._hands.shutdown(cancel_pending=False)
        until = time.monotonic() + _FLUSH_S
        while any(_unsent(each) for each in self._map.values()) and time.monotonic() < until:
            self._turn(0.1)
        wasyncore.close_all(self._map)
        self._map.clear()


def _unsent(connection: Any) -> bool:
    return getattr(connection, "total_outbufs_len", 0) > 0


class Serving(Protocol):
    """A web server, with TLS or without."""

    host: str
    port: int

    def start(self) -> None:
        """Serve; returns at once."""

    def stop(self) -> None:
        """Accept no more, answer what is in work, close. May be repeated."""


def serve(site: Site, web: Web, company: Company | None = None) -> Serving:
    """A server for the site, listening but not yet started. `company` is that of the other
    doors. Raises OSError where the address is taken, or a file for TLS cannot be used."""
    shown = Shown()
    proxied = Proxied(site, web.proxies, site.several, shown.of)
    secured = bool(web.tls_certificate)
    server = WebServer(proxied, site, web, company or Company(), adopting=secured)
    return TlsServer(server, web, shown) if secured else server
