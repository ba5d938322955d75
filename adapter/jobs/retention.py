"""Retention: deletes what has been kept long enough.

Why     R-1.2.3 asks for six months; what is kept for ever fills the disk, and contents are
        patients' data. Open messages are never touched.

Every night, in small transactions with pauses: a sweep takes no more than a third of the
store's time, and whoever waits for a commit waits for one bite at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import structlog
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

from adapter.config.model import Jobs
from adapter.store import retention
from adapter.store.retention import Bite
from adapter.store.statistics import day_of

log = structlog.get_logger(__name__)

ARRIVALS_DAYS = 14
"""Carriers send again for three days what was not acknowledged; this also spans a holiday."""
STAGED_DAYS = 1
"""Long after any caller has given up; what is left of a request goes in the night after that."""

Forget = Callable[[Engine, datetime, int, int], Bite]


@dataclass(frozen=True, slots=True)
class Retention:
    """`bite`: rows in one transaction. Runs at `hour`:`minute` in the hospital's zone.

    `clock` gives the present moment (aware).
    """

    engine: Engine
    keep: Jobs
    zone: tzinfo
    hour: int = 3
    minute: int = 10
    bite: int = 500
    pause_s: float = 0.05
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def name(self) -> str:
        return "retention"

    @property
    def trigger(self) -> CronTrigger:
        return CronTrigger(hour=self.hour, minute=self.minute, timezone=self.zone)

    def run(self, stop: threading.Event) -> None:
        deleted = {name: self._sweep(forget, days, stop) for name, forget, days in self._duties()}
        deleted["statistics"] = self._sweep_statistics(stop)
        log.info("retention.deleted", **deleted)

    def _duties(self) -> list[tuple[str, Forget, int]]:
        days = self.keep.keep_days
        # Notices first: one must not outlive the message that it tells of.
        notices = min(self.keep.notices_keep_days, days)
        return [
            ("notices", retention.forget_notices, notices),
            ("dead_letters", retention.forget_dead_letters, days),
            ("receipts", retention.forget_receipts, days),
            ("inbound", retention.forget_inbound, days),
            ("arrivals", retention.forget_arrivals, min(ARRIVALS_DAYS, days)),
            ("staged", retention.forget_staged, STAGED_DAYS),
            ("messages", retention.forget_messages, days),
            ("submissions", retention.forget_submissions, days),
        ]

    def _sweep(self, forget: Forget, days: int, stop: threading.Event) -> int:
        before = self.clock() - timedelta(days=days)
        total, after = 0, 0
        while not stop.is_set():
            started = time.monotonic()
            bite = forget(self.engine, before, after, self.bite)
            total += bite.deleted
            if bite.after is None:
                break
            after = bite.after
            self._rest(started, stop)
        return total

    def _sweep_statistics(self, stop: threading.Event) -> int:
        before = self.clock() - timedelta(days=self.keep.statistics_keep_days)
        hour = int(before.timestamp()) // 3600
        total = 0
        while not stop.is_set():
            started = time.monotonic()
            deleted = retention.forget_statistics(self.engine, hour, day_of(hour, self.zone))
            if not deleted:
                break
            total += deleted
            self._rest(started, stop)
        return total

    def _rest(self, started: float, stop: threading.Event) -> None:
        stop.wait(max(self.pause_s, 2 * (time.monotonic() - started)))
