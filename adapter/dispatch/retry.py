"""When to send again: exponential back-off with jitter, by lane."""

from __future__ import annotations

import random

from adapter.config.model import LanePolicy


def backoff_ms(policy: LanePolicy, tries: int) -> int:
    """Milliseconds to wait after the `tries`-th failed attempt (1, 2, ...).

    Doubles from `backoff_min_s` to `backoff_max_s`; half of it is random, so that messages
    that failed together do not come back together. With the normal lane's 2 s: 1-2 s, 2-4 s,
    4-8 s ... up to 5-10 minutes.
    """
    whole = min(policy.backoff_max_s, policy.backoff_min_s * 2 ** min(tries - 1, 30))
    return int(1000 * whole * random.uniform(0.5, 1.0))
