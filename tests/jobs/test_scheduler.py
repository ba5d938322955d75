from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from adapter.domain.errors import StoreUnavailable
from adapter.jobs.scheduler import Every, Job, Scheduler
from adapter.jobs.sweep import Sweep, expire, settle
from adapter.metrics import Metrics

SOON_S = 0.02
LONG_S = 30.0


@dataclass
class Counting:
    """A job that counts its runs, and does something in each."""

    name: str
    act: Callable[[threading.Event], None] = lambda _: None
    every_s: float = SOON_S
    runs: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def trigger(self) -> Every:
        return Every(self.every_s)

    def run(self, stop: threading.Event) -> None:
        with self.changed:
            self.runs += 1
            self.changed.notify_all()
        self.act(stop)

    def wait_for(self, runs: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.runs >= runs, LONG_S)


Start = Callable[..., Scheduler]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def start(metrics: Metrics) -> Iterator[Start]:
    started: list[Scheduler] = []

    def begin(*jobs: Job) -> Scheduler:
        scheduler = Scheduler(jobs, metrics, UTC)
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield begin
    for scheduler in started:
        scheduler.stop()


def runs(metrics: Metrics, job: str, outcome: str) -> float:
    labels = {"job": job, "outcome": outcome}
    return metrics.registry.get_sample_value("sms_job_runs_total", labels) or 0


def test_jobs_run_again_and_again(start: Start) -> None:
    first, second = Counting("first"), Counting("second")
    start(first, second)
    first.wait_for(3)
    second.wait_for(3)


def test_a_failing_job_is_counted_and_runs_again(start: Start, metrics: Metrics) -> None:
    def fail(_stop: threading.Event) -> None:
        raise RuntimeError("no 13800138000")

    bad, good = Counting("bad", fail), Counting("good")
    scheduler = start(bad, good)
    bad.wait_for(3)
    good.wait_for(1)
    assert runs(metrics, "bad", "failed") >= 2
    status = {each.name: each for each in scheduler.status()}
    assert status["bad"].failures >= 2
    assert status["bad"].error == "RuntimeError"
    assert status["good"].failures == 0


def test_a_store_that_is_away_is_no_surprise(start: Start) -> None:
    def fail(_stop: threading.Event) -> None:
        raise StoreUnavailable

    job = Counting("patient", fail)
    with capture_logs() as logged:
        scheduler = start(job)
        job.wait_for(3)
        scheduler.stop()
    events = [entry for entry in logged if entry["event"] == "job.store_away"]
    assert len(events) >= 2
    assert not any("exc_info" in entry for entry in events)


def test_a_slow_job_never_runs_beside_itself(start: Start, metrics: Metrics) -> None:
    release, inside, worst = threading.Event(), [0], [0]

    def slow(_stop: threading.Event) -> None:
        inside[0] += 1
        worst[0] = max(worst[0], inside[0])
        release.wait(LONG_S)
        inside[0] -= 1

    job, other = Counting("slow", slow), Counting("other")
    scheduler = start(job, other)
    job.wait_for(1)
    other.wait_for(5)
    scheduler.run_now("slow")
    assert job.runs == 1
    assert runs(metrics, "slow", "skipped") >= 1
    release.set()
    job.wait_for(2)
    assert worst[0] == 1


def test_stop_reaches_a_running_job(metrics: Metrics) -> None:
    ended = threading.Event()

    def patient(stop: threading.Event) -> None:
        if stop.wait(LONG_S):
            ended.set()

    job = Counting("patient", patient)
    scheduler = Scheduler([job], metrics, UTC)
    scheduler.start()
    job.wait_for(1)
    scheduler.stop()
    assert ended.is_set()


def test_run_now(metrics: Metrics) -> None:
    job = Counting("once", every_s=3600)
    scheduler = Scheduler([job], metrics, UTC)
    scheduler.run_now("once")
    assert job.runs == 1
    (status,) = scheduler.status()
    assert (status.runs, status.error) == (1, "")
    assert status.ran_at is not None


def test_a_clock_set_forward_is_one_missed_run() -> None:
    trigger = Every(5)
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert trigger.get_next_fire_time(long_ago, now) == now + timedelta(seconds=5)


def test_a_clock_set_back_does_not_stop_the_jobs(start: Start) -> None:
    job = Counting("hourly", every_s=3600)
    scheduler = start(job)
    # Seen from a day ago, the job's next time lies 25 hours off: after this it is due, late.
    scheduler.follow_clock(datetime.now(UTC) - timedelta(days=1))
    job.wait_for(1)


def test_a_steady_clock_changes_nothing(start: Start) -> None:
    job = Counting("hourly", every_s=3600)
    scheduler = start(job)
    scheduler.follow_clock(datetime.now(UTC))
    scheduler.run_now("hourly")
    assert job.runs == 1


def test_a_sweep_goes_on_until_nothing_is_left() -> None:
    left = [3, 2, 1, 0, 9]
    settle(lambda: left.pop(0)).run(threading.Event())
    assert left == [9]


def test_a_sweep_that_always_finds_something_ends() -> None:
    count = [0]

    def step() -> int:
        count[0] += 1
        return 1

    Sweep("endless", step, 5.0, bites=7, pause_s=0).run(threading.Event())
    assert count[0] == 7


def test_a_sweep_ends_when_told() -> None:
    stop = threading.Event()

    def step() -> int:
        stop.set()
        return 1

    expire(step).run(stop)
