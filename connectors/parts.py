"""Long texts from phones: what each protocol tells of a part, and the parts as one text again.

A part is told by a user data header, or by parameters beside the content. What cannot be a
part (of one, of none, number 9 of 3) is a text of its own, as 23.040 (9.2.3.24.1) wants it.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.text import Udh, decode
from connectors.values import Coding, Inbound

_ALPHABET = 0x0C
"""The bits of a coding that name its alphabet (23.038)."""


def inbound(
    source: str,
    destination: str,
    payload: bytes,
    octets: bytes,
    coding: int,
    joined: Udh | None,
    msg_id: bytes,
) -> Inbound:
    """A text whose `octets` are in a `coding` of CMPP's numbers, `payload` with its header."""
    part = sound(joined)
    text = decode(octets, coding) if part is None else decode_part(octets, coding)
    return value(source, destination, payload, text, coding, part, msg_id)


def value(
    source: str,
    destination: str,
    payload: bytes,
    text: str,
    coding: int,
    part: Udh | None,
    msg_id: bytes,
) -> Inbound:
    """A text that was read already. An id of zeros only is none."""
    return Inbound(
        source=source,
        destination=destination,
        text=text,
        coding=coding,
        payload=payload,
        reference=part.reference if part else 0,
        total=part.total if part else 1,
        number=part.number if part else 1,
        id=msg_id.hex() if any(msg_id) else "",
    )


def sound(joined: Udh | None) -> Udh | None:
    """What can be a part of a longer text; else None."""
    if joined is None or joined.total < 2 or not 1 <= joined.number <= joined.total:
        return None
    return joined


def decode_part(octets: bytes, coding: int) -> str:
    """As `connectors.text.decode`, but the halves of a pair that was cut between two parts
    stay, as lone surrogates."""
    if coding & _ALPHABET != Coding.UCS2:
        return decode(octets, coding)
    even = len(octets) & ~1
    odd = "\ufffd" if len(octets) > even else ""
    return octets[:even].decode("utf-16-be", "surrogatepass") + odd


def join(parts: Iterable[str]) -> str:
    """The text of parts in their order: a pair that was cut between two is whole again, a half
    that stays alone becomes U+FFFD."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
