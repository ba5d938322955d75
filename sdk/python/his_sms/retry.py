"""How often a request is tried, and how long the pauses are.

A request is tried again when nobody answered, when something between here and the adapter
answered with 408, 425, 429 or 5xx, and on RATE_LIMITED, SPOOL_FULL, STORE_UNAVAILABLE and
INTERNAL. Every try carries the same client reference, so a text is accepted once, however often
it is asked for. Everything else would be refused again, so it is not tried again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from his_sms.errors import NoAnswer, Refused, SmsError


@dataclass(frozen=True)
class Retry:
    """At most `tries` tries. The pause before the second is about `first_s`, each next one twice
    as long, none longer than `most_s`; half of it is by chance, so that a hundred programs do
    not come back in the same moment. What the adapter asks for (Retry-After) goes first; where
    it asks for more than `most_s`, the error is raised at once."""

    tries: int = 6
    first_s: float = 0.5
    most_s: float = 30.0

    def __post_init__(self) -> None:
        if self.tries < 1 or self.first_s < 0 or self.most_s < 0:
            raise ValueError("tries: at least 1; first_s, most_s: not below 0")

    def pause_s(self, tried: int, error: SmsError) -> float | None:
        """How long to wait after so many tries; None: no more."""
        if not error.retryable or tried >= self.tries:
            return None
        asked_s = error.retry_after_s if isinstance(error, NoAnswer | Refused) else None
        if asked_s is not None and asked_s > self.most_s:
            return None
        own_s = min(self.first_s * 2.0 ** (tried - 1), self.most_s)
        return max(asked_s or 0.0, own_s * random.uniform(0.5, 1.0))


NEVER = Retry(tries=1)
"""Raise the first error."""
