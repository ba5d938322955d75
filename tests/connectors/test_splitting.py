"""The cheapest coding, capacities, and texts that come back whole."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors import gsm
from connectors.codings import NUMBERS, WORDS, named, wire_number, words_of
from connectors.errors import EncodeError
from connectors.splitting import Measure, measure, split, whole
from connectors.text import decode, parse_udh
from connectors.values import Coding

ALL = (Coding.GSM, Coding.ASCII, Coding.LATIN1, Coding.GB, Coding.UCS2)


def joined(text: str, *codings: Coding, wide: bool = False) -> tuple[str, int]:
    """What the phone shows, and the number of segments."""
    made = split(text, codings, reference=0x1234, wide=wide)
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
        (Coding.GB, "𠮷", 35, 33, 33),
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
        ("检查😀", (Coding.GB, Coding.UCS2), Coding.GB),
        ("😀" * 35, (Coding.GB, Coding.UCS2), Coding.GB),
        ("😀" * 36, (Coding.UCS2, Coding.GB), Coding.UCS2),
    ],
)
def test_the_cheapest_that_carries_the_text(
    text: str, codings: tuple[Coding, ...], chosen: Coding
) -> None:
    assert split(text, codings).coding is chosen


def test_a_text_that_nothing_carries() -> None:
    with pytest.raises(ValueError, match="none of the codings"):
        split("检查", (Coding.GSM, Coding.BINARY))


def test_whole() -> None:
    made = whole("检查" * 200, Coding.UCS2)
    assert [len(payload) for payload in made.payloads] == [800]
    assert not made.udh
    with pytest.raises(ValueError, match="does not carry"):
        whole("检查", Coding.GSM)


def test_more_than_a_header_can_count() -> None:
    with pytest.raises(ValueError, match="256 segments"):
        split("中" * 67 * 255 + "中", (Coding.UCS2,))


MIXED = st.text(max_size=700) | st.text(st.sampled_from("医院aZ,é\n{€😀𠮷䶮"), max_size=500)
EMOJI = "😀"


@given(MIXED, st.lists(st.sampled_from(ALL), unique=True), st.booleans())
@example("医" * 66 + EMOJI + "医" * 10, [], False)
@example("a" * 133 + EMOJI * 3 + "医" * 99, [Coding.GB], False)
@example("{" * 77 + "€" * 77, [Coding.GSM], True)
def test_texts_come_back_whole(text: str, codings: list[Coding], wide: bool) -> None:
    words = text.encode("utf-16-be", "replace").decode("utf-16-be")
    shown, _ = joined(words, *codings, Coding.UCS2, wide=wide)
    assert shown == words


@given(MIXED, st.lists(st.sampled_from(ALL), unique=True), st.booleans())
@example("医" * 66 + EMOJI + "医" * 10, [], False)
@example("医" * 134, [], True)
def test_what_is_measured_is_what_is_made(text: str, codings: list[Coding], wide: bool) -> None:
    every = (*codings, Coding.UCS2)
    made = split(text, every, wide=wide)
    assert measure(text, every, wide=wide) == Measure(made.coding, len(made.payloads))
    assert made.udh == (len(made.payloads) > 1)
    limit = {Coding.GSM: 160, Coding.ASCII: 159}.get(made.coding, 140)
    assert all(len(payload) <= limit for payload in made.payloads)
    apart = [
        measure(text, (coding,), wide=wide).segments for coding in every if carries(text, coding)
    ]
    assert len(made.payloads) == min(apart)


def carries(text: str, coding: Coding) -> bool:
    try:
        return bool(measure(text, (coding,)))
    except ValueError:
        return False


@given(MIXED, st.sampled_from((Coding.UCS2, Coding.GB)))
def test_no_character_is_cut(text: str, coding: Coding) -> None:
    """Each segment alone is good text in the strict reading of its coding."""
    words = text.encode("utf-16-be", "replace").decode("utf-16-be")
    made = split(words, (coding,))
    codec = "utf-16-be" if coding is Coding.UCS2 else "gb18030"
    for payload in made.payloads:
        (parse_udh(payload)[1] if made.udh else payload).decode(codec)


@pytest.mark.parametrize(
    ("text", "codings", "expected"),
    [
        ("", (Coding.UCS2,), Measure(Coding.UCS2, 1)),
        ("医" * 70, (Coding.UCS2,), Measure(Coding.UCS2, 1)),
        ("医" * 71, (Coding.UCS2,), Measure(Coding.UCS2, 2)),
        ("医" * 134, (Coding.UCS2,), Measure(Coding.UCS2, 2)),
        ("医" * 135, (Coding.UCS2,), Measure(Coding.UCS2, 3)),
        # 33 pairs are 66 units: the 67th place of each segment stays empty.
        (EMOJI * 67, (Coding.UCS2,), Measure(Coding.UCS2, 3)),
        ("a" * 159, (Coding.ASCII, Coding.UCS2), Measure(Coding.ASCII, 1)),
        ("a" * 269, (Coding.ASCII, Coding.UCS2), Measure(Coding.ASCII, 3)),
        ("a" * 71 + "医", (Coding.ASCII, Coding.UCS2), Measure(Coding.UCS2, 2)),
        # Few units, but many octets: 33 of four octets each fill 132 of 134.
        ("\U00020bb7" * 66, (Coding.GB,), Measure(Coding.GB, 2)),
        ("ཀ" * 34, (Coding.GB, Coding.UCS2), Measure(Coding.GB, 1)),
        ("ཀ" * 36, (Coding.GB, Coding.UCS2), Measure(Coding.UCS2, 1)),
    ],
)
def test_borders(text: str, codings: tuple[Coding, ...], expected: Measure) -> None:
    assert measure(text, codings) == expected
    assert len(split(text, codings).payloads) == expected.segments


@pytest.mark.parametrize("risky", list("[]{}\\^~|`\t\0"))
def test_risky_characters_never_go_as_ascii(risky: str) -> None:
    assert measure(f"code {risky}", (Coding.ASCII, Coding.UCS2)).coding is Coding.UCS2


def test_a_lone_surrogate_goes_as_a_question_mark() -> None:
    assert joined("医\ud83d院", Coding.UCS2) == ("医?院", 1)


def test_the_reference_keeps_its_low_octet() -> None:
    assert split("医" * 80, reference=0x1FF).payloads[0][:6] == bytes.fromhex("050003ff0201")


def test_the_numbers_on_the_wire() -> None:
    """protocols/cmpp.md B1, sgip.md 6, smgp.md 3, smpp.md 6."""
    for protocol in ("cmpp", "sgip", "smgp"):
        assert words_of(protocol) == ("ascii", "gb18030", "ucs2")
        assert [wire_number(protocol, c) for c in named(words_of(protocol))] == [0, 15, 8]
    assert [wire_number("smpp", coding) for coding in WORDS.values()] == [0, 0, 3, 15, 8]
    assert all(numbers[Coding.BINARY] == 4 for numbers in NUMBERS.values())
    with pytest.raises(EncodeError, match="cmpp has no"):
        wire_number("cmpp", Coding.GSM)


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
