"""Text to octets and back: coding, segments, user data header (protocols/cmpp.md B1 to B3).

A text goes as UCS-2 (70 units alone, 67 a segment), or, where the contract allows it and every
character is safe, as 8-bit ASCII (159 alone, 134 a segment). A unit of UCS-2 is 16 bits: a
character above U+FFFF counts two and its pair is never cut, so a segment may carry 66.
A lone surrogate, which no UTF-16 can carry, goes as "?".

Decoding never raises: what cannot be read becomes U+FFFD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors import gsm as gsm_alphabet
from connectors.values import Coding

PAYLOAD_LIMIT = 140
UDH_SIZE = 6
_PART = PAYLOAD_LIMIT - UDH_SIZE
_UCS2_SINGLE = 70
_UCS2_PART = 67
_ASCII_SINGLE = 159
"""The specification wants less than 160 octets for format 0."""
MAX_SEGMENTS = 255

# Outside the GSM basic alphabet, hence risky in format 0: [ ] { } \ ^ ~ | and the backtick.
_SAFE_ASCII = re.compile(r"[\n\r -Z_a-z]*")


@dataclass(frozen=True, slots=True)
class Measure:
    """What a text costs. `units` are UTF-16 code units, or characters of ASCII."""

    coding: Coding
    segments: int
    units: int


@dataclass(frozen=True, slots=True)
class Split:
    """A text as payloads; each begins with a user data header when `udh`."""

    coding: Coding
    payloads: list[bytes]
    udh: bool


@dataclass(frozen=True, slots=True)
class Udh:
    """Concatenation found in a user data header; `bits` is the width of `reference`."""

    reference: int
    total: int
    number: int
    bits: int


def measure(text: str, *, gsm: bool = False) -> Measure:
    """Coding, segments and units of `text`: exactly what `split` makes of it."""
    length = len(text)
    if gsm and _SAFE_ASCII.fullmatch(text):
        segments = 1 if length <= _ASCII_SINGLE else -(-length // _PART)
        return Measure(Coding.ASCII, segments, length)
    if not length or max(text) <= "\uffff":
        segments = 1 if length <= _UCS2_SINGLE else -(-length // _UCS2_PART)
        return Measure(Coding.UCS2, segments, length)
    octets = ucs2(text)
    units = len(octets) // 2
    return Measure(Coding.UCS2, 1 if units <= _UCS2_SINGLE else len(cut_pairs(octets)), units)


def split(text: str, *, gsm: bool = False, reference: int = 0) -> Split:
    """The payloads that carry `text`. `reference` (its low 8 bits) joins the segments.

    Raises ValueError when more than 255 segments would be needed.
    """
    if gsm and _SAFE_ASCII.fullmatch(text):
        octets = text.encode("ascii")
        if len(octets) <= _ASCII_SINGLE:
            return Split(Coding.ASCII, [octets], False)
        pieces = [octets[at : at + _PART] for at in range(0, len(octets), _PART)]
        return Split(Coding.ASCII, with_udh(pieces, reference), True)
    octets = ucs2(text)
    if len(octets) <= 2 * _UCS2_SINGLE:
        return Split(Coding.UCS2, [octets], False)
    return Split(Coding.UCS2, with_udh(cut_pairs(octets), reference), True)


def build_udh(reference: int, total: int, number: int, *, wide: bool = False) -> bytes:
    """Concatenation with a reference of 8 bits, or 16; `number` counts from 1."""
    if wide:
        return bytes((6, 8, 4, reference >> 8 & 0xFF, reference & 0xFF, total, number))
    return bytes((5, 0, 3, reference & 0xFF, total, number))


def parse_udh(payload: bytes) -> tuple[Udh | None, bytes]:
    """The concatenation and the text's octets. A header that cannot be one is content."""
    size = payload[0] + 1 if payload else 0
    if not size or size > len(payload):
        return None, payload
    found: Udh | None = None
    at = 1
    while at + 2 <= size:
        element, width = payload[at], payload[at + 1]
        data = payload[at + 2 : min(at + 2 + width, size)]
        if element == 0x00 and width == len(data) == 3:
            found = Udh(data[0], data[1], data[2], 8)
        elif element == 0x08 and width == len(data) == 4:
            found = Udh(data[0] << 8 | data[1], data[2], data[3], 16)
        at += 2 + width
    return found, payload[size:]


def decode(octets: bytes, coding: int) -> str:
    """Text of a payload without its header. Binary formats give an empty text."""
    if coding == Coding.GB:
        return octets.decode("gb18030", "replace")
    if coding == Coding.GSM:
        return gsm_alphabet.decode(octets)
    alphabet = coding & 0x0C
    if coding == Coding.UCS2 or alphabet == 0x08:
        return octets.decode("utf-16-be", "replace")
    if coding == Coding.LATIN1:
        return octets.decode("latin-1")
    if alphabet == 0x04 or coding == 0xF6:
        return ""
    return _decode_default(octets)


def plain(octets: bytes) -> str:
    """Text of a fixed field: up to the first NUL, without trailing spaces."""
    return octets.split(b"\0", 1)[0].rstrip(b" ").decode("gb18030", "replace")


def _decode_default(octets: bytes) -> str:
    if octets.isascii():
        return octets.decode("ascii")
    try:
        # Gateways that label GB text as default alphabet are common; nothing else of 8 bits is.
        return octets.decode("gb18030")
    except UnicodeDecodeError:
        return octets.decode("ascii", "replace")


def ucs2(text: str) -> bytes:
    """UTF-16 without a byte order mark; what it cannot carry becomes "?"."""
    return text.encode("utf-16-be", "replace")


def cut_pairs(octets: bytes, size: int = _PART) -> list[bytes]:
    """Pieces of UTF-16 of at most `size` octets (even); a surrogate pair stays together."""
    pieces = []
    at = 0
    while at < len(octets):
        end = at + size
        if end < len(octets) and octets[end - 2] & 0xFC == 0xD8:
            end -= 2
        pieces.append(octets[at:end])
        at = end
    return pieces


def with_udh(pieces: list[bytes], reference: int, *, wide: bool = False) -> list[bytes]:
    """The pieces with their headers. Raises ValueError for more than 255."""
    total = len(pieces)
    if total > MAX_SEGMENTS:
        raise ValueError(f"{total} segments; a header can count {MAX_SEGMENTS}")
    return [build_udh(reference, total, k, wide=wide) + piece for k, piece in enumerate(pieces, 1)]
