"""Where providers bring receipts and texts from phones: `/push/CHANNEL/NAME`.

Who may, and how it reads, is the channel's (connectors/web/push.py); here a request is taken
apart and its answer waited for, which comes when everything is durable.

A push that waits for the store keeps its thread. So that clients still get theirs, only so many
of all channels wait at once; the next one is answered 503, and the provider comes again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from connectors.web.push import Pushed, Reply

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Receiver(Protocol):
    """Takes what was pushed to one channel; blocks until it is durable."""

    def pushed(self, name: str, pushed: Pushed) -> Reply: ...


def push_door(receivers: Mapping[str, Receiver], at_once: int) -> WSGIApplication:
    """The application for the receivers of these channels, at most `at_once` pushes at a time."""
    places = threading.BoundedSemaphore(at_once)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if places.acquire(blocking=False):
            try:
                reply = _reply(receivers, environ)
            finally:
                places.release()
        else:
            reply = Reply(503)
        status = HTTPStatus(reply.status)
        headers = [("Content-Type", reply.kind), ("Content-Length", str(len(reply.body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [reply.body]

    return application


def _reply(receivers: Mapping[str, Receiver], environ: WSGIEnvironment) -> Reply:
    channel, _, name = environ.get("PATH_INFO", "").strip("/").partition("/")
    receiver = receivers.get(channel)
    if receiver is None:
        return Reply(404)
    if environ["REQUEST_METHOD"] not in ("GET", "POST", "PUT"):
        return Reply(405)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    return receiver.pushed(
        name,
        Pushed(
            environ.get("REMOTE_ADDR", ""),
            headers,
            environ.get("QUERY_STRING", ""),
            environ["wsgi.input"].read(length),
        ),
    )
