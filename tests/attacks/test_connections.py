"""Connections that drip, break off in the middle or come by the thousand: others are served, and
nothing of them gets in."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from connectors.cmpp.auth import source_digest
from connectors.cmpp.pdus import CODECS, Connect, Submit
from tests.attacks.conftest import under_attack
from tests.contract.conftest import CMPP_SECRET, PASSWORD, House, who
from tests.contract.gateway import CmppClient
from tests.doors.wire import SocketClient, name
from tests.nodes import HOST, until

CROWD = 1_200
"""More than any door takes."""
CONNECTS = 10_000

HTTP_HEAD = b"POST /api/json/Send HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
SEND = (
    '<Send xmlns="urn:his-sms:exchange:1"><request><content>x</content><recipients><Recipient>'
    "<mobile>13400000000</mobile></Recipient></recipients></request></Send>"
)
LOGIN = (
    '<Login xmlns="urn:his-sms:exchange:1"><account>all</account>'
    f"<password>{PASSWORD}</password></Login>"
)
CODEC = CODECS["3.0"]
CONNECT = CODEC.encode(
    Connect(1, b"all", source_digest(b"all", CMPP_SECRET.encode(), 101000000), 0x30, 101000000)
)
SUBMIT = CODEC.encode(Submit(2, dest_terminal_id=(b"13400000000",), msg_content=b"x", msg_fmt=0))


def framed(document: str) -> bytes:
    octets = document.encode()
    return len(octets).to_bytes(4, "big") + octets


def doors(house: House) -> dict[str, int]:
    return {"web": house.web_port, "socket": house.socket_port, "cmpp": house.cmpp_port}


DRIPS = {
    "web": (HTTP_HEAD, b"X: y\r\n"),
    "web body": (HTTP_HEAD + b"\r\n", b"{"),
    "socket": (framed(LOGIN)[:20], b" "),
    "cmpp": (CONNECT[:6], b"\0"),
}
"""What each slow caller begins with, and goes on with, by door."""


@pytest.mark.parametrize("kind", DRIPS)
def test_slow_loris(house: House, kind: str) -> None:
    """A request that comes octet by octet over more connections than the door takes."""
    port = doors(house)[kind.partition(" ")[0]]
    begin, more = DRIPS[kind]
    with under_attack(house) as others, ExitStack() as crowd:
        slow: list[socket.socket] = []
        for _ in range(CROWD):
            with suppress(OSError):
                slow.append(crowd.enter_context(socket.create_connection((HOST, port), 5)))
                slow[-1].sendall(begin)
        for _ in range(3):
            others.served()
            for each in slow:
                with suppress(OSError):
                    each.sendall(more)


def test_slow_loris_behind_a_login(house: House) -> None:
    """Whoever is let in may drip no more than a stranger: the connections of one client are few,
    and its frames count only when they are whole."""
    with under_attack(house) as others, ExitStack() as crowd:
        for _ in range(2):
            client = crowd.enter_context(SocketClient(house.socket_port))
            assert name(client.log_in("single", PASSWORD)) == "LoginResponse"
            client.socket.sendall(framed(SEND)[:50])
            gateway = crowd.enter_context(CmppClient(house.cmpp_port, "single", CMPP_SECRET))
            gateway.socket.sendall(SUBMIT[:50])
        others.served()


HALVES = {
    "half a head": ("web", HTTP_HEAD[:30]),
    "half a body": ("web", HTTP_HEAD + b"\r\n" + b'{"content"'),
    "chunks without an end": (
        "web",
        HTTP_HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"\r\n5\r\n{",
    ),
    "half a length": ("socket", b"\0\0"),
    "half a login": ("socket", framed(LOGIN)[:-5]),
    "half a request": ("socket", framed(LOGIN) + framed(SEND)[:-1]),
    "half a CONNECT": ("cmpp", CONNECT[:-1]),
    "half a submit": ("cmpp", CONNECT + SUBMIT[:-1]),
    "a frame of 4 GB": ("socket", b"\xff\xff\xff\xff" + bytes(100)),
    "a frame of nothing": ("socket", bytes(40)),
    "a PDU of 4 GB": ("cmpp", b"\xff\xff\xff\xff" + bytes(100)),
    "a PDU of nothing": ("cmpp", bytes(40)),
    "another protocol at the socket": ("socket", HTTP_HEAD + b"\r\n"),
    "another protocol at CMPP": ("cmpp", framed(LOGIN)),
    "another protocol at the web": ("web", CONNECT + SUBMIT + b"\r\n\r\n"),
}


def let_go(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    """Gone with an RST, as a process that was killed or a firewall that forgot."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("kind", HALVES)
def test_half_frames(house: House, kind: str) -> None:
    """Begun and broken off, many times: nothing of it is executed."""
    door, octets = HALVES[kind]
    with under_attack(house):
        for end in (let_go, reset) * 10:
            connection = socket.create_connection((HOST, doors(house)[door]), 10)
            with suppress(OSError):
                connection.sendall(octets)
            end(connection)


def test_a_request_whose_caller_is_gone_before_the_answer(house: House) -> None:
    """It was whole, so it may be accepted: once, and its repetition gets the first answer."""
    asked = SEND.replace("<content>", "<clientRef>gone</clientRef><content>").replace(
        "13400000000", "13400000050"
    )
    for _ in range(5):
        connection = socket.create_connection((HOST, house.socket_port), 10)
        connection.sendall(framed(LOGIN) + framed(asked))
        reset(connection)
    told = house.doors["xml"].post(who("all"), "Send", asked.encode())
    assert told.result["code"] == "OK"
    until(house.node.at_rest)
    sent = [each for each in house.carrier.taken() if each["destination"] == "13400000050"]
    assert len(sent) == 1


@contextmanager
def held(port: int, count: int) -> Iterator[int]:
    """So many connections that say nothing; how many the system gave us."""
    with ExitStack() as crowd:
        made = 0
        for _ in range(count):
            with suppress(OSError):
                crowd.enter_context(socket.create_connection((HOST, port), 5))
                made += 1
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("door", ["web", "socket", "cmpp"])
def test_ten_thousand_connects(house: House, door: str) -> None:
    port = doors(house)[door]
    with under_attack(house) as others, held(port, CONNECTS) as made:
        assert made > CROWD
        others.served()
    with CmppClient(house.cmpp_port, "single", CMPP_SECRET) as gateway:
        assert gateway.status == 0
