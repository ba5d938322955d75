"""How a node tells where it stands, for `/status`, `/readyz`, `/metrics` and the console.

Plain values, taken at one moment. Names are those of the configuration; nothing here
holds a secret, a content or a phone number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from adapter.domain.states import Lane


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One connection of a channel, up or down `since`. `pending` submits are unanswered, of
    at most `window` now: fewer than `configured` after the carrier asked us to slow down, 0
    while it is down. `reconnects` counts since the node started."""

    number: int
    up: bool
    since: datetime | None = None
    pending: int = 0
    window: int = 0
    reason: str = ""
    """Why it is down, empty while it is up."""
    configured: int = 0
    reconnects: int = 0
    last_error: str = ""
    """Why it was down last, kept while it is up."""
    submits: bool = True
    """Otherwise it only receives."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """`throttled` is true while the carrier asked us to slow down; `rate` is segments a second.

    `access_number` is what texts bear now, the spare one when `on_spare`.
    """

    name: str
    protocol: str
    enabled: bool
    rate: float
    links: Sequence[LinkStatus] = ()
    throttled: bool = False
    access_number: str = ""
    on_spare: bool = False

    @property
    def up(self) -> bool:
        return any(link.submits and link.up for link in self.links)


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """What waits in one lane. `oldest_s`: how long the longest-waiting due message waited."""

    lane: Lane
    waiting: int
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One HIS table. `lag_s`: age of the oldest new row when it was last read; `unwritten`:
    states that still have to be written back, the oldest for `write_lag_s`."""

    name: str
    up: bool
    polled_at: datetime | None = None
    lag_s: float = 0.0
    unwritten: int = 0
    write_lag_s: float = 0.0
    reason: str = ""
    set_aside: int = 0
    """States that the table refuses while it takes others."""
    broken: bool = False
    """It has failed so often that it is only tried now and then: somebody should come."""
    refused_writes: int = 0
    """Results that a constraint or trigger of the hospital refused, since the node started."""
    refusal: str = ""
    """Why the last one of these was refused."""


@dataclass(frozen=True, slots=True)
class CallbackStatus:
    """Where a client's events are brought. `waiting` for `oldest_s`, `refused` of them alone while
    others are taken; `dead` letters; nothing was taken for `failing_s`."""

    client: str
    up: bool
    waiting: int = 0
    oldest_s: float = 0.0
    refused: int = 0
    dead: int = 0
    failing_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """`waiting` messages of at most `capacity`. `writable`: whether the last commit went well."""

    dialect: str
    schema: str
    writable: bool
    waiting: int
    capacity: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """`ran_at` None means not yet; `error` is that of the last run, empty when it went well."""

    name: str
    ran_at: datetime | None
    seconds: float
    runs: int
    failures: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A node at one moment. `counters`: messages by state since the node started."""

    node: str
    version: str
    started_at: datetime
    at: datetime
    dispatching: bool
    store: StoreStatus
    channels: Sequence[ChannelStatus] = ()
    queues: Sequence[QueueStatus] = ()
    on_wire: int = 0
    in_doubt: int = 0
    notices: int = 0
    sources: Sequence[SourceStatus] = ()
    callbacks: Sequence[CallbackStatus] = ()
    jobs: Sequence[JobStatus] = ()
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def uptime_s(self) -> float:
        return (self.at - self.started_at).total_seconds()

    @property
    def checks(self) -> Mapping[str, str]:
        """What readiness asks, and why not; empty text where it is so."""
        trouble = "" if self.store.writable else self.store.reason or "cannot be written"
        return readiness(trouble, self.dispatching, any(each.up for each in self.channels))

    @property
    def ready(self) -> bool:
        return not any(self.checks.values())


@dataclass(frozen=True, slots=True)
class FrameStatus:
    """One entry of a channel's trace: a frame `sent` or `received`, octets that are none
    (`cut`), a connection `opened` or `closed`, a web request and its answer. `fields` are masked;
    `fault` says why a frame has none."""

    at: datetime
    link: str
    way: str
    octets: int
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ChannelFrames:
    """The last frames of a channel, oldest first. `keeps`: at most so many; 0 where the
    configuration asks for none."""

    name: str
    protocol: str
    keeps: int
    frames: Sequence[FrameStatus] = ()


def readiness(trouble: str, dispatching: bool, some_channel_up: bool) -> Mapping[str, str]:
    """The checks of readiness by name; empty text where all is well. `trouble`: the store's."""
    return {
        "store": trouble,
        "dispatcher": "" if dispatching else "not running",
        "channels": "" if some_channel_up else "none is up",
    }


class NodeStatus(Protocol):
    """Whoever knows where the node stands."""

    def checks(self) -> Mapping[str, str]:
        """`Status.checks` alone, for who asks every second: from memory, without counting."""

    def status(self) -> Status:
        """Called from web threads, a few times a minute; must not wait for the network."""

    def frames(self, channel: str = "") -> Sequence[ChannelFrames]:
        """The traces of this channel, or of all; empty when there is none of that name."""
