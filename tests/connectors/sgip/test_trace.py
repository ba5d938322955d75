"""The stations inside a Trace's answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.sgip.pdus import CODECS
from connectors.sgip.trace import Station, decode_station, encode_station
from tests.connectors.vectors import named


def texts(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=size).map(lambda octets: octets.rstrip(b"\0"))


def test_the_vectors_station() -> None:
    pdu = CODECS["1.2"].decode(bytes.fromhex(named("sgip_trace_resp_one_node")["hex"]))
    assert [decode_station(octets) for octets in pdu.nodes] == [
        Station(0, b"101001", b"260309152315", b"260309152316")
    ]


@given(st.builds(Station, st.integers(0, 255), texts(6), texts(16), texts(16), texts(8)))
def test_there_and_back(station: Station) -> None:
    assert decode_station(encode_station(station)) == station


@given(st.binary(max_size=60))
def test_junk_never_raises(junk: bytes) -> None:
    decode_station(junk)
