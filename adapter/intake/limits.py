"""How much each client may send: submissions a minute, messages a day.

The rate holds at the doors, whose callers can come again. Rows of a HIS table are never
refused for it: a source polls in batches of its own size, at the pace the node can bear. The
quota holds everywhere. Its day is the hospital's; what was accepted before a restart is
counted once, from the statistics, at the first use of each day, and from then on in memory.

Limits: a node counts for itself. Where several nodes share a store, each knows of the
others' messages only what was committed before its own first use of the day.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door
from connectors.pace import TokenBucket

Accepted = Callable[[str, datetime], int]
"""Messages accepted from an account since a moment, as the store knows. May raise
StoreUnavailable."""


@dataclass(slots=True)
class _Used:
    day: date
    messages: int


class Limits:
    """The limits of all clients. Safe to share between threads."""

    def __init__(
        self, zone: tzinfo, accepted: Accepted, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._zone = zone
        self._accepted = accepted
        self._clock = clock
        self._buckets: dict[tuple[str, int], TokenBucket] = {}
        self._used: dict[str, _Used] = {}
        self._lock = threading.Lock()

    def admit(self, client: Client, door: Door) -> None:
        """Count a submission. A whole minute's worth may come at once after a pause.

        Raises Refusal(RATE_LIMITED) with the seconds to wait.
        """
        if not client.rate_per_minute or door is Door.DBPOLL:
            return
        with self._lock:
            bucket = self._bucket(client)
            if bucket.take():
                return
            wait_s = max(1, math.ceil(bucket.wait_s()))
        raise Refusal(
            Code.RATE_LIMITED,
            f"more than {client.rate_per_minute} submissions a minute; try again in {wait_s} s",
            retry_after_s=wait_s,
        )

    def reserve(self, client: Client, messages: int, now: datetime) -> None:
        """Count messages that are about to be accepted.

        Raises Refusal(QUOTA_EXCEEDED) when not all of them fit into the day's quota, and
        StoreUnavailable when the store cannot say what was accepted before.
        """
        if not client.daily_quota:
            return
        with self._lock:
            used = self._today(client, now)
            left = client.daily_quota - used.messages
            if messages <= left:
                used.messages += messages
                return
        raise Refusal(
            Code.QUOTA_EXCEEDED,
            f"{messages} messages, but {max(0, left)} of the daily quota of "
            f"{client.daily_quota} are left",
        )

    def give_back(self, client: Client, messages: int, reserved_at: datetime) -> None:
        """These were reserved and not accepted."""
        if not client.daily_quota or not messages:
            return
        with self._lock:
            used = self._used.get(client.account)
            if used is not None and used.day == self._day(reserved_at):
                used.messages -= messages

    def _bucket(self, client: Client) -> TokenBucket:
        key = client.account, client.rate_per_minute
        bucket = self._buckets.get(key)
        if bucket is None:
            rate = client.rate_per_minute
            bucket = self._buckets[key] = TokenBucket(rate / 60, rate, clock=self._clock)
        return bucket

    def _today(self, client: Client, now: datetime) -> _Used:
        day = self._day(now)
        used = self._used.get(client.account)
        if used is None or used.day < day:
            midnight = datetime.combine(day, datetime.min.time(), self._zone)
            used = _Used(day, self._accepted(client.account, midnight))
            self._used[client.account] = used
        return used

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()
