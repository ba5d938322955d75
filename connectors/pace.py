"""How fast: a pace that no second exceeds, and a token bucket; with the caller's clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol


class Pacing(Protocol):
    """What a link asks before it sends: one pace, or several at once."""

    def free(self) -> int:
        """How many may go now."""

    def spend(self, count: int) -> None:
        """So many of those that were free go now."""

    def wait_s(self, wanted: int = 1) -> float:
        """Seconds until so many may be free, or what may go at once if that is less."""


class Pace:
    """At most `rate` a second: never more in any window of one second, wherever it begins.

    What is spent is remembered for a second, so the limit is exact. Within it a tenth of a
    second's worth may go at once, and the rest follows evenly, so that nobody waits longer
    than a tenth of a second for those before him.

    Limits: whole pieces only, so of a rate of 2.5 two a second are used; of a rate below one a
    single piece in each 1/rate seconds.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._window_s = max(1.0, 1.0 / rate)
        self._limit = max(1, int(rate))
        self._even = TokenBucket(rate, clock=clock)
        self._spent: deque[tuple[float, int]] = deque()
        self._in_window = 0

    @property
    def most(self) -> int:
        """How many may go at once, at best."""
        return int(self._even.burst)

    def free(self) -> int:
        """How many may go now."""
        now = self._clock()
        while self._spent and now - self._spent[0][0] >= self._window_s:
            self._in_window -= self._spent.popleft()[1]
        return min(self._even.free(), self._limit - self._in_window)

    def spend(self, count: int) -> None:
        """So many of those that were free go now."""
        self._even.take(count)
        self._spent.append((self._clock(), count))
        self._in_window += count

    def wait_s(self, wanted: int = 1) -> float:
        """Seconds until so many may be free, or `most` if that is less."""
        wanted = min(wanted, self.most)
        if self.free() >= wanted:
            return 0.0
        over = self._in_window + wanted - self._limit
        at = now = self._clock()
        for spent_at, count in self._spent:
            if over <= 0:
                break
            over -= count
            at = spent_at + self._window_s
        return max(at - now, self._even.wait_s(wanted))


class Together:
    """Paces that hold at the same time: of an account, and of each of its links."""

    def __init__(self, paces: Sequence[Pacing]) -> None:
        self._paces = paces

    def free(self) -> int:
        return min(pace.free() for pace in self._paces)

    def spend(self, count: int) -> None:
        for pace in self._paces:
            pace.spend(count)

    def wait_s(self, wanted: int = 1) -> float:
        return max(pace.wait_s(wanted) for pace in self._paces)


class TokenBucket:
    """At most `rate` tokens a second in the long run, `burst` at once.

    Without a `burst` the bucket holds a tenth of a second's worth, at least one: a carrier
    that counts by the second never sees more than 1.1 times the rate.
    """

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, rate / 10) if burst is None else burst
        self._clock = clock
        self._tokens = self.burst
        self._at = clock()

    def free(self) -> int:
        """How many whole tokens are there."""
        self._refill()
        return int(self._tokens)

    def take(self, wanted: int = 1) -> int:
        """Take up to `wanted` whole tokens; how many there were."""
        taken = min(wanted, self.free())
        self._tokens -= taken
        return taken

    def wait_s(self, wanted: int = 1) -> float:
        """Seconds until so many tokens will be there; 0 when they are."""
        self._refill()
        return max(0.0, (wanted - self._tokens) / self.rate)

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
