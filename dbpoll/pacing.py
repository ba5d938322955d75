"""How often to ask: fast under load, slower when idle, slower still in trouble."""

from __future__ import annotations

import random


class Pace:
    """Delays that grow from `least` to `most` seconds."""

    def __init__(self, least: float, most: float, *, jitter: bool = False) -> None:
        self._least = least
        self._most = max(least, most)
        self._jitter = jitter
        self._delay = 0.0

    def reset(self) -> None:
        """Begin anew: the next delay is the least."""
        self._delay = 0.0

    def next(self) -> float:
        """The delay to wait now; each is 1.5 times the last one."""
        self._delay = min(self._most, self._delay * 1.5 or self._least)
        if self._jitter:
            # Many nodes that lost the same database do not come back in the same moment.
            return self._delay * random.uniform(0.5, 1.0)
        return self._delay
