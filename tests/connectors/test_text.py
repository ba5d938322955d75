"""Octets to text, and the headers of long ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.text import Udh, build_udh, decode, parse_udh, plain


@pytest.mark.parametrize(
    ("hexed", "udh", "body"),
    [
        ("0500032a02014e00", Udh(42, 2, 1, 8), "4e00"),
        ("0608041f2a03024e00", Udh(0x1F2A, 3, 2, 16), "4e00"),
        ("0b05040b8423f0000301020141", Udh(1, 2, 1, 8), "41"),
        ("05047f00000041", None, "41"),
        ("ff00", None, "ff00"),
        ("", None, ""),
        ("004e00", None, "4e00"),
        ("0300032a4e", None, "4e"),
        ("020003", None, ""),
    ],
)
def test_headers(hexed: str, udh: Udh | None, body: str) -> None:
    assert parse_udh(bytes.fromhex(hexed)) == (udh, bytes.fromhex(body))


@given(st.binary(max_size=255), st.integers(0, 255))
def test_decoding_never_raises(octets: bytes, coding: int) -> None:
    assert isinstance(decode(octets, coding), str)
    parse_udh(octets)
    plain(octets)


@pytest.mark.parametrize(
    ("text", "codec", "coding"),
    [
        ("hello", "ascii", 0),
        ("退订", "gb18030", 0),
        ("退订", "gb18030", 15),
        ("退订", "utf-16-be", 8),
        ("退订", "utf-16-be", 0x18),
        ("hello", "ascii", 0x10),
        ("café", "latin-1", 3),
        ("䶮𠮷😀", "gb18030", 15),
        ("𠮷😀", "utf-16-be", 8),
    ],
)
def test_codings(text: str, codec: str, coding: int) -> None:
    assert decode(text.encode(codec), coding) == text


@pytest.mark.parametrize("coding", [4, 0xF6, 0x14])
def test_binary_shows_as_hex(coding: int) -> None:
    assert decode(b"\x01\xfe", coding) == "01fe"


def test_a_header_counts_from_one() -> None:
    assert build_udh(42, 2, 1) == bytes.fromhex("0500032a0201")
    assert build_udh(0x12A, 2, 1, wide=True) == bytes.fromhex("060804012a0201")


def test_fixed_fields_end_at_nul_or_blank() -> None:
    assert plain(b"13800138000\0junk") == "13800138000"
    assert plain(b"HOSP01    ") == "HOSP01"
