"""The web server of a node: mounts, limits, headers and one log line a request.

waitress reads each request whole in its one loop and gives it to a thread, so a slow
client costs a buffer, not a thread; a request that announces more than the limit is
refused before its body is read.

Limits: no TLS here (nginx in front, or another server for the same application). A handler
that hangs keeps its thread.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from waitress import wasyncore
from waitress.server import create_server

from adapter.config.model import Web
from adapter.doors.soap import CODE_KEY, OPERATION_KEY, SoapDoor

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HEADERS = {
    "x-content-type-options": ("X-Content-Type-Options", "nosniff"),
    "x-frame-options": ("X-Frame-Options", "DENY"),
    "referrer-policy": ("Referrer-Policy", "no-referrer"),
    "cache-control": ("Cache-Control", "no-store"),
}
# Beyond these waitress stops accepting; a hospital has some hundred clients.
_CONNECTIONS = 1_000
# A client that says nothing for so long is dropped.
_SILENCE_S = 60

log = structlog.get_logger(__name__)


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
            given = {name.lower() for name, _ in headers}
            secure = [pair for name, pair in _HEADERS.items() if name not in given]
            return start_response(line, headers + secure, *rest)

        try:
            if mount:
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
                environ["PATH_INFO"] = environ["PATH_INFO"][len(mount) :]
            return app(environ, start)
        finally:
            # The path beneath a mount and the query may hold a number or a secret.
            log.info(
                "request",
                method=environ["REQUEST_METHOD"][:10],
                mount=mount or "-",
                status=int(status),
                operation=environ.get(OPERATION_KEY, ""),
                code=environ.get(CODE_KEY, ""),
                address=environ.get("REMOTE_ADDR", ""),
                octets=environ.get("CONTENT_LENGTH") or "0",
                ms=round((time.perf_counter() - started) * 1000, 1),
            )

    def _find(self, path: str) -> tuple[str, WSGIApplication]:
        for mount, app in self._mounts:
            if path == mount or path.startswith(mount + "/"):
                return mount, app
        return "", _not_found


def site(soap: SoapDoor, extra: Mapping[str, WSGIApplication] | None = None) -> Site:
    """The doors of a node, and whatever else is mounted (path -> WSGI application)."""
    return Site({"/soap": soap.soap, "/soap12": soap.soap12, **(extra or {})})


class WebServer:
    """waitress in a thread of its own. `port` is the real one, also where 0 was asked for."""

    def __init__(self, app: WSGIApplication, web: Web) -> None:
        self._server: Any = create_server(
            app,
            map={},
            host=web.host,
            port=web.port,
            threads=web.threads,
            max_request_body_size=web.max_body,
            connection_limit=_CONNECTIONS,
            channel_timeout=_SILENCE_S,
            asyncore_use_poll=hasattr(select, "poll"),
            clear_untrusted_proxy_headers=True,
            expose_tracebacks=False,
            ident=None,
        )
        self._map = getattr(self._server, "_map", None) or self._server.map
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        listening = getattr(self._server, "effective_listen", None)
        self.host, port = (
            listening[0]
            if listening
            else (self._server.effective_host, self._server.effective_port)
        )
        self.port = int(port)

    def start(self) -> None:
        """Serve; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Accept no more, let the requests in work be answered, close. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 5)

    def _run(self) -> None:
        poll = self._server.adj.asyncore_use_poll
        while not self._stopping.is_set():
            wasyncore.loop(timeout=0.2, use_poll=poll, map=self._map, count=1)
        self._server.task_dispatcher.shutdown(cancel_pending=False)
        wasyncore.close_all(self._map)


def serve(app: WSGIApplication, web: Web) -> WebServer:
    """A server for the application, listening but not yet started. Raises OSError where the
    address is taken."""
    return WebServer(app, web)
