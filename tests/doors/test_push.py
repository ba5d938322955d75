"""Pushes of all providers together leave threads for the clients."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from adapter.doors.push import push_door
from connectors.web.push import Pushed, Reply

PATIENCE_S = 20.0


class Slow:
    """A channel whose store is away: it answers when it is let."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)
        self.let = threading.Event()

    def pushed(self, name: str, pushed: Pushed) -> Reply:
        self.taken.release()
        assert self.let.wait(PATIENCE_S)
        return Reply(200)


def test_at_most_so_many_wait_over_all_channels() -> None:
    slow = Slow()
    door: Any = push_door({"a": slow, "b": slow}, 2)

    def push(channel: str) -> str:
        told: list[str] = []
        environ = {
            "PATH_INFO": f"/{channel}/p",
            "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": "2",
            "wsgi.input": BytesIO(b"{}"),
        }
        list(door(environ, lambda status, _headers: told.append(status)))
        return told[0]

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(push, channel) for channel in "ab"]
        try:
            assert all(slow.taken.acquire(timeout=PATIENCE_S) for _ in waiting)
            # It would wait here for ever, were it let in.
            assert push("a") == "503 Service Unavailable"
        finally:
            slow.let.set()
        assert [each.result() for each in waiting] == ["200 OK", "200 OK"]
    assert push("b") == "200 OK"
