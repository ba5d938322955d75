"""The command against a real web server."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from waitress.server import create_server

from adapter.commands.status import show
from adapter.config.model import Web
from adapter.doors.health import HealthDoor
from adapter.metrics import Metrics
from tests.doors.test_health import Node


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=140)


@pytest.fixture
def web(request: pytest.FixtureRequest) -> Iterator[Web]:
    node = Node()
    metrics = Metrics()
    metrics.watch(node)
    server: Any = create_server(HealthDoor(node, metrics.registry).status, port=0, threads=1)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Web(host="0.0.0.0", port=server.effective_port)
    server.close()
    thread.join(10)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_page_for_people(web: Web, console: Console) -> None:
    assert show(web, console) == 0
    text = printed(console)
    for word in ("node-1", "ready", "2:00:00", "mobile-main", "refused", "DOWN", "his", "fold"):
        assert word in text


def test_json_for_scripts(web: Web, console: Console) -> None:
    assert show(web, console, as_json=True) == 0
    assert json.loads(printed(console))["node"] == "node-1"


def test_nobody_there(console: Console) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        web = Web(port=taken.getsockname()[1])
        assert show(web, console) == 1
    assert "no node answers" in printed(console)


def test_somebody_else_there(console: Console) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert show(Web(port=server.getsockname()[1]), console) == 1
        thread.join(10)
