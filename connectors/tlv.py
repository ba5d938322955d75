"""Optional parameters at the end of a PDU: tag 2 octets, length 2 octets, value.

SMGP and SMPP write them alike. The order and the tags nobody knows are kept, so that a frame
encodes again to the same octets. A parameter cut short ends the reading; a PDU that tolerates
what is left there has a `Rest` after its `Tlvs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from connectors.fields import Source

_HEAD = struct.Struct(">HH")


class Tlv(NamedTuple):
    """One parameter; `value` as it stands on the wire, padding and all."""

    tag: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Tlvs:
    """Every whole parameter from here to the end of the frame, as a tuple of `Tlv`."""

    name: str

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        source.flush()
        source.attribute(attr)
        source.namespace.update(read_tlvs=read_tlvs, write_tlvs=write_tlvs)
        source.read.append(f"{attr}, at = read_tlvs(frame, at) if at < len(frame) else ((), at)")
        source.write.append(f"_{attr} = write_tlvs({attr}) if {attr} else b''")
        source.pieces.append(f"_{attr}")
        source.sizes.append(f"len(_{attr})")

    def span(self, frame: bytes, at: int) -> int:
        return read_tlvs(frame, at)[1] - at

    def fault(self, value: Any) -> str:
        try:
            write_tlvs(value)
        except (struct.error, TypeError):
            return "not pairs of a tag and at most 65,535 octets"
        return ""


@dataclass(frozen=True, slots=True)
class Rest:
    """Octets that no field claims, as they are; empty in a well-formed frame."""

    name: str

    def resolve(self, version: str) -> Self | None:
        return self

    def emit(self, source: Source, attr: str) -> None:
        source.flush()
        source.attribute(attr)
        source.read += [f"{attr} = frame[at:]", f"at += len({attr})"]
        source.pieces.append(attr)
        source.sizes.append(f"len({attr})")

    def span(self, frame: bytes, at: int) -> int:
        return max(0, len(frame) - at)

    def fault(self, value: Any) -> str:
        return "" if isinstance(value, bytes) else "not octets"


def read_tlvs(frame: bytes, at: int) -> tuple[tuple[Tlv, ...], int]:
    """The whole parameters from `at` on, and where they end."""
    found: list[Tlv] = []
    end = len(frame)
    while at + _HEAD.size <= end:
        tag, size = _HEAD.unpack_from(frame, at)
        stop = at + _HEAD.size + size
        if stop > end:
            break
        found.append(Tlv(tag, frame[at + _HEAD.size : stop]))
        at = stop
    return tuple(found), at


def write_tlvs(tlvs: Iterable[tuple[int, bytes]]) -> bytes:
    """Their octets. Raises struct.error or TypeError for a tag or value that does not fit."""
    return b"".join([_HEAD.pack(tag, len(value)) + value for tag, value in tlvs])


def value_of(tlvs: Iterable[Tlv], tag: int) -> bytes | None:
    """The first value of this tag; None when it is not there."""
    for tlv in tlvs:
        if tlv.tag == tag:
            return tlv.value
    return None


def uint_of(tlvs: Iterable[Tlv], tag: int, default: int = 0) -> int:
    """The number under this tag, however wide; `default` when it is absent or empty."""
    value = value_of(tlvs, tag)
    return int.from_bytes(value, "big") if value else default
