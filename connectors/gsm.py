"""The GSM 7-bit default alphabet, one character an octet (3GPP TS 23.038, 6.2.1).

Characters of the extension table are written as an escape and a second octet, and count two.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ESCAPE = 0x1B

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Mapping[int, str] = MappingProxyType(
    {
        0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
        0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
    }
)  # fmt: skip

_OCTETS: Mapping[str, bytes] = MappingProxyType(
    {char: bytes((code,)) for code, char in enumerate(_BASIC) if code != ESCAPE}
    | {char: bytes((ESCAPE, code)) for code, char in _EXTENSION.items()}
)


def encode(text: str) -> bytes | None:
    """The octets of `text`; None when a character is in neither table."""
    try:
        return b"".join([_OCTETS[char] for char in text])
    except KeyError:
        return None


def decode(octets: bytes) -> str:
    """Never raises. An octet above 0x7F reads U+FFFD; an escape before a code that the extension
    table lacks is passed over, as the specification asks."""
    out: list[str] = []
    table: Mapping[int, str] | None = None
    for code in octets:
        if table is not None and code in table:
            out.append(table[code])
            table = None
        elif code == ESCAPE:
            table = _EXTENSION
        else:
            out.append(_BASIC[code] if code < 0x80 else "\ufffd")
            table = None
    return "".join(out)


def cut(octets: bytes, size: int) -> list[bytes]:
    """Pieces of at most `size` octets; an escape is never parted from what it escapes."""
    pieces = []
    at = 0
    while at < len(octets):
        end = at + size
        if end < len(octets) and octets[end - 1] == ESCAPE:
            end -= 1
        pieces.append(octets[at:end])
        at = end
    return pieces
