"""Growing pauses with jitter, so that many links do not come back at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """`next` gives first, 2*first, 4*first ... up to `limit` seconds, each within +/- 25 %."""

    def __init__(
        self, first: float, limit: float, *, rand: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._limit = max(first, limit)
        self._rand = rand
        self._step = 0

    def next(self) -> float:
        """Seconds to wait now; the next answer will be twice as long."""
        base = min(self._limit, self._first * 2.0 ** min(self._step, 32))
        self._step += 1
        return base * (0.75 + 0.5 * self._rand())

    def reset(self) -> None:
        """Things went well: begin from the first pause again."""
        self._step = 0
