"""How much each client may send: submissions a minute, messages a day and a month, and when.

Rate and hours hold at the doors, whose callers can come again. Rows of a HIS table are never
refused for them: a source polls in batches of its own size, at the pace the node can bear. The
quotas hold everywhere. Their days and months are the hospital's; what was accepted before a
restart is counted once, from the statistics, at the first use of each, and from then on in
memory.

Limits: a node counts for itself. Where several nodes share a store, each knows of the
others' messages only what was committed before its own first use of the day or month.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door
from connectors.pace import TokenBucket

Accepted = Callable[[str, datetime], int]
"""Messages accepted from an account since a moment, as the store knows. May raise
StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class _Quota:
    """`most` messages in the period that began on `since`, until `until`."""

    word: str
    most: int
    since: date
    until: date


@dataclass(slots=True)
class _Used:
    since: date
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
        self._used: dict[tuple[str, str], _Used] = {}
        self._lock = threading.Lock()

    def admit(self, client: Client, door: Door, now: datetime) -> None:
        """Count a submission. A whole minute's worth may come at once after a pause.

        Raises Refusal(RATE_LIMITED) with the seconds to wait.
        """
        if door is Door.DBPOLL:
            return
        self._check_hours(client, now)
        if not client.rate_per_minute:
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

        Raises Refusal(QUOTA_EXCEEDED) when not all of them fit into what is left of the day or
        the month, and StoreUnavailable when the store cannot say what was accepted before.
        """
        quotas = self._quotas(client, now)
        if not quotas:
            return
        with self._lock:
            used = [self._current(client, quota) for quota in quotas]
            for quota, each in zip(quotas, used, strict=True):
                if messages > quota.most - each.messages:
                    raise self._exceeded(quota, messages, quota.most - each.messages, now)
            for each in used:
                each.messages += messages

    def give_back(self, client: Client, messages: int, reserved_at: datetime) -> None:
        """These were reserved and not accepted."""
        if not messages:
            return
        with self._lock:
            for quota in self._quotas(client, reserved_at):
                used = self._used.get((client.account, quota.word))
                if used is not None and used.since == quota.since:
                    used.messages -= messages

    def _check_hours(self, client: Client, now: datetime) -> None:
        local = now.astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        if not client.hours or any(span.holds(minute) for span in client.hours):
            return
        wait_s = 60 * min(span.wait(minute) for span in client.hours) - local.second
        hours = ", ".join(map(str, client.hours))
        raise Refusal(
            Code.RATE_LIMITED, f"the account may send at {hours}", retry_after_s=max(1, wait_s)
        )

    def _bucket(self, client: Client) -> TokenBucket:
        key = client.account, client.rate_per_minute
        bucket = self._buckets.get(key)
        if bucket is None:
            rate = client.rate_per_minute
            bucket = self._buckets[key] = TokenBucket(rate / 60, rate, clock=self._clock)
        return bucket

    def _quotas(self, client: Client, now: datetime) -> list[_Quota]:
        if not client.daily_quota and not client.monthly_quota:
            return []
        day = now.astimezone(self._zone).date()
        month = day.replace(day=1)
        next_month = (month + timedelta(days=31)).replace(day=1)
        both = (
            _Quota("daily", client.daily_quota, day, day + timedelta(days=1)),
            _Quota("monthly", client.monthly_quota, month, next_month),
        )
        return [quota for quota in both if quota.most]

    def _current(self, client: Client, quota: _Quota) -> _Used:
        key = client.account, quota.word
        used = self._used.get(key)
        if used is None or used.since < quota.since:
            used = _Used(quota.since, self._accepted(client.account, self._midnight(quota.since)))
            self._used[key] = used
        return used

    def _exceeded(self, quota: _Quota, messages: int, left: int, now: datetime) -> Refusal:
        wait_s = math.ceil((self._midnight(quota.until) - now).total_seconds())
        return Refusal(
            Code.QUOTA_EXCEEDED,
            f"{messages} messages, but {max(0, left)} of the {quota.word} quota of "
            f"{quota.most} are left",
            retry_after_s=wait_s if left < 1 else 0,
        )

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, datetime.min.time(), self._zone)
