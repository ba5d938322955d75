"""Segments of a text in the cheapest of the codings that a channel accepts (cmpp.md B1, B2).

| coding | alone | a segment, header of 6 octets | of 7 |
|---|---|---|---|
| GSM 7-bit | 160 characters, an extension character counts two | 153 | 152 |
| ASCII | 159 | 134 | 133 |
| Latin-1 | 140 | 134 | 133 |
| UCS-2 | 70 units | 67 | 66 |
| GB18030 | 140 octets and 70 units | 134 octets and 67 units | 133 and 66 |

A unit is 16 bits of UTF-16: a character above U+FFFF counts two. A character is never cut: not
a surrogate pair, not the four octets of GB18030, not an escape and what it escapes. So a segment
may carry a little less than it has room for. A lone surrogate, which no UTF-16 can carry, goes
as "?" in UCS-2.

ASCII carries only what the GSM basic alphabet has too: many gateways garble the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from connectors import gsm
from connectors.text import build_udh
from connectors.values import Coding

PAYLOAD_LIMIT = 140
UDH_SIZE = 6
MAX_SEGMENTS = 255
UCS2_ONLY = (Coding.UCS2,)
_UNITS = PAYLOAD_LIMIT // 2
_GSM_SINGLE = 160
_GSM_UDH_ROOM = 159
"""Unpacked, a header of 6 octets leaves 153 septets of the 160, one of 7 leaves 152."""
_ASCII_SINGLE = 159
"""The specification wants less than 160 octets for format 0."""
# Reading a member of an enum from its class takes as long as a call.
_ASCII, _GSM, _UCS2, _GB = Coding.ASCII, Coding.GSM, Coding.UCS2, Coding.GB
# Outside the GSM basic alphabet, hence risky in format 0: [ ] { } \ ^ ~ | and the backtick.
_SAFE_ASCII = re.compile(r"[\n\r -Z_a-z]*")


class Manner(Struct, frozen=True):
    """How a carrier takes texts: its codings, and long ones with references of 16 bits if
    `wide`."""

    codings: tuple[Coding, ...] = UCS2_ONLY
    wide: bool = False

    def measure(self, text: str) -> Measure:
        """Raises ValueError when no coding carries the text."""
        return measure(text, self.codings, wide=self.wide)


class Measure(Struct, frozen=True):
    """What a text costs."""

    coding: Coding
    segments: int


class Split(Struct, frozen=True, gc=False):
    """A text as payloads; each begins with a user data header when `udh`."""

    coding: Coding
    payloads: list[bytes]
    udh: bool


def measure(text: str, codings: Sequence[Coding] = UCS2_ONLY, *, wide: bool = False) -> Measure:
    """What `split` makes of it, more quickly.

    Raises ValueError when no coding carries the text; not when there are too many segments.
    """
    best: Measure | None = None
    for coding in codings:
        segments = _count(text, coding, UDH_SIZE + wide)
        if segments and (best is None or segments < best.segments):
            best = Measure(coding, segments)
            if segments == 1:
                break
    if best is None:
        raise ValueError("none of the codings carries the text")
    return best


def split(
    text: str,
    codings: Sequence[Coding] = UCS2_ONLY,
    *,
    reference: int = 0,
    wide: bool = False,
) -> Split:
    """`text` in the coding that needs the fewest segments; the first among equals.

    `reference` joins the segments: its low 8 bits, or 16 with `wide`. Raises ValueError when no
    coding carries the text, or more than 255 segments would be needed.
    """
    header = UDH_SIZE + wide
    best: tuple[Coding, list[bytes]] | None = None
    for coding in codings:
        octets = encode(text, coding)
        if octets is None:
            continue
        pieces = _pieces(text, octets, coding, header)
        if best is None or len(pieces) < len(best[1]):
            best = coding, pieces
            if len(pieces) == 1:
                break
    if best is None:
        raise ValueError("none of the codings carries the text")
    coding, pieces = best
    if len(pieces) == 1:
        return Split(coding, pieces, False)
    return Split(coding, with_udh(pieces, reference, wide=wide), True)


def whole(text: str, coding: Coding) -> Split:
    """`text` as one payload of any length, for a carrier that splits by itself. Raises ValueError
    when the coding cannot carry it."""
    octets = encode(text, coding)
    if octets is None:
        raise ValueError(f"{coding!r} does not carry the text")
    return Split(coding, [octets], False)


def encode(text: str, coding: Coding) -> bytes | None:
    """The octets of `text`; None when this coding cannot carry it."""
    if coding is _UCS2:
        return ucs2(text)
    if coding is _GSM:
        return gsm.encode(text)
    if coding is _ASCII:
        return text.encode("ascii") if _SAFE_ASCII.fullmatch(text) else None
    codec = _CODECS.get(coding)
    if codec is None:
        return None
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


_CODECS = {Coding.LATIN1: "latin-1", Coding.GB: "gb18030"}


def ucs2(text: str) -> bytes:
    """UTF-16 without a byte order mark; what it cannot carry becomes "?"."""
    return text.encode("utf-16-be", "replace")


def with_udh(pieces: list[bytes], reference: int, *, wide: bool = False) -> list[bytes]:
    """The pieces with their headers. Raises ValueError for more than 255."""
    total = len(pieces)
    if total > MAX_SEGMENTS:
        raise ValueError(f"{total} segments; a header can count {MAX_SEGMENTS}")
    return [build_udh(reference, total, k, wide=wide) + piece for k, piece in enumerate(pieces, 1)]


def _count(text: str, coding: Coding, header: int) -> int:
    """Segments with a header of so many octets; 0 when this coding cannot carry the text."""
    octets = encode(text, coding)
    if coding is _UCS2 and octets is not None and len(octets) == 2 * len(text):
        # No pair of surrogates, so nothing to keep together.
        return 1 if len(text) <= _UNITS else -(-len(text) // ((PAYLOAD_LIMIT - header) // 2))
    return 0 if octets is None else len(_pieces(text, octets, coding, header))


def _is_flat(text: str) -> bool:
    """Every character is one unit of UTF-16."""
    return not text or max(text) <= "\uffff"


def _pieces(text: str, octets: bytes, coding: Coding, header: int) -> list[bytes]:
    room = PAYLOAD_LIMIT - header
    if coding is _GSM:
        single, cut = _GSM_SINGLE, gsm.cut
        room = _GSM_UDH_ROOM - header
    elif coding is _ASCII:
        single, cut = _ASCII_SINGLE, _cut
    elif coding is _UCS2:
        single, cut = PAYLOAD_LIMIT, _cut_pairs
        room -= room % 2
    elif coding is _GB:
        units = len(text) if _is_flat(text) else len(ucs2(text)) // 2
        alone = len(octets) <= PAYLOAD_LIMIT and units <= _UNITS
        return [octets] if alone else _cut_gb(text, room)
    else:
        single, cut = PAYLOAD_LIMIT, _cut
    return [octets] if len(octets) <= single else cut(octets, room)


def _cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def _cut_pairs(octets: bytes, size: int) -> list[bytes]:
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


def _cut_gb(text: str, size: int) -> list[bytes]:
    """By characters, and no more of them than UCS-2 would take, which the SMSC makes of it."""
    pieces = []
    piece, units = b"", 0
    for char in text:
        octets, width = char.encode("gb18030"), 1 + (char > "\uffff")
        if len(piece) + len(octets) > size or units + width > size // 2:
            pieces.append(piece)
            piece, units = b"", 0
        piece += octets
        units += width
    return [*pieces, piece]
