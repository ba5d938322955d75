"""Octets of a segment to text, and user data headers (protocols/cmpp.md B1, B3).

Decoding never raises: what cannot be read becomes U+FFFD, and octets that are no text
(8-bit data) read as hex digits. Making segments is `connectors.splitting`'s.
"""

from __future__ import annotations

from codecs import utf_16_be_decode

from msgspec import Struct

from connectors import gsm as gsm_alphabet
from connectors.values import Coding

_UCS2 = int(Coding.UCS2)


class Udh(Struct, frozen=True, gc=False):
    """Concatenation found in a user data header; `bits` is the width of `reference`."""

    reference: int
    total: int
    number: int
    bits: int


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
    """Text of a payload without its header; of 8-bit data its hex digits."""
    if coding == _UCS2:  # nearly every text, so the short way for it
        return utf_16_be_decode(octets, "replace", True)[0]
    if coding == Coding.GB:
        return octets.decode("gb18030", "replace")
    if coding == Coding.GSM:
        return gsm_alphabet.decode(octets)
    alphabet = coding & 0x0C
    if alphabet == 0x08:
        return utf_16_be_decode(octets, "replace", True)[0]
    if coding == Coding.LATIN1:
        return octets.decode("latin-1")
    if alphabet == 0x04 or coding == 0xF6:
        return octets.hex()
    return _decode_default(octets)


def plain(octets: bytes) -> str:
    """Text of a fixed field: up to the first NUL, without trailing spaces."""
    if octets.isalnum():  # ASCII's: numbers, accounts and stats, six in each report
        return octets.decode()
    return octets.split(b"\0", 1)[0].rstrip(b" ").decode("gb18030", "replace")


def _decode_default(octets: bytes) -> str:
    if octets.isascii():
        return octets.decode("ascii")
    try:
        # Gateways that label GB text as default alphabet are common; nothing else of 8 bits is.
        return octets.decode("gb18030")
    except UnicodeDecodeError:
        return octets.decode("ascii", "replace")
