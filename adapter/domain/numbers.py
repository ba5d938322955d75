"""Mainland mobile numbers and the carrier that serves each (R-1.1.1; protocols/cmpp.md B7).

The carrier of a number is, first match wins:

1. the longest configured prefix it begins with (a ported number 携号转网 is a prefix of
   eleven digits; a segment newly given out is one of three or four);
2. the longest prefix known to `phonenumbers` or, where that has none, to the ministry's
   table of network codes.

A segment of none of the four carriers is refused, not guessed: a text on a channel that
does not serve it would be lost, while a line of configuration cures it.

Limits: a base prefix is at most five digits long. Building a `Numbering` reads the
carrier data of the whole world once, 30 ms and some 10 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from phonenumbers.carrierdata import CARRIER_DATA

from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Carrier

_NAMES = {
    "China Mobile": Carrier.MOBILE,
    "China Unicom": Carrier.UNICOM,
    "China Telecom": Carrier.TELECOM,
    "China Broadnet": Carrier.BROADNET,
}

# MIIT, "network codes and H0 blocks", end of March 2023.
_MINISTRY = {
    Carrier.MOBILE: (
        "1340 1341 1342 1343 1344 1345 1346 1347 1348 135 136 137 138 139 147 148 150 151 152"
        " 157 158 159 165 1703 1705 1706 172 178 182 183 184 187 188 195 197 198"
    ),
    Carrier.UNICOM: (
        "130 131 132 145 146 155 156 166 167 1704 1707 1708 1709 171 175 176 185 186 196"
    ),
    Carrier.TELECOM: (
        "133 149 153 162 1700 1701 1702 173 17400 17401 17402 17403 17404 17405 177 180 181"
        " 189 190 191 193 199"
    ),
    Carrier.BROADNET: "192",
}

# Inside a prefix of phonenumbers, yet satellite blocks or not given out.
_NOBODY = ("154", "1619", "17406", "17407", "17408", "17409", "1741", "1749")

_NOT_MOBILE = "a mobile number begins with 13 to 19"

_BASE_DIGITS = 5
_LONGEST = 40
_PREFIX = re.compile(r"1[3-9][0-9]{0,9}")
_WRITTEN = re.compile(r"(?:\+86|0086|86)?(1[3-9][0-9]{9})")
_COUNTRY = re.compile(r"\+86|0086|86(?=1)")
_SEPARATORS = str.maketrans("", "", " \t\r\n-")
_FULL_WIDTH = re.compile("[\uff10-\uff19\uff0b]")
_IOT = re.compile(r"1(?:06|4)[0-9]{10,11}")


class Numbering:
    """Checks a number and tells its carrier; never changes, safe to share between threads.

    `ported` are (prefix, carrier) pairs tried first, a later pair winning over an earlier
    one of the same prefix. Raises ValueError for a prefix no mobile number begins with.
    """

    def __init__(self, ported: Iterable[tuple[str, Carrier]] = ()) -> None:
        by_length: dict[int, dict[str, Carrier]] = {}
        for prefix, carrier in ported:
            if not _PREFIX.fullmatch(prefix):
                raise ValueError(f"{prefix[:4]!r} does not begin a mobile number")
            by_length.setdefault(len(prefix), {})[prefix] = carrier
        self._ported = sorted(by_length.items(), reverse=True)
        self._base = _base()

    def resolve(self, text: str) -> tuple[str, Carrier]:
        """The eleven digits and the carrier of a number as somebody wrote it.

        Spaces, hyphens and +86, 86 or 0086 in front are taken off. Raises
        Refusal(BAD_NUMBER) whose description says what is wrong, without the number.
        """
        if len(text) != 11 or not text.isascii() or not text.isdecimal():
            text = _tidy(text)
        for length, carriers in self._ported:
            carrier = carriers.get(text[:length])
            if carrier is not None:
                return text, carrier
        carrier = self._base.get(text[:_BASE_DIGITS])
        if carrier is None:
            raise _bad(_no_carrier(text))
        return text, carrier


@cache
def _base() -> dict[str, Carrier]:
    """Carrier of each five-digit prefix that has one."""
    known: dict[str, Carrier | None] = {
        prefix: carrier for carrier, row in _MINISTRY.items() for prefix in row.split()
    }
    for prefix, names in CARRIER_DATA.items():
        if prefix.startswith("861"):
            known[prefix[2:]] = _NAMES.get(names.get("en", ""))
    known.update(dict.fromkeys(_NOBODY))
    table = {}
    for number in range(13_000, 20_000):
        digits = str(number)
        longest = next((n for n in range(_BASE_DIGITS, 1, -1) if digits[:n] in known), 0)
        carrier = known.get(digits[:longest])
        if carrier is not None:
            table[digits] = carrier
    return table


def _tidy(text: str) -> str:
    """Eleven ASCII digits, or Refusal(BAD_NUMBER)."""
    if len(text) > _LONGEST:
        raise _bad(f"a mobile number has 11 digits, this text {len(text)} characters")
    bare = text.translate(_SEPARATORS)
    written = _WRITTEN.fullmatch(bare)
    if written is None:
        raise _bad(_wrong_characters(bare) or _wrong_shape(bare))
    return written[1]


def _wrong_characters(bare: str) -> str:
    """What is wrong with the characters, empty if nothing."""
    if not bare:
        return "no number is given"
    if _FULL_WIDTH.search(bare):
        return "the number is written with full-width characters"
    if any(c.isalpha() for c in bare):
        return "the number contains letters"
    digits = bare.removeprefix("+")
    if digits.isascii() and digits.isdecimal():
        return ""
    return "the number contains characters other than the digits 0 to 9"


def _wrong_shape(bare: str) -> str:
    """Why digits, perhaps with a plus sign in front, are no mobile number."""
    digits = _COUNTRY.sub("", bare, count=1) if _COUNTRY.match(bare) else bare
    if digits == bare and bare.startswith(("+", "00")):
        return "a foreign number; only mainland numbers are served"
    if len(digits) == 13 and _IOT.fullmatch(digits):
        return "a 13-digit number of the internet of things, not a phone"
    if digits.startswith("0"):
        return "a fixed-line number, which receives no texts"
    if len(digits) != 11:
        return f"a mobile number has 11 digits, this one {len(digits)}"
    return _NOT_MOBILE


def _no_carrier(digits: str) -> str:
    """Why eleven digits have no carrier."""
    if digits.startswith("0"):
        return "a fixed-line number, which receives no texts"
    if not _PREFIX.match(digits):
        return _NOT_MOBILE
    return f"segment {digits[:4]} belongs to none of the four carriers"


def _bad(description: str) -> Refusal:
    return Refusal(Code.BAD_NUMBER, description, "mobile")
