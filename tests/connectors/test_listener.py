"""A listener in bad company: wrong credentials, strangers, silence, garbage, too many."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.listener import Listener, ListenerSettings
from connectors.sgip.pdus import CODECS, Bind, Deliver, Report, Unbind
from connectors.trace import Trace
from connectors.trace_view import shown
from connectors.values import Inbound
from connectors.values import Report as ReportValue
from tests.connectors.recorder import eventually, run
from tests.connectors.vectors import named

V = CODECS["1.2"]
BIND = V.encode(Bind(bytes(12), 2, b"smgcli", b"smgpass"))


class Taken(list[Any]):
    """Everything delivered; acknowledged at once."""

    def deliver(self, item: ReportValue | Inbound, ack: Any) -> None:
        self.append(item)
        ack()


class Caller:
    """A gateway's connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def say(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def hear(self) -> Any:
        size = await self._reader.readexactly(4)
        return V.decode(size + await self._reader.readexactly(int.from_bytes(size, "big") - 4))

    async def ended(self) -> bool:
        with contextlib.suppress(ConnectionError):
            return await self._reader.read() == b""
        return True


@contextlib.asynccontextmanager
async def listening(**changes: Any) -> AsyncIterator[tuple[Listener, Taken]]:
    values: dict[str, Any] = {
        "protocol": "sgip", "host": "127.0.0.1", "port": 0,
        "account": "smgcli", "password": "smgpass",
    }  # fmt: skip
    taken = Taken()
    listener = Listener(ListenerSettings(**(values | changes)), taken.deliver)
    await listener.open()
    try:
        yield listener, taken
    finally:
        await listener.stop()


async def call(listener: Listener) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", listener.port))


def test_a_login_and_a_few_deliveries() -> None:
    async def test() -> None:
        async with listening() as (listener, taken):
            caller = await call(listener)
            await caller.say(BIND)
            assert (await caller.hear()).result == 0
            assert listener.connected == 1
            report = bytes.fromhex(named("sgip_report_success")["hex"])
            text = bytes.fromhex(named("sgip_deliver_mo_ucs2")["hex"])
            user = bytes.fromhex(named("sgip_userrpt")["hex"])
            await caller.say(report[:30])
            await caller.say(report[30:] + text + user)
            titles = [(await caller.hear()).title for _ in range(3)]
            assert titles == ["SGIP_REPORT_RESP", "SGIP_DELIVER_RESP", "SGIP_USERRPT_RESP"]
            assert len(taken) == 2
            await caller.say(V.encode(Unbind()))
            assert (await caller.hear()).title == "SGIP_UNBIND_RESP"
            assert await caller.ended()
            await eventually(lambda: listener.connected == 0)
            counters = listener.counters
            assert (counters.accepted, counters.reports, counters.inbound) == (1, 1, 1)

    run(test())


@pytest.mark.parametrize(("name", "secret"), [(b"smgcli", b"no"), (b"no", b"smgpass"), (b"", b"")])
def test_wrong_credentials_end_the_connection(name: bytes, secret: bytes) -> None:
    async def test() -> None:
        async with listening() as (listener, taken):
            caller = await call(listener)
            deliver = V.encode(Deliver(message_content=b"x"))
            await caller.say(V.encode(Bind(bytes(12), 2, name, secret)), deliver)
            assert (await caller.hear()).result == 1
            assert await caller.ended()
            assert not taken
            assert listener.counters.refused == 1

    run(test())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xff\xff\xff" + bytes(40),
        bytes(40),
        V.encode(Deliver(message_content=b"x")),
        len(BIND).to_bytes(4, "big") + BIND[4:30] + bytes(3),
    ],
    ids=["http", "length", "zeros", "no-login", "half"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_garbage_ends_its_connection_and_no_other(garbage: bytes, inside: bool) -> None:
    async def test() -> None:
        async with listening(login_timeout_s=0.2, idle_s=0.2) as (listener, taken):
            caller = await call(listener)
            if inside:
                await caller.say(BIND)
                assert (await caller.hear()).result == 0
                # Inside, only a delivery that is not whole is garbage.
                await caller.say(garbage[:-1])
            else:
                await caller.say(garbage)
            await caller.ended()
            assert not taken
            other = await call(listener)
            await other.say(BIND)
            assert (await other.hear()).result == 0

    run(test())


def test_a_trace_sees_what_closed_the_connection() -> None:
    async def test() -> None:
        trace = Trace(10)
        async with listening(trace=trace, name="unicom-listener") as (listener, _):
            caller = await call(listener)
            await caller.say(BIND)
            assert (await caller.hear()).result == 0
            await caller.say(b"GET / HTTP/1.1\r\n\r\n  ")
            assert await caller.ended()
            await eventually(lambda: len(trace.kept()) == 5)
        entries = shown(trace, "sgip", "1.2")
        assert [(each.way, each.name) for each in entries[:3]] == [
            ("opened", ""), ("received", "SGIP_BIND"), ("sent", "SGIP_BIND_RESP"),
        ]  # fmt: skip
        assert [each.way for each in entries[3:]] == ["cut", "closed"]
        assert entries[1].fields["LoginPassword"] == "****"
        assert {each.link for each in entries} == {"unicom-listener"}

    run(test())


def test_silence_is_not_waited_for_for_ever() -> None:
    async def test() -> None:
        async with listening(login_timeout_s=0.05, idle_s=0.05) as (listener, _):
            silent = await call(listener)
            assert await silent.ended()
            idle = await call(listener)
            await idle.say(BIND)
            assert (await idle.hear()).result == 0
            assert await idle.ended()

    run(test())


def test_strangers_are_not_heard() -> None:
    async def test() -> None:
        async with listening(peers=("10.0.0.0/8", "192.0.2.7")) as (listener, _):
            caller = await call(listener)
            with contextlib.suppress(ConnectionError):
                await caller.say(BIND)
            assert await caller.ended()
            await eventually(lambda: listener.counters.refused == 1)
        async with listening(peers=("127.0.0.0/8",)) as (listener, _):
            caller = await call(listener)
            await caller.say(BIND)
            assert (await caller.hear()).result == 0

    run(test())


def test_a_peer_that_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(ValueError):
        ListenerSettings("sgip", "127.0.0.1", 0, "a", "b", peers=("gateway.example",))


def test_only_so_many_connections_are_let_in() -> None:
    async def test() -> None:
        async with listening(connections=2) as (listener, _):
            callers = [await call(listener) for _ in range(3)]
            results = []
            for caller in callers:
                await caller.say(BIND)
                results.append((await caller.hear()).result)
            assert results == [0, 0, 3]
            assert await callers[2].ended()
            assert listener.connected == 2

    run(test())


def test_a_crowd_without_a_login_is_bounded() -> None:
    async def test() -> None:
        async with listening() as (listener, _):
            crowd = [await call(listener) for _ in range(150)]
            await eventually(lambda: listener.counters.refused >= 80)
            known = V.encode(Report())
            assert len(known) == 64
            for caller in crowd:
                caller.writer.close()

            async def enter() -> bool:
                caller = await call(listener)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await caller.say(BIND)
                    answer = await caller.hear()
                    return bool(answer.result == 0)
                return False

            async with asyncio.timeout(10):
                while not await enter():
                    pass

    run(test())


def test_stopping_ends_every_connection_and_frees_the_port() -> None:
    async def test() -> None:
        async with listening() as (listener, _):
            caller = await call(listener)
            await caller.say(BIND)
            assert (await caller.hear()).result == 0
            port = listener.port
            await listener.stop()
            assert await caller.ended()
            assert not listener.is_up
        async with listening(port=port) as (again, _):
            assert again.port == port

    run(test())


def test_a_taken_port_is_tried_again() -> None:
    async def test() -> None:
        async with listening() as (first, _):
            second = Listener(
                ListenerSettings("sgip", "127.0.0.1", first.port, "a", "b"), Taken().deliver
            )
            second.start()
            await eventually(lambda: bool(second.last_error))
            assert f"cannot listen on port {first.port}" in second.last_error
            assert not second.is_up
            await first.stop()
            await eventually(lambda: second.is_up)
            assert second.last_error == ""
            await second.stop()

    run(test())
