"""Peers that send what they should not, at either end of every protocol: their own link closes
with a reason, the others and the process go on, nothing is kept of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.behaviour import Behaviour
from connectors.dialect import Dialect
from connectors.link import Link
from connectors.pdu_view import VIEWS
from connectors.protocols import CLIENTS
from connectors.sgip.settings import GatewaySettings, SgipSettings
from connectors.simulator import Simulator
from tests.connectors.recorder import (
    PASSWORD,
    PATIENCE_S,
    Recorder,
    carrier,
    eventually,
    run,
    settings,
    text,
)

HOST = "127.0.0.1"
VERSIONS = {"cmpp": "3.0", "sgip": "1.2", "smgp": "3.0", "smpp": "3.4"}
JUNK = {
    "ones": b"\xff" * 64,
    "four-gigabytes": (4_000_000_000).to_bytes(4, "big") + bytes(60),
    "zeros": bytes(64),
    "http": b"GET / HTTP/1.1\r\nHost: sms.example\r\n\r\n",
    "telnet": b"help\r\n\r\nquit\r\n" * 8,
}
REASONS = ("bad frame length", "unreadable frame")
every_protocol = pytest.mark.parametrize("protocol", VERSIONS)


def at_link(protocol: str) -> dict[str, Any]:
    own = SgipSettings(corp="12345") if protocol == "sgip" else None
    return {"protocol": protocol, "version": VERSIONS[protocol], "own": own, "service_id": ""}


@contextlib.asynccontextmanager
async def gateway(protocol: str, **options: Any) -> AsyncIterator[Simulator]:
    own = GatewaySettings(receives=True) if protocol == "sgip" else None
    simulator = carrier(protocol=protocol, own=own, **options)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()


@contextlib.asynccontextmanager
async def client(
    simulator: Simulator, protocol: str, **changes: Any
) -> AsyncIterator[tuple[Link, Recorder]]:
    handler = Recorder()
    link = Link(settings(simulator.port, **at_link(protocol) | changes), handler)
    link.start()
    try:
        await handler.until(lambda: handler.ups > 0)
        yield link, handler
    finally:
        await link.stop(0.1)


async def works(link: Link, handler: Recorder, token: int) -> None:
    link.submit(text(token))
    await handler.until(lambda: token in handler.answered_tokens)


def frame_of(protocol: str, title: str, **values: Any) -> bytes:
    codecs = VIEWS[protocol][VERSIONS[protocol]].codecs.by_command.values()
    codec = next(each for each in codecs if each.pdu.title == title)
    return codec.encode(codec.pdu(**values))


SUBMITS = {"cmpp": "CMPP_SUBMIT", "sgip": "SGIP_SUBMIT", "smgp": "Submit", "smpp": "submit_sm"}
ANSWERS = {
    "cmpp": "CMPP_SUBMIT_RESP", "sgip": "SGIP_SUBMIT_RESP", "smgp": "Submit_Resp",
    "smpp": "submit_sm_resp",
}  # fmt: skip


def cut_short(frame: bytes) -> bytes:
    """A good length over a body that lacks its end."""
    broken = frame[:-3]
    return len(broken).to_bytes(4, "big") + broken[4:]


def unknown(protocol: str) -> bytes:
    size = {"cmpp": 12, "smgp": 12, "smpp": 16, "sgip": 20}[protocol]
    return size.to_bytes(4, "big") + bytes.fromhex("00007777") + bytes(size - 9) + b"\x05"


# The gateway is the bad one.


@every_protocol
@pytest.mark.parametrize("junk", JUNK)
def test_a_gateway_talks_nonsense(protocol: str, junk: str) -> None:
    async def test() -> None:
        async with (
            gateway(protocol) as good,
            gateway(protocol) as bad,
            client(good, protocol) as (link, handler),
            client(bad, protocol) as (other, its),
        ):
            bad.send_raw(JUNK[junk])
            await its.until(lambda: bool(its.downs))
            assert its.downs[0].startswith(REASONS)
            assert other.last_error == its.downs[0]
            await works(link, handler, 1)
            assert not handler.downs
            await its.until(lambda: its.ups == 2)
            await works(other, its, 2)

    run(test())


@pytest.mark.parametrize("protocol", ["cmpp", "sgip", "smgp"])
def test_a_gateway_cuts_a_frame_short(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol) as bad, client(bad, protocol) as (link, handler):
            title = "Deliver" if protocol == "smgp" else f"{protocol.upper()}_DELIVER"
            bad.send_raw(cut_short(frame_of(protocol, title)))
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0].startswith("unreadable frame")
            await handler.until(lambda: handler.ups == 2)
            await works(link, handler, 1)

    run(test())


@every_protocol
def test_a_gateway_stops_inside_a_frame(protocol: str) -> None:
    async def test() -> None:
        changes = {"response_timeout_s": 0.1, "heartbeat_s": 600.0}
        async with gateway(protocol) as bad, client(bad, protocol, **changes) as (_, handler):
            bad.send_raw(frame_of(protocol, SUBMITS[protocol])[:30])
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0] == "half a frame, and then silence"
            await handler.until(lambda: handler.ups == 2)

    run(test())


@every_protocol
def test_unknown_commands_and_answers_to_nothing(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol) as odd, client(odd, protocol) as (link, handler):
            odd.send_raw(unknown(protocol) * 3 + frame_of(protocol, ANSWERS[protocol]) * 2)
            await eventually(lambda: (link.counters.unknown, link.counters.strays) == (3, 2))
            await works(link, handler, 1)
            assert not handler.downs

    run(test())


@pytest.mark.parametrize("protocol", ["cmpp", "smgp"])
def test_a_gateway_whose_authenticator_does_not_fit_is_named(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Gateways compute it in several ways (cmpp.md A5, smgp.md): a warning, no refusal."""

    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readexactly(4)
            login = head + await reader.readexactly(int.from_bytes(head, "big") - 4)
            title = {"cmpp": "CMPP_CONNECT_RESP", "smgp": "Login_Resp"}[protocol]
            answer = bytearray(frame_of(protocol, title))
            answer[8:12] = login[8:12]
            answer[16:32] = b"\xa5" * 16
            writer.write(answer)
            await reader.read(100)
            writer.close()

        server = await asyncio.start_server(serve, HOST, 0)
        handler = Recorder()
        port = server.sockets[0].getsockname()[1]
        link = Link(settings(port, **at_link(protocol)), handler)
        link.start()
        await handler.until(lambda: link.is_up)
        await link.stop(0.1)
        server.close()

    run(test())
    assert "the gateway's authenticator does not fit" in caplog.text
    assert PASSWORD not in caplog.text


# The client is the bad one.


class Stranger:
    """A client by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def says(self, octets: bytes) -> None:
        self._writer.write(octets)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def enters(self, dialect: Dialect) -> None:
        """Logs in, and waits for the answer."""
        await self.says(dialect.login(1))
        head = await self._reader.readexactly(4)
        await self._reader.readexactly(int.from_bytes(head, "big") - 4)

    async def ended(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(1000):
                    pass
            return True

    def leaves(self) -> None:
        self._writer.transport.abort()


async def stranger(simulator: Simulator) -> Stranger:
    return Stranger(*await asyncio.open_connection(HOST, simulator.port))


def dialect(protocol: str, password: str = PASSWORD) -> Dialect:
    return CLIENTS[protocol](settings(1, **at_link(protocol) | {"password": password}))


async def closed_with(simulator: Simulator, *reasons: str) -> None:
    await simulator.wait_for("close", 1)
    assert str(simulator.events("close")[0]["reason"]).startswith(reasons)


@every_protocol
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("junk", JUNK)
def test_a_client_talks_nonsense(protocol: str, junk: str, inside: bool) -> None:
    async def test() -> None:
        async with gateway(protocol) as server, client(server, protocol) as (link, handler):
            bad = await stranger(server)
            if inside:
                await bad.enters(dialect(protocol))
            await bad.says(JUNK[junk])
            assert await bad.ended()
            await closed_with(server, *REASONS, "the first frame was not a login")
            await works(link, handler, 1)
            assert not handler.downs

    run(test())


@pytest.mark.parametrize("protocol", ["cmpp", "sgip", "smgp"])
def test_a_client_cuts_a_frame_short(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol) as server, client(server, protocol) as (link, handler):
            bad = await stranger(server)
            await bad.enters(dialect(protocol))
            await bad.says(cut_short(frame_of(protocol, SUBMITS[protocol])))
            assert await bad.ended()
            await closed_with(server, "unreadable frame")
            await works(link, handler, 1)

    run(test())


def test_smpp_answers_a_frame_cut_short_and_goes_on() -> None:
    """smpp.md: a generic_nack, since the next frame can be found."""

    async def test() -> None:
        async with gateway("smpp") as server, client(server, "smpp") as (link, handler):
            server.send_raw(cut_short(frame_of("smpp", "deliver_sm")))
            await eventually(lambda: link.counters.unknown == 1)
            bad = await stranger(server)
            await bad.enters(dialect("smpp"))
            await bad.says(cut_short(frame_of("smpp", "submit_sm")))
            session = server.sessions[1]
            await eventually(lambda: session.unknown == 1)
            assert session.is_up
            await works(link, handler, 1)
            assert not handler.downs
            bad.leaves()

    run(test())


@every_protocol
def test_a_client_stops_inside_a_frame(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol, response_timeout_s=0.1) as server:
            bad = await stranger(server)
            await bad.enters(dialect(protocol))
            await bad.says(frame_of(protocol, SUBMITS[protocol])[:30])
            assert await bad.ended()
            await closed_with(server, "half a frame, and then silence")

    run(test())


@every_protocol
def test_a_client_on_hold_is_not_read_and_not_thought_dead(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol, response_timeout_s=0.1, heartbeat_s=0.1) as server:
            eager = await stranger(server)
            await eager.enters(dialect(protocol))
            session = server.sessions[0]
            session.hold(True)
            await eager.says(unknown(protocol) * 3 + unknown(protocol)[:6])
            await asyncio.sleep(1.0)
            assert session.is_up
            assert session.unknown == 0
            session.hold(False)
            await eager.says(unknown(protocol)[6:])
            await eventually(lambda: session.unknown == 4)
            eager.leaves()

    run(test())


@every_protocol
def test_a_client_sends_unknown_commands_and_answers_to_nothing(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol) as server:
            odd = await stranger(server)
            await odd.enters(dialect(protocol))
            await odd.says(unknown(protocol) * 3 + frame_of(protocol, ANSWERS[protocol]) * 2)
            session = server.sessions[0]
            await eventually(lambda: session.unknown >= 3)
            assert session.is_up
            odd.leaves()

    run(test())


@every_protocol
def test_a_wrong_secret_is_answered_and_the_connection_closed(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol) as server, client(server, protocol) as (link, handler):
            bad = await stranger(server)
            await bad.enters(dialect(protocol, "wrong"))
            assert await bad.ended()
            await closed_with(server, "login refused")
            assert [line["result"] == 0 for line in server.events("login")] == [True, False]
            await works(link, handler, 1)

    run(test())


@every_protocol
def test_a_thousand_connections_come_and_go(protocol: str) -> None:
    """Some say nothing, some half a login, some nonsense; a good link works meanwhile."""

    async def test() -> None:
        async with gateway(protocol) as server, client(server, protocol) as (link, handler):
            login = dialect(protocol).login(1)
            sayings = (b"", login[:20], JUNK["http"], login)
            for wave in range(20):
                callers = await asyncio.gather(*(stranger(server) for _ in range(50)))
                for number, caller in enumerate(callers):
                    await caller.says(sayings[number % 4])
                await works(link, handler, wave)
                for caller in callers:
                    caller.leaves()
            await server.wait_for("close", 1_000)
            await eventually(lambda: len(server.sessions) == 1)
            assert len(server._connections) == 1
            assert not handler.downs

    run(test())


@every_protocol
def test_a_frame_that_drips_is_held_once(protocol: str) -> None:
    async def test() -> None:
        async with gateway(protocol, behaviour=Behaviour(receipts=False)) as server:
            slow = await stranger(server)
            await slow.enters(dialect(protocol))
            session = server.sessions[0]
            largest = session._frame_limit
            await slow.says(largest.to_bytes(4, "big") + unknown(protocol)[4:])
            for _ in range(largest // 1000):
                await slow.says(bytes(900))
                assert len(session._rest) <= largest
            assert session.is_up
            slow.leaves()

    run(test())
