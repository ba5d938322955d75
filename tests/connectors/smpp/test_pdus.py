"""Every frame of the vectors, every PDU there and back, and junk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from connectors.errors import DecodeError, EncodeError
from connectors.smpp.fields import (
    LIST,
    SME,
    Address,
    CString,
    Destinations,
    Failures,
    Unsuccessful,
)
from connectors.smpp.pdus import (
    CODECS,
    PDUS,
    BindTransceiver,
    DeliverSm,
    EnquireLink,
    QuerySmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tag,
    number,
)
from connectors.tlv import Tlv
from tests.connectors import drawing
from tests.connectors.vectors import frames, named, vectors

VECTORS = vectors("SMPP")


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 33


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector_decodes_and_encodes_to_the_same_octets(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["hex"])
    pdu = CODECS.decode(frame)
    assert pdu.title == vector["pdu"]
    assert pdu.sequence_number == vector["fields"]["sequence_number"]
    assert pdu.command_status == vector["fields"]["command_status"]
    assert CODECS.encode(pdu) == frame


_C = st.binary(max_size=64).map(lambda octets: octets.replace(b"\0", b""))
_BYTE = st.integers(0, 255)


def values(spec: Any) -> st.SearchStrategy[Any]:
    match spec:
        case CString():
            return _C.map(lambda octets: octets[: spec.width - 1])
        case Destinations():
            short = _C.map(lambda octets: octets[:20])
            sme = st.builds(Address, short, _BYTE, _BYTE, st.just(SME))
            listed = st.builds(Address, short, st.just(0), st.just(0), st.just(LIST))
            return st.lists(sme | listed, max_size=5).map(tuple)
        case Failures():
            one = st.builds(
                Unsuccessful, _C.map(lambda c: c[:20]), _BYTE, _BYTE, st.integers(0, 2**32 - 1)
            )
            return st.lists(one, max_size=5).map(tuple)
    return drawing.values(spec)


@st.composite
def pdus(draw: st.DrawFn) -> Any:
    """Any PDU; of fields that may be missing at the end, some are."""
    codec = CODECS.by_command[draw(st.sampled_from(PDUS)).command]
    given_values = {attr: draw(values(spec)) for attr, spec in codec.layout if attr}
    optional = [each.name for each in structs.fields(codec.pdu) if each.default is None]
    for attr in optional:
        if given_values[attr] is None:
            given_values[attr] = b"" if attr in ("message_id", "final_date", "system_id") else 0
    if optional:
        missing = optional[draw(st.integers(0, len(optional))) :]
    if optional and missing:
        given_values |= dict.fromkeys(missing)
        given_values |= {attr: () for attr in ("tlvs",) if attr in given_values}
        given_values["tail"] = b""
    return codec.pdu(**given_values)


@given(pdus())
def test_every_pdu_comes_back_as_it_went(pdu: Any) -> None:
    frame = CODECS.encode(pdu)
    assert int.from_bytes(frame[:4], "big") == len(frame)
    assert CODECS.decode(frame) == pdu


@given(st.binary(max_size=200))
def test_junk_raises_decode_error_only(junk: bytes) -> None:
    try:
        CODECS.decode(junk)
    except DecodeError as fault:
        assert 0 <= fault.offset <= max(len(junk), 8)


@given(drawing.damaged(frames("SMPP")))
def test_a_damaged_frame_raises_decode_error_only(frame: bytes) -> None:
    try:
        pdu = CODECS.decode(frame)
    except DecodeError:
        return
    try:
        assert CODECS.encode(pdu) == frame
    except EncodeError as fault:
        assert "longer than" in str(fault) or "entry" in str(fault)


@given(st.sampled_from(PDUS), st.binary(max_size=300))
def test_any_body_of_any_pdu(pdu: Any, body: bytes) -> None:
    head = (16 + len(body)).to_bytes(4, "big") + pdu.command.to_bytes(4, "big") + bytes(8)
    try:
        read = CODECS.decode(head + body)
    except DecodeError as fault:
        assert 0 <= fault.offset <= 16 + len(body)
        return
    assert type(read) is pdu


@pytest.mark.parametrize(
    ("octets", "field", "offset"),
    [
        (15, "command_length", 0),
        (16, "service_type", 16),
        (17, "source_addr_ton", 17),
        (25, "source_addr", 19),
        (40, "destination_addr", 33),
        (56, "sm_length", 56),
        (60, "short_message", 57),
    ],
)
def test_faults_tell_where(octets: int, field: str, offset: int) -> None:
    frame = bytes.fromhex(named("smpp_submit_sm_ucs2_short")["hex"])[:octets]
    frame = octets.to_bytes(4, "big") + frame[4:]
    with pytest.raises(DecodeError) as caught:
        CODECS.decode(frame)
    assert (caught.value.field, caught.value.offset) == (field, offset)


def test_responses_without_their_body() -> None:
    for command, kind in ((0x80000004, SubmitSmResp), (0x80000021, SubmitMultiResp)):
        frame = bytes.fromhex(f"00000010{command:08x}0000005800000007")
        pdu = CODECS.decode(frame)
        assert type(pdu) is kind
        assert (pdu.command_status, pdu.message_id) == (0x58, None)
        assert CODECS.encode(pdu) == frame
    query = CODECS.decode(bytes.fromhex("00000012800000030000000000000007") + b"5\0")
    assert query == QuerySmResp(sequence_number=7, message_id=b"5")


def test_submit_multi_octet_by_octet() -> None:
    pdu = SubmitMulti(
        sequence_number=1,
        source_addr=b"1069",
        dest_address=(Address(b"8613800138000", 1, 1), Address(b"staff", flag=LIST)),
        data_coding=8,
        short_message=b"\x4e\x2d",
    )
    body = (
        b"\0" b"\0\0" b"1069\0" b"\2" b"\1\1\1" b"8613800138000\0" b"\2" b"staff\0"
        b"\0\0\0" b"\0" b"\0" b"\0\0\x08\0" b"\2\x4e\x2d"
    )  # fmt: skip
    assert CODECS.encode(pdu)[16:] == body


@pytest.mark.parametrize(
    ("pdu", "field"),
    [
        (SubmitSm(source_addr=b"1" * 21), "source_addr"),
        (SubmitSm(source_addr=b"1\x002"), "source_addr"),
        (SubmitSm(service_type=b"123456"), "service_type"),
        (SubmitSm(short_message=b"x" * 256), "short_message"),
        (SubmitSm(data_coding=256), "data_coding"),
        (SubmitSm(source_addr=None), "source_addr"),  # type: ignore[arg-type]
        (SubmitSmResp(message_id=b"x" * 65), "message_id"),
        (SubmitMulti(dest_address=(Address(b"1" * 21),)), "dest_address"),
        (SubmitMulti(dest_address=(Address(b"1", flag=3),)), "dest_address"),
        (SubmitMulti(dest_address=(Address(b"1"),) * 256), "dest_address"),
        (SubmitMultiResp(message_id=b"", unsuccess_sme=(Unsuccessful(b"1" * 21, 0, 0, 0),)),
         "unsuccess_sme"),
        (BindTransceiver(system_id=b"s" * 16), "system_id"),
        (SubmitSm(tlvs=(Tlv(1 << 16, b""),)), "tlvs"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(pdu: Any, field: str) -> None:
    with pytest.raises(EncodeError) as caught:
        CODECS.encode(pdu)
    assert caught.value.field == field


def test_texts_of_full_width_fit() -> None:
    pdu = SubmitSm(source_addr=b"1" * 20, short_message=b"x" * 255)
    assert CODECS.decode(CODECS.encode(pdu)) == pdu


def test_a_peer_may_exceed_the_widths() -> None:
    long = b"1" * 30
    frame = CODECS.encode(DeliverSm(source_addr=b""))
    frame = frame[:19] + long + frame[19:]
    frame = len(frame).to_bytes(4, "big") + frame[4:]
    assert CODECS.decode(frame).source_addr == long


def test_numbers_take_the_specifications_width() -> None:
    assert number(Tag.SAR_MSG_REF_NUM, 46) == (0x020C, b"\0\x2e")
    assert number(Tag.QOS_TIME_TO_LIVE, 1) == (0x17, b"\0\0\0\1")
    assert number(Tag.MESSAGE_STATE, 2) == (0x0427, b"\2")


def test_a_cut_parameter_and_a_body_where_none_belongs_are_kept() -> None:
    frame = CODECS.encode(DeliverSm(short_message=b"x", tail=b"\x04\x27\x00"))
    pdu = CODECS.decode(frame)
    assert (pdu.tlvs, pdu.tail) == ((), b"\x04\x27\x00")
    assert CODECS.decode(CODECS.encode(EnquireLink(tail=b"\0"))).tail == b"\0"
