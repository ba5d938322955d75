"""How often to ask and for how much: fast under load, slower when idle, slower still in trouble."""

from __future__ import annotations

import random

SHARE = 10
REST_S = 60.0
"""A look that found nothing is followed by a pause of so many times its duration, at most this."""
SLOW_S = 0.5
FEWEST = 20
TRIPS = 10
"""So many failures in a row, some ten seconds of them, need somebody's attention."""


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


class Looks:
    """The pauses between looks: the least for `warm_s` after the start or a row, so that light
    traffic waits for nobody; then growing to the most. A slow database is asked less often."""

    def __init__(self, least: float, most: float, warm_s: float) -> None:
        self._idle = Pace(least, most)
        self._least = least
        self._warm_s = warm_s
        self._came: float | None = None

    def pause(self, now: float, rows: int, took_s: float) -> float:
        """How long to wait after a look that found so many rows. `now`: monotonic seconds."""
        if rows or self._came is None:
            self._came = now
            self._idle.reset()
            return self._least
        warm = now - self._came < self._warm_s
        return max(self._least if warm else self._idle.next(), min(SHARE * took_s, REST_S))


class BatchSize:
    """Rows to take at once: half as many after a transaction that took longer than SLOW_S,
    slowly more again after faster ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows = most

    def took(self, rows: int, seconds: float) -> None:
        if seconds > SLOW_S:
            self.rows = max(min(FEWEST, self._most), self.rows // 2)
        elif rows == self.rows and seconds < SLOW_S / 2:
            self.rows = min(self._most, self.rows * 3 // 2 + 1)


class Breaker:
    """Open after TRIPS failures in a row. The pauses between tries grow with the time that it is
    failing, up to `rest_s`: a database that comes back waits for us no longer than a part of the
    time that it was away."""

    def __init__(self, least: float, rest_s: float) -> None:
        self._pace = Pace(least, rest_s, jitter=True)
        self._failures = 0

    @property
    def open(self) -> bool:
        return self._failures >= TRIPS

    def failed(self) -> float:
        """Count a failure; how long to wait."""
        self._failures += 1
        return self._pace.next()

    def well(self) -> None:
        self._failures = 0
        self._pace.reset()
