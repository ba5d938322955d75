"""The frame viewer shows what the vectors' authors saw."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.pdu_view import describe
from connectors.smpp.fields import LIST, Address, Unsuccessful
from connectors.smpp.pdus import (
    CODECS,
    DeliverSm,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    Tag,
    number,
)
from connectors.tlv import Tlv
from tests.connectors.vectors import vectors


@pytest.mark.parametrize("vector", vectors("SMPP"), ids=lambda v: v["name"])
def test_vector(vector: dict[str, Any]) -> None:
    seen = describe("smpp", "3.4", vector["hex"])
    assert seen["name"] == vector["pdu"]
    assert seen["hex"] == vector["hex"]
    shown = {name: seen["fields"].get(name) for name in vector["fields"]}
    assert shown == vector["fields"]


def test_destinations_and_failures() -> None:
    pdu = SubmitMulti(
        dest_address=(Address(b"861", 1, 1), Address(b"staff", flag=LIST)), short_message=b"x"
    )
    fields = describe("smpp", "3.4", CODECS.encode(pdu).hex())["fields"]
    assert fields["number_of_dests"] == 2
    assert [to["address"] for to in fields["dest_address"]] == ["861", "staff"]
    assert fields["short_message_text"] == "x"
    failed = SubmitMultiResp(message_id=b"5", unsuccess_sme=(Unsuccessful(b"861", 1, 1, 0x0B),))
    fields = describe("smpp", "3.4", CODECS.encode(failed).hex())["fields"]
    assert fields["unsuccess_sme"] == [{"ton": 1, "npi": 1, "address": "861", "error_status": 11}]


def test_a_text_in_message_payload_and_parameters_nobody_knows() -> None:
    pdu = SubmitSm(
        data_coding=8,
        tlvs=(
            Tlv(Tag.MESSAGE_PAYLOAD, "检查".encode("utf-16-be")),
            Tlv(0x1400, b"\1\2"),
            number(Tag.SMS_SIGNAL, 258),
        ),
        tail=b"\4",
    )
    fields = describe("smpp", "3.4", CODECS.encode(pdu).hex())["fields"]
    assert fields["message_payload_text"] == "检查"
    assert [(each["name"], each["value"]) for each in fields["tlvs"][1:]] == [
        ("unknown", "0102"),
        ("sms_signal", 258),
    ]
    assert fields["tail"] == "04"


def test_replace_sm() -> None:
    frame = CODECS.encode(ReplaceSm(message_id=b"7", short_message=b"new"))
    assert describe("smpp", "3.4", frame.hex())["fields"]["short_message_text"] == "new"


def test_a_field_wider_than_the_specification_is_shown_and_named() -> None:
    frame = CODECS.encode(DeliverSm())
    frame = frame[:19] + b"1" * 30 + frame[19:]
    frame = len(frame).to_bytes(4, "big") + frame[4:]
    seen = describe("smpp", "3.4", frame.hex())
    assert seen["fields"]["source_addr"] == "1" * 30
    assert seen["error"] == "source_addr: longer than 20 characters"
