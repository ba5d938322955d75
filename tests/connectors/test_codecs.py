"""SMGP and SGIP: every frame of the vectors, every PDU there and back, and junk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codecs import Codecs
from connectors.errors import DecodeError
from connectors.sgip.pdus import CODECS as SGIP
from connectors.smgp.pdus import CODECS as SMGP
from tests.connectors.drawing import damaged, pdus
from tests.connectors.vectors import frames, vectors

KNOWN = {"SMGP": SMGP, "SGIP": SGIP}
VECTORS = [*vectors("SMGP"), *vectors("SGIP")]
EVERY = [codecs for versions in KNOWN.values() for codecs in versions.values()]
EVERY_PDU = [(codecs, codec) for codecs in EVERY for codec in codecs.by_command.values()]


def test_there_are_vectors() -> None:
    assert (len(vectors("SMGP")), len(vectors("SGIP"))) == (22, 25)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector_decodes_and_encodes_to_the_same_octets(vector: dict[str, Any]) -> None:
    codecs = KNOWN[vector["protocol"]][vector["version"]]
    frame = bytes.fromhex(vector["hex"])
    pdu = codecs.decode(frame)
    assert pdu.title == vector["pdu"]
    assert getattr(pdu, "tail", b"") == b""
    assert codecs.encode(pdu) == frame


@given(st.sampled_from(EVERY_PDU).flatmap(lambda pair: st.tuples(st.just(pair), pdus(pair[1]))))
def test_every_pdu_comes_back_as_it_went(made: tuple[tuple[Codecs, Any], Any]) -> None:
    (codecs, codec), pdu = made
    frame = codecs.encode(pdu)
    assert int.from_bytes(frame[:4], "big") == len(frame)
    assert codecs.decode(frame) == pdu
    assert codecs.of(codec.pdu) is codec


@given(st.sampled_from(EVERY), st.binary(max_size=200))
def test_junk_raises_decode_error_only(codecs: Codecs, junk: bytes) -> None:
    try:
        codecs.decode(junk)
    except DecodeError as fault:
        assert 0 <= fault.offset <= max(len(junk), 8)


@given(st.sampled_from(EVERY), damaged([*frames("SMGP"), *frames("SGIP")]))
def test_a_damaged_frame_decodes_to_what_encodes_to_it_or_is_a_fault(
    codecs: Codecs, broken: bytes
) -> None:
    try:
        pdu = codecs.decode(broken)
    except DecodeError as fault:
        assert 0 <= fault.offset <= max(len(broken), 8)
        return
    assert codecs.encode(pdu) == broken


@pytest.mark.parametrize("codecs", EVERY)
def test_faults_of_the_header(codecs: Codecs) -> None:
    with pytest.raises(DecodeError, match=f"a header has {codecs.header_size} octets"):
        codecs.decode(b"\0" * (codecs.header_size - 1))
    unknown = codecs.header_size.to_bytes(4, "big") + b"\0\0\x77\x77"
    with pytest.raises(DecodeError, match="unknown command 0x00007777") as caught:
        codecs.decode(unknown.ljust(codecs.header_size, b"\0"))
    assert caught.value.offset == 4
