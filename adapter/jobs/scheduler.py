"""Runs the node's jobs, each in its own time, whatever the others do.

A job is a small class with a name, a trigger and `run`. All are made alike: why, options
with defaults, then code. Each works in bounded bites, may be run twice without harm, and
looks at `stop` between bites, so that the node can end.

A job that raises is logged and counted; it runs again at its next time.

Options of APScheduler, on purpose:
    misfire_grace_time  none: a late run is as good as one in time, since each finds its
                        work in the store, not in the hour
    coalesce            runs that were missed (a suspended machine, a clock set forward)
                        are made up by one
    max_instances       one: a job that is slow is never run beside itself
    pool                a thread for each job, so that a long retention never delays
                        settlement
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy.exc import OperationalError

from adapter.domain.errors import StoreUnavailable
from adapter.domain.status import JobStatus
from adapter.metrics import Metrics

log = structlog.get_logger(__name__)

CLOCK_CHECK_S = 10.0


class Job(Protocol):
    """One duty."""

    @property
    def name(self) -> str: ...

    @property
    def trigger(self) -> BaseTrigger: ...

    def run(self, stop: threading.Event) -> None:
        """Do what there is to do; return early once `stop` is set."""


class Every(BaseTrigger):  # type: ignore[misc]
    """So many seconds after the last time.

    APScheduler's own interval trigger counts every time it missed: a clock set from 1970 to
    today would keep it busy with millions of them.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"


class Scheduler:
    """The jobs of one node."""

    def __init__(self, jobs: Sequence[Job], metrics: Metrics, zone: tzinfo) -> None:
        self._metrics = metrics
        self._stop = threading.Event()
        self._runs = {job.name: _Run(job) for job in jobs}
        self._scheduler: Any = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=zone,
        )
        self._scheduler.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)
        for job in jobs:
            self._scheduler.add_job(self._run, job.trigger, args=[job.name], id=job.name)
        self._clock = threading.Thread(target=self._watch_clock, name="jobs-clock", daemon=True)

    def start(self) -> None:
        """Begin; every job waits for its first time."""
        self._scheduler.start()
        self._clock.start()

    def stop(self) -> None:
        """Tell the jobs to end and wait until they have. Does nothing before `start`."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
            self._clock.join()

    def run_now(self, name: str) -> None:
        """Run a job in the calling thread, unless it runs already."""
        self._run(name)

    def status(self) -> list[JobStatus]:
        return [run.status for run in self._runs.values()]

    def _run(self, name: str) -> None:
        run = self._runs[name]
        if not run.busy.acquire(blocking=False):
            self._metrics.job_ran(name, "skipped", 0.0)
            return
        try:
            self._timed(run)
        finally:
            run.busy.release()

    def _timed(self, run: _Run) -> None:
        name, started, error = run.job.name, time.monotonic(), ""
        try:
            run.job.run(self._stop)
        except (StoreUnavailable, OperationalError) as away:
            # It says the same every few seconds until the store is back.
            error = type(away).__name__
            log.warning("job.store_away", job=name, error=error)
        except Exception as failure:
            # Whatever it is: the job has its next chance, and the others never notice.
            error = type(failure).__name__
            log.exception("job.failed", job=name)
        seconds = time.monotonic() - started
        run.ended(seconds, error)
        self._metrics.job_ran(name, "failed" if error else "done", seconds)
        log.debug("job.ran", job=name, seconds=round(seconds, 3))

    def _skipped(self, event: JobSubmissionEvent) -> None:
        self._metrics.job_ran(event.job_id, "skipped", 0.0)

    def _watch_clock(self) -> None:
        while not self._stop.wait(CLOCK_CHECK_S):
            self.follow_clock(datetime.now(UTC))

    def follow_clock(self, now: datetime) -> None:
        """Bring forward jobs whose time went far away because the clock was set back."""
        for job in self._scheduler.get_jobs():
            if isinstance(job.trigger, Every):
                latest = now + timedelta(seconds=job.trigger.seconds)
                if job.next_run_time > latest + timedelta(seconds=1):
                    log.warning("job.clock_set_back", job=job.id)
                    job.modify(next_run_time=latest)


@dataclass(slots=True)
class _Run:
    """A job with what became of it. `busy` is held while it runs."""

    job: Job
    status: JobStatus
    busy: threading.Lock

    def __init__(self, job: Job) -> None:
        self.job = job
        self.status = JobStatus(job.name, None, 0.0, 0, 0)
        self.busy = threading.Lock()

    def ended(self, seconds: float, error: str) -> None:
        self.status = replace(
            self.status,
            ran_at=datetime.now(UTC),
            seconds=seconds,
            runs=self.status.runs + 1,
            failures=self.status.failures + bool(error),
            error=error,
        )
