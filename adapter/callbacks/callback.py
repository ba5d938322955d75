"""A callback: what waits for one client, brought to its own service until it is safe there.

A listener of the client's feed (`adapter.notify.feeds`), on the event loop of all callbacks.

Promises
    An event is forgotten only after the service took it (2xx and no fault), so it comes at least
    once, always under the same id.
    Events of one message come in order: none overtakes one that failed.
    An event that is refused while others are taken is tried again alone, with growing pauses, and
    holds up nobody. While nobody takes anything, a few single events a minute ask whether the
    service is back; nothing else is sent.
    What is older than `give_up_s` and still refused is a dead letter: kept, counted, replayable.
    A service that hangs, drips or is away keeps its own connections busy, and nothing else.

Limits
    `MOST_REFUSED` refused events hold up nobody; when there are more, the others wait until some
    are taken or dead. Pauses are forgotten when the node stops: then all are tried once more.
    Nothing dies before it has failed for `GRACE_S` since the node's start: a node that stood still
    for days brings first what waited.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from adapter.callbacks.lines import Line, Lines, Portion
from adapter.callbacks.target import NotTakenError
from adapter.config.model import Callback as Settings
from adapter.domain.ids import made_by
from adapter.domain.values import Home, InboundNotice
from adapter.notify.feeds import PAGE, Feed
from adapter.store.dead_letters import Burial
from connectors.backoff import Backoff

log = structlog.get_logger(__name__)

PROBES = 3
"""So many different failures without a success between them: nobody is there."""
PROBE_AT_LEAST_S = 60.0
MOST_REFUSED = 1_000
GRACE_S = 600.0
CLOSE_S = 5.0
_BURY_AGAIN_S = 5.0


class Brings(Protocol):
    """The client's service; `adapter.callbacks.target.Target` is one."""

    most: int

    async def bring(self, events: Sequence[Home]) -> None:
        """Raises NotTakenError."""

    async def close(self) -> None: ...


class Watch(Protocol):
    """Who counts; `adapter.metrics.Metrics` fits."""

    def callback_asked(self, client: str, outcome: str) -> None:
        """A request ended: taken, refused or unreachable."""

    def callback_brought(self, client: str, waits: Iterable[float]) -> None:
        """Seconds from a state, or an inbound text, to its arrival."""

    def callback_buried(self, client: str, count: int) -> None:
        """So many became dead letters."""


class Callback:
    """`bury` moves events to the dead letters, and is called on a thread; `now` is the wall
    clock, in seconds since 1970."""

    def __init__(
        self,
        settings: Settings,
        target: Brings,
        feed: Feed,
        bury: Callable[[Burial], Mapping[int, datetime]],
        watch: Watch,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.account = settings.account
        self.reason = ""
        """Why it failed last, empty after a success."""
        self.failing_since: float | None = None
        """When it failed first since the last success."""
        self.down = False
        """Nobody is there: only a few events are tried now and then."""
        self._settings = settings
        self._target = target
        self._feed = feed
        self._bury_now = bury
        self._watch = watch
        self._now = now
        self._grace_s = min(GRACE_S, settings.give_up_s)
        # It takes a while until somebody sees that it was replayed.
        self._second_life_s = max(GRACE_S, settings.give_up_s)
        # A page of the feed at least: what is too old is buried by pages.
        self._ahead = max(PAGE, min(1_000, 2 * settings.connections * target.most))
        self._pauses = Backoff(settings.retry_min_s, min(settings.retry_max_s, PROBE_AT_LEAST_S))
        self._loop = asyncio.get_running_loop()
        self._lines = Lines()
        self._flying: set[asyncio.Task[None]] = set()
        self._missed: set[int] = set()
        self._replayed: dict[int, float] = {}
        self._resume_at = 0.0
        self._rounds = 0
        self._timer: asyncio.TimerHandle | None = None
        self._burying: asyncio.Task[None] | None = None
        self._bury_after = 0.0
        self._closing = False
        feed.join(self)

    @property
    def refused(self) -> int:
        """Events that are refused while they are tried alone."""
        return self._lines.refused

    @property
    def room(self) -> int:
        if self._closing:
            return 0
        untried = self._lines.count - self._lines.refused
        return max(0, min(self._ahead - untried, self._ahead + MOST_REFUSED - self._lines.count))

    def push(self, feed: Feed, notices: Sequence[Home]) -> None:
        self._lines.add(notices)
        self._go_on()

    async def close(self) -> None:
        """Bring nothing more; what is on its way has a few seconds."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._flying:
            await asyncio.wait(self._flying, timeout=CLOSE_S)
        for task in list(self._flying):
            task.cancel()
        under_way = [*self._flying, *([self._burying] if self._burying is not None else [])]
        await asyncio.gather(*under_way, return_exceptions=True)
        self._feed.leave(self, self._lines.events)
        await self._target.close()

    def _go_on(self) -> None:
        """Start what can be started now, and come again when more can."""
        if self._closing or self._burying is not None or self._begin_burial():
            return
        now = self._loop.time()
        if not self.down:
            while len(self._flying) < self._settings.connections:
                portion = self._lines.next(self._target.most, now)
                if not portion:
                    break
                self._start(portion)
        elif not self._flying and now >= self._resume_at:
            most = min(PROBES, self._settings.connections)
            self._rounds += 1
            for portion in self._lines.probes(most, fresh_first=self._rounds % 2 == 0):
                self._start(portion)
        self._set_timer(now)
        if self.room:
            self._feed.wake()

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.down:
            due: float | None = None if self._flying else self._resume_at
        elif len(self._flying) < self._settings.connections:
            due = self._lines.next_due()
        else:
            due = None
        if due is not None and due > now:
            self._timer = self._loop.call_at(due, self._go_on)

    def _start(self, portion: Portion) -> None:
        task = self._loop.create_task(self._bring(portion))
        self._flying.add(task)

    async def _bring(self, portion: Portion) -> None:
        events = [event for _, its in portion for event in its]
        failure: NotTakenError | None = None
        try:
            await self._target.bring(events)
        except NotTakenError as error:
            failure = error
        except Exception as error:
            log.exception("callback.fault", client=self.account)
            failure = NotTakenError(type(error).__name__)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._flying.discard(task)
        if failure is None:
            self._succeeded(portion, events)
        else:
            self._failed(portion, failure)
        self._go_on()

    def _succeeded(self, portion: Portion, events: Sequence[Home]) -> None:
        self._feed.answered(self._lines.safe(portion))
        for event in events:
            self._replayed.pop(event.id, None)
        now = self._now()
        self._watch.callback_asked(self.account, "taken")
        self._watch.callback_brought(self.account, [now - _time_of(event) for event in events])
        self._missed.clear()
        self.reason, self.failing_since = "", None
        if self.down:
            self.down = False
            self._pauses.reset()
            self._lines.try_all_now()
            log.info("callback.recovered", client=self.account)

    def _failed(self, portion: Portion, failure: NotTakenError) -> None:
        self._watch.callback_asked(self.account, "unreachable" if failure.away else "refused")
        self._lines.failed(portion, apart=not failure.away)
        self.reason = str(failure)
        if self.failing_since is None:
            self.failing_since = self._now()
        line, its = portion[0]
        self._missed.add(line.subject)
        if len(portion) == 1 and len(its) == 1:
            self._refuse(line, failure)
        if failure.away or failure.wait_s or len(self._missed) >= PROBES:
            self._fall(failure)

    def _refuse(self, line: Line, failure: NotTakenError) -> None:
        self._lines.refuse(line, self._now())
        if line.tries == 1 and not self.down and not failure.away:
            event = line.events[0].id
            log.warning("callback.refused", client=self.account, id=event, reason=self.reason)
        settings = self._settings
        pause = min(settings.retry_max_s, settings.retry_min_s * 2.0 ** min(line.tries - 1, 32))
        line.due = self._loop.time() + max(failure.wait_s, pause * random.uniform(0.75, 1.25))

    def _fall(self, failure: NotTakenError) -> None:
        if not self.down:
            self.down = True
            log.warning("callback.failed", client=self.account, reason=self.reason)
        elif self._flying:
            return
        self._resume_at = self._loop.time() + max(failure.wait_s, self._pauses.next())

    def _begin_burial(self) -> bool:
        """Whether some are too old, and are being buried."""
        if self._loop.time() < self._bury_after:
            return False
        overdue = [event for event in self._hopeless() if self._is_overdue(event)]
        if overdue:
            self._burying = self._loop.create_task(self._bury(overdue))
        return bool(overdue)

    def _hopeless(self) -> list[Home]:
        """Those that have failed for long enough, or could not be tried meanwhile."""
        before = self._now() - self._grace_s
        if self.down and self.failing_since is not None and self.failing_since <= before:
            return self._lines.idle_events()
        return [
            line.events[0]
            for line in self._lines.failing
            if not line.busy and line.failing_since <= before
        ]

    def _is_overdue(self, event: Home) -> bool:
        replayed = self._replayed.get(event.id)
        if replayed is not None:
            return self._now() - replayed > self._second_life_s
        return self._now() - made_by(event.id).timestamp() > self._settings.give_up_s

    async def _bury(self, overdue: Sequence[Home]) -> None:
        at = datetime.fromtimestamp(self._now(), UTC)
        since = at - timedelta(seconds=self._second_life_s)
        ids = [event.id for event in overdue]
        burial = Burial(f"client:{self.account}", ids, since, at, self.reason)
        try:
            spared = await self._loop.run_in_executor(None, self._bury_now, burial)
        except Exception as error:
            # The store is away; nothing is lost there.
            log.warning("callback.store", client=self.account, error=type(error).__name__)
            self._bury_after = self._loop.time() + _BURY_AGAIN_S
        else:
            self._replayed.update({made: when.timestamp() for made, when in spared.items()})
            dead = [made for made in ids if made not in spared]
            self._lines.bury(set(dead))
            self._feed.gone(dead)
            for made in dead:
                self._replayed.pop(made, None)
            if dead:
                self._watch.callback_buried(self.account, len(dead))
                log.error("callback.dead", client=self.account, count=len(dead), reason=self.reason)
        finally:
            self._burying = None
        self._go_on()


def _time_of(event: Home) -> float:
    """When it happened, in seconds since 1970."""
    at = event.received_at if isinstance(event, InboundNotice) else event.done_at
    return (at or made_by(event.id)).timestamp()
