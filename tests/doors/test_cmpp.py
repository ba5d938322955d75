"""The CMPP door over the real intake and store, for the library's own client."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.config.model import CmppServer
from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door, State
from adapter.domain.values import Notice, Waiting
from adapter.doors import cmpp_pushing
from adapter.doors.cmpp import CmppDoor
from adapter.doors.cmpp_intake import CmppIntake
from adapter.doors.cmpp_texts import Origin, Reader
from adapter.intake.accounts import Accounts
from adapter.intake.intake import utc_now
from adapter.notify.feeds import Feeds
from adapter.security.passwords import PasswordChecker
from adapter.security.tries import WrongTries
from adapter.store.clock import to_ms
from adapter.store.schema import notification
from adapter.store.submit_parts import SubmitParts
from connectors.cmpp.auth import source_digest
from connectors.cmpp.pdus import CODECS, Connect, Deliver, DeliverResp
from connectors.cmpp.pdus import Submit as SubmitPDU
from connectors.link import Link
from connectors.splitting import split
from connectors.tls import client_context
from connectors.values import Coding, Submit
from tests.certificates import Authority
from tests.connectors.recorder import PATIENCE_S, Recorder, eventually, run, settings
from tests.doors.conftest import Node, config, describe, send

SECRET = "cmpp-secret-1"
SOURCE = "1069000001"


def late_now() -> datetime:
    """Now, in the last microsecond of its millisecond: what is due now and expires a microsecond
    later must not do so in two."""
    now = utc_now()
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000 + 999)


class House:
    """The door on the test's own event loop."""

    def __init__(self, node: Node, client: Client, **changes: Any) -> None:
        values: dict[str, Any] = {"port": 0}
        self.node = node
        self.feeds = Feeds(node.engine, node.desk.acknowledge, describe)
        self.feeds.open()
        tries = WrongTries()
        accounts = Accounts([client], PasswordChecker(), tries=tries)
        served = CmppServer(**(values | changes))
        self.intake = CmppIntake(
            node.intake,
            SubmitParts(node.engine, node.committer),
            node.ids,
            Reader(config(client), utc_now),
            served.part_wait_s,
            late_now,
        )
        self.door = CmppDoor(accounts, self.intake, self.feeds, served)

    def link(self, recorder: Recorder, **changes: Any) -> Link:
        asked = {"account": "his", "password": SECRET, "window": 64}
        return Link(settings(self.door.port, **(asked | changes)), recorder)

    @asynccontextmanager
    async def entered(
        self, recorder: Recorder | None = None, **changes: Any
    ) -> AsyncIterator[tuple[Link, Recorder]]:
        handler = recorder or Recorder()
        link = self.link(handler, **changes)
        link.start()
        try:
            await handler.until(lambda: handler.ups > 0)
            yield link, handler
        finally:
            await link.stop(0.1)

    async def waiting(self) -> int:
        """Notices in the store."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> int:
        with self.node.engine.connect() as connection:
            return len(connection.execute(notification.select()).all())

    async def settle(self, state: State = State.DELIVERED, code: str = "DELIVRD") -> None:
        """The carrier says what became of everything that arrived."""
        ended = [each for each in self.node.arrived if each.submission.receipt]
        self.node.arrived.clear()
        await asyncio.to_thread(self.node.end, ended, state, code)
        self.feeds.tell(self.node.desk.fetch_receipts("his", 1_000))


@asynccontextmanager
async def opened(node: Node, client: Client, **changes: Any) -> AsyncIterator[House]:
    house = House(node, client, **changes)
    await house.door.open()
    try:
        yield house
    finally:
        await house.door.close()
        await house.feeds.close()


@pytest.fixture
def cmpp(client: Client) -> Client:
    return replace(client, cmpp_secret=SECRET, rate_per_minute=0, daily_quota=0)


def submit(token: int, to: str = "13800138000", content: str = "您好") -> Submit:
    return Submit(SOURCE, to, content.encode("utf-16-be"), Coding.UCS2, False, 1, 1, True, token)


def parts(content: str, reference: int = 7, to: str = "13800138000") -> list[Submit]:
    cut = split(content, reference=reference)
    total = len(cut.payloads)
    return [
        Submit(SOURCE, to, payload, cut.coding, True, total, number, True, number)
        for number, payload in enumerate(cut.payloads, 1)
    ]


async def frame(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        head = await reader.readexactly(4)
        return head + await reader.readexactly(int.from_bytes(head, "big") - 4)


@asynccontextmanager
async def raw(house: House) -> AsyncIterator[tuple[Callable[[Any], Any], asyncio.StreamReader]]:
    """A connection that is logged in, for PDUs of one's own; `ask` writes one and reads one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
    codecs = CODECS["3.0"]

    async def ask(pdu: Any) -> Any:
        writer.write(codecs.encode(pdu))
        return codecs.decode(await frame(reader))

    digest = source_digest(b"his", SECRET.encode(), 101000000)
    assert (await ask(Connect(1, b"his", digest, 0x30, 101000000))).status == 0
    try:
        yield ask, reader
    finally:
        writer.close()


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_a_text_is_taken_and_its_report_pushed(node: Node, cmpp: Client, version: str) -> None:
    async def test() -> None:
        async with (
            opened(node, cmpp) as house,
            house.entered(version=version) as (link, handler),
        ):
            link.submit(submit(1))
            await handler.until(lambda: bool(handler.answers))
            _, answer = handler.answers[0]
            (arrived,) = node.arrived
            assert (answer.ok, int(answer.id, 16)) == (True, arrived.message.id)
            assert arrived.submission.door is Door.CMPP
            assert arrived.content == "【市一医院】您好"
            await house.settle()
            await handler.until(lambda: bool(handler.reports))
            report = handler.reports[0]
            assert (report.id, report.stat, report.source) == (answer.id, "DELIVRD", SOURCE)
            await eventually(lambda: house._count() == 0)

    run(test())


def test_parts_in_any_order_become_one_text(node: Node, cmpp: Client) -> None:
    content = "长" * 150 + "𠮷" * 20

    async def test() -> None:
        async with opened(node, cmpp) as house, house.entered() as (link, handler):
            asked = parts(content)
            for each in reversed(asked):
                link.submit(each)
            await handler.until(lambda: len(handler.answers) == len(asked))
            (arrived,) = node.arrived
            assert arrived.content == "【市一医院】" + content
            ids = {answer.id for _, answer in handler.answers}
            assert len(ids) == len(asked)
            await house.settle(State.UNDELIVERED, "MK:0001")
            await handler.until(lambda: len(handler.reports) == len(asked))
            assert {(each.id, each.stat) for each in handler.reports} == {
                (made, "MK:0001") for made in ids
            }
            await eventually(lambda: house._count() == 0)

    run(test())


def test_a_client_may_wait_for_each_answer_and_we_may_stop_between(
    node: Node, cmpp: Client
) -> None:
    async def test() -> None:
        asked = parts("长" * 150)
        ids = []
        for each in asked:
            async with opened(node, cmpp) as house, raw(house) as (ask, _):
                assert not node.arrived
                reply = await ask(_pdu(each))
                assert reply.result == 0
                ids.append(reply.msg_id.hex())
        (arrived,) = node.arrived
        assert arrived.content == "【市一医院】" + "长" * 150
        async with opened(node, cmpp) as house, house.entered() as (_, handler):
            await house.settle()
            await handler.until(lambda: len(handler.reports) == 3)
            assert sorted(each.id for each in handler.reports) == sorted(ids)

    run(test())


def test_a_part_that_comes_twice_keeps_its_id(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            first, second = parts("长" * 100)
            replies = [await ask(_pdu(first)) for _ in range(2)]
            assert len({each.msg_id for each in replies}) == 1
            assert (await ask(_pdu(second))).result == 0
            assert len(node.arrived) == 1

    run(test())


def test_another_text_under_the_same_reference_stands_alone(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            await ask(_pdu(parts("甲" * 100)[0]))
            for each in parts("乙" * 100):
                assert (await ask(_pdu(each))).result == 0
            (arrived,) = node.arrived
            assert arrived.content == "【市一医院】" + "乙" * 100

    run(test())


def test_a_last_part_that_is_told_to_come_again_completes_its_text(
    node: Node, cmpp: Client
) -> None:
    async def test() -> None:
        first, second = parts("长" * 100)
        limited = replace(cmpp, rate_per_minute=1)
        async with opened(node, limited) as house, raw(house) as (ask, _):
            assert (await ask(_pdu(submit(1)))).result == 0
            assert (await ask(_pdu(first))).result == 0
            assert (await ask(_pdu(second))).result == 8
        node.arrived.clear()
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            assert (await ask(_pdu(second))).result == 0
            assert len(node.arrived) == 1

    run(test())


def test_parts_whose_rest_does_not_come_expire_unsent(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp, part_wait_s=0.1) as house, raw(house) as (ask, _):
            (first, *_) = parts("长" * 150)
            reply = await ask(_pdu(first))
            assert reply.result == 0
            await eventually(lambda: bool(node.arrived))
            (arrived,) = node.arrived
            its = arrived.submission
            assert to_ms(its.due_at) == to_ms(its.expire_at)
            origin = Origin.of(_notice(arrived))
            assert [f"{made:016x}" for made in origin.ids] == [reply.msg_id.hex()]

    run(test())


def test_a_group_is_taken_whole_and_its_ids_count_on(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, reader):
            numbers = [b"13800138000", b"13800138001", b"8613800138002"]
            group = SubmitPDU(
                2,
                src_id=SOURCE.encode(),
                dest_terminal_id=tuple(numbers),
                msg_content="您好".encode("utf-16-be"),
            )
            reply = await ask(group)
            assert reply.result == 0
            first = int.from_bytes(reply.msg_id, "big")
            assert len(node.arrived) == 3
            await house.settle()
            reports = [CODECS["3.0"].decode(await frame(reader)) for _ in numbers]
            assert {int.from_bytes(each.msg_content[:8], "big") for each in reports} == {
                first,
                first + 1,
                first + 2,
            }

    run(test())


def test_a_group_with_a_wrong_number_is_refused_whole(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            group = SubmitPDU(
                2,
                src_id=SOURCE.encode(),
                dest_terminal_id=(b"13800138000", b"12345"),
                msg_content="您好".encode("utf-16-be"),
            )
            assert (await ask(group)).result == 13
            assert not node.arrived

    run(test())


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"dest_terminal_id": (b"12345",)}, 13),
        ({"src_id": b"99990000"}, 10),
        ({"msg_fmt": 4, "msg_content": b"\x01\x02"}, 1),
        ({"valid_time": b"not a time"}, 1),
        ({"at_time": b"991332000000032+"}, 1),
        ({"msg_content": b""}, 76),
        ({"dest_terminal_id": ()}, 1),
        ({"src_id": SOURCE.encode() + b"12345678901"}, 1),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_code(
    node: Node, cmpp: Client, changes: dict[str, Any], result: int
) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            values: dict[str, Any] = {
                "src_id": SOURCE.encode(),
                "dest_terminal_id": (b"13800138000",),
                "msg_content": "您好".encode("utf-16-be"),
            }
            assert (await ask(SubmitPDU(2, **(values | changes)))).result == result
            assert not node.arrived

    run(test())


def test_times_and_extension_are_those_of_the_submit(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, raw(house) as (ask, _):
            at = datetime.now(UTC) + timedelta(hours=20)
            local = (at + timedelta(hours=8)).strftime("%y%m%d%H%M%S")
            pdu = SubmitPDU(
                2,
                src_id=SOURCE.encode() + b"77",
                dest_terminal_id=(b"13800138000",),
                at_time=f"{local}032+".encode(),
                valid_time=b"000002000000000R",
                msg_content="您好".encode("utf-16-be"),
            )
            assert (await ask(pdu)).result == 0
            (arrived,) = node.arrived
            assert arrived.submission.extension == "77"
            assert arrived.submission.due_at == at.replace(microsecond=0)
            until = datetime.now(UTC) + timedelta(days=2)
            assert abs(arrived.submission.expire_at - until) < timedelta(minutes=1)

    run(test())


def test_a_rate_is_told_as_flow_control(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        limited = replace(cmpp, rate_per_minute=5)
        async with opened(node, limited) as house, house.entered() as (link, handler):
            link_throttled = link.counters
            for number in range(8):
                link.submit(submit(number, to=f"1380013800{number}"))
            await handler.until(lambda: link_throttled.throttled > 0)
            assert len(node.arrived) == 5

    run(test())


def test_more_than_the_window_is_flow_control(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp, window=2) as house, house.entered() as (link, handler):
            for number in range(20):
                link.submit(submit(number, to=f"138001380{number:02}"))
            await handler.until(lambda: link.counters.throttled > 0)

    run(test())


def test_a_report_that_was_not_answered_comes_again_after_a_fall(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house:
            silent = Recorder(acknowledge=False)
            async with house.entered(silent) as (link, _):
                link.submit(submit(1))
                await silent.until(lambda: bool(silent.answers))
                await house.settle()
                await silent.until(lambda: bool(silent.reports))
            assert await house.waiting() == 1
            async with house.entered() as (_, handler):
                await handler.until(lambda: bool(handler.reports))
                assert handler.reports[0].id == silent.reports[0].id
                await eventually(lambda: house._count() == 0)

    run(test())


def test_a_report_that_is_not_answered_in_time_comes_again(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp, response_timeout_s=0.2) as house:
            silent = Recorder(acknowledge=False)
            async with house.entered(silent) as (link, _):
                link.submit(submit(1))
                await silent.until(lambda: bool(silent.answers))
                await house.settle()
                await silent.until(lambda: len(silent.reports) >= 2)
                assert len({each.id for each in silent.reports}) == 1

    run(test())


def test_a_text_that_the_client_cannot_take_now_comes_again(
    node: Node, cmpp: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmpp_pushing, "AGAIN_S", 0.05)

    async def test() -> None:
        async with opened(node, cmpp) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
            codecs = CODECS["3.0"]
            digest = source_digest(b"his", SECRET.encode(), 101000000)
            writer.write(codecs.encode(Connect(1, b"his", digest, 0x30, 101000000)))
            await frame(reader)
            await asyncio.to_thread(node.receive, "13800138000", "收到")
            house.feeds.tell(node.desk.fetch_inbound("his", 10))
            ids = []
            for result in (8, 8, 0):
                pdu = codecs.decode(await frame(reader))
                assert isinstance(pdu, Deliver)
                ids.append(pdu.msg_id)
                writer.write(codecs.encode(DeliverResp(pdu.sequence_id, pdu.msg_id, result)))
            assert len(set(ids)) == 1
            assert (pdu.dest_id, pdu.src_terminal_id) == (b"1069000001", b"13800138000")
            await eventually(lambda: house._count() == 0)
            writer.close()

    run(test())


def test_a_long_text_from_a_phone_comes_in_parts(node: Node, cmpp: Client) -> None:
    content = "回" * 150

    async def test() -> None:
        async with opened(node, cmpp) as house, house.entered() as (_, handler):
            await asyncio.to_thread(node.receive, "13800138000", content)
            house.feeds.tell(node.desk.fetch_inbound("his", 10))
            await handler.until(lambda: len(handler.inbound) == 3)
            found = sorted(handler.inbound, key=lambda each: each.number)
            assert "".join(each.text for each in found) == content
            await eventually(lambda: house._count() == 0)

    run(test())


def test_receipts_of_other_doors_are_left_for_these(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, house.entered() as (link, handler):
            await asyncio.to_thread(node.call, _send())
            link.submit(submit(1))
            await handler.until(lambda: bool(handler.answers))
            await house.settle()
            await handler.until(lambda: bool(handler.reports))
            await eventually(lambda: house._count() == 1)
            assert len(handler.reports) == 1

    run(test())


@pytest.mark.parametrize(
    ("changes", "door"),
    [
        ({"password": "wrong"}, {}),
        ({"account": "nobody"}, {}),
        ({}, {"cmpp_secret": ""}),
        ({}, {"enabled": False}),
        ({}, {"doors": [Door.SOAP]}),
        ({}, {"networks": ["10.0.0.0/8"]}),
    ],
)
def test_without_the_secret_nobody_comes_in(
    node: Node, cmpp: Client, changes: dict[str, Any], door: dict[str, Any]
) -> None:
    async def test() -> None:
        async with opened(node, replace(cmpp, **door)) as house:
            handler = Recorder()
            link = house.link(handler, **changes)
            link.start()
            await handler.until(lambda: bool(handler.downs))
            assert handler.ups == 0
            await link.stop(0.1)

    run(test())


def test_connections_are_limited_in_all_and_for_each_client(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp, connections_per_client=2) as house:
            async with house.entered(), house.entered():
                third = Recorder()
                link = house.link(third)
                link.start()
                await third.until(lambda: bool(third.downs))
                await link.stop(0.1)
            await eventually(lambda: house.door.doorman.connections == 0)
            async with house.entered():
                pass

    run(test())


@pytest.mark.parametrize(
    "octets", [b"\xff" * 12, b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x00\x00\x00\x0c" * 3]
)
def test_garbage_ends_its_connection_alone(node: Node, cmpp: Client, octets: bytes) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, house.entered() as (link, handler):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
            writer.write(octets)
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()
            link.submit(submit(1))
            await handler.until(lambda: bool(handler.answers))

    run(test())


def test_by_tls(node: Node, cmpp: Client, tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    pair = ours.sign("door", "127.0.0.1")
    context: ssl.SSLContext = client_context(ours.ca)

    async def test() -> None:
        files = {"tls_certificate": pair.certificate, "tls_key": pair.key}
        async with (
            opened(node, cmpp, **files) as house,
            house.entered(tls=context) as (link, handler),
        ):
            link.submit(submit(1))
            await handler.until(lambda: bool(handler.answers))

    run(test())


def test_a_renewed_certificate_is_taken_up_without_a_restart(
    node: Node, cmpp: Client, tmp_path: Path
) -> None:
    ours = Authority(tmp_path)
    first, second = ours.sign("first", "127.0.0.1"), ours.sign("second", "127.0.0.1")

    async def test() -> None:
        files = {"tls_certificate": first.certificate, "tls_key": first.key}
        async with opened(node, cmpp, **files) as house:

            async def subject() -> str:
                tls = client_context(ours.ca)
                _, writer = await asyncio.open_connection("127.0.0.1", house.door.port, ssl=tls)
                shown = writer.get_extra_info("peercert")
                writer.close()
                return str(shown["subject"])

            assert "first" in await subject()
            shutil.copy(second.key, first.key)
            shutil.copy(second.certificate, first.certificate)
            assert "second" in await subject()
            async with house.entered(tls=client_context(ours.ca)):
                pass

    run(test())


@pytest.mark.parametrize(("shown", "status"), [("his", 0), ("other", 3)])
def test_a_certificate_may_be_needed_beside_the_secret(
    node: Node, cmpp: Client, tmp_path: Path, shown: str, status: int
) -> None:
    ours = Authority(tmp_path)
    door, pair = ours.sign("door", "127.0.0.1"), ours.sign(shown)
    both = WayIn((ProofKind.DIGEST, ProofKind.CERTIFICATE), (Door.CMPP,))
    known = replace(cmpp, certificates=(Certificate(subject="CN=his"),), entries=(both,))

    async def test() -> None:
        files = {"tls_certificate": door.certificate, "tls_key": door.key, "tls_ca": ours.ca}
        async with opened(node, known, **files) as house:
            tls = client_context(ours.ca, pair.certificate, pair.key)
            assert await login(house, SECRET, tls) == status

    run(test())


async def login(house: House, secret: str, tls: ssl.SSLContext | None = None) -> int:
    """What a CONNECT is answered with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port, ssl=tls)
    codecs = CODECS["3.0"]
    digest = source_digest(b"his", secret.encode(), 101000000)
    writer.write(codecs.encode(Connect(1, b"his", digest, 0x30, 101000000)))
    answer: Any = codecs.decode(await frame(reader))
    writer.close()
    return int(answer.status)


def test_both_secrets_open_while_the_client_changes(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, replace(cmpp, cmpp_secret_old="the old one")) as house:
            assert await login(house, SECRET) == 0
            async with house.entered(password="the old one") as (link, handler):
                link.submit(submit(1))
                await handler.until(lambda: bool(handler.answers))
            assert await login(house, "a third one") == 3

    run(test())


def test_while_it_is_locked_right_and_wrong_secrets_hear_the_same(node: Node, cmpp: Client) -> None:
    async def test() -> None:
        async with opened(node, cmpp) as house, house.entered() as (link, handler):
            answers = [await login(house, "wrong") for _ in range(6)]
            assert answers[:4] == [3] * 4
            assert set(answers[4:]) == {5}
            assert await login(house, SECRET) == 5
            link.submit(submit(1))
            await handler.until(lambda: bool(handler.answers))
            assert handler.answers[0][1].ok, "who is inside stays"

    run(test())


def _pdu(each: Submit) -> SubmitPDU:
    return SubmitPDU(
        2,
        pk_total=each.total,
        pk_number=each.number,
        tp_udhi=int(each.udh),
        src_id=each.source.encode(),
        dest_terminal_id=(each.destination.encode(),),
        msg_content=each.payload,
    )


def _notice(arrived: Waiting) -> Notice:
    its = arrived.message, arrived.submission
    return Notice(
        1,
        "",
        its[0].id,
        its[1].id,
        "",
        "0",
        "",
        State.EXPIRED,
        "",
        "",
        1,
        "",
        None,
        None,
        its[1].pass_through,
    )


def _send() -> str:
    return send(mobile="13800138009")
