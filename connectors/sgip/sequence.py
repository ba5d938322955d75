"""The sequence number of SGIP: node, time and counter, twelve octets (protocols/sgip.md 2).

The number of a Submit is the message's id: no two messages of a node may share it within a
year, whatever connection or process they come from. The time changes every second. The counter
is divided between the links of a channel (up to 64), and each connection starts at a place
drawn at random among 2^26, so two connections of one link, in one or two processes, meet only
if they send in the same second and one starts within the other's few thousand numbers.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from datetime import datetime

from connectors.clock import BEIJING, timestamp

NUMBER = struct.Struct(">III")
MAX_NODE = (1 << 32) - 1
_SHARE_BITS = 26
_SHARE = (1 << _SHARE_BITS) - 1
_SHARES = 64
_MODULUS = 1 << 32


class Sequences:
    """Numbers of one connection. `share`: which of the 64 parts of the counter is its own."""

    def __init__(
        self,
        node: int,
        share: int = 0,
        *,
        start: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 0 <= node <= MAX_NODE:
            raise ValueError(f"node id: {node} is not in 0..{MAX_NODE}")
        self._node = node
        self._share = share % _SHARES << _SHARE_BITS
        self._start = secrets.randbits(_SHARE_BITS) if start is None else start
        self._clock = clock
        self._second = -1
        self._stamp = 0
        self._last = 0

    def make(self, ordinal: int) -> bytes:
        """The number of the connection's `ordinal`-th command; ordinals count up by one."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._stamp = timestamp(datetime.fromtimestamp(second, BEIJING))
        self._last = ordinal
        return NUMBER.pack(self._node, self._stamp, self._share | (ordinal + self._start) & _SHARE)

    def ordinal(self, number: bytes) -> int | None:
        """Which command a response repeats; None when the number is not of this connection.

        The time is not compared: peers that rebuild the number from their clock are known.
        """
        node: int
        counter: int
        node, _, counter = NUMBER.unpack(number)
        if node != self._node or counter & ~_SHARE != self._share:
            return None
        # Of all the ordinals that share this counter, the latest one handed out.
        behind = (self._last - (counter - self._start)) & _SHARE
        return (self._last - behind) % _MODULUS


def text(number: bytes) -> str:
    """As logs show it: node, time and counter in ten decimal digits each."""
    return "".join(f"{part:010d}" for part in NUMBER.unpack(number))
