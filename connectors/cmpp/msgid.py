"""Msg_Id as a gateway makes it (protocols/cmpp.md A6). A client takes the 8 octets as opaque."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from connectors.cmpp.auth import BEIJING

MAX_GATEWAY = (1 << 22) - 1


class MsgIds:
    """Ids of one gateway: month, day, time of day, gateway code, a 16-bit sequence.

    The sequence runs on over the seconds, so up to 65,536 ids a second differ.
    """

    def __init__(
        self, gateway: int, first: int = 0, *, clock: Callable[[], float] = time.time
    ) -> None:
        if not 0 <= gateway <= MAX_GATEWAY:
            raise ValueError(f"gateway: {gateway} is not in 0..{MAX_GATEWAY}")
        self._gateway = gateway << 16
        self._clock = clock
        self._second = -1
        self._stamp = 0
        self._sequence = first

    def take(self, count: int = 1) -> bytes:
        """The first of `count` consecutive ids (a group submit owns one per recipient)."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._stamp = _time_bits(datetime.fromtimestamp(second, BEIJING)) | self._gateway
        first = self._sequence
        self._sequence = (first + count) & 0xFFFF
        return (self._stamp | first).to_bytes(8, "big")


def nth(first: bytes, k: int) -> bytes:
    """The id of recipient `k` of a group submit: the sequence part counts on and wraps."""
    return first[:6] + ((int.from_bytes(first[6:], "big") + k) & 0xFFFF).to_bytes(2, "big")


def _time_bits(at: datetime) -> int:
    return at.month << 60 | at.day << 55 | at.hour << 50 | at.minute << 44 | at.second << 38
