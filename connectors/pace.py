"""How fast: a token bucket with the caller's clock."""

from __future__ import annotations

import time
from collections.abc import Callable


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

    def take(self, wanted: int = 1) -> int:
        """Take up to `wanted` whole tokens; how many there were, 0 in debt."""
        self._refill()
        taken = max(0, min(wanted, int(self._tokens)))
        self._tokens -= taken
        return taken

    def put_back(self, unused: int) -> None:
        """Return tokens that were taken and not used; less than 0 when more were used."""
        self._tokens = min(self.burst, self._tokens + unused)

    def wait_s(self) -> float:
        """Seconds until a whole token will be there; 0 when one is."""
        self._refill()
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
