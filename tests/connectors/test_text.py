"""Measure, split, join: every text, above all emoji at the borders."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.text import Measure, Udh, build_udh, decode, measure, parse_udh, plain, split
from connectors.values import Coding

EMOJI = "😀"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=500) | st.text(
    st.sampled_from("医院aZ,\n😀𠮷"), max_size=500
)


def joined(text: str, *, gsm: bool = False) -> str:
    made = split(text, gsm=gsm, reference=7)
    out = []
    for k, payload in enumerate(made.payloads, 1):
        udh, body = parse_udh(payload) if made.udh else (None, payload)
        if made.udh:
            assert udh == Udh(7, len(made.payloads), k, 8)
        out.append(decode(body, made.coding))
    return "".join(out)


@given(texts, st.booleans())
@example("医" * 66 + EMOJI + "医" * 10, False)
@example("医" * 70, False)
@example(EMOJI * 35, False)
@example(EMOJI * 36, False)
def test_split_loses_nothing_and_measure_agrees(text: str, gsm: bool) -> None:
    made = split(text, gsm=gsm)
    cost = measure(text, gsm=gsm)
    assert cost.coding is made.coding
    assert cost.segments == len(made.payloads)
    assert made.udh == (cost.segments > 1)
    limit = 159 if made.coding is Coding.ASCII and not made.udh else 140
    assert all(len(payload) <= limit for payload in made.payloads)
    assert joined(text, gsm=gsm) == text


@given(texts)
def test_no_pair_is_cut(text: str) -> None:
    for payload in split(text).payloads:
        body = parse_udh(payload)[1] if len(split(text).payloads) > 1 else payload
        body.decode("utf-16-be")


@pytest.mark.parametrize(
    ("text", "gsm", "expected"),
    [
        ("", False, Measure(Coding.UCS2, 1, 0)),
        ("医" * 70, False, Measure(Coding.UCS2, 1, 70)),
        ("医" * 71, False, Measure(Coding.UCS2, 2, 71)),
        ("医" * 134, False, Measure(Coding.UCS2, 2, 134)),
        ("医" * 135, False, Measure(Coding.UCS2, 3, 135)),
        ("医" * 201, False, Measure(Coding.UCS2, 3, 201)),
        ("医" * 202, False, Measure(Coding.UCS2, 4, 202)),
        (EMOJI * 35, False, Measure(Coding.UCS2, 1, 70)),
        (EMOJI * 36, False, Measure(Coding.UCS2, 2, 72)),
        # 33 pairs are 66 units: the 67th place of each segment stays empty.
        (EMOJI * 67, False, Measure(Coding.UCS2, 3, 134)),
        ("a\r\n", False, Measure(Coding.UCS2, 1, 3)),
        ("a" * 159, True, Measure(Coding.ASCII, 1, 159)),
        ("a" * 160, True, Measure(Coding.ASCII, 2, 160)),
        ("a" * 268, True, Measure(Coding.ASCII, 2, 268)),
        ("a" * 269, True, Measure(Coding.ASCII, 3, 269)),
        ("a" * 71, False, Measure(Coding.UCS2, 2, 71)),
        ("a" * 71 + "医", True, Measure(Coding.UCS2, 2, 72)),
    ],
)
def test_borders(text: str, gsm: bool, expected: Measure) -> None:
    assert measure(text, gsm=gsm) == expected
    assert len(split(text, gsm=gsm).payloads) == expected.segments


@pytest.mark.parametrize("risky", list("[]{}\\^~|`\t\0"))
def test_risky_characters_never_go_as_ascii(risky: str) -> None:
    assert measure(f"code {risky}", gsm=True).coding is Coding.UCS2
    assert split(f"code {risky}", gsm=True).coding is Coding.UCS2


def test_a_lone_surrogate_goes_as_a_question_mark() -> None:
    assert joined("医\ud83d院") == "医?院"
    assert measure("医\ud83d院").units == 3


def test_too_many_segments_are_refused() -> None:
    assert len(split("医" * 67 * 255).payloads) == 255
    with pytest.raises(ValueError, match="256 segments"):
        split("医" * (67 * 255 + 1))


def test_the_reference_keeps_its_low_octet() -> None:
    assert split("医" * 80, reference=0x1FF).payloads[0][:6] == bytes.fromhex("050003ff0201")
    assert build_udh(42, 2, 1) == bytes.fromhex("0500032a0201")


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
    ],
)
def test_codings(text: str, codec: str, coding: int) -> None:
    assert decode(text.encode(codec), coding) == text


@pytest.mark.parametrize("coding", [4, 0xF6, 0x14])
def test_binary_has_no_text(coding: int) -> None:
    assert decode(b"\x01\x02", coding) == ""


def test_fixed_fields_end_at_nul_or_blank() -> None:
    assert plain(b"13800138000\0junk") == "13800138000"
    assert plain(b"HOSP01    ") == "HOSP01"
