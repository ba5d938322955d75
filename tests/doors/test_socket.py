"""The socket door over the real intake and store: frames, logins, requests, limits."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from adapter.config.model import Socket
from adapter.contract import NS
from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door
from adapter.doors import socket as socket_door
from adapter.doors.porch import Porch
from adapter.doors.socket import SocketDoor
from adapter.files import published
from adapter.notify.feeds import Feeds
from adapter.security.tries import WrongTries
from connectors.tls import client_context
from tests.certificates import Authority, Pair
from tests.doors.conftest import PASSWORD, Node, describe, open_node, send
from tests.doors.wire import SocketClient, name, text, texts
from tests.nodes import until

PING = f'<Ping xmlns="{NS}"/>'


class House:
    """The door on its porch."""

    def __init__(self, node: Node, settings: Socket) -> None:
        self.feeds = Feeds(node.engine, node.desk.acknowledge, describe)
        self.doors: list[SocketDoor] = []

        def make() -> list[SocketDoor]:
            self.doors.append(SocketDoor(node.exchange, self.feeds, settings))
            return self.doors

        self.porch = Porch(self.feeds, make)

    @property
    def door(self) -> SocketDoor:
        return self.doors[0]

    def visit(self, tls: ssl.SSLContext | None = None) -> SocketClient:
        return SocketClient(self.door.port, tls)

    def enter(self, account: str = "his", more: str = "") -> SocketClient:
        """A client that has logged in."""
        client = self.visit()
        assert name(client.log_in(account, PASSWORD, more)) == "LoginResponse"
        return client


@contextmanager
def opened(node: Node, **settings: object) -> Iterator[House]:
    house = House(node, Socket(**{"port": 0, **settings}))  # type: ignore[arg-type]
    house.porch.start()
    try:
        yield house
    finally:
        house.porch.stop()


@pytest.fixture
def house(node: Node) -> Iterator[House]:
    with opened(node) as found:
        yield found


@pytest.fixture(scope="module")
def shared_house(shared: Node) -> Iterator[House]:
    """One door for all tests that leave nothing behind."""
    with opened(shared) as found:
        yield found


@pytest.fixture(autouse=True)
def _quick_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_door, "WRONG_S", 0.05)


def identified(document: str, mark: str) -> str:
    return document.replace(f'xmlns="{NS}"', f'xmlns="{NS}" id="{mark}"', 1)


def test_a_text_is_sent_and_asked_for(house: House, node: Node) -> None:
    with house.enter() as client:
        reply = client.ask(send())
        assert (name(reply), text(reply, "code")) == ("SendResponse", "OK")
        assert len(node.arrived) == 1
        asked = client.ask(
            f'<Query xmlns="{NS}"><request><submissionId>{text(reply, "submissionId")}'
            "</submissionId></request></Query>"
        )
        assert text(asked, "state") == "QUEUED"


@pytest.mark.parametrize(
    "operation", ["Ping", "GetAccount", "FetchReceipts", "FetchInbound", "Cancel", "AckInbound"]
)
def test_every_operation_has_an_answer(shared_house: House, operation: str) -> None:
    body = {
        "Cancel": "<request><businessKey>k</businessKey></request>",
        "AckInbound": "<request><inboundIds><InboundId>1</InboundId></inboundIds></request>",
    }.get(operation, "" if operation in ("Ping", "GetAccount") else "<request/>")
    with shared_house.enter() as client:
        reply = client.ask(f'<{operation} xmlns="{NS}" id="n">{body}</{operation}>')
        assert (name(reply), reply.get("id")) == (f"{operation}Response", "n")


def test_requests_without_id_are_answered_in_order(shared_house: House) -> None:
    with shared_house.enter() as client:
        for number in range(40):
            client.write(send(mobile=f"138001380{number:02}"))
        assert [text(client.read(), "mobile") for _ in range(40)] == [
            f"138001380{number:02}" for number in range(40)
        ]


def test_requests_with_id_are_answered_with_it(house: House, node: Node) -> None:
    with house.enter() as client:
        for number in range(100):
            client.write(identified(send(mobile=f"138001380{number:02}"), str(number)))
        replies = [client.read() for _ in range(100)]
        assert {(each.get("id"), text(each, "mobile")) for each in replies} == {
            (str(number), f"138001380{number:02}") for number in range(100)
        }
        assert len(node.arrived) == 100


def test_a_repeated_reference_gets_the_first_answer(house: House, node: Node) -> None:
    with house.enter() as client:
        replies = [client.ask(send(more="<clientRef>r1</clientRef>")) for _ in range(2)]
        assert len({text(each, "submissionId") for each in replies}) == 1
        assert len(node.arrived) == 1


def test_texts_are_pushed_until_they_are_acknowledged(house: House, node: Node) -> None:
    node.receive("13800138000", "第一条")
    with house.enter(more="<inbound>true</inbound>") as client:
        first = client.read()
        assert (name(first), texts(first, "content")) == ("Push", ["第一条"])
        # Gone without an answer.
    with house.enter(more="<inbound>true</inbound>") as client:
        again = client.read()
        assert text(again, "inboundId") == text(first, "inboundId")
        client.acknowledge(again)
        until(lambda: not node.desk.fetch_inbound("his", 10))
        node.receive("13800138000", "第二条")
        house.feeds.tell(node.desk.fetch_inbound("his", 10))
        assert texts(client.read(), "content") == ["第二条"]


def test_frames_are_as_the_published_schema_says(house: House, node: Node) -> None:
    schema = etree.XMLSchema(file=str(published("xsd/socket.xsd")))
    node.receive("13800138000", "第一条")
    login = (
        f'<Login xmlns="{NS}" id="l"><account>his</account><password>{PASSWORD}</password>'
        "<inbound>true</inbound></Login>"
    )
    with house.visit() as client:
        answer = client.ask(login)
        push = client.read()
        for each in (etree.fromstring(login), answer, push):
            schema.assertValid(each)
        schema.assertValid(etree.fromstring(f'<Ack xmlns="{NS}" id="{push.get("id")}"/>'))


def test_nothing_is_pushed_to_who_did_not_ask(house: House, node: Node) -> None:
    node.receive("13800138000", "你好")
    with house.enter() as client:
        house.feeds.tell(node.desk.fetch_inbound("his", 10))
        assert name(client.ask(PING)) == "PingResponse"
        assert len(node.desk.fetch_inbound("his", 10)) == 1


def test_many_texts_come_in_frames_of_a_hundred_and_within_the_window(
    house: House, node: Node
) -> None:
    for number in range(550):
        node.receive("13800138000", f"text {number}")
    with house.enter(more="<inbound>true</inbound>") as client:
        frames = [client.read() for _ in range(socket_door.PUSH_WINDOW)]
        # A fifth frame would come before this answer.
        assert name(client.ask(PING)) == "PingResponse"
        for each in frames:
            client.acknowledge(each)
        found = [content for each in frames for content in texts(each, "content")]
        while len(found) < 550:
            more = client.read()
            client.acknowledge(more)
            found += texts(more, "content")
        assert found == [f"text {number}" for number in range(550)]
        until(lambda: not node.desk.fetch_inbound("his", 10))


def test_a_push_that_is_not_acknowledged_ends_the_connection(node: Node) -> None:
    node.receive("13800138000", "你好")
    with opened(node, answer_s=0.3) as house:
        with house.enter(more="<inbound>true</inbound>") as client:
            assert name(client.read()) == "Push"
            assert "acknowledged" in (text(client.read(), "description") or "")
            assert client.ended()
        assert len(node.desk.fetch_inbound("his", 10)) == 1


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (f'<Login xmlns="{NS}"><account>his</account><password>x</password></Login>', "AUTH"),
        (f'<Login xmlns="{NS}"><account>who</account><password>x</password></Login>', "AUTH"),
        (f'<Login xmlns="{NS}"/>', "AUTH"),
        (PING, "AUTH"),
        (send(), "AUTH"),
        (f'<Login xmlns="{NS}"><account>his</account><pin>1</pin></Login>', "BAD_REQUEST"),
        ("garbage", "BAD_REQUEST"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Login>&b;</Login>', "BAD_REQUEST"),
    ],
)
def test_without_a_good_login_nobody_comes_in(shared_house: House, first: str, code: str) -> None:
    with shared_house.visit() as client:
        reply = client.ask(first)
        assert name(reply) == "ExchangeFault"
        assert (text(reply, "code") or "").startswith(code)
        assert client.ended()


def test_a_wrong_password_is_answered_late(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_door, "WRONG_S", 0.3)
    with house.visit() as client:
        started = time.monotonic()
        client.log_in("his", "wrong")
        assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("length", [0, 8_001, 2**32 - 1])
def test_an_unbelievable_length_ends_the_connection(shared_house: House, length: int) -> None:
    with shared_house.visit() as client:
        client.socket.sendall(length.to_bytes(4, "big"))
        assert text(client.read(), "code") == "BAD_REQUEST"
        assert client.ended()


def test_a_frame_beyond_the_limit_ends_the_connection(node: Node) -> None:
    with opened(node, max_frame=10_000) as house, house.enter() as client:
        client.socket.sendall((10_001).to_bytes(4, "big"))
        assert "10001 octets" in (text(client.read(), "description") or "")
        assert client.ended()


@pytest.mark.parametrize(
    "document",
    [
        "garbage",
        "<a>",
        "<Nothing/>",
        f'<Nothing xmlns="{NS}"/>',
        f'<Exchange xmlns="{NS}"/>',
        f'<Login xmlns="{NS}"><account>his</account></Login>',
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "<a>" * 2_000 + "</a>" * 2_000,
        f'<Send xmlns="{NS}"><request><nonsense/></request></Send>',
        "\x00",
        f'<Ping xmlns="{NS}" id="{"x" * 65}"/>',
    ],
)
def test_a_frame_that_cannot_be_read_is_answered_and_the_connection_stays(
    shared_house: House, document: str
) -> None:
    with shared_house.enter() as client:
        reply = client.ask(document)
        assert (name(reply), text(reply, "code")) == ("ExchangeFault", "BAD_REQUEST")
        assert name(client.ask(PING)) == "PingResponse"


def test_half_frames_and_single_octets_are_put_together(shared_house: House) -> None:
    with shared_house.enter() as client:
        octets = PING.encode()
        for octet in len(octets).to_bytes(4, "big") + octets:
            client.socket.sendall(bytes((octet,)))
        assert name(client.read()) == "PingResponse"


def test_a_slow_loris_is_closed(node: Node) -> None:
    with opened(node, login_s=0.2, idle_s=0.3) as house:
        with house.visit() as client:
            client.socket.sendall(b"\x00")
            assert "no login" in (text(client.read(), "description") or "")
        with house.enter() as client:
            client.socket.sendall(b"\x00\x00\x01\x00<Pi")
            assert "idle" in (text(client.read(), "description") or "")
            assert client.ended()


def test_connections_are_limited_in_all_and_for_each_client(node: Node) -> None:
    with opened(node, connections=3, connections_per_client=2) as house:
        held = [house.enter(), house.enter()]
        with house.visit() as third:
            assert text(third.log_in("his", PASSWORD), "code") == "RATE_LIMITED"
        until(lambda: len(house.door.visitors) == 2)
        held.append(house.enter("lis"))
        with house.visit() as fourth:
            assert text(fourth.read(), "description") == "too many connections"
        for each in held:
            each.socket.close()
        until(lambda: house.door.doorman.connections == 0)
        house.enter().socket.close()


def test_a_thousand_connects_leave_others_served(node: Node) -> None:
    with opened(node, connections=50) as house, house.enter() as client:
        crowd = [socket.create_connection(("127.0.0.1", house.door.port)) for _ in range(400)]
        assert name(client.ask(PING)) == "PingResponse"
        for each in crowd:
            each.close()
        until(lambda: house.door.doorman.connections == 1)


def test_a_client_that_does_not_read_is_not_read_from_and_closed(node: Node) -> None:
    for number in range(400):
        node.receive("13800138000", "好" * 300 + str(number))
    fetch = f'<FetchInbound xmlns="{NS}"><request><max>400</max></request></FetchInbound>'
    with opened(node, answer_s=0.5, window=4) as house, house.enter() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.socket.settimeout(0.5)
        frame = len(fetch).to_bytes(4, "big") + fetch.encode()
        with suppress(OSError):
            for _ in range(20_000):
                client.socket.sendall(frame)
        until(lambda: not house.door.visitors)


def test_by_tls_with_a_certificate_of_the_client(node: Node, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    pair, theirs = ours.sign("door", "localhost"), ours.sign("client")
    files = {"tls_certificate": pair.certificate, "tls_key": pair.key, "tls_ca": ours.ca}
    with opened(node, **files) as house:
        context = client_context(ours.ca, theirs.certificate, theirs.key)
        with house.visit(context) as client:
            assert name(client.log_in("his", PASSWORD)) == "LoginResponse"
        with suppress(ssl.SSLError, ConnectionError), house.visit(client_context(ours.ca)) as bare:
            assert bare.ended()
        assert house.door.doorman.connections <= 1


def test_a_renewed_certificate_is_taken_up_without_a_restart(node: Node, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    first, second = ours.sign("first", "localhost"), ours.sign("second", "localhost")
    files = {"tls_certificate": first.certificate, "tls_key": first.key}
    with opened(node, **files) as house:

        def subject() -> str:
            with house.visit(client_context(ours.ca)) as client:
                assert name(client.log_in("his", PASSWORD)) == "LoginResponse"
                assert isinstance(client.socket, ssl.SSLSocket)
                return str(client.socket.getpeercert())

        with house.visit(client_context(ours.ca)) as stays:
            stays.log_in("his", PASSWORD)
            assert "first" in subject()
            shutil.copy(second.key, first.key)
            shutil.copy(second.certificate, first.certificate)
            assert "second" in subject()
            assert name(stays.ask(PING)) == "PingResponse"
            Path(first.certificate).write_text("half a certi")
            assert "second" in subject()


def test_a_certificate_may_be_needed_beside_the_password(tmp_path: Path, client: Client) -> None:
    ours = Authority(tmp_path)
    door, his, other = (ours.sign(each, "localhost") for each in ("door", "his", "other"))
    both = WayIn((ProofKind.PASSWORD, ProofKind.CERTIFICATE), (Door.SOCKET,))
    known = replace(client, certificates=(Certificate(subject="CN=his"),), entries=(both,))
    files = {"tls_certificate": door.certificate, "tls_key": door.key, "tls_ca": ours.ca}
    with open_node(tmp_path, known) as node, opened(node, **files) as house:

        def answer(pair: Pair, account: str, password: str) -> str | None:
            with house.visit(client_context(ours.ca, pair.certificate, pair.key)) as visitor:
                told = visitor.log_in(account, password)
                return text(told, "code") or name(told)

        assert answer(his, "his", PASSWORD) == "LoginResponse"
        assert answer(other, "his", PASSWORD) == "CERT_DENIED"
        assert answer(his, "his", "wrong") == "CERT_DENIED"
        assert answer(his, "his", "") == "AUTH_FAILED", "the password is missing"
        assert answer(his, "lis", PASSWORD) == "LoginResponse", "a client without certificates"


def test_a_certificate_alone_tells_whose_it_is(tmp_path: Path, client: Client) -> None:
    ours = Authority(tmp_path)
    door, his = ours.sign("door", "localhost"), ours.sign("his")
    known = replace(client, certificates=(Certificate(subject="CN=his"),))
    files = {"tls_certificate": door.certificate, "tls_key": door.key, "tls_ca": ours.ca}
    context = client_context(ours.ca, his.certificate, his.key)
    with (
        open_node(tmp_path, known) as node,
        opened(node, **files) as house,
        house.visit(context) as visitor,
    ):
        assert name(visitor.ask(f'<Login xmlns="{NS}"/>')) == "LoginResponse"
        told = visitor.ask(f'<GetAccount xmlns="{NS}"/>')
        assert text(told, "account") == "his"


def test_wrong_tries_from_its_address_do_not_stop_a_session_that_stands(
    tmp_path: Path, client: Client
) -> None:
    with (
        open_node(tmp_path, client, tries=WrongTries(most=4)) as node,
        opened(node) as house,
        house.enter() as inside,
    ):
        for _ in range(4):
            with house.visit() as guessing:
                guessing.log_in("his", "wrong")
        with house.visit() as late:
            assert text(late.log_in("his", PASSWORD), "code") == "RATE_LIMITED"
        assert text(inside.ask(send()), "code") == "OK"


def test_what_is_in_work_is_answered_when_the_door_closes(node: Node) -> None:
    with opened(node) as house:
        client = house.enter()
        client.write(identified(send(), "last"))
        until(lambda: node.arrived)
        house.porch.stop()
        assert client.read().get("id") == "last"
        assert client.ended()
        client.socket.close()
