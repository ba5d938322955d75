"""The stations of a message inside a SGIP_TRACE_RESP (protocols/sgip.md 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_STATION = struct.Struct(">B6s16s16s8s")


@dataclass(frozen=True, slots=True)
class Station:
    """`result`: 0 received here, 1 waiting, else an error. Times are texts of the node."""

    result: int = 0
    node_id: bytes = b""
    receive_time: bytes = b""
    send_time: bytes = b""
    reserve: bytes = b""


def encode_station(station: Station) -> bytes:
    """47 octets. Texts that are too long are cut."""
    return _STATION.pack(
        station.result,
        station.node_id,
        station.receive_time,
        station.send_time,
        station.reserve,
    )


def decode_station(octets: bytes) -> Station:
    """Never raises: what is missing at the end was padding."""
    padded = octets[: _STATION.size].ljust(_STATION.size, b"\0")
    result, *texts = _STATION.unpack(padded)
    return Station(result, *(text.rstrip(b"\0") for text in texts))
