"""From what an engineer pastes to the frames in it.

Hex digits in any grouping (blanks, colons, commas, `0x`, `\\x`), over one line or many, one frame
after the other; and the dumps of `tcpdump -X`, `xxd`, `hexdump -C` and Wireshark, where each line
has an offset and, perhaps, the characters beside the octets. Packets lose their Ethernet, IP and
TCP heads; what went one way is joined again. Frames are cut by their length.

Limits: packets are taken in the order they stand in; a repeated one counts once, a missing one
is not noticed before its frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.packets import Segment, payload

_BETWEEN = re.compile(r"[\s:,;\-{}\[\]\"']|0[xX]|\\x")
_NOT_HEX = re.compile(r"[^0-9a-fA-F]")
_COLON = re.compile(r"\s*(?:0[xX])?([0-9a-fA-F]{3,8}):\s+(\S.*)")
_BLANK = re.compile(r"\s*(?:0[xX])?([0-9a-fA-F]{3,8})(\s+)([0-9a-fA-F]{2,4}(?:\s.*)?)$")
_GROUP = re.compile(r"(?:[0-9a-fA-F]{2}){1,8}(?=\s|$)")
_LINE_OCTETS = 32
_HEAD = 8
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """What should be one frame, at this octet of its stream. `fault` instead of octets where
    the text is no hex, `at` then counting the octets before it."""

    octets: bytes
    at: int = 0
    fault: str = ""


def pieces(text: str) -> Iterator[Piece]:
    """Every frame of the text, and what is left where a frame is not whole."""
    lines = [line for line in text.splitlines() if line.strip()]
    dumps = [_dump_line(line) for line in lines]
    if any(dumps):
        yield from _cut_packets(_blocks(dumps))
    else:
        yield from _plain(lines)


_Read = tuple[bytes, Piece | None]
"""A line of hex: its octets, or what is wrong with it."""


@dataclass(slots=True)
class _Dump:
    """A line of a dump."""

    offset: int
    octets: bytes


def _dump_line(line: str) -> _Dump | None:
    """None for a line without an offset: hex alone, or the line that tells of a packet."""
    with_colon = _COLON.match(line)
    if with_colon is not None:
        octets = _groups(with_colon[2])
        return _Dump(int(with_colon[1], 16), octets) if octets else None
    found = _BLANK.match(line)
    if found is None:
        return None
    offset, gap, rest = int(found[1], 16), found[2], found[3]
    pairs = re.match(r"[0-9a-fA-F]{2}(\s|$)", rest) is not None
    apart = len(gap.expandtabs()) > 1 and offset % 8 == 0
    if not (pairs and len(found[1]) > 3) and not apart:
        return None
    octets = _groups(rest)
    return _Dump(offset, octets) if octets else None


def _groups(text: str) -> bytes:
    """The octets up to the characters beside them, which stand two blanks apart; so does the
    second half of a line."""
    octets, at = b"", 0
    while len(octets) < _LINE_OCTETS and (group := _GROUP.match(text, at)) is not None:
        octets += bytes.fromhex(group[0])
        blanks = len(text) - group.end() - len(text[group.end() :].lstrip())
        if blanks > 2 or (blanks == 2 and len(octets) != 8):
            break
        at = group.end() + blanks
    return octets


def _blocks(dumps: Sequence[_Dump | None]) -> Iterator[bytes]:
    """Lines whose offsets follow each other are one packet, or one stream. Where the next
    offset is known, it says how many octets of a line are octets."""
    block, first, before = bytearray(), 0, None
    for dump in (*dumps, None):
        if dump is not None and before is not None and dump.offset > before.offset:
            del block[dump.offset - first :]
        elif before is not None:
            yield bytes(block)
            block, before = bytearray(), None
        if dump is not None:
            if before is None:
                first = dump.offset
            block += dump.octets
        before = dump


@dataclass(slots=True)
class _Flow:
    """What goes one way."""

    rest: bytes = b""
    at: int = 0
    seen: set[tuple[int, int]] = field(default_factory=set)


def _cut_packets(blocks: Iterator[bytes]) -> Iterator[Piece]:
    flows: dict[tuple[bytes, ...], _Flow] = {}
    for block in blocks:
        segment = None if _plausible(block) else payload(block)
        if segment is None:
            yield from _cut(block)
        else:
            yield from _joined(flows.setdefault(segment.way, _Flow()), segment)
    for flow in flows.values():
        if flow.rest:
            yield Piece(flow.rest, flow.at)


def _joined(flow: _Flow, segment: Segment) -> Iterator[Piece]:
    """The frames that this segment ends."""
    key = (segment.sequence, len(segment.octets))
    if not segment.octets or key in flow.seen:
        return
    flow.seen.add(key)
    lost = len(flow.rest) >= _HEAD and not _plausible(flow.rest)
    if lost and _plausible(segment.octets):
        # The capture began, or has a hole, inside a frame.
        yield Piece(flow.rest, flow.at)
        flow.rest = b""
    octets = flow.rest + segment.octets
    end = _whole(octets)
    for piece in _cut(octets[:end]):
        yield Piece(piece.octets, flow.at + piece.at)
    flow.rest, flow.at = octets[end:], flow.at + end


def _plain(lines: Sequence[str]) -> Iterator[Piece]:
    """Hex alone. A frame may go on over several lines: lines are joined where that ends well,
    and stand for themselves where it does not."""
    read = [octets_of(line) for line in lines]
    at = 0
    while at < len(read):
        octets, fault = read[at]
        if fault is not None:
            yield fault
            at += 1
            continue
        joined, taken = _longer(octets, read, at + 1)
        segment = None if _plausible(joined) else payload(joined)
        yield from _cut(joined if segment is None else segment.octets)
        at += 1 + taken


def _longer(octets: bytes, read: Sequence[_Read], following: int) -> tuple[bytes, int]:
    """With so many of the lines from `following` on as it takes to end where a frame ends."""
    joined, end = bytearray(octets), _whole(octets)
    for at in range(following, len(read)):
        if end == len(joined):
            return bytes(joined), at - following
        if len(joined) - end >= _HEAD and not _plausible(bytes(joined[end : end + _HEAD])):
            return octets, 0
        more, fault = read[at]
        if fault is not None:
            return octets, 0
        joined += more
        if len(joined) - end >= int.from_bytes(joined[end : end + 4], "big"):
            end += _whole(bytes(joined[end:]))
    well = end == len(joined) or len(octets) < _HEAD
    return (bytes(joined), len(read) - following) if well else (octets, 0)


def octets_of(line: str) -> _Read:
    """The octets of hex digits, or what is wrong with them."""
    digits = _BETWEEN.sub("", line)
    bad = _NOT_HEX.search(digits)
    if bad is not None:
        return b"", Piece(b"", bad.start() // 2, f"not a hexadecimal digit: {bad[0]!r}")
    if len(digits) % 2:
        return b"", Piece(b"", len(digits) // 2, "half an octet at the end")
    return bytes.fromhex(digits), None


def _plausible(octets: bytes) -> bool:
    """Whether it begins as a frame does."""
    return len(octets) >= _HEAD and _HEAD <= int.from_bytes(octets[:4], "big") <= _LARGEST


def _whole(octets: bytes) -> int:
    """Where the last whole frame ends."""
    end = 0
    while _plausible(octets[end : end + _HEAD]):
        stop = end + int.from_bytes(octets[end : end + 4], "big")
        if stop > len(octets):
            break
        end = stop
    return end


def _cut(octets: bytes) -> Iterator[Piece]:
    at, end = 0, _whole(octets)
    while at < end:
        stop = at + int.from_bytes(octets[at : at + 4], "big")
        yield Piece(octets[at:stop], at)
        at = stop
    if end < len(octets):
        yield Piece(octets[end:], end)
