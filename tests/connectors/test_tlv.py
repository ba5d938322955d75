"""Optional parameters: order, unknown tags, parameters cut short, values that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import EncodeError
from connectors.smgp.pdus import CODECS, ActiveTest, Deliver, Tag, number, text
from connectors.tlv import Tlv, read_tlvs, uint_of, value_of, write_tlvs

TLV = st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=300))


@given(st.lists(TLV).map(tuple), st.binary(max_size=9))
def test_there_and_back(tlvs: tuple[Tlv, ...], before: bytes) -> None:
    octets = before + write_tlvs(tlvs)
    assert read_tlvs(octets, len(before)) == (tlvs, len(octets))


@given(st.binary(max_size=60), st.integers(0, 60))
def test_junk_is_read_as_far_as_it_goes(junk: bytes, at: int) -> None:
    found, end = read_tlvs(junk, min(at, len(junk)))
    assert junk[min(at, len(junk)) : end] == write_tlvs(found)


def test_a_parameter_cut_short_is_kept_as_tail() -> None:
    codecs = CODECS["3.0"]
    whole = codecs.encode(Deliver(msg_content=b"x", tlvs=(number(Tag.TP_UDHI, 1),)))
    cut = whole + bytes.fromhex("00030014 4142")
    cut = len(cut).to_bytes(4, "big") + cut[4:]
    pdu = codecs.decode(cut)
    assert (pdu.msg_content, pdu.tlvs) == (b"x", (Tlv(2, b"\1"),))
    assert pdu.tail == bytes.fromhex("000300144142")
    assert codecs.encode(pdu) == cut


def test_octets_where_the_specification_has_none_are_kept() -> None:
    frame = bytes.fromhex("0000000d000000040000001400")
    pdu = CODECS["3.0"].decode(frame)
    assert pdu == ActiveTest(20, b"\0")
    assert CODECS["3.0"].encode(pdu) == frame


def test_values_are_found_by_tag() -> None:
    tlvs = (Tlv(2, b"\1"), Tlv(16, b"first"), Tlv(16, b"second"), Tlv(9, b""))
    assert value_of(tlvs, Tag.MSG_SRC) == b"first"
    assert value_of(tlvs, Tag.LINK_ID) is None
    assert [uint_of(tlvs, tag, 7) for tag in (Tag.TP_UDHI, Tag.PK_TOTAL, Tag.PK_NUMBER)] == [
        1, 7, 7,
    ]  # fmt: skip


def test_texts_are_written_in_the_specifications_width() -> None:
    assert text(Tag.M_SERVICE_ID, b"PID0001") == (0x12, b"PID0001".ljust(21, b"\0"))
    assert text(Tag.SRC_TERM_PSEUDO, b"abc") == (0x0E, b"abc")


@pytest.mark.parametrize("tlvs", [((1 << 16, b""),), ((1, b"x" * 65536),), ((1, "text"),), 5])
def test_values_that_do_not_fit(tlvs: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        CODECS["3.0"].encode(Deliver(tlvs=tlvs))
    assert caught.value.field == "tlvs"
