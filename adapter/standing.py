"""Where the node stands, gathered from its parts when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from adapter import __version__
from adapter.config.model import Channel as ConfiguredChannel
from adapter.config.model import Config
from adapter.dispatch.channel import Channel, ClientLink
from adapter.dispatch.dispatcher import Dispatcher
from adapter.domain.states import AccessNumber, Lane
from adapter.domain.status import (
    CallbackStatus,
    ChannelFrames,
    ChannelStatus,
    FrameStatus,
    JobStatus,
    LinkStatus,
    QueueStatus,
    SourceStatus,
    Status,
    StoreStatus,
    readiness,
)
from adapter.jobs.scheduler import Scheduler
from adapter.metrics import Metrics
from adapter.notify.notifier import Notifier
from adapter.sources import Sources
from adapter.store import migrate
from adapter.store.capacity import Capacity
from adapter.store.clock import from_ms
from adapter.store.schema import attempt, notification, spool
from connectors.trace import Trace
from connectors.trace_view import shown


@dataclass(frozen=True, slots=True)
class Standing:
    """Implements `adapter.domain.status.NodeStatus`."""

    config: Config
    engine: Engine
    capacity: Capacity
    dispatcher: Dispatcher
    notifier: Notifier
    sources: Sources
    scheduler: Scheduler
    metrics: Metrics
    started_at: datetime
    traces: Mapping[str, Trace]
    callbacks: Callable[[], Sequence[CallbackStatus]] = tuple

    def checks(self) -> Mapping[str, str]:
        """What readiness asks."""
        up = any(channel.is_up for channel in self.dispatcher.channels.values())
        return readiness(self.metrics.store_trouble(), self.dispatcher.running, up)

    def status(self) -> Status:
        """The node now. A store that cannot be read is a finding, not an error."""
        at = datetime.now(UTC)
        try:
            counted, store = _count(self.engine, at), self._store(self.metrics.store_trouble())
        except SQLAlchemyError as error:
            counted, store = _Counted(), self._store(type(error).__name__)
        return Status(
            node=self.config.node.name,
            version=__version__,
            started_at=self.started_at,
            at=at,
            dispatching=self.dispatcher.running,
            store=store,
            channels=[
                _channel(each, self.dispatcher.channels.get(each.name))
                for each in self.config.channels
            ],
            queues=counted.queues,
            on_wire=counted.on_wire,
            in_doubt=counted.in_doubt,
            notices=counted.notices,
            sources=self._sources(),
            callbacks=self.callbacks(),
            jobs=self._jobs(),
            counters=self.metrics.totals(),
        )

    def frames(self, channel: str = "") -> Sequence[ChannelFrames]:
        """What passed on the channels whose configuration has `trace`."""
        return [
            _frames(each, self.traces.get(each.name))
            for each in self.config.channels
            if not channel or each.name == channel
        ]

    def _store(self, reason: str) -> StoreStatus:
        return StoreStatus(
            dialect=self.engine.dialect.name,
            schema=migrate.newest(),
            writable=not reason,
            waiting=self.capacity.waiting,
            capacity=self.capacity.limit,
            reason=reason,
        )

    def _sources(self) -> Sequence[SourceStatus]:
        now = datetime.now(UTC).timestamp()
        found = []
        for source in self.sources.status():
            courier = self.notifier.couriers[f"source:{source.name}"]
            failing = courier.failing_since
            found.append(
                replace(
                    source,
                    unwritten=courier.waiting,
                    set_aside=courier.set_aside,
                    write_lag_s=max(0.0, now - failing) if failing else 0.0,
                )
            )
        return found

    def _jobs(self) -> Sequence[JobStatus]:
        return self.scheduler.status()


@dataclass(frozen=True, slots=True)
class _Counted:
    queues: Sequence[QueueStatus] = ()
    on_wire: int = 0
    in_doubt: int = 0
    notices: int = 0


def _count(engine: Engine, at: datetime) -> _Counted:
    with engine.connect() as connection:
        lanes: Mapping[str, tuple[int, int]] = {
            lane: (waiting, oldest)
            for lane, waiting, oldest in connection.execute(
                select(spool.c.lane, func.count(), func.min(spool.c.due_at)).group_by(spool.c.lane)
            )
        }
        attempts, doubts = connection.execute(
            select(func.count(), func.count(attempt.c.doubt_at))
        ).one()
        notices = connection.execute(select(func.count()).select_from(notification)).scalar_one()
    queues = []
    for lane in Lane:
        waiting, oldest = lanes.get(lane.value, (0, 0))
        waited = (at - from_ms(oldest)).total_seconds() if waiting else 0.0
        queues.append(QueueStatus(lane, waiting, max(0.0, waited)))
    return _Counted(queues, attempts - doubts, doubts, notices)


def _channel(config: ConfiguredChannel, channel: Channel | None) -> ChannelStatus:
    links = [_link(link, config.window) for link in channel.links] if channel else []
    return ChannelStatus(
        name=config.name,
        protocol=f"{config.protocol} {config.version}",
        enabled=config.enabled,
        rate=config.rate,
        links=links,
        throttled=any(link.up and link.window < link.configured for link in links),
        access_number=channel.numbers.in_use if channel else config.access_number,
        on_spare=channel is not None and channel.numbers.which is AccessNumber.SPARE,
    )


def _frames(config: ConfiguredChannel, trace: Trace | None) -> ChannelFrames:
    protocol = f"{config.protocol} {config.version}".strip()
    entries = shown(trace, config.protocol, config.version) if trace is not None else ()
    frames = [
        FrameStatus(each.at, each.link, each.way, each.octets, each.name, each.fields, each.fault)
        for each in entries
    ]
    return ChannelFrames(config.name, protocol, config.trace, frames)


def _link(link: ClientLink, configured: int) -> LinkStatus:
    return LinkStatus(
        number=link.number,
        up=link.is_up,
        since=link.changed_at,
        pending=link.unanswered,
        window=link.window if link.is_up else 0,
        reason="" if link.is_up else link.last_error,
        configured=configured,
        reconnects=link.reconnects,
        last_error=link.last_error,
        submits=link.submits,
    )
