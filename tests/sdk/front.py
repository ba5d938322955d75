"""A bad network between a client and the node: an HTTP proxy with moods.

    with Front(node.url) as front:
        front.moods.extend([Mood.LOSE_ANSWER, Mood.BUSY])    for the next requests that send
        ...
        front.seen                                           every request as it came

Requests without a mood pass, and so does every operation that does not send, unless it `is_away`.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
_SENDING = (b"Send", b"SendBatch", b"SendText", b"Exchange")
_REF = re.compile(rb'clientRef(?:":"|>)([^"<]+)')
_JSON = ("application/json", b'{"code": "SPOOL_FULL", "description": "as many wait as may"}')
_XML = (
    "text/xml",
    b'<ExchangeFault xmlns="urn:his-sms:exchange:1"><code>SPOOL_FULL</code></ExchangeFault>',
)


class Mood(Enum):
    PASS = auto()
    LOSE_ANSWER = auto()
    """The node does it, the caller never hears of it."""
    BREAK = auto()
    """The connection ends before the node hears anything."""
    BUSY = auto()
    """503 in the node's words, come again in no time."""
    GATEWAY = auto()
    """502 in the words of something in between."""
    WELCOME = auto()
    """200 and a page: somebody else's web server."""


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def sends(self) -> bool:
        return any(b"<" + name in self.body for name in _SENDING) or "/Send" in self.path

    @property
    def client_ref(self) -> str:
        """As it stands in a JSON or an XML body; empty without."""
        found = _REF.search(self.body)
        return found[1].decode() if found else ""

    def json(self) -> Any:
        return json.loads(self.body)


class Front:
    """A context; `url` is what a client is given."""

    def __init__(self, url: str) -> None:
        self.moods: deque[Mood] = deque()
        self.seen: list[Seen] = []
        self.is_away = False
        split = urlsplit(url)
        self._node = (split.hostname or HOST, split.port or 80)
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                front._serve(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://{HOST}:{self._server.server_address[1]}"

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
        self._thread.join()
        self._server.server_close()

    def sent(self) -> list[Seen]:
        """The requests that send."""
        return [each for each in self.seen if each.sends]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        seen = Seen(handler.path, dict(handler.headers), body)
        self.seen.append(seen)
        mood = self.moods.popleft() if self.moods and seen.sends else Mood.PASS
        if self.is_away:
            mood = Mood.GATEWAY
        if mood in (Mood.LOSE_ANSWER, Mood.PASS):
            answer = self._ask(handler.command, seen)
        if mood in (Mood.LOSE_ANSWER, Mood.BREAK):
            handler.close_connection = True
        elif mood is Mood.PASS:
            _answer(handler, *answer)
        elif mood is Mood.BUSY:
            kind = handler.headers.get("Content-Type", "")
            form, body = _XML if "xml" in kind else _JSON
            _answer(handler, 503, {"Retry-After": "0", "Content-Type": form}, body)
        elif mood is Mood.GATEWAY:
            _answer(handler, 502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")
        else:
            _answer(handler, 200, {"Content-Type": "text/html"}, b"<h1>Welcome to nginx!</h1>")

    def _ask(self, method: str, seen: Seen) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(*self._node, timeout=30)
        try:
            connection.request(method, seen.path, seen.body, dict(seen.headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()


def _answer(
    handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        if name in ("Content-Type", "Retry-After", "WWW-Authenticate"):
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
