"""Parts of long texts from phones, in every protocol, and the parts as one text again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cmpp import pdus as cmpp
from connectors.cmpp.client import CmppClient
from connectors.parts import decode_part, join
from connectors.sgip import pdus as sgip
from connectors.sgip.listener import SgipListener
from connectors.smgp import pdus as smgp
from connectors.smgp.client import SmgpClient
from connectors.smpp import pdus as smpp
from connectors.smpp.client import SmppClient
from connectors.text import build_udh, decode
from connectors.tlv import Tlv
from connectors.values import Inbound
from tests.connectors.recorder import settings

Frame = Callable[[bytes, bool], bytes]
PHONE, ACCESS = b"8613800138000", b"10690001"
ID = bytes(range(1, 9))


def cmpp_frame(version: str) -> Frame:
    return lambda content, udhi: cmpp.CODECS[version].encode(
        cmpp.Deliver(1, ID, ACCESS, tp_udhi=int(udhi), msg_fmt=8, src_terminal_id=PHONE,
                     msg_content=content)
    )  # fmt: skip


def sgip_frame(content: bytes, udhi: bool) -> bytes:
    return sgip.CODECS[sgip.V1].encode(
        sgip.Deliver(ID + b"\0\0\0\1", PHONE, ACCESS, tp_udhi=int(udhi), message_coding=8,
                     message_content=content)
    )  # fmt: skip


def smgp_frame(content: bytes, udhi: bool, *tlvs: Tlv) -> bytes:
    if udhi:
        tlvs = (*tlvs, smgp.number(smgp.Tag.TP_UDHI, 1))
    return smgp.CODECS["3.0"].encode(
        smgp.Deliver(1, ID + b"\0\1", 0, 8, b"20261122200000", PHONE, ACCESS, content, tlvs=tlvs)
    )


def smpp_frame(content: bytes, udhi: bool, *tlvs: Tlv) -> bytes:
    return smpp.CODECS.encode(
        smpp.DeliverSm(sequence_number=1, source_addr=PHONE, destination_addr=ACCESS,
                       esm_class=0x40 if udhi else 0, data_coding=8, short_message=content,
                       tlvs=tlvs)
    )  # fmt: skip


def payload_frame(content: bytes, udhi: bool) -> bytes:
    return smpp_frame(b"", udhi, Tlv(smpp.Tag.MESSAGE_PAYLOAD, content))


def read(protocol: str, frame: bytes) -> Inbound:
    version = {"cmpp": "3.0", "cmpp2": "2.0", "smgp": "3.0", "sgip": "1.2", "smpp": "3.4"}[protocol]
    own = settings(1, protocol=protocol.rstrip("2"), version=version)
    dialect: Any = {
        "cmpp": CmppClient,
        "cmpp2": CmppClient,
        "smgp": SmgpClient,
        "sgip": lambda _own: SgipListener(),
        "smpp": SmppClient,
    }[protocol](own)
    event = dialect.read(int.from_bytes(frame[4:8], "big"), frame)
    assert isinstance(event.item, Inbound)
    return event.item


FRAMES = [
    pytest.param("cmpp", cmpp_frame("3.0"), id="cmpp30"),
    pytest.param("cmpp2", cmpp_frame("2.0"), id="cmpp20"),
    pytest.param("sgip", sgip_frame, id="sgip"),
    pytest.param("smgp", smgp_frame, id="smgp"),
    pytest.param("smpp", smpp_frame, id="smpp"),
    pytest.param("smpp", payload_frame, id="smpp-payload"),
]
FACE = "😀".encode("utf-16-be")


@pytest.mark.parametrize(("protocol", "frame"), FRAMES)
@pytest.mark.parametrize("wide", [False, True])
def test_a_part_by_its_header(protocol: str, frame: Frame, wide: bool) -> None:
    reference = 0x0102 if wide else 0x02
    item = read(protocol, frame(build_udh(reference, 3, 2, wide=wide) + b"\x90\x00", True))
    assert (item.reference, item.total, item.number) == (reference, 3, 2)
    assert (item.text, item.source, item.destination) == ("退", PHONE.decode(), ACCESS.decode())
    assert item.payload.endswith(b"\x90\x00")


@pytest.mark.parametrize(("protocol", "frame"), FRAMES)
def test_a_pair_cut_between_two_parts_is_whole_again(protocol: str, frame: Frame) -> None:
    items = [
        read(protocol, frame(build_udh(7, 2, number) + octets, True))
        for number, octets in ((1, b"\0a" + FACE[:2]), (2, FACE[2:] + b"\0b"))
    ]
    assert join(item.text for item in items) == "a😀b"


@pytest.mark.parametrize(("protocol", "frame"), FRAMES)
@pytest.mark.parametrize(("total", "number"), [(0, 0), (1, 1), (3, 0), (3, 4), (0, 1)])
def test_what_cannot_be_a_part_is_a_text_of_its_own(
    protocol: str, frame: Frame, total: int, number: int
) -> None:
    item = read(protocol, frame(build_udh(7, total, number) + b"\x90\x00", True))
    assert (item.reference, item.total, item.number, item.text) == (0, 1, 1, "退")


@pytest.mark.parametrize(("protocol", "frame"), FRAMES)
def test_a_text_of_one_piece_keeps_no_halves(protocol: str, frame: Frame) -> None:
    item = read(protocol, frame(b"\0a" + FACE[:2], False))
    assert (item.total, item.text) == (1, "a\ufffd")


@pytest.mark.parametrize(
    ("protocol", "frame", "msg_id"),
    [
        ("cmpp", cmpp_frame("3.0"), ID.hex()),
        ("cmpp2", cmpp_frame("2.0"), ID.hex()),
        ("sgip", sgip_frame, ID.hex() + "00000001"),
        ("smgp", smgp_frame, ID.hex() + "0001"),
        ("smpp", smpp_frame, ""),
    ],
)
def test_the_carriers_id(protocol: str, frame: Frame, msg_id: str) -> None:
    assert read(protocol, frame(b"\x90\x00", False)).id == msg_id


def test_an_id_of_zeros_is_none() -> None:
    frame = cmpp.CODECS["2.0"].encode(cmpp.Deliver(1, bytes(8), ACCESS, src_terminal_id=PHONE))
    assert read("cmpp2", frame).id == ""


PK = (smgp.number(smgp.Tag.PK_TOTAL, 2), smgp.number(smgp.Tag.PK_NUMBER, 1))
UDH = build_udh(9, 2, 1)


@pytest.mark.parametrize(
    ("content", "udhi", "reference"),
    [
        pytest.param(b"\x90\x00", False, 0, id="beside the content"),
        pytest.param(UDH + b"\x90\x00", False, 9, id="with a header that nothing announces"),
        pytest.param(UDH + b"\x90\x00", True, 9, id="with a header"),
        pytest.param(b"\x02\x70\x00\x90\x00", True, 0, id="with another header"),
    ],
)
def test_smgp_parts_by_parameters(content: bytes, udhi: bool, reference: int) -> None:
    item = read("smgp", smgp_frame(content, udhi, *PK))
    assert (item.reference, item.total, item.number, item.text) == (reference, 2, 1, "退")


def test_an_smgp_text_that_looks_like_a_part_is_none() -> None:
    content = UDH + b"\x90\x00"
    assert read("smgp", smgp_frame(content, False)).text == decode(content, 8)


@pytest.mark.parametrize(("number", "total"), [(2, 2), (0, 2), (3, 2)])
def test_smpp_parts_by_sar(number: int, total: int) -> None:
    tlvs = (
        smpp.number(smpp.Tag.SAR_MSG_REF_NUM, 300),
        smpp.number(smpp.Tag.SAR_TOTAL_SEGMENTS, total),
        smpp.number(smpp.Tag.SAR_SEGMENT_SEQNUM, number),
    )
    item = read("smpp", smpp_frame(FACE[2:], False, *tlvs))
    if number == 2:
        assert (item.reference, item.total, item.number, item.text) == (300, 2, 2, "\ude00")
    else:
        assert (item.reference, item.total, item.number, item.text) == (0, 1, 1, "\ufffd")


@given(st.text(st.characters(codec="utf-16")), st.lists(st.integers(1, 30)))
def test_cut_anywhere_and_joined(text: str, sizes: list[int]) -> None:
    octets = text.encode("utf-16-be")
    parts = []
    for size in [*sizes, len(octets)]:
        parts.append(decode_part(octets[: 2 * size], 8))
        octets = octets[2 * size :]
    assert join(parts) == text


@given(st.binary(), st.integers(0, 255))
def test_a_part_is_always_read(octets: bytes, coding: int) -> None:
    join([decode_part(octets, coding)]).encode("utf-8")


def test_an_odd_octet_is_seen() -> None:
    assert decode_part(b"\x90\x00\x90", 8) == "退\ufffd"
