"""MsgID as a gateway makes it (protocols/smgp.md 7). A client takes the 10 octets as opaque."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from connectors.clock import BEIJING

_SEQUENCES = 1_000_000
_GATEWAYS = 1_000_000


class MsgIds:
    """Ids of one gateway in BCD: its six digits, month to minute, a sequence of six digits.

    The sequence runs on over the minutes, so up to a million ids a minute differ.
    """

    def __init__(
        self, gateway: int, first: int = 0, *, clock: Callable[[], float] = time.time
    ) -> None:
        if not 0 <= gateway < _GATEWAYS:
            raise ValueError(f"gateway: {gateway} has more than 6 digits")
        self._gateway = f"{gateway:06d}"
        self._clock = clock
        self._minute = -1
        self._prefix = ""
        self._sequence = first % _SEQUENCES

    def take(self, count: int = 1) -> bytes:
        """The first of `count` consecutive ids (a group submit owns one per recipient)."""
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute = minute
            moment = datetime.fromtimestamp(minute * 60, BEIJING)
            self._prefix = self._gateway + moment.strftime("%m%d%H%M")
        first = self._sequence
        self._sequence = (first + count) % _SEQUENCES
        return bytes.fromhex(f"{self._prefix}{first:06d}")


def nth(first: bytes, k: int) -> bytes:
    """The id of recipient `k` of a group submit: the last six digits count on and wrap.

    Raises ValueError when they are no digits: such a gateway counts in its own way.
    """
    sequence = (int(first[7:].hex()) + k) % _SEQUENCES
    return first[:7] + bytes.fromhex(f"{sequence:06d}")
