"""Segments of a text in the cheapest of the codings that a channel accepts (cmpp.md B1, B2).

| coding | alone | a segment, header of 6 octets | of 7 |
|---|---|---|---|
| GSM 7-bit | 160 characters, an extension character counts two | 153 | 152 |
| ASCII | 159 | 134 | 133 |
| Latin-1 | 140 | 134 | 133 |
| UCS-2 | 70 units | 67 | 66 |
| GBK | 140 octets and 70 characters | 134 octets and 67 characters | 133 and 66 |

`connectors.text.split` is the quick way for what Chinese carriers take: UCS-2, or safe ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors import gsm
from connectors.text import PAYLOAD_LIMIT, UDH_SIZE, Split, cut_pairs, ucs2, with_udh
from connectors.values import Coding

_GSM_SINGLE, _ASCII_SINGLE = 160, 159
_GSM_UDH_ROOM = 159
"""Unpacked, a header of 6 octets leaves 153 septets of the 160, one of 7 leaves 152."""


def split_as(
    text: str,
    codings: Sequence[Coding],
    *,
    reference: int = 0,
    wide: bool = False,
    whole: bool = False,
) -> Split:
    """`text` in the coding that needs the fewest segments; the first among equals.

    `wide` takes 16 bits of `reference`. `whole` makes one payload of any length, for a carrier
    that splits by itself. Raises ValueError when no coding carries the text, or more than 255
    segments would be needed.
    """
    header = UDH_SIZE + wide
    best: tuple[Coding, list[bytes]] | None = None
    for coding in codings:
        octets = encode(text, coding)
        if octets is None:
            continue
        pieces = [octets] if whole else _pieces(text, octets, coding, header)
        if best is None or len(pieces) < len(best[1]):
            best = coding, pieces
    if best is None:
        raise ValueError("none of the codings carries the text")
    coding, pieces = best
    if len(pieces) == 1:
        return Split(coding, pieces, False)
    return Split(coding, with_udh(pieces, reference, wide=wide), True)


def encode(text: str, coding: Coding) -> bytes | None:
    """The octets of `text`; None when this coding cannot carry it."""
    if coding is Coding.UCS2:
        return ucs2(text)
    if coding is Coding.GSM:
        return gsm.encode(text)
    codec = _CODECS.get(coding)
    if codec is None:
        return None
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


_CODECS = {Coding.ASCII: "ascii", Coding.LATIN1: "latin-1", Coding.GB: "gbk"}


def _pieces(text: str, octets: bytes, coding: Coding, header: int) -> list[bytes]:
    room = PAYLOAD_LIMIT - header
    if coding is Coding.GSM:
        single, cut = _GSM_SINGLE, gsm.cut
        room = _GSM_UDH_ROOM - header
    elif coding is Coding.ASCII:
        single, cut = _ASCII_SINGLE, _cut
    elif coding is Coding.UCS2:
        single, cut = PAYLOAD_LIMIT, cut_pairs
        room -= room % 2
    elif coding is Coding.GB:
        return _gb_pieces(text, octets, room)
    else:
        single, cut = PAYLOAD_LIMIT, _cut
    return [octets] if len(octets) <= single else cut(octets, room)


def _cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def _gb_pieces(text: str, octets: bytes, room: int) -> list[bytes]:
    """By characters, because the SMSC makes UCS-2 of it."""
    if len(octets) <= PAYLOAD_LIMIT and len(text) <= PAYLOAD_LIMIT // 2:
        return [octets]
    size = room // 2
    return [text[at : at + size].encode("gbk") for at in range(0, len(text), size)]
