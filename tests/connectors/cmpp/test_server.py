"""The server role, spoken to octet by octet by a client of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.cmpp.auth import server_matches, source_digest
from connectors.cmpp.pdus import (
    CODECS,
    ActiveTest,
    ActiveTestResp,
    Cancel,
    CancelResp,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Frame,
    Submit,
    SubmitResp,
    Terminate,
    TerminateResp,
)
from connectors.simulator import Simulator
from tests.connectors.recorder import ACCOUNT, PASSWORD, PATIENCE_S, carrier, run

VERSION_BYTES = {"2.0": 0x20, "3.0": 0x30}


class Client:
    """One connection that says exactly what the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: str):
        self.reader, self.writer = reader, writer
        self.codecs = CODECS[version]
        self.version = version

    def send(self, *pdus: Frame) -> None:
        for pdu in pdus:
            self.writer.write(self.codecs.encode(pdu))

    async def read(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readexactly(4)
            rest = await self.reader.readexactly(int.from_bytes(head, "big") - 4)
        return self.codecs.decode(head + rest)

    async def ended(self) -> bool:
        """Whether the server closes, sending nothing more."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def login(self, *, secret: str = PASSWORD, version: int = 0) -> ConnectResp:
        digest = source_digest(ACCOUNT.encode(), secret.encode(), 309152315)
        byte = version or VERSION_BYTES[self.version]
        self.send(Connect(77, ACCOUNT.encode(), digest, byte, 309152315))
        answer = await self.read()
        assert isinstance(answer, ConnectResp)
        assert answer.sequence_id == 77
        if answer.status == 0:
            assert server_matches(answer.authenticator_ismg, 0, digest, secret.encode())
        else:
            assert answer.authenticator_ismg == bytes(16)
        return answer


@asynccontextmanager
async def dialled(version: str = "3.0", **options: Any) -> AsyncIterator[tuple[Client, Simulator]]:
    simulator = carrier(**options)
    await simulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        yield Client(reader, writer, version), simulator
    finally:
        writer.close()
        await simulator.stop()


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_login_submit_deliver_and_leave(version: str) -> None:
    async def test() -> None:
        async with dialled(version) as (client, _):
            assert (await client.login()).status == 0
            client.send(
                Submit(5, src_id=b"1069", dest_terminal_id=(b"13800138000",), msg_content=b"\x4e\0")
            )
            answer, report = await client.read(), await client.read()
            assert isinstance(answer, SubmitResp)
            assert (answer.sequence_id, answer.result) == (5, 0)
            assert isinstance(report, Deliver)
            assert report.registered_delivery == 1
            assert report.msg_content[:15] == answer.msg_id + b"DELIVRD"
            assert len(report.msg_content) == (60 if version == "2.0" else 71)
            assert (report.dest_id, report.src_terminal_id) == (b"1069", b"13800138000")
            client.send(DeliverResp(report.sequence_id, report.msg_id), Terminate(6))
            gone = await client.read()
            assert isinstance(gone, TerminateResp)
            assert gone.sequence_id == 6
            assert await client.ended()

    run(test())


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_a_wrong_secret_is_answered_and_the_door_shut(version: str) -> None:
    async def test() -> None:
        async with dialled(version) as (client, simulator):
            assert (await client.login(secret="wrong")).status == 3
            assert await client.ended()
            await simulator.wait_for("close")
            assert simulator.events("login")[0]["result"] == 3

    run(test())


def test_an_unknown_account_and_a_version_from_the_future() -> None:
    async def test() -> None:
        async with dialled(account="999999") as (client, _):
            assert (await client.login()).status == 2
        async with dialled() as (client, _):
            answer = await client.login(version=0x40)
            assert (answer.status, answer.version) == (4, 0x30)
            assert await client.ended()

    run(test())


def test_nothing_but_a_login_comes_first() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            client.send(Submit(1))
            assert await client.ended()
            await simulator.wait_for("close")
            assert simulator.events("close")[0]["reason"] == "the first frame was not a login"
            assert simulator.log.counts["submit"] == 0

    run(test())


def test_a_heartbeat_is_answered_and_one_is_asked_for() -> None:
    async def test() -> None:
        async with dialled(heartbeat_s=0.05) as (client, simulator):
            await client.login()
            asked = await client.read()
            assert isinstance(asked, ActiveTest)
            client.send(ActiveTestResp(asked.sequence_id, None), ActiveTest(9))
            answer = await client.read()
            while isinstance(answer, ActiveTest):
                answer = await client.read()
            assert isinstance(answer, ActiveTestResp)
            assert answer.sequence_id == 9
            await simulator.wait_for("close")
            assert simulator.events("close")[0]["reason"] == "3 heartbeats unanswered"

    run(test())


def test_a_client_that_asks_and_never_reads_is_dropped() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            await client.login()
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]
            question = client.codecs.encode(ActiveTest(1)) * 10_000
            while simulator.sessions and not client.writer.is_closing():
                client.writer.write(question)
                await asyncio.sleep(0)
            await simulator.wait_for("close")
            assert simulator.events("close")[0]["reason"] == "the peer does not read"

    run(test())


def test_cancel_is_declined_and_unknown_commands_are_passed_over() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            await client.login()
            client.writer.write(bytes.fromhex("0000000c0000002200000001"))
            client.send(Cancel(3, b"12345678"))
            answer = await client.read()
            assert isinstance(answer, CancelResp)
            assert (answer.sequence_id, answer.success_id) == (3, 1)
            assert simulator.sessions[0].unknown == 1

    run(test())


def test_a_group_submit_owns_consecutive_ids() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            await client.login()
            people = (b"13800138000", b"13800138001", b"13800138002")
            client.send(Submit(1, dest_terminal_id=people, msg_content=b"\x4e\0"))
            answer = await client.read()
            first = int.from_bytes(answer.msg_id, "big")
            ids = [int.from_bytes((await client.read()).msg_content[:8], "big") for _ in people]
            low = [(first & 0xFFFF) + k & 0xFFFF for k in range(3)]
            assert [i & 0xFFFF for i in ids] == low
            assert [x["destination"].encode() for x in simulator.events("submit")] == list(people)

    run(test())


def test_deliveries_stay_within_the_window_and_come_again() -> None:
    async def test() -> None:
        async with dialled(window=1, response_timeout_s=0.05) as (client, simulator):
            await client.login()
            simulator.send_receipt("00" * 7 + "01")
            simulator.send_receipt("00" * 7 + "02")
            first = await client.read()
            again = await client.read()
            assert first.msg_content[:8] == again.msg_content[:8]
            assert [x["again"] for x in simulator.events("receipt")[:2]] == [0, 1]
            client.send(DeliverResp(again.sequence_id, again.msg_id))
            following = await client.read()
            while following.msg_content[:8] == first.msg_content[:8]:
                client.send(DeliverResp(following.sequence_id, following.msg_id))
                following = await client.read()
            assert following.msg_content[7] == 2

    run(test())


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\x05" + bytes(8), b"\xff" * 12, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_garbage_closes_its_own_connection_only(junk: bytes) -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            await client.login()
            reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
            writer.write(junk)
            assert await Client(reader, writer, "3.0").ended()
            writer.close()
            client.send(ActiveTest(9))
            assert isinstance(await client.read(), ActiveTestResp)

    run(test())
