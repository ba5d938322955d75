"""What a captured packet carries by TCP: Ethernet or not, IPv4 or IPv6."""

from __future__ import annotations

from typing import NamedTuple

_TCP = 6
_TYPES = {b"\x08\x00", b"\x86\xdd"}
_LINK_HEADS = (0, 14, 18, 16, 4)
"""None, Ethernet, Ethernet with a VLAN, Linux cooked, BSD loopback."""


class Segment(NamedTuple):
    """`way` tells which connection and direction."""

    way: tuple[bytes, ...]
    sequence: int
    octets: bytes


def payload(packet: bytes) -> Segment | None:
    """None for what is no packet with TCP in it."""
    for head in _LINK_HEADS:
        if head in (14, 16, 18) and packet[head - 2 : head] not in _TYPES:
            continue
        found = _from_ip(packet[head:])
        if found is not None:
            return found
    return None


def _from_ip(packet: bytes) -> Segment | None:
    if len(packet) < 20:
        return None
    version = packet[0] >> 4
    if version == 4 and packet[9] == _TCP:
        start, total = (packet[0] & 0x0F) * 4, int.from_bytes(packet[2:4], "big")
        # A total of 0 is left to the network card to fill in.
        return _from_tcp(packet[12:16], packet[16:20], packet[start : total or len(packet)])
    if version == 6 and len(packet) >= 40 and packet[6] == _TCP:
        total = 40 + int.from_bytes(packet[4:6], "big")
        return _from_tcp(packet[8:24], packet[24:40], packet[40:total])
    return None


def _from_tcp(source: bytes, destination: bytes, segment: bytes) -> Segment | None:
    if len(segment) < 20:
        return None
    start = (segment[12] >> 4) * 4
    if not 20 <= start <= len(segment):
        return None
    way = (source, segment[:2], destination, segment[2:4])
    return Segment(way, int.from_bytes(segment[4:8], "big"), segment[start:])
