"""64-bit, time-ordered ids, made by the node without asking anyone.

Layout, most significant bit first: 0, 41 bits of milliseconds since 2020-01-01
UTC (until 2089), 10 bits node, 12 bits sequence. An id is positive in a signed
64-bit column and fits CMPP's Msg_Id.

Limits: 4,096 ids a millisecond; beyond that the maker runs ahead of the clock
and lets the clock catch up, it never waits. A clock that jumps back does not
matter: an id is always greater than the last one made, and `floor` (the greatest
id in the store) carries that over a restart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH_MS = 1_577_836_800_000
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TIME_SHIFT = 22
_NODE_SHIFT = 12
_SEQUENCE_MASK = (1 << _NODE_SHIFT) - 1
MAX_NODE = (1 << 10) - 1


class IdMaker:
    """Makes ids; safe to share between threads."""

    def __init__(
        self, node: int = 0, floor: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        if not 0 <= node <= MAX_NODE:
            raise ValueError(f"node must be 0..{MAX_NODE}, not {node}")
        self._node = node << _NODE_SHIFT
        self._clock = clock
        self._tick = floor >> _TIME_SHIFT
        self._sequence = _SEQUENCE_MASK
        self._lock = threading.Lock()

    def take(self, n: int) -> list[int]:
        """`n` ids in rising order."""
        now = int(self._clock() * 1000) - EPOCH_MS
        with self._lock:
            if now > self._tick:
                self._tick, self._sequence = now, -1
            made: list[int] = []
            while left := n - len(made):
                if self._sequence == _SEQUENCE_MASK:
                    self._tick, self._sequence = self._tick + 1, -1
                first = (self._tick << _TIME_SHIFT) | self._node | (self._sequence + 1)
                some = min(left, _SEQUENCE_MASK - self._sequence)
                made.extend(range(first, first + some))
                self._sequence += some
            return made

    def next(self) -> int:
        """One id."""
        return self.take(1)[0]


def made_by(id_: int) -> datetime:
    """The last moment at which a node could have made this id."""
    return _EPOCH + timedelta(milliseconds=(id_ >> _TIME_SHIFT) + 1, microseconds=-1)


def id_at(moment: datetime) -> int:
    """The smallest id a node could have made at `moment` (aware)."""
    # Not by timestamp(): from 2038 on a float of seconds may fall a millisecond short.
    return max(0, (moment - _EPOCH) // timedelta(milliseconds=1)) << _TIME_SHIFT
