"""Every frame of the vectors, every PDU there and back, and junk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from connectors.cmpp.pdus import (
    CODECS,
    FRAME_LIMIT,
    PDUS,
    ActiveTestResp,
    Deliver,
    Frame,
    QueryResp,
    Submit,
)
from connectors.errors import DecodeError, EncodeError
from connectors.fields import Counted, Octets, OptionalUInt, Raw, Repeated, UInt

VECTORS = [
    vector
    for vector in json.loads(
        (Path(__file__).parents[2] / "data" / "vectors.json").read_text("utf-8")
    )
    if vector["protocol"] == "CMPP"
]
VERSIONS = ("2.0", "3.0")


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 50


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector_decodes_and_encodes_to_the_same_octets(vector: dict[str, Any]) -> None:
    codecs = CODECS[vector["version"]]
    frame = bytes.fromhex(vector["hex"])
    pdu = codecs.decode(frame)
    assert pdu.title == vector["pdu"]
    assert pdu.sequence_id == vector["fields"]["Sequence_Id"]
    assert codecs.encode(pdu) == frame


def values(spec: Any) -> st.SearchStrategy[Any]:
    """Whatever this field can hold; octet strings end in no NUL, as padding would."""
    if isinstance(spec, UInt):
        return st.integers(0, 256**spec.octets - 1)
    if isinstance(spec, Raw):
        return st.binary(min_size=spec.octets, max_size=spec.octets)
    if isinstance(spec, Octets):
        return st.binary(max_size=spec.octets).map(lambda octets: octets.rstrip(b"\0"))
    if isinstance(spec, Counted):
        return st.binary(max_size=255)
    if isinstance(spec, OptionalUInt):
        return st.none() | st.integers(0, 255)
    assert isinstance(spec, Repeated)
    number = st.binary(max_size=spec.octets).map(lambda octets: octets.rstrip(b"\0"))
    return st.lists(number, max_size=5).map(tuple)


@st.composite
def pdus(draw: st.DrawFn) -> tuple[str, Frame]:
    version = draw(st.sampled_from(VERSIONS))
    codec = CODECS[version].by_command[draw(st.sampled_from(PDUS)).command]
    given_values = {attr: draw(values(spec)) for attr, spec in codec.layout if attr}
    pdu = codec.pdu(**given_values)
    assert isinstance(pdu, Frame)
    return version, pdu


@given(pdus())
def test_every_pdu_comes_back_as_it_went(made: tuple[str, Frame]) -> None:
    version, pdu = made
    frame = CODECS[version].encode(pdu)
    assert int.from_bytes(frame[:4], "big") == len(frame)
    assert CODECS[version].decode(frame) == pdu


@given(st.sampled_from(VERSIONS), st.binary(max_size=200))
def test_junk_raises_decode_error_only(version: str, junk: bytes) -> None:
    try:
        CODECS[version].decode(junk)
    except DecodeError as fault:
        assert 0 <= fault.offset <= max(len(junk), 8)


@given(
    st.sampled_from(VERSIONS),
    st.sampled_from([bytes.fromhex(vector["hex"]) for vector in VECTORS]),
    st.data(),
)
def test_a_damaged_frame_raises_decode_error_only(
    version: str, frame: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(frame)))
    stop = data.draw(st.integers(start, len(frame)))
    damaged = frame[:start] + data.draw(st.binary(max_size=40)) + frame[stop:]
    if data.draw(st.booleans()):
        damaged = len(damaged).to_bytes(4, "big") + damaged[4:]
    try:
        pdu = CODECS[version].decode(damaged)
    except DecodeError:
        return
    assert CODECS[version].encode(pdu) == damaged


@pytest.mark.parametrize(
    ("cut", "field", "offset"),
    [
        (11, "Total_Length", 0),
        (12, "Msg_Id", 12),
        (20, "Pk_total", 20),
        (100, "ValId_Time", 85),
        (170, "Dest_terminal_Id", 141),
        (140, "DestUsr_tl", 140),
        (174, "Msg_Length", 174),
        (200, "Msg_Content", 175),
    ],
)
def test_a_fault_names_the_field_and_its_offset(cut: int, field: str, offset: int) -> None:
    frame = CODECS["3.0"].encode(
        Submit(dest_terminal_id=(b"13800138000",), msg_content=b"x" * 100)
    )[:cut]
    frame = cut.to_bytes(4, "big") + frame[4:]
    with pytest.raises(DecodeError) as caught:
        CODECS["3.0"].decode(frame)
    assert (caught.value.field, caught.value.offset) == (field, offset)


def test_octets_after_the_last_field_are_a_fault() -> None:
    frame = CODECS["2.0"].encode(Deliver(msg_content=b"abc")) + b"xx"
    frame = len(frame).to_bytes(4, "big") + frame[4:]
    with pytest.raises(DecodeError, match="2 octets after the last field") as caught:
        CODECS["2.0"].decode(frame)
    assert caught.value.offset == len(frame) - 2


def test_a_length_that_is_not_the_frames_is_a_fault() -> None:
    frame = bytearray(CODECS["2.0"].encode(Deliver()))
    frame[3] += 1
    with pytest.raises(DecodeError) as caught:
        CODECS["2.0"].decode(bytes(frame))
    assert caught.value.field == "Total_Length"


def test_an_unknown_command_is_a_fault() -> None:
    with pytest.raises(DecodeError, match="unknown command 0x00000003") as caught:
        CODECS["3.0"].decode(bytes.fromhex("0000000c0000000300000001"))
    assert caught.value.offset == 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"msg_id": b"short"}, "Msg_Id"),
        ({"pk_total": 256}, "Pk_total"),
        ({"pk_total": -1}, "Pk_total"),
        ({"pk_total": "1"}, "Pk_total"),
        ({"service_id": b"x" * 11}, "Service_Id"),
        ({"service_id": None}, "Service_Id"),
        ({"src_id": b"1" * 22}, "Src_Id"),
        ({"dest_terminal_id": (b"1" * 33,)}, "Dest_terminal_Id"),
        ({"dest_terminal_id": (b"1", b"1" * 33)}, "Dest_terminal_Id"),
        ({"dest_terminal_id": (b"1",) * 256}, "Dest_terminal_Id"),
        ({"msg_content": b"x" * 256}, "Msg_Content"),
        ({"sequence_id": 1 << 32}, "Sequence_Id"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(EncodeError) as caught:
        CODECS["3.0"].encode(structs.replace(Submit(), **changes))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("version", "pdu", "size"),
    [
        ("2.0", Submit(dest_terminal_id=(b"1",) * 3, msg_content=b"x" * 7), 138 + 21 * 3 + 7),
        ("3.0", Submit(dest_terminal_id=(b"1",) * 3, msg_content=b"x" * 7), 163 + 32 * 3 + 7),
        ("3.0", Submit(dest_terminal_id=(b"1",) * 99, msg_content=b"x" * 140), 3471),
        ("2.0", Deliver(msg_content=b"x" * 60), 145),
        ("3.0", Deliver(msg_content=b"x" * 71), 180),
        ("3.0", QueryResp(), 63),
        ("3.0", ActiveTestResp(), 13),
        ("3.0", ActiveTestResp(reserved=None), 12),
    ],
)
def test_frames_have_the_sizes_of_the_specification(version: str, pdu: Frame, size: int) -> None:
    frame = CODECS[version].encode(pdu)
    assert len(frame) == size <= FRAME_LIMIT


def test_fields_a_version_lacks_decode_as_their_defaults() -> None:
    sent = Submit(fee_terminal_type=1, link_id=b"link", reserve=b"reserve")
    second = CODECS["2.0"].decode(CODECS["2.0"].encode(sent))
    third = CODECS["3.0"].decode(CODECS["3.0"].encode(sent))
    assert (second.fee_terminal_type, second.link_id, second.reserve) == (0, b"", b"reserve")
    assert (third.fee_terminal_type, third.link_id, third.reserve) == (1, b"link", b"")
