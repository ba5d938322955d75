"""Slow callers and too many of them at the web server: who has to leave, and who stays."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import cast

import pytest

from adapter.config.model import Web
from adapter.doors.patience import LEAST_RATE, REQUEST_S, Patience
from adapter.doors.web import Serving, Site, WebServer, serve

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
WAIT_S = 20


@pytest.fixture
def server() -> Iterator[Serving]:
    made = serve(Site({}), Web(port=0, threads=2))
    yield made
    made.stop()


def patient(server: Serving, connections: int = 100, later_s: float = 0.0) -> None:
    """Start it with this patience, on a clock that is so much ahead."""
    cast(WebServer, server)._patience = Patience(connections, lambda: time.monotonic() + later_s)
    server.start()


def visit(server: Serving, said: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
    made.sendall(said)
    return made


def answered(connection: socket.socket) -> bool:
    """Whether it gets an answer to a request, rather than being closed."""
    try:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        told = b""
        while not told.endswith(b"Not found\n") and (more := connection.recv(1_000)):
            told += more
    except ConnectionError:
        return False
    return told.startswith(b"HTTP/1.1 404")


def test_a_request_that_does_not_come_is_given_up(server: Serving) -> None:
    patient(server, later_s=REQUEST_S + 1)
    with visit(server, HEAD[:20]) as half_a_head, visit(server, HEAD + b"x") as half_a_body:
        assert half_a_head.recv(1) == b""
        assert half_a_body.recv(1) == b""


def test_one_that_comes_fast_enough_may_take_longer(server: Serving) -> None:
    patient(server, later_s=REQUEST_S + 1)
    with visit(server, HEAD + bytes(2 * LEAST_RATE)) as slow:
        slow.sendall(bytes(100_000 - 2 * LEAST_RATE))
        assert slow.recv(100).startswith(b"HTTP/1.1 404")


def test_who_is_silent_between_requests_is_not_slow(server: Serving) -> None:
    patient(server, later_s=10 * REQUEST_S)
    with visit(server, b"") as idle:
        assert answered(idle)
        assert answered(idle)


def test_the_idlest_leave_when_there_are_too_many(server: Serving) -> None:
    patient(server, connections=20)
    with visit(server, b"") as known:
        assert answered(known)
        crowd = [visit(server, b"GET / HTTP") for _ in range(40)]
        assert crowd[0].recv(1) == b"", "the first of the crowd has left"
        assert answered(known), "the oldest, and one who had a whole request"
        with visit(server, b"") as late:
            assert answered(late)
        for each in crowd:
            each.close()
