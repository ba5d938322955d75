"""The command against a real web server."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from waitress.server import create_server

from adapter.commands.frames import show as show_frames
from adapter.commands.status import page, show
from adapter.config.model import Web
from adapter.domain.states import Lane
from adapter.domain.status import (
    ChannelStatus,
    JobStatus,
    LinkStatus,
    QueueStatus,
    SourceStatus,
)
from adapter.doors.health import HealthDoor, document
from adapter.metrics import Metrics
from tests.doors.test_health import AT, STATUS, Node

ZONE = ZoneInfo("Asia/Shanghai")


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
    assert show(web, ZONE, console) == 0
    text = printed(console)
    for word in ("node-1", "ready", "2:00:00", "mobile-main", "refused", "DOWN", "his", "fold"):
        assert word in text


def test_json_for_scripts(web: Web, console: Console) -> None:
    assert show(web, ZONE, console, as_json=True) == 0
    assert json.loads(printed(console))["node"] == "node-1"


def test_frames_for_people(web: Web, console: Console) -> None:
    assert show_frames(web, "", ZONE, console) == 0
    text = printed(console)
    assert "16:00:00.000  mobile-main-1 --> CMPP_CONNECT 39 octets Version=48" in text
    assert "<-- CMPP_SUBMIT 33 octets cannot be read: needs 8 octets" in text
    assert "<-! cut bad frame length 7 40 octets" in text
    assert 'nothing is kept: write trace="200" on its <channel>' in text


def test_frames_of_one_channel_for_scripts(web: Web, console: Console) -> None:
    assert show_frames(web, "unicom", ZONE, console, as_json=True) == 0
    (channel,) = json.loads(printed(console))["channels"]
    assert (channel["name"], channel["frames"]) == ("unicom", [])


def test_frames_of_no_channel(web: Web, console: Console) -> None:
    assert show_frames(web, "nobody", ZONE, console) == 1
    assert "there is no channel 'nobody'" in printed(console)


def test_nobody_there(console: Console) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        web = Web(port=taken.getsockname()[1])
        assert show(web, ZONE, console) == 1
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
        assert show(Web(port=server.getsockname()[1]), ZONE, console) == 1
        thread.join(10)


def test_eighty_columns_cut_no_figure() -> None:
    links = [
        LinkStatus(1, True, AT, 31, 32, configured=32, reconnects=12, last_error="closed by peer"),
        LinkStatus(2, True, AT, 1, 1, configured=32, reconnects=1_234),
        LinkStatus(4, True, AT, submits=False),
        LinkStatus(3, False, AT - timedelta(days=3), reason="login refused: 3", configured=32),
    ]
    status = replace(
        STATUS,
        channels=[
            ChannelStatus("china-mobile-main", "cmpp 3.0", True, 1000.0, links, throttled=True),
            ChannelStatus("spare", "cmpp 2.0", False, 100.0),
        ],
        queues=[QueueStatus(Lane.BULK, 999_999, 86_399.0)],
        jobs=[JobStatus("fold", AT, 0.002, 123_456, 7, "OperationalError")],
        sources=[
            SourceStatus(
                "his",
                False,
                AT,
                12.5,
                20_000,
                3_600.0,
                "no connection " * 9,
                refused_writes=1_200,
                refusal="CheckViolation 23514",
            )
        ],
        counters={"SUBMITTED": 12_345_678},
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(page(document(status), ZONE))
    text = printed(console)
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for word in (
        "2026-03-01 16:00:00",
        "02-26 16:00",
        "31/32",
        "1/1 of 32",
        "receives",
        "1234",
        "link 1 was down: closed by peer",
        "link 3: login refused: 3",
        "999,999",
        "23:59:59",
        "12,345,678",
        "123456",
        "fold: OperationalError",
        "20,000",
        "1:00:00",
        "refused 1,200 results for ever",
        "off",
    ):
        assert word in text, word
    assert " ".join(text.split()).count("no connection") == 9
