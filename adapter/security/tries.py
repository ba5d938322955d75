"""Wrong tries at the doors: slowed down, then locked out for a while.

Counted twice: for an account at an address, and for an address over all accounts. The first
`FREE` wrong tries of an account at an address cost nothing; then each doubles the wait, from one
second; at `most` the pair is locked for `lock_s`. An address is locked at `WIDE` times as many,
which ends the trying of one password on many accounts. The right proof forgets its pair's count.

Nobody locks another one out: a wrong try counts only where it came from, and a pair that was
let in before is not asked for its address (several clients may share a proxy's).

Limits: `remembered` pairs and as many addresses are kept, those first forgotten that were quiet
longest. An attacker with many addresses has `most` tries from each. Counts end with the process.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

FREE = 3
WIDE = 10

_K = TypeVar("_K", bound=Hashable)


@dataclass(slots=True)
class _Count:
    wrong: int = 0
    last: float = -math.inf
    until: float = -math.inf


class _Counts(Generic[_K]):
    """Counts by key, the quietest forgotten first."""

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._counts: OrderedDict[_K, _Count] = OrderedDict()

    def until(self, key: _K) -> float:
        count = self._counts.get(key)
        return -math.inf if count is None else count.until

    def one_more(self, key: _K, now: float, forget_s: float) -> _Count:
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        if now > max(count.last, count.until) + forget_s:
            count.wrong = 0
        count.wrong += 1
        count.last = now
        while len(self._counts) > self._remembered:
            self._counts.popitem(last=False)
        return count

    def forget(self, key: _K) -> None:
        self._counts.pop(key, None)


class WrongTries:
    """Who tried in vain, and how long he has to wait. Safe to share between threads."""

    def __init__(
        self,
        most: int = 10,
        lock_s: float = 900.0,
        remembered: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._lock_s = lock_s
        self._remembered = remembered
        self._clock = clock
        self._pairs: _Counts[tuple[str, str]] = _Counts(remembered)
        self._addresses: _Counts[str] = _Counts(remembered)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, account: str, address: str) -> int:
        """Seconds until the next try is looked at; 0 for now."""
        pair = account, address
        with self._lock:
            until = self._pairs.until(pair)
            if pair not in self._trusted:
                until = max(until, self._addresses.until(address))
            return max(0, math.ceil(until - self._clock())) if until > -math.inf else 0

    def wrong(self, account: str, address: str) -> bool:
        """Count a wrong try. Whether it locked the account at this address, or the address."""
        now = self._clock()
        with self._lock:
            pair = self._pairs.one_more((account, address), now, self._lock_s)
            wide = self._addresses.one_more(address, now, self._lock_s)
            if pair.wrong >= self._most:
                pair.until = now + self._lock_s
            elif pair.wrong > FREE:
                pair.until = now + min(self._lock_s, 2.0 ** (pair.wrong - FREE - 1))
            if wide.wrong >= WIDE * self._most:
                wide.until = now + self._lock_s
            return pair.wrong >= self._most or wide.wrong >= WIDE * self._most

    def right(self, account: str, address: str) -> None:
        """The account showed at this address what opens."""
        pair = account, address
        with self._lock:
            self._pairs.forget(pair)
            self._trusted[pair] = None
            self._trusted.move_to_end(pair)
            while len(self._trusted) > self._remembered:
                self._trusted.popitem(last=False)
