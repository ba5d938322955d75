"""A node with a channel over SMPP: texts out, receipts and replies back, ids in another base."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapter.security.passwords import hash_password
from connectors.behaviour import Behaviour
from connectors.smpp.settings import Base, ReceiptBy, SmppServerOptions
from tests.nodes import ACCOUNT, HOST, PASSWORD, SECRET, Carrier, Node, Soap, free_port, until

PHONES = ("13800138000", "18912345678")
LONG = "您预约的门诊已确认，请携带身份证到门诊楼取号。" * 5


def configuration(folder: Path, web: int, port: int, words: str, quirks: str = "") -> Path:
    path = folder / "adapter.xml"
    path.write_text(
        f"""\
<adapter xmlns="urn:his-sms:config:1">
  <node name="test"/>
  <store url="sqlite:///adapter.db"/>
  <web port="{web}"/>
  <channels>
    <channel name="world" protocol="smpp" version="3.4" access-number="1069012345"
             encodings="ascii ucs2">
      <connection host="{HOST}" port="{port}" account="{ACCOUNT}" password="{SECRET}"
                  links="2" reconnect-min="50ms" reconnect-max="500ms"/>
      <smpp system-type="VMA" {words}/>
      {quirks}
    </channel>
  </channels>
  <routes>
    <route carrier="mobile" channels="world"/>
    <route carrier="telecom" channels="world"/>
  </routes>
  <clients>
    <client account="web" extension="02"><password hash="{hash_password(PASSWORD)}"/></client>
  </clients>
</adapter>
""",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("words", ['separate="true" long-texts="sar"', ""])
def test_texts_go_out_and_receipts_and_replies_come_back(tmp_path: Path, words: str) -> None:
    web = free_port()
    replies = Behaviour(inbound_share=1.0, inbound_text="收到")
    own = SmppServerOptions(receipt_by=ReceiptBy.TEXT, receipt_ids=Base.DECIMAL)
    contents = ("检查报告已出", LONG, "Your report @ desk 1")
    with (
        Carrier(replies, protocol="smpp", own=own) as carrier,
        Node(configuration(tmp_path, web, carrier.port, words), web) as node,
    ):
        node.start()
        soap = Soap(node.url)
        ids = [
            each
            for k, content in enumerate(contents)
            for each in soap.send_batch([(phone, content) for phone in PHONES], f"B-{k}")
        ]
        states: dict[int, str] = {}
        texts: list[tuple[str, str]] = []

        # The same word from the same phone within a minute is kept once: SMPP gives it no id.
        def all_came() -> bool:
            for each in soap.fetch_all("Receipts"):
                states[int(each.messageId)] = each.state
            texts.extend((each.mobile, each.content) for each in soap.fetch_all("Inbound"))
            delivered = [each for each in states.values() if each == "DELIVERED"]
            return len(delivered) == len(ids) and len(texts) >= len(PHONES)

        until(all_came, "receipts and replies")
        assert set(states) == set(ids)
        assert set(texts) == {(phone, "收到") for phone in PHONES}
        taken = carrier.taken()
        assert {each["source"] for each in taken} == {"106901234502"}
        for phone in PHONES:
            sent = [each for each in taken if each["destination"] == "86" + phone]
            assert "".join(each["text"] for each in sent if each["total"] == 2) == LONG
            assert {each["text"] for each in sent if each["total"] == 1} == {
                contents[0], contents[2],
            }  # fmt: skip
            assert {each["coding"] for each in sent if each["text"] == contents[2]} == {0}
        assert node.at_rest()
        assert node.stop() == 0, node.last_words()


@pytest.mark.parametrize(
    ("words", "quirks", "parts"),
    [('long-texts="payload"', "", 1), ("", '<quirks long-reference="16"/>', 2)],
)
def test_a_long_text_whole_in_message_payload_or_in_parts_with_a_long_reference(
    tmp_path: Path, words: str, quirks: str, parts: int
) -> None:
    web = free_port()
    with (
        Carrier(protocol="smpp", own=SmppServerOptions(receipt_by=ReceiptBy.TEXT)) as carrier,
        Node(configuration(tmp_path, web, carrier.port, words, quirks), web) as node,
    ):
        node.start()
        soap = Soap(node.url)
        ids = soap.send_batch([(phone, LONG) for phone in PHONES], "B")

        states: dict[int, str] = {}

        def all_came() -> bool:
            for each in soap.fetch_all("Receipts"):
                states[int(each.messageId)] = each.state
            return len(states) == len(ids)

        until(all_came, "every receipt")
        assert states == dict.fromkeys(ids, "DELIVERED")
        with closing(sqlite3.connect(tmp_path / "adapter.db")) as store:
            # The hospital pays for two segments, whoever splits.
            assert {*store.execute("select segments from message")} == {(2,)}
        taken = carrier.taken()
        for phone in PHONES:
            sent = [each for each in taken if each["destination"] == "86" + phone]
            assert "".join(each["text"] for each in sent) == LONG
            assert [each["total"] for each in sent] == [parts] * parts
        # One id, one receipt, for all segments.
        assert len(taken) == parts * len(PHONES)
        if parts > 1:
            assert any(each["reference"] > 0xFF for each in taken)
        assert node.at_rest()
        assert node.stop() == 0, node.last_words()
