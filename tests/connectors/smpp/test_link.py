"""SMPP links over TCP against the simulated SMSC, and against peers with habits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import structs

from connectors import codes
from connectors.behaviour import Behaviour, Failure
from connectors.ids import IdForm
from connectors.link import Link
from connectors.simulator import Simulator
from connectors.smpp.fields import LIST, Address
from connectors.smpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Frame,
    GenericNack,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unbind,
    UnbindResp,
    number,
)
from connectors.smpp.settings import (
    Alphabet,
    Base,
    Bind,
    LongTexts,
    ReceiptBy,
    SmppOptions,
    SmppServerOptions,
)
from connectors.splitting import split, whole
from connectors.tlv import Tlv
from connectors.values import Action, Coding, Submit
from tests.connectors.recorder import (
    ACCOUNT,
    PASSWORD,
    PATIENCE_S,
    Recorder,
    carrier,
    eventually,
    run,
    settings,
    text,
)

PHONE = "8613800138000"


def smsc(own: SmppServerOptions | None = None, **options: Any) -> Simulator:
    return carrier(protocol="smpp", own=own, **options)


def link_to(port: int, handler: Recorder, own: SmppOptions | None = None, **changes: Any) -> Link:
    values = {"protocol": "smpp", "version": "3.4", "service_id": "CMT", "own": own}
    return Link(settings(port, **(values | changes)), handler)


@asynccontextmanager
async def standing(
    own: SmppOptions | None = None, server: SmppServerOptions | None = None, **options: Any
) -> AsyncIterator[tuple[Link, Recorder, Simulator]]:
    simulator = smsc(server, **options)
    await simulator.start()
    handler = Recorder()
    link = link_to(simulator.port, handler, own)
    link.start()
    try:
        await handler.until(lambda: link.is_up)
        yield link, handler, simulator
    finally:
        await link.stop()
        await simulator.stop()


def parts(content: str, coding: Coding = Coding.UCS2, reference: int = 7) -> list[Submit]:
    made = split(content, (coding,), reference=reference)
    total = len(made.payloads)
    return [
        Submit("1069", PHONE, payload, made.coding, made.udh, total, k, True, k)
        for k, payload in enumerate(made.payloads, 1)
    ]


def test_bind_submit_receipt_and_unbind() -> None:
    async def test() -> None:
        async with standing() as (link, handler, simulator):
            link.submit(text(1, PHONE))
            await handler.until(lambda: bool(handler.answers and handler.reports))
            token, answer = handler.answers[0]
            assert (token, answer.ok, answer.code) == (1, True, "0")
            report = handler.reports[0]
            assert report.id == answer.id == simulator.events("submit")[0]["id"]
            assert (report.stat, report.delivered, report.final) == ("DELIVRD", True, True)
            assert (report.destination, report.source) == (PHONE, "106900123401")
            assert len(report.submitted) == len(report.done) == 10
            assert simulator.events("login")[0]["version"] == "3.4"
            assert simulator.events("submit")[0]["text"] == "短信1"
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        assert link.counters.converted == 0

    run(test())


@pytest.mark.parametrize("by", list(ReceiptBy))
@pytest.mark.parametrize("data_sm", [False, True])
def test_receipts_by_text_and_by_parameter(by: ReceiptBy, data_sm: bool) -> None:
    async def test() -> None:
        server = SmppServerOptions(receipt_by=by, by_data_sm=data_sm)
        behaviour = Behaviour(failures=(Failure(1.0, "EXPIRED"),))
        async with standing(SmppOptions(by_data_sm=data_sm), server, behaviour=behaviour) as (
            link,
            handler,
            _,
        ):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers and handler.reports))
            report = handler.reports[0]
            assert report.id == handler.answers[0][1].id
            assert (report.stat, report.delivered, report.final) == ("EXPIRED", False, True)

    run(test())


@pytest.mark.parametrize(
    ("answers", "receipts", "form", "changed"),
    [
        (Base.HEX, Base.DECIMAL, IdForm.AUTO, True),
        (Base.DECIMAL, Base.HEX, IdForm.AUTO, True),
        (Base.HEX, Base.DECIMAL, IdForm.DECIMAL, True),
        (Base.DECIMAL, Base.HEX, IdForm.HEX, True),
        (Base.DECIMAL, Base.DECIMAL, IdForm.AUTO, False),
        (Base.HEX, Base.HEX, IdForm.SAME, False),
    ],
)
def test_ids_in_another_base(answers: Base, receipts: Base, form: IdForm, changed: bool) -> None:
    async def test() -> None:
        server = SmppServerOptions(
            receipt_by=ReceiptBy.TEXT, answer_ids=answers, receipt_ids=receipts
        )
        async with standing(SmppOptions(ids=form), server) as (link, handler, _):
            link.submit_many([text(k) for k in range(10)])
            await handler.until(lambda: len(handler.answers) == len(handler.reports) == 10)
            assert {r.id for r in handler.reports} == {a.id for _, a in handler.answers}
            assert link.counters.converted == (10 if changed else 0)

    run(test())


def test_transmitter_and_receiver_share_what_they_learn() -> None:
    async def test() -> None:
        server = SmppServerOptions(receipt_by=ReceiptBy.TEXT, receipt_ids=Base.DECIMAL)
        simulator = smsc(server)
        await simulator.start()
        sender, receiver = Recorder(), Recorder()
        out = SmppOptions(bind=Bind.TRANSMITTER)
        back = SmppOptions(bind=Bind.RECEIVER, book=out.book)
        links = link_to(simulator.port, sender, out), link_to(simulator.port, receiver, back)
        for link in links:
            link.start()
        await sender.until(lambda: links[0].is_up)
        await receiver.until(lambda: links[1].is_up)
        assert links[0].free > 0
        assert links[1].free == 0
        assert [link.submits for link in links] == [True, False]
        links[0].submit(text(1))
        links[1].submit(text(2))
        simulator.send_inbound(PHONE, "1069", "收到")
        await sender.until(lambda: bool(sender.answers))
        await receiver.until(
            lambda: bool(receiver.reports and receiver.inbound and receiver.unsent_tokens)
        )
        assert receiver.unsent_tokens == [2]
        assert receiver.reports[0].id == sender.answers[0][1].id
        assert links[1].counters.converted == 1
        assert not sender.reports
        assert not sender.inbound
        for link in links:
            await link.stop()
        await simulator.stop()

    run(test())


@pytest.mark.parametrize("long_texts", [LongTexts.UDH, LongTexts.SAR])
@pytest.mark.parametrize("coding", [Coding.UCS2, Coding.GSM])
def test_long_texts_in_parts(long_texts: LongTexts, coding: Coding) -> None:
    async def test() -> None:
        words = "检查结果已出，" * 30 if coding is Coding.UCS2 else "Your {result} is 100€. @ " * 20
        async with standing(SmppOptions(long_texts=long_texts)) as (link, handler, simulator):
            submits = parts(words, coding)
            link.submit_many(submits)
            await handler.until(lambda: len(handler.reports) == len(submits))
            lines = simulator.events("submit")
            assert "".join(line["text"] for line in lines) == words
            assert [line["number"] for line in lines] == [s.number for s in submits]
            assert {(line["reference"], line["total"]) for line in lines} == {(7, len(submits))}

    run(test())


def test_a_long_text_whole_in_message_payload() -> None:
    async def test() -> None:
        words = "检查结果已出，" * 100
        async with standing(SmppOptions(long_texts=LongTexts.PAYLOAD)) as (
            link,
            handler,
            simulator,
        ):
            for token, content in enumerate((words, words[:71], words[:70])):
                made = whole(content, Coding.UCS2)
                link.submit(
                    Submit("1069", PHONE, made.payloads[0], made.coding, False, 1, 1, True, token)
                )
            await handler.until(lambda: len(handler.reports) == 3)
            lines = simulator.events("submit")
            assert [line["text"] for line in lines] == [words, words[:71], words[:70]]
            assert {line["total"] for line in lines} == {1}

    run(test())


@pytest.mark.parametrize("alphabet", list(Alphabet))
def test_the_default_alphabet(alphabet: Alphabet) -> None:
    async def test() -> None:
        words = "Dr @Wang_1: $5"
        both = SmppOptions(alphabet=alphabet), SmppServerOptions(alphabet=alphabet)
        async with standing(*both) as (link, handler, simulator):
            ascii_made = split(words, (Coding.ASCII, Coding.UCS2))
            gsm_made = split(words + "é", (Coding.GSM,))
            for made in (ascii_made, gsm_made):
                link.submit(
                    Submit("1069", PHONE, made.payloads[0], made.coding, made.udh, 1, 1, True, 1)
                )
            simulator.send_inbound(PHONE, "1069", words, coding=Coding.ASCII)
            await handler.until(lambda: bool(len(handler.answers) == 2 and handler.inbound))
            shown = [line["text"] for line in simulator.events("submit")]
            assert shown[0] == words
            assert shown[1][:-1] == words
            assert {line["coding"] for line in simulator.events("submit")} == {0}
            assert (handler.inbound[0].text, handler.inbound[0].coding) == (words, 0)

    run(test())


def test_inbound_texts_long_and_short() -> None:
    async def test() -> None:
        async with standing() as (_, handler, simulator):
            words = "退订并取消😀" * 30
            simulator.send_inbound(PHONE, "106900123401", words)
            simulator.send_inbound(PHONE, "106900123401", "退订", coding=Coding.GB)
            count = len(split(words).payloads)
            await handler.until(lambda: len(handler.inbound) == count + 1)
            *long, short = handler.inbound
            assert "".join(part.text for part in long) == words
            assert [part.number for part in long] == list(range(1, count + 1))
            assert {part.total for part in long} == {count}
            assert (short.text, short.coding, short.total) == ("退订", 15, 1)
            assert (short.source, short.destination) == (PHONE, "106900123401")

    run(test())


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (0x0B, Action.PERMANENT),
        (0x08, Action.RETRY),
        (0x45, Action.RETRY),
        (0xFF, Action.RETRY),
        (0x400, Action.PERMANENT),
    ],
)
def test_refusals(status: int, action: Action) -> None:
    async def test() -> None:
        behaviour = Behaviour(failures=(Failure(1.0, f"0x{status:x}"),))
        async with standing(behaviour=behaviour) as (link, handler, _):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers))
            answer = handler.answers[0][1]
            assert (answer.ok, answer.id, answer.code) == (False, "", f"0x{status:02x}")
            assert answer.action is action
            assert answer.code in codes.reason(answer.code)

    run(test())


def test_throttled_submits_go_again() -> None:
    async def test() -> None:
        async with standing(behaviour=Behaviour(throttle_per_s=20)) as (link, handler, simulator):
            link.submit_many([text(k) for k in range(6)])
            await handler.until(lambda: len(handler.answers) == 6)
            assert all(answer.ok for _, answer in handler.answers)
            assert link.counters.throttled > 0
            assert {x["result"] for x in simulator.events("submit")} == {0, 0x58}

    run(test())


def test_a_wrong_bind_state_closes_the_link_and_it_binds_again() -> None:
    async def test() -> None:
        behaviour = Behaviour(failures=(Failure(1.0, "0x04"),))
        async with standing(behaviour=behaviour) as (link, handler, simulator):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.downs))
            assert handler.answers[0][1].action is Action.CLOSE
            assert handler.downs == ["a submit was answered with 0x04"]
            simulator.behave(Behaviour())
            await handler.until(lambda: handler.ups == 2)
            link.submit(text(2))
            await handler.until(lambda: len(handler.reports) == 1)

    run(test())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "login refused: password is invalid (0x0e)"),
        ({"account": "nobody"}, "login refused: system id is invalid (0x0f)"),
    ],
)
def test_a_refused_bind_waits_long(changes: dict[str, Any], reason: str) -> None:
    async def test() -> None:
        simulator = smsc()
        await simulator.start()
        handler = Recorder()
        link = link_to(simulator.port, handler, refused_wait_s=600, **changes)
        link.start()
        await handler.until(lambda: bool(handler.downs))
        assert handler.downs == [reason]
        await link.stop()
        await simulator.wait_for("close")
        assert len(simulator.events("login")) == 1
        await simulator.stop()

    run(test())


def test_a_name_as_sender_and_a_prefix_for_recipients() -> None:
    async def test() -> None:
        own = SmppOptions(prefix="86", source_ton=3, system_type="VMA")
        frames: list[Any] = []

        async def serve(client: Peer) -> None:
            frames.append(await client.bound())
            for k in range(3):
                frames.append(await client.read())
                client.send(SubmitSmResp(sequence_number=k + 2, message_id=b"%d" % k))

        async with peer(serve, own) as (link, handler):
            for source, to in (("HOSPITAL", "13800138000"), ("1069", "+8613800138000"),
                               ("+861069", "8613800138000")):  # fmt: skip
                link.submit(structs.replace(text(1, to), source=source))
            await handler.until(lambda: len(handler.answers) == 3)
        bind, *submits = frames
        assert (bind.system_type, bind.interface_version) == (b"VMA", 0x34)
        assert {pdu.destination_addr for pdu in submits} == {PHONE.encode()}
        assert [(pdu.source_addr_ton, pdu.source_addr_npi) for pdu in submits] == [
            (5, 0), (3, 0), (3, 0),
        ]  # fmt: skip
        assert {pdu.service_type for pdu in submits} == {b"CMT"}

    run(test())


def test_a_value_that_does_not_fit() -> None:
    async def test() -> None:
        async with standing() as (link, handler, _):
            link.submit(structs.replace(text(1), source="1" * 21))
            await handler.until(lambda: bool(handler.answers))
            assert handler.answers[0][1].code == "ENCODE source_addr"

    run(test())


class Peer:
    """An SMSC of the test's own, octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *pdus: Frame) -> None:
        for pdu in pdus:
            self.writer.write(CODECS.encode(pdu))

    async def read(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readexactly(4)
            return CODECS.decode(
                head + await self.reader.readexactly(int.from_bytes(head, "big") - 4)
            )

    async def parted(self) -> None:
        """Agree to the client's leave."""
        while not isinstance(pdu := await self.read(), Unbind):
            pass
        self.send(UnbindResp(sequence_number=pdu.sequence_number))

    async def bound(self) -> Any:
        bind = await self.read()
        self.send(BindTransceiverResp(sequence_number=bind.sequence_number, system_id=b"peer"))
        return bind


@asynccontextmanager
async def peer(serve: Any, own: SmppOptions | None = None) -> AsyncIterator[tuple[Link, Recorder]]:
    """A link to a server that does what `serve` does."""
    faults: list[BaseException] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            client = Peer(reader, writer)
            await serve(client)
            await client.parted()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except BaseException as fault:
            faults.append(fault)
            raise
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    handler = Recorder()
    link = link_to(server.sockets[0].getsockname()[1], handler, own)
    link.start()
    try:
        await handler.until(lambda: link.is_up)
        yield link, handler
    finally:
        await link.stop(0.1)
        server.close()
    assert not faults


def receipt(msg_id: bytes, stat: bytes = b"DELIVRD", **fields: Any) -> DeliverSm:
    words = b"id:" + msg_id + b" sub:001 dlvrd:001 stat:" + stat + b" err:000 text:"
    values: dict[str, Any] = {
        "esm_class": 4,
        "short_message": words,
        "source_addr": PHONE.encode(),
    }
    return DeliverSm(**(values | fields))


def test_receipts_as_they_come_in_the_field() -> None:
    async def test() -> None:
        state = number(Tag.MESSAGE_STATE, 5)
        exact = Tlv(Tag.RECEIPTED_MESSAGE_ID, b"A7")

        async def serve(client: Peer) -> None:
            await client.bound()
            client.send(
                receipt(b"00a1", sequence_number=0),
                receipt(b"a2", esm_class=0, sequence_number=0xFFFFFFFF),
                DeliverSm(
                    sequence_number=3, esm_class=4,
                    tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, receipt(b"a3").short_message),),
                ),
                receipt(b"a4", b"ACCEPTD", sequence_number=4),
                receipt(b"a5", esm_class=0x20, sequence_number=5),
                receipt(b"a6", data_coding=8, sequence_number=6,
                        short_message="id:a6 stat:REJECTD".encode("utf-16-be")),
                DeliverSm(sequence_number=7, tlvs=(exact, state)),
                DeliverSm(sequence_number=8, short_message=b"id:a8 is my number"),
            )  # fmt: skip
            for sequence in (0, 0xFFFFFFFF, 3, 4, 5, 6, 7, 8):
                response = await client.read()
                assert (response.title, response.sequence_number) == ("deliver_sm_resp", sequence)
                assert response.message_id == b""

        async with peer(serve, SmppOptions(receipts_by_text=True)) as (_, handler):
            await handler.until(lambda: bool(len(handler.reports) == 7 and handler.inbound))
            assert [(r.id, r.stat, r.delivered, r.final) for r in handler.reports] == [
                ("a1", "DELIVRD", True, True),
                ("a2", "DELIVRD", True, True),
                ("a3", "DELIVRD", True, True),
                ("a4", "ACCEPTD", False, False),
                ("a5", "DELIVRD", False, False),
                ("a6", "REJECTD", False, True),
                ("a7", "UNDELIV", False, True),
            ]
            assert handler.inbound[0].text == "id:a8 is my number"

    run(test())


def test_accepted_may_be_the_last_word() -> None:
    async def test() -> None:
        async def serve(client: Peer) -> None:
            await client.bound()
            client.send(receipt(b"a1", b"ACCEPTD"), receipt(b"a2", esm_class=0))

        async with peer(serve, SmppOptions(accepted_is_final=True)) as (_, handler):
            await handler.until(lambda: bool(handler.reports and handler.inbound))
            assert handler.reports[0].final
            assert handler.reports[0].delivered
            # Not marked, and the channel is not told to look at the text.
            assert handler.inbound[0].text.startswith("id:a2")

    run(test())


def test_a_trailing_nul_is_written_and_taken_off() -> None:
    async def test() -> None:
        seen: list[bytes] = []

        async def serve(client: Peer) -> None:
            await client.bound()
            submit = await client.read()
            seen.append(submit.short_message)
            client.send(SubmitSmResp(sequence_number=2, message_id=b"1"))
            client.send(DeliverSm(data_coding=8, short_message=b"\x4e\x2d\0"))

        async with peer(serve, SmppOptions(trailing_nul=True)) as (link, handler):
            link.submit(text(1, payload=b"\x4e\x2d"))
            await handler.until(lambda: bool(handler.inbound and handler.answers))
            assert seen == [b"\x4e\x2d\0"]
            assert handler.inbound[0].text == "中"

    run(test())


def test_sar_parts_from_phones() -> None:
    async def test() -> None:
        async def serve(client: Peer) -> None:
            await client.bound()
            for k, piece in enumerate(("退", "订"), 1):
                tlvs = (
                    number(Tag.SAR_MSG_REF_NUM, 300),
                    number(Tag.SAR_TOTAL_SEGMENTS, 2),
                    number(Tag.SAR_SEGMENT_SEQNUM, k),
                )
                client.send(
                    DeliverSm(data_coding=8, short_message=piece.encode("utf-16-be"), tlvs=tlvs)
                )

        async with peer(serve) as (_, handler):
            await handler.until(lambda: len(handler.inbound) == 2)
            assert [(i.reference, i.total, i.number, i.text) for i in handler.inbound] == [
                (300, 2, 1, "退"), (300, 2, 2, "订"),
            ]  # fmt: skip

    run(test())


def test_nacks_alerts_and_nonsense() -> None:
    async def test() -> None:
        async def serve(client: Peer) -> None:
            await client.bound()
            submit = await client.read()
            client.send(
                GenericNack(command_status=3, sequence_number=0),
                GenericNack(command_status=8, sequence_number=submit.sequence_number),
                AlertNotification(source_addr=b"1", esme_addr=b"2"),
            )
            client.writer.write(bytes.fromhex("00000010000000aa0000000000000009"))
            nack = await client.read()
            assert (nack.title, nack.command_status, nack.sequence_number) == ("generic_nack", 3, 9)
            # A deliver_sm that is cut short, a response that is, a response to nothing.
            client.writer.write(bytes.fromhex("0000001200000005000000000000000a3131"))
            nack = await client.read()
            assert (nack.command_status, nack.sequence_number) == (2, 10)
            client.writer.write(bytes.fromhex("0000001180000004000000000000000b31"))
            client.send(EnquireLink(sequence_number=12))
            alive = await client.read()
            assert (alive.title, alive.sequence_number) == ("enquire_link_resp", 12)

        async with peer(serve) as (link, handler):
            link.submit(text(1))
            await handler.until(lambda: bool(handler.answers))
            answer = handler.answers[0][1]
            assert (answer.code, answer.action) == ("0x08", Action.RETRY)
            await eventually(lambda: link.counters.unknown == 3)
            assert link.counters.strays == 1
            assert not handler.downs

    run(test())


def test_a_nack_to_the_bind_refuses_it() -> None:
    async def test() -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            client = Peer(reader, writer)
            bind = await client.read()
            client.send(GenericNack(command_status=3, sequence_number=bind.sequence_number))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        handler = Recorder()
        link = link_to(server.sockets[0].getsockname()[1], handler, reconnect_min_s=60)
        link.start()
        await handler.until(lambda: bool(handler.downs))
        assert handler.downs == ["login refused: command is invalid (0x03)"]
        await link.stop()
        server.close()

    run(test())


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\x05" + bytes(12), b"\xff" * 16, (FRAME_LIMIT + 1).to_bytes(4, "big") * 4]
)
def test_garbage_closes_its_own_link_only(junk: bytes) -> None:
    async def test() -> None:
        async def serve(client: Peer) -> None:
            await client.bound()
            client.writer.write(junk)

        async with standing() as (good, good_handler, _), peer(serve) as (_, handler):
            await handler.until(lambda: bool(handler.downs))
            assert handler.downs[0].startswith("bad frame length")
            good.submit(text(1))
            await good_handler.until(lambda: bool(good_handler.reports))

    run(test())


@asynccontextmanager
async def dialled(own: SmppServerOptions | None = None, **options: Any) -> AsyncIterator[Any]:
    """A client of the test's own, connected to the simulated SMSC."""
    simulator = smsc(own, **options)
    await simulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        yield Peer(reader, writer), simulator
    finally:
        writer.close()
        await simulator.stop()


def test_the_server_answers_what_it_does_not_do() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            bind = BindTransceiver(
                sequence_number=1, system_id=ACCOUNT.encode(), password=PASSWORD.encode()
            )
            client.send(bind)
            answer = await client.read()
            assert (answer.command_status, answer.system_id) == (0, b"SMSC")
            assert answer.tlvs == (number(Tag.SC_INTERFACE_VERSION, 0x34),)
            asked: list[tuple[Frame, int]] = [
                (bind, 0x05),
                (QuerySm(message_id=b"1"), 0x67),
                (CancelSm(message_id=b"1"), 0x11),
                (ReplaceSm(message_id=b"1"), 0x13),
                (SubmitMulti(), 0x33),
                (SubmitMulti(dest_address=(Address(b"staff", flag=LIST),)), 0x34),
            ]
            for k, (pdu, status) in enumerate(asked, 2):
                pdu.sequence_number = k
                client.send(pdu)
                answer = await client.read()
                assert (answer.command_status, answer.sequence_number) == (status, k)
                assert answer.title == f"{pdu.title}_resp"
            client.writer.write(bytes.fromhex("00000010000000aa0000000000000063"))
            assert (await client.read()).command_status == 3
            client.writer.write(bytes.fromhex("0000001100000004000000000000006431"))
            nack = await client.read()
            assert (nack.title, nack.command_status) == ("generic_nack", 2)
            assert simulator.sessions[0].unknown == 2

    run(test())


def test_submit_multi_and_data_sm_are_submits() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            client.send(
                BindTransceiver(system_id=ACCOUNT.encode(), password=PASSWORD.encode()),
                SubmitMulti(
                    sequence_number=2, registered_delivery=1, short_message=b"x",
                    dest_address=(Address(b"861", 1, 1), Address(b"862", 1, 1)),
                ),
                DataSm(sequence_number=3, destination_addr=b"863",
                       tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, b"y"),)),
            )  # fmt: skip
            await client.read()
            titles = [(await client.read()).title for _ in range(4)]
            assert sorted(titles) == [
                "data_sm_resp", "deliver_sm", "deliver_sm", "submit_multi_resp",
            ]  # fmt: skip
            shown = [(x["destination"], x["text"]) for x in simulator.events("submit")]
            assert shown == [("861", "x"), ("862", "x"), ("863", "y")]

    run(test())


@pytest.mark.parametrize("pdu", [SubmitSm(), EnquireLink(), Unbind(), QuerySm()])
def test_nothing_but_a_bind_comes_first(pdu: Frame) -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            client.send(pdu)
            answer = await client.read()
            assert (answer.title, answer.command_status) == (f"{pdu.title}_resp", 4)
            await simulator.wait_for("close")
            assert simulator.events("close")[0]["reason"] == "the first frame was not a login"

    run(test())


def test_a_delivery_that_is_refused_comes_again() -> None:
    async def test() -> None:
        async with dialled() as (client, simulator):
            client.send(BindTransceiver(system_id=ACCOUNT.encode(), password=PASSWORD.encode()))
            await client.read()
            simulator.send_inbound(PHONE, "1069", "T")
            first = await client.read()
            client.send(GenericNack(command_status=8, sequence_number=first.sequence_number))
            again = await client.read()
            assert again.short_message == first.short_message
            assert [x["again"] for x in simulator.events("inbound")] == [0, 1]

    run(test())


def test_heartbeats_both_ways() -> None:
    async def test() -> None:
        async with dialled(heartbeat_s=0.05) as (client, simulator):
            client.send(BindTransceiver(system_id=ACCOUNT.encode(), password=PASSWORD.encode()))
            await client.read()
            asked = await client.read()
            assert asked.title == "enquire_link"
            client.send(EnquireLinkResp(sequence_number=asked.sequence_number))
            await simulator.wait_for("close")
            assert simulator.events("close")[0]["reason"] == "3 heartbeats unanswered"

    run(test())


def test_outbind_asks_the_client_to_bind() -> None:
    async def test() -> None:
        done = asyncio.Event()
        heard: list[Any] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            client = Peer(reader, writer)
            heard.append(await client.read())
            client.send(BindReceiver(system_id=ACCOUNT.encode(), password=PASSWORD.encode()))
            heard.extend([await client.read(), await client.read()])
            done.set()
            await client.parted()
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        own = SmppServerOptions(system_id="SMSC9", password="them")
        simulator = smsc(own, client_port=port)
        await simulator.start()
        simulator.send_inbound(PHONE, "1069", "收到")
        async with asyncio.timeout(PATIENCE_S):
            await done.wait()
        outbind, bound, text_pdu = heard
        assert (outbind.title, outbind.system_id, outbind.password) == (
            "outbind",
            b"SMSC9",
            b"them",
        )
        assert (bound.title, bound.command_status) == ("bind_receiver_resp", 0)
        assert text_pdu.title == "deliver_sm"
        await simulator.stop()
        server.close()

    run(test())
