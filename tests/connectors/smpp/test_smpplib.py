"""Interoperation with smpplib, which nobody here wrote: as client, and its PDUs as a server."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from connectors.smpp.receipt import RECEIPT
from connectors.smpp.settings import LongTexts, SmppOptions
from connectors.splitting import split, whole
from connectors.values import Coding, Submit
from tests.connectors.recorder import ACCOUNT, PASSWORD, PATIENCE_S, Recorder, run
from tests.connectors.smpp.test_link import PHONE, link_to, smsc

smpplib_client = pytest.importorskip("smpplib.client")
consts = pytest.importorskip("smpplib.consts")
gsm = pytest.importorskip("smpplib.gsm")
smpp = pytest.importorskip("smpplib.smpp")


def esme(port: int, texts: list[str], seen: dict[str, Any]) -> None:
    """What a program on smpplib does: bind, submit in parts, wait for receipts and a text."""
    client = smpplib_client.Client(
        "127.0.0.1", port, timeout=PATIENCE_S, allow_unknown_opt_params=True
    )
    sent: list[Any] = []

    def received(pdu: Any) -> int:
        kind = "receipts" if pdu.receipted_message_id else "inbound"
        seen[kind].append(pdu)
        return int(consts.SMPP_ESME_ROK)

    client.set_message_sent_handler(lambda pdu: sent.append(pdu))
    client.set_message_received_handler(received)
    client.connect()
    client.bind_transceiver(system_id=ACCOUNT, password=PASSWORD)
    for content in texts:
        parts, encoding, msg_type = gsm.make_parts(content)
        for part in parts:
            client.send_message(
                source_addr_ton=consts.SMPP_TON_INTL,
                source_addr="1069",
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=PHONE,
                short_message=part,
                data_coding=encoding,
                esm_class=msg_type,
                registered_delivery=True,
            )
            seen["parts"] += 1
    while len(sent) < seen["parts"] or len(seen["receipts"]) < seen["parts"] or not seen["inbound"]:
        client.read_once()
    seen["ids"] = [pdu.message_id for pdu in sent]
    client.unbind()
    client.disconnect()


def test_smpplib_as_client() -> None:
    texts = ["Hello {world} @ 100€", "检查报告已出", "检查报告已出，请到门诊楼三层自助机打印。" * 8]
    seen: dict[str, Any] = {"parts": 0, "receipts": [], "inbound": [], "ids": []}

    async def test() -> None:
        simulator = smsc()
        await simulator.start()
        simulator.send_inbound(PHONE, "1069", "收到")
        await asyncio.to_thread(esme, simulator.port, texts, seen)
        await simulator.wait_for("close")
        lines = simulator.events("submit")
        assert "".join(line["text"] for line in lines) == "".join(texts)
        assert len(lines) == seen["parts"] > 3
        assert [line["id"].encode() for line in lines] == seen["ids"]
        ids = [pdu.receipted_message_id for pdu in seen["receipts"]]
        assert sorted(pid.rstrip(b"\0") for pid in ids) == sorted(seen["ids"])
        assert {pdu.message_state for pdu in seen["receipts"]} == {
            consts.SMPP_MESSAGE_STATE_DELIVERED
        }
        assert seen["inbound"][0].short_message == "收到".encode("utf-16-be")
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        await simulator.stop()

    run(test())


def test_smpplib_is_refused_with_its_own_words() -> None:
    def enter(port: int) -> None:
        client = smpplib_client.Client(
            "127.0.0.1", port, timeout=PATIENCE_S, allow_unknown_opt_params=True
        )
        client.connect()
        client.bind_transmitter(system_id=ACCOUNT, password="wrong")

    async def test() -> None:
        simulator = smsc()
        await simulator.start()
        with pytest.raises(Exception, match="Invalid Password"):
            await asyncio.to_thread(enter, simulator.port)
        await simulator.stop()

    run(test())


class Smsc(threading.Thread):
    """A server out of smpplib's PDUs: answers each submit, then sends its receipt."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.submits: list[Any] = []
        self.client = smpplib_client.Client("", 0, allow_unknown_opt_params=True)
        self.parted = False

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as stream:
            while not self.parted:
                head = stream.read(4)
                if not head:
                    return
                frame = head + stream.read(int.from_bytes(head, "big") - 4)
                for answer in self.answers(smpp.parse_pdu(frame, client=self.client)):
                    connection.sendall(answer.generate())

    def answers(self, pdu: Any) -> list[Any]:
        name = pdu.command
        if name.startswith("bind_"):
            return [self.made(f"{name}_resp", pdu.sequence, system_id="smpplib")]
        if name == "submit_sm":
            self.submits.append(pdu)
            # As Kannel does it: the id hexadecimal in the answer, decimal in the receipt.
            value = 0x38601FA + len(self.submits)
            words = f"id:{value:010d} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
            receipt = self.made(
                "deliver_sm", len(self.submits), source_addr=PHONE, destination_addr="1069",
                esm_class=RECEIPT, short_message=words.encode(),
            )  # fmt: skip
            return [self.made("submit_sm_resp", pdu.sequence, message_id=f"{value:x}"), receipt]
        self.parted = name == "unbind"
        known = ("unbind", "enquire_link")
        return [self.made(f"{name}_resp", pdu.sequence)] if name in known else []

    def made(self, name: str, sequence: int, **values: Any) -> Any:
        pdu = smpp.make_pdu(name, client=self.client, **values)
        pdu.sequence = sequence
        return pdu


@pytest.mark.parametrize("long_texts", list(LongTexts))
def test_smpplib_as_server(long_texts: LongTexts) -> None:
    async def test() -> None:
        server = Smsc()
        server.start()
        handler = Recorder()
        link = link_to(server.port, handler, SmppOptions(long_texts=long_texts))
        link.start()
        await handler.until(lambda: link.is_up)
        words = "检查报告已出，请到门诊楼三层自助机打印。" * 8
        payload = long_texts is LongTexts.PAYLOAD
        made = whole(words, Coding.UCS2) if payload else split(words, reference=9)
        total = len(made.payloads)
        link.submit_many([
            Submit("1069", PHONE, payload, made.coding, made.udh, total, k, True, k)
            for k, payload in enumerate(made.payloads, 1)
        ])  # fmt: skip
        await handler.until(lambda: len(handler.reports) == len(handler.answers) == total)
        assert {r.id for r in handler.reports} == {a.id for _, a in handler.answers}
        assert link.counters.converted == total
        await link.stop()
        await asyncio.to_thread(server.join, PATIENCE_S)
        assert server.parted
        octets = [pdu.message_payload if payload else pdu.short_message for pdu in server.submits]
        if long_texts is LongTexts.UDH:
            octets = [payload[6:] for payload in octets]
        assert b"".join(octets).decode("utf-16-be") == words
        if long_texts is LongTexts.SAR:
            parts = [
                (p.sar_msg_ref_num, p.sar_total_segments, p.sar_segment_seqnum)
                for p in server.submits
            ]
            assert parts == [(9, total, k) for k in range(1, total + 1)]

    run(test())
