"""What the node measures, in Prometheus's terms; docs/operator/monitoring.md is the catalogue.

One `Metrics` object is made by the node and handed around; nothing is global, so a test or
a second node in one process has its own. Counting is by batches: one call for a
transaction's tallies, one for a batch of waits.

Labels are names of the configuration (client, channel, source), closed lists (door, lane,
state, code) or nothing. A caller's own words, a business or a carrier's code never become
a label: each value would stay in memory for good.

Gauges are not kept up to date but read from the node's status when somebody asks.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    ProcessCollector,
)
from prometheus_client import (
    Counter as PromCounter,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from adapter.domain.errors import Code
from adapter.domain.states import Door, Lane
from adapter.domain.status import (
    CallbackStatus,
    ChannelStatus,
    NodeStatus,
    SourceStatus,
    Status,
)
from adapter.domain.tally import INBOUND, Tally
from adapter.waits import Waits

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WIRE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 12.0, 60.0, 600.0, 3600.0)
# promises a delivery within 12 s; receipts may take three days.
_RECEIPT = (1.0, 2.0, 4.0, 8.0, 12.0, 20.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0, 259200.0)
_JOB = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """PromCounters and histograms of one node, with their registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._messages = self._counter(
            "sms_messages", "Messages that reached a state.", "state", "door", "client", "channel"
        )
        self._segments = self._counter(
            "sms_segments", "Segments of messages that reached a state.", "state", "channel"
        )
        self._inbound = self._counter("sms_inbound", "Texts from phones.", "channel")
        self._refused = self._counter(
            "sms_refused", "Requests or recipients refused.", "door", "code"
        )
        self._wrong_tries = self._counter(
            "sms_wrong_tries", "Logins and requests with wrong credentials.", "door", "client"
        )
        self._lockouts = self._counter(
            "sms_lockouts", "Wrong tries that locked an account or address out.", "door", "client"
        )
        self._accept = self._waits(
            "sms_accept_seconds", "From a request that was read to its answer.", _FAST, "door"
        )
        self._wire = self._waits(
            "sms_wire_seconds", "From acceptance (or due time) to the wire.", _WIRE, "lane"
        )
        self._submit = self._waits(
            "sms_submit_seconds", "From a submit to the carrier's answer.", _FAST, "channel"
        )
        self._receipt = self._waits(
            "sms_receipt_seconds", "From a submit to the carrier's receipt.", _RECEIPT, "channel"
        )
        self._write_back = self._waits(
            "sms_write_back_seconds", "From a state to its row in the HIS.", _WIRE, "source"
        )
        self._asked = self._counter(
            "sms_callback_requests", "Requests to clients' services.", "client", "outcome"
        )
        self._brought = self._waits(
            "sms_callback_seconds", "From a state to its arrival there.", _RECEIPT, "client"
        )
        self._buried = self._counter(
            "sms_callback_buried", "Events that became dead letters.", "client"
        )
        self._commit = self._histogram(
            "sms_store_commit_seconds", "Duration of a store transaction.", _FAST, "committer"
        )
        self._batch = self._histogram(
            "sms_store_batch_pieces", "Pieces of work in a store transaction.", _BATCH, "committer"
        )
        self._store_failures = self._counter(
            "sms_store_failures", "Store transactions that failed.", "committer", "reason"
        )
        self._unreadable = self._counter(
            "sms_store_unreadable", "Sealed values that did not open: changed, moved, or no key."
        )
        self._job = self._histogram("sms_job_seconds", "Duration of a job's run.", _JOB, "job")
        self._job_runs = self._counter("sms_job_runs", "Runs of a job.", "job", "outcome")
        self._committers: list[CommitterMetrics] = []
        self._totals: Counter[str] = Counter()
        # Committers of several threads count; adding to a dictionary takes two steps.
        self._totals_lock = threading.Lock()

    def unreadable(self) -> None:
        """A value of the store did not open."""
        self._unreadable.inc()

    def tally(self, rows: Iterable[Tally]) -> None:
        """Count what a committed transaction told the statistics. Call it after the commit."""
        for row in rows:
            with self._totals_lock:
                self._totals[row.state] += row.messages
            if row.state == INBOUND:
                self._inbound.labels(row.channel).inc(row.messages)
                continue
            labels = (row.state, row.door, row.client, row.channel)
            self._messages.labels(*labels).inc(row.messages)
            self._segments.labels(row.state, row.channel).inc(row.segments)

    def totals(self) -> dict[str, int]:
        """Messages by state, and INBOUND, since the node started."""
        with self._totals_lock:
            return dict(self._totals)

    def refused(self, door: Door | str, code: Code, count: int = 1) -> None:
        """Count refused requests, or refused recipients of a request that was taken."""
        self._refused.labels(str(door), code.value).inc(count)

    def wrong_try(self, door: str, client: str) -> None:
        """Somebody showed wrong credentials. `client` is "" for an account that is not there."""
        self._wrong_tries.labels(door, client).inc()

    def locked_out(self, door: str, client: str) -> None:
        """Somebody tried so often that he is not looked at for a while."""
        self._lockouts.labels(door, client).inc()

    def observe_accept(self, door: Door | str, waits: Iterable[float]) -> None:
        """How long callers waited for their answers."""
        self._accept.observe(str(door), waits)

    def observe_wire(self, lane: Lane | str, waits: Iterable[float]) -> None:
        """How long messages of a lane waited from acceptance or due time to the wire."""
        self._wire.observe(str(lane), waits)

    def observe_submit(self, channel: str, waits: Iterable[float]) -> None:
        """How long the carrier took to answer submits."""
        self._submit.observe(channel, waits)

    def observe_receipt(self, channel: str, waits: Iterable[float]) -> None:
        """How long receipts took, counted from the submit."""
        self._receipt.observe(channel, waits)

    def observe_write_back(self, source: str, waits: Iterable[float]) -> None:
        """How long states took to their row in the HIS."""
        self._write_back.observe(source, waits)

    def callback_asked(self, client: str, outcome: str) -> None:
        """A request to a client's service ended: taken, refused or unreachable."""
        self._asked.labels(client, outcome).inc()

    def callback_brought(self, client: str, waits: Iterable[float]) -> None:
        """How long events took to a client's service."""
        self._brought.observe(client, waits)

    def callback_buried(self, client: str, count: int) -> None:
        """So many events became dead letters."""
        self._buried.labels(client).inc(count)

    def store(self, committer: str) -> CommitterMetrics:
        """What a committer's thread reports to."""
        made = CommitterMetrics(
            self._commit.labels(committer),
            self._batch.labels(committer),
            self._store_failures,
            committer,
        )
        self._committers.append(made)
        return made

    def store_trouble(self) -> str:
        """Why a committer's last transaction failed; empty when all went well."""
        return next((each.trouble for each in self._committers if each.trouble), "")

    def job_ran(self, job: str, outcome: str, seconds: float) -> None:
        """A job's run ended; `outcome` is done, failed or skipped."""
        self._job_runs.labels(job, outcome).inc()
        if outcome != "skipped":
            self._job.labels(job).observe(seconds)

    def watch(self, node: NodeStatus) -> None:
        """Offer gauges read from the node's status at every scrape."""
        self.registry.register(StatusCollector(node))

    def _counter(self, name: str, text: str, *labels: str) -> PromCounter:
        return PromCounter(name, text, labels, registry=self.registry)

    def _waits(self, name: str, text: str, bounds: Sequence[float], label: str) -> Waits:
        made = Waits(name, text, bounds, label)
        self.registry.register(made)
        return made

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


class CommitterMetrics:
    """Fits `adapter.store.committer.Watch`. `trouble` is why the last transaction failed."""

    def __init__(
        self, commit: Histogram, batch: Histogram, failures: PromCounter, name: str
    ) -> None:
        self._commit, self._batch, self._failures, self._name = commit, batch, failures, name
        self.trouble = ""

    def committed(self, pieces: int, seconds: float) -> None:
        self._commit.observe(seconds)
        self._batch.observe(pieces)
        self.trouble = ""

    def failed(self, reason: str) -> None:
        """`reason` is the name of an exception's class."""
        self._failures.labels(self._name, reason).inc()
        self.trouble = reason


class StatusCollector(Collector):
    """Gauges of the node's status; reads it once a scrape."""

    def __init__(self, node: NodeStatus) -> None:
        self._node = node

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry must not ask a node that has not started yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        status = self._node.status()
        yield InfoMetricFamily(
            "sms_node", "The node.", {"name": status.node, "version": status.version}
        )
        yield _gauge("sms_ready", "1 while the node takes and sends messages.", status.ready)
        yield _gauge("sms_uptime_seconds", "Since the node started.", status.uptime_s)
        yield _gauge(
            "sms_store_writable", "1 while the store takes commits.", status.store.writable
        )
        yield _gauge("sms_waiting", "Messages that wait.", status.store.waiting)
        yield _gauge("sms_capacity", "Messages that may wait.", status.store.capacity)
        yield _gauge("sms_on_wire", "Messages given to a link, unanswered.", status.on_wire)
        yield _gauge("sms_in_doubt", "Messages whose submit was never answered.", status.in_doubt)
        yield _gauge("sms_notices", "States and inbound texts on their way home.", status.notices)
        yield from _queues(status)
        yield from _channels(status.channels)
        yield from _sources(status.sources)
        yield from _callbacks(status.callbacks)


def _queues(status: Status) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("sms_queue", "Messages that wait, by lane.", labels=["lane"])
    oldest = GaugeMetricFamily(
        "sms_queue_oldest_seconds", "Longest wait of a due message.", labels=["lane"]
    )
    for queue in status.queues:
        waiting.add_metric([queue.lane.value], queue.waiting)
        oldest.add_metric([queue.lane.value], queue.oldest_s)
    yield waiting
    yield oldest


def _channels(channels: Sequence[ChannelStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily("sms_channel_up", "1 while a link is up.", labels=["channel"])
    throttled = GaugeMetricFamily(
        "sms_channel_throttled", "1 while the carrier asks to slow down.", labels=["channel"]
    )
    spare = GaugeMetricFamily(
        "sms_channel_on_spare", "1 while texts bear the spare number.", labels=["channel"]
    )
    links = GaugeMetricFamily("sms_link_up", "1 while logged in.", labels=["channel", "link"])
    pending = GaugeMetricFamily(
        "sms_link_pending", "Unanswered submits.", labels=["channel", "link"]
    )
    # A channel that is switched off is not down: nobody shall be called for it.
    for channel in (each for each in channels if each.enabled):
        up.add_metric([channel.name], channel.up)
        throttled.add_metric([channel.name], channel.throttled)
        spare.add_metric([channel.name], channel.on_spare)
        for link in channel.links:
            labels = [channel.name, str(link.number)]
            links.add_metric(labels, link.up)
            pending.add_metric(labels, link.pending)
    yield from (up, throttled, spare, links, pending)


def _sources(sources: Sequence[SourceStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily("sms_source_up", "1 while it can be polled.", labels=["source"])
    broken = GaugeMetricFamily(
        "sms_source_broken",
        "1 while it failed so often that it is tried only now and then.",
        labels=["source"],
    )
    lag = GaugeMetricFamily(
        "sms_source_lag_seconds", "Age of the oldest new row at the last poll.", labels=["source"]
    )
    unwritten = GaugeMetricFamily(
        "sms_source_unwritten", "States not yet written back.", labels=["source"]
    )
    write_lag = GaugeMetricFamily(
        "sms_source_write_lag_seconds", "Age of the oldest of these.", labels=["source"]
    )
    refused = CounterMetricFamily(
        "sms_source_refused_writes",
        "Results that a constraint or trigger of the HIS refused for ever.",
        labels=["source"],
    )
    for source in sources:
        refused.add_metric([source.name], source.refused_writes)
        up.add_metric([source.name], source.up)
        broken.add_metric([source.name], source.broken)
        lag.add_metric([source.name], source.lag_s)
        unwritten.add_metric([source.name], source.unwritten)
        write_lag.add_metric([source.name], source.write_lag_s)
    yield from (up, broken, lag, unwritten, write_lag, refused)


def _callbacks(callbacks: Sequence[CallbackStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "sms_callback_up", "1 while the client's service takes events.", labels=["client"]
    )
    waiting = GaugeMetricFamily(
        "sms_callback_waiting", "Events not brought yet.", labels=["client"]
    )
    oldest = GaugeMetricFamily(
        "sms_callback_oldest_seconds", "Age of the oldest of these.", labels=["client"]
    )
    refused = GaugeMetricFamily(
        "sms_callback_refused", "Events refused while others are taken.", labels=["client"]
    )
    dead = GaugeMetricFamily("sms_callback_dead", "Dead letters.", labels=["client"])
    for each in callbacks:
        up.add_metric([each.client], each.up)
        waiting.add_metric([each.client], each.waiting)
        oldest.add_metric([each.client], each.oldest_s)
        refused.add_metric([each.client], each.refused)
        dead.add_metric([each.client], each.dead)
    yield from (up, waiting, oldest, refused, dead)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value)
