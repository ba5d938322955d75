"""When to ask a silent peer whether it is still there, and when to give it up."""

from __future__ import annotations


class Heartbeat:
    """After `interval` seconds of silence a test is due, then one every `interval`.

    Anything heard counts as life. `tries` unanswered tests mean the peer is dead.
    """

    def __init__(self, interval: float, tries: int, now: float) -> None:
        self.interval = interval
        self.tries = tries
        self.missed = 0
        self._last = now

    def heard(self, now: float) -> None:
        self._last = now
        self.missed = 0

    def due(self, now: float) -> bool:
        """Whether to send a test now; counts it as missed until something is heard."""
        if now - self._last < self.interval or self.dead:
            return False
        self._last = now
        self.missed += 1
        return self.missed <= self.tries

    @property
    def dead(self) -> bool:
        """One interval after the last allowed test nothing had been heard."""
        return self.missed > self.tries


class Unfinished:
    """Half a frame whose other half does not come: protocols without heartbeats would wait for
    ever."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None

    def too_long(self, now: float, *, waiting: bool) -> bool:
        """`waiting`: half a frame is here, and no whole one came since this was last asked."""
        if not waiting:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since >= self._limit_s
