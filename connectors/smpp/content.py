"""Contents of SMPP's messages: data_coding, the default alphabet, joining parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from connectors import gsm
from connectors.parts import decode_part, sound
from connectors.smpp.pdus import Tag
from connectors.smpp.settings import Alphabet
from connectors.text import Udh, decode, parse_udh
from connectors.tlv import Tlv, uint_of, value_of
from connectors.values import Coding

UDHI = 0x40
_CODECS: Mapping[int, str] = MappingProxyType(
    {
        3: "latin-1", 5: "shift_jis", 6: "iso8859-5", 7: "iso8859-8",
        10: "iso2022_jp", 13: "euc_jisx0213", 14: "euc_kr",
    }
)  # fmt: skip
_ALPHABETS: Mapping[Alphabet, Coding] = MappingProxyType(
    {Alphabet.GSM: Coding.GSM, Alphabet.LATIN1: Coding.LATIN1, Alphabet.ASCII: Coding.ASCII}
)
_DEFAULT = frozenset({0x00, *range(0x10, 0x14), *range(0xF0, 0xF4)})
_NOT_IN_ASCII_TEXTS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_ASCII_AS_GSM = bytes(
    (gsm.encode(chr(code)) or b"?")[0] if len(gsm.encode(chr(code)) or b"?") == 1 else 0x3F
    for code in range(256)
)


class Content(Struct, gc=False):
    """A message's content as it was received. `octets` are the text's own, without header."""

    payload: bytes
    octets: bytes
    text: str
    joined: Udh | None
    udh: bool


def to_wire(payload: bytes, coding: int, udh: bool, alphabet: Alphabet) -> tuple[int, bytes]:
    """data_coding and short_message for a segment."""
    if coding not in (Coding.ASCII, Coding.GSM):
        return coding, payload
    own = Coding.ASCII if coding == Coding.ASCII else Coding.GSM
    if own is _ALPHABETS[alphabet] or (own is Coding.ASCII and alphabet is Alphabet.LATIN1):
        return 0, payload
    body = parse_udh(payload)[1] if udh else payload
    header = payload[: len(payload) - len(body)]
    if alphabet is Alphabet.GSM:
        return 0, header + body.translate(_ASCII_AS_GSM)
    return 0, header + gsm.decode(body).encode("latin-1", "replace")


def text_of(
    octets: bytes,
    data_coding: int,
    alphabet: Alphabet,
    read: Callable[[bytes, int], str] = decode,
) -> str:
    """Never raises. Binary contents give their hex digits. `read` takes what has CMPP's codings."""
    if data_coding in _DEFAULT:
        coding = _ALPHABETS[alphabet]
        return read(octets, coding)
    if data_coding == 1:
        return _ia5(octets)
    codec = _CODECS.get(data_coding)
    if codec is not None:
        return octets.decode(codec, "replace")
    return octets.hex() if data_coding == 2 else read(octets, data_coding)


def _ia5(octets: bytes) -> str:
    """Some clients (node-smpp) label the GSM alphabet as IA5; it shows by its low octets."""
    if octets.translate(None, _NOT_IN_ASCII_TEXTS) != octets:
        return gsm.decode(octets)
    return octets.decode("ascii", "replace")


def read_content(
    short_message: bytes, tlvs: Sequence[Tlv], esm_class: int, data_coding: int, alphabet: Alphabet
) -> Content:
    """From short_message or message_payload; joined by a header or the sar_ parameters."""
    payload = short_message
    if not payload:
        payload = value_of(tlvs, Tag.MESSAGE_PAYLOAD) or b""
    udh = bool(esm_class & UDHI)
    joined, octets = parse_udh(payload) if udh else (None, payload)
    total = uint_of(tlvs, Tag.SAR_TOTAL_SEGMENTS)
    if joined is None and total > 1:
        reference = uint_of(tlvs, Tag.SAR_MSG_REF_NUM)
        joined = Udh(reference, total, uint_of(tlvs, Tag.SAR_SEGMENT_SEQNUM, 1), 16)
    joined = sound(joined)
    read = decode if joined is None else decode_part
    return Content(payload, octets, text_of(octets, data_coding, alphabet, read), joined, udh)
