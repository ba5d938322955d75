"""Numbers as people write them, and who serves them (R-1.1.1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import Code, Refusal
from adapter.domain.numbers import Numbering
from adapter.domain.states import Carrier

NUMBERING = Numbering()


def refusal(text: str, numbering: Numbering = NUMBERING) -> str:
    with pytest.raises(Refusal) as caught:
        numbering.resolve(text)
    assert caught.value.code is Code.BAD_NUMBER
    return caught.value.description


def judged(text: str) -> str | Refusal:
    try:
        return NUMBERING.resolve(text)[0]
    except Refusal as refused:
        return refused


@pytest.mark.parametrize(
    ("segments", "carrier"),
    [
        (
            "134 135 136 137 138 139 147 148 150 151 152 157 158 159 172 178 182 183 184 187"
            " 188 195 197 198 1703 1705 1706 165",
            Carrier.MOBILE,
        ),
        (
            "130 131 132 145 146 155 156 166 175 176 185 186 196 1704 1707 1708 1709 171 167",
            Carrier.UNICOM,
        ),
        (
            "133 149 153 173 177 180 181 189 190 191 193 199 1740 1700 1701 1702 162",
            Carrier.TELECOM,
        ),
        ("192", Carrier.BROADNET),
    ],
)
def test_every_segment_of_the_ministrys_table_has_its_carrier(
    segments: str, carrier: Carrier
) -> None:
    for segment in segments.split():
        assert NUMBERING.resolve(segment.ljust(11, "0")) == (segment.ljust(11, "0"), carrier)


@pytest.mark.parametrize(
    "segment", ["1349", "1440", "1540", "1619", "17406", "1741", "1749", "194"]
)
def test_a_segment_of_nobody_is_refused_by_name(segment: str) -> None:
    assert refusal(segment.ljust(11, "0")) == (
        f"segment {segment.ljust(4, '0')[:4]} belongs to none of the four carriers"
    )


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        " 13800138000\n",
        "138 0013 8000",
        "138-0013-8000",
        "+8613800138000",
        "+86 138-0013-8000",
        "8613800138000",
        "008613800138000",
    ],
)
def test_the_usual_ways_to_write_a_number(written: str) -> None:
    assert NUMBERING.resolve(written) == ("13800138000", Carrier.MOBILE)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "no number is given"),
        ("  -\t", "no number is given"),
        ("1380013800a", "the number contains letters"),
        ("一三八零零一三八零零零", "the number contains letters"),
        ("１３８００１３８０００", "the number is written with full-width characters"),
        ("＋8613800138000", "the number is written with full-width characters"),
        ("1380013٨000", "the number contains characters other than the digits 0 to 9"),
        ("1380013²000", "the number contains characters other than the digits 0 to 9"),
        ("13800138000.0", "the number contains characters other than the digits 0 to 9"),
        ("13800138000,13900139000", "the number contains characters other than the digits 0 to 9"),
        ("13800138\x000", "the number contains characters other than the digits 0 to 9"),
        ("+", "the number contains characters other than the digits 0 to 9"),
        ("+85291234567", "a foreign number; only mainland numbers are served"),
        ("0085291234567", "a foreign number; only mainland numbers are served"),
        ("+13800138000", "a foreign number; only mainland numbers are served"),
        ("1064712345678", "a 13-digit number of the internet of things, not a phone"),
        ("1440123456789", "a 13-digit number of the internet of things, not a phone"),
        ("+861410123456789", "a 13-digit number of the internet of things, not a phone"),
        ("861064712345678", "a 13-digit number of the internet of things, not a phone"),
        ("020-83827812", "a fixed-line number, which receives no texts"),
        ("0755-12345678", "a fixed-line number, which receives no texts"),
        ("10086", "a mobile number has 11 digits, this one 5"),
        ("138001380001", "a mobile number has 11 digits, this one 12"),
        ("861380013800", "a mobile number has 11 digits, this one 10"),
        ("12345678901", "a mobile number begins with 13 to 19"),
        ("+86 10012345678", "a mobile number begins with 13 to 19"),
        ("23800138000", "a mobile number begins with 13 to 19"),
        ("1" * 41, "a mobile number has 11 digits, this text 41 characters"),
    ],
)
def test_what_is_no_mainland_mobile_number_is_refused_with_its_own_reason(
    written: str, reason: str
) -> None:
    assert refusal(written) == reason


@given(st.text(max_size=60) | st.from_regex(r"[0-9+ \-]{0,20}", fullmatch=True))
def test_any_text_gives_eleven_digits_or_a_refusal_that_does_not_repeat_them(text: str) -> None:
    answer = judged(text)
    if isinstance(answer, Refusal):
        assert answer.code is Code.BAD_NUMBER
        assert not re.search(r"[0-9]{5}", answer.description)
    else:
        assert re.fullmatch(r"1[3-9][0-9]{9}", answer)
        assert re.sub(r"[^0-9]", "", text).endswith(answer)


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_country_code_and_separators_change_nothing(digits: str) -> None:
    spaced = f"{digits[:3]} {digits[3:7]}-{digits[7:]}"
    written = [front + spaced for front in ("", "+86", "86", "0086 ")]
    assert {str(judged(text)) for text in written} == {str(judged(digits))}


def test_the_longest_configured_prefix_wins_over_the_segment() -> None:
    numbering = Numbering(
        [
            ("138", Carrier.TELECOM),
            ("1380013", Carrier.BROADNET),
            ("13800138000", Carrier.UNICOM),
        ]
    )
    carriers = [
        numbering.resolve(number)[1]
        for number in ("13800138000", "13800138001", "13812345678", "13912345678")
    ]
    assert carriers == [Carrier.UNICOM, Carrier.BROADNET, Carrier.TELECOM, Carrier.MOBILE]


def test_configuration_opens_a_segment_nobody_had() -> None:
    assert Numbering([("194", Carrier.BROADNET)]).resolve("19412345678")[1] is Carrier.BROADNET
    assert "1941" in refusal("19412345678")


def test_of_two_lines_for_one_prefix_the_later_wins() -> None:
    numbering = Numbering([("138", Carrier.TELECOM), ("138", Carrier.UNICOM)])
    assert numbering.resolve("13800138000")[1] is Carrier.UNICOM


@pytest.mark.parametrize("prefix", ["", "1", "12", "86138", "138001380001", "13a", "１３８"])
def test_a_prefix_no_number_begins_with_is_a_fault_of_the_configuration(prefix: str) -> None:
    with pytest.raises(ValueError, match="begin a mobile number"):
        Numbering([(prefix, Carrier.MOBILE)])
