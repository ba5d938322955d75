"""The cheapest coding, capacities, and texts that come back whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import gsm
from connectors.splitting import split_as
from connectors.text import decode, parse_udh
from connectors.values import Coding

ALL = (Coding.GSM, Coding.ASCII, Coding.LATIN1, Coding.GB, Coding.UCS2)


def joined(text: str, *codings: Coding, wide: bool = False) -> tuple[str, int]:
    """What the phone shows, and the number of segments."""
    made = split_as(text, codings, reference=0x1234, wide=wide)
    out = []
    for number, payload in enumerate(made.payloads, 1):
        udh, octets = parse_udh(payload) if made.udh else (None, payload)
        if udh is not None:
            assert (udh.total, udh.number) == (len(made.payloads), number)
            assert (udh.reference, udh.bits) == ((0x1234, 16) if wide else (0x34, 8))
        out.append(decode(octets, made.coding))
    return "".join(out), len(made.payloads)


@pytest.mark.parametrize(
    ("coding", "char", "single", "part", "wide_part"),
    [
        (Coding.GSM, "a", 160, 153, 152),
        (Coding.GSM, "€", 80, 76, 76),
        (Coding.ASCII, "a", 159, 134, 133),
        (Coding.LATIN1, "é", 140, 134, 133),
        (Coding.UCS2, "中", 70, 67, 66),
        (Coding.UCS2, "😀", 35, 33, 33),
        (Coding.GB, "中", 70, 67, 66),
        (Coding.GB, "a", 70, 67, 66),
    ],
)
def test_capacities(coding: Coding, char: str, single: int, part: int, wide_part: int) -> None:
    assert joined(char * single, coding) == (char * single, 1)
    assert joined(char * (single + 1), coding) == (char * (single + 1), 2)
    for wide, size in ((False, part), (True, wide_part)):
        assert joined(char * size * 3, coding, wide=wide) == (char * size * 3, 3)
        assert joined(char * (size * 3 + 1), coding, wide=wide) == (char * (size * 3 + 1), 4)


@pytest.mark.parametrize(
    ("text", "codings", "chosen"),
    [
        ("Hello", (Coding.UCS2, Coding.GSM), Coding.UCS2),
        ("Hello" * 20, (Coding.UCS2, Coding.GSM), Coding.GSM),
        ("{" * 100, (Coding.UCS2, Coding.GSM), Coding.UCS2),
        ("é" * 100, (Coding.UCS2, Coding.LATIN1), Coding.LATIN1),
        ("检查", (Coding.GSM, Coding.ASCII, Coding.LATIN1, Coding.GB), Coding.GB),
        ("检查😀", (Coding.GB, Coding.UCS2), Coding.UCS2),
    ],
)
def test_the_cheapest_that_carries_the_text(
    text: str, codings: tuple[Coding, ...], chosen: Coding
) -> None:
    assert split_as(text, codings).coding is chosen


def test_a_text_that_nothing_carries() -> None:
    with pytest.raises(ValueError, match="none of the codings"):
        split_as("检查", (Coding.GSM, Coding.BINARY))


def test_whole() -> None:
    made = split_as("检查" * 200, (Coding.UCS2,), whole=True)
    assert [len(payload) for payload in made.payloads] == [800]
    assert not made.udh


def test_more_than_a_header_can_count() -> None:
    with pytest.raises(ValueError, match="256 segments"):
        split_as("中" * 67 * 255 + "中", (Coding.UCS2,))


@given(st.text(max_size=700), st.sets(st.sampled_from(ALL)), st.booleans())
def test_texts_come_back_whole(text: str, codings: set[Coding], wide: bool) -> None:
    words = text.encode("utf-16-be", "replace").decode("utf-16-be")
    shown, _ = joined(words, *codings, Coding.UCS2, wide=wide)
    assert shown == words


@given(st.text(alphabet="@£$abc{}[]~^|\\€ÄñΔ\r\n", max_size=400), st.integers(2, 160))
def test_an_escape_is_never_cut_off(text: str, size: int) -> None:
    octets = gsm.encode(text)
    assert octets is not None
    pieces = gsm.cut(octets, size)
    assert all(len(piece) <= size for piece in pieces)
    assert "".join(map(gsm.decode, pieces)) == text


@given(st.binary())
def test_any_octets_read_as_gsm(octets: bytes) -> None:
    assert isinstance(gsm.decode(octets), str)


def test_what_the_extension_table_lacks() -> None:
    assert gsm.decode(b"\x1bA\x1b\x65\xff\x1b") == "A€\ufffd"
