"""data_coding as peers use it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.smpp.content import text_of, to_wire
from connectors.smpp.settings import Alphabet
from connectors.text import build_udh
from connectors.values import Coding


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0, b"\x00\x11\x1b\x65", "@_€"),
        (0xF0, b"\x00", "@"),
        (1, b"a@[_", "a@[_"),
        (1, b"Hi \x00\x1b\x28", "Hi @{"),
        (2, b"\1\2", "0102"),
        (3, b"\xe9", "é"),
        (4, b"\1\2", "0102"),
        (5, "検査".encode("shift_jis"), "検査"),
        (6, "да".encode("iso8859-5"), "да"),
        (7, "שלום".encode("iso8859-8"), "שלום"),
        (8, "检查😀".encode("utf-16-be"), "检查😀"),
        (0x18, "检".encode("utf-16-be"), "检"),
        (14, "검사".encode("euc_kr"), "검사"),
        (15, "检查".encode("gbk"), "检查"),
    ],
)
def test_what_a_text_reads(data_coding: int, octets: bytes, text: str) -> None:
    assert text_of(octets, data_coding, Alphabet.GSM) == text


@given(st.binary(max_size=200), st.integers(0, 255), st.sampled_from(Alphabet))
def test_anything_can_be_read(octets: bytes, data_coding: int, alphabet: Alphabet) -> None:
    assert isinstance(text_of(octets, data_coding, alphabet), str)


@pytest.mark.parametrize(
    ("coding", "alphabet", "payload", "expected"),
    [
        (Coding.ASCII, Alphabet.GSM, b"a@_$", (0, b"a\x00\x11\x02")),
        (Coding.ASCII, Alphabet.GSM, b"[\xff", (0, b"??")),
        (Coding.ASCII, Alphabet.LATIN1, b"a@_", (0, b"a@_")),
        (Coding.ASCII, Alphabet.ASCII, b"a@_", (0, b"a@_")),
        (Coding.GSM, Alphabet.GSM, b"\x00", (0, b"\x00")),
        (Coding.GSM, Alphabet.LATIN1, b"\x00\x05", (0, "@é".encode("latin-1"))),
        (Coding.LATIN1, Alphabet.GSM, b"\xe9", (3, b"\xe9")),
        (Coding.BINARY, Alphabet.GSM, b"\x00", (4, b"\x00")),
        (Coding.UCS2, Alphabet.GSM, b"\x4e\x2d", (8, b"\x4e\x2d")),
        (Coding.GB, Alphabet.GSM, b"\xd6\xd0", (15, b"\xd6\xd0")),
    ],
)
def test_what_goes_out(
    coding: Coding, alphabet: Alphabet, payload: bytes, expected: tuple[int, bytes]
) -> None:
    assert to_wire(payload, coding, False, alphabet) == expected
    header = build_udh(0x40, 2, 1)
    data_coding, octets = to_wire(header + payload, coding, True, alphabet)
    assert (data_coding, octets) == (expected[0], header + expected[1])
