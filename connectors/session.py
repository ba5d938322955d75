"""One connection of a client link, from login to close.

It owns the window, the queue behind it, the response time-outs, the heartbeat and the pause
after a throttle. Whatever it submits, again or the first time, its pace allows.

Every token handed to `submit` comes back exactly once: answered, lost (on the wire, no answer:
in doubt) or unsent. One exception, on purpose: a submit that timed out is reported lost while
the connection lives, and if its acceptance still comes, late, it is answered too, so that it is
not sent again and its id finds the receipt.

A throttled segment (never accepted, by its answer) waits at the head of everything else, and
goes first when the pause is over, one at a time until the peer accepts again. Only what was in
flight beside it may have overtaken it.

Limits: times are checked by one timer a connection, a quarter of the shortest of them apart and
at most a second, so a time-out may be noticed that much late.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Protocol

from msgspec import Struct

from connectors.backoff import Backoff
from connectors.dialect import (
    Declined,
    Delivered,
    Dialect,
    Leaving,
    Left,
    LoggedIn,
    LoginRefused,
    Noted,
    SubmitAnswered,
    TestAnswered,
    TestAsked,
    Unknown,
)
from connectors.errors import DecodeError, EncodeError
from connectors.heartbeat import Heartbeat, Unfinished
from connectors.pace import Pacing
from connectors.settings import LinkSettings
from connectors.values import Action, Answer, Inbound, Report, Submit
from connectors.window import Window
from connectors.wire import Wire

_REMEMBERED = 1024
"""Timed-out submits whose late answer would still be recognised."""
_GOOD_AFTER_S = 10.0
_IDLE_ENDS = ("closed by the peer", "the peer ended", "connection broke")
"""Reasons that mean rest, not a fault, on an idle link that may rest."""


@dataclass(slots=True)
class Counters:
    """What a link has done since it was made. `strays`: answers to nothing we asked.

    `converted`: reports that wrote their id in another base than the answer did.
    """

    submitted: int = 0
    answered: int = 0
    unanswered: int = 0
    throttled: int = 0
    reports: int = 0
    inbound: int = 0
    converted: int = 0
    late: int = 0
    strays: int = 0
    unknown: int = 0
    reconnects: int = 0


class Owner(Protocol):
    """The link, as its session sees it."""

    counters: Counters

    def session_up(self) -> None: ...

    def session_closed(self, session: Session, reason: str) -> None: ...

    def session_answered(self, answers: list[tuple[Any, Answer]]) -> None: ...

    def session_lost(self, tokens: list[Any]) -> None: ...

    def session_unsent(self, tokens: list[Any]) -> None: ...

    def session_delivered(self, deliveries: list[tuple[Report | Inbound, bytes]]) -> None: ...


class _Flight(Struct, gc=False):
    """A submit on its way. `order` is when it was first sent; `tries` counts sendings."""

    submit: Submit
    order: int
    tries: int = 1

    def __lt__(self, other: _Flight) -> bool:
        return self.order < other.order


class Session(Wire):
    """The client side of one connection, in whatever protocol `dialect` speaks."""

    def __init__(self, settings: LinkSettings, dialect: Dialect, owner: Owner) -> None:
        trace = settings.trace
        tap = trace.tap(settings.name) if trace is not None else None
        super().__init__(dialect.header_size, dialect.frame_limit, tap)
        self._settings = settings
        self._dialect = dialect
        self._owner = owner
        self._counters = owner.counters
        self.window: Window[_Flight] = Window(settings.window)
        self._queue: deque[Submit] = deque()
        self._throttled: list[_Flight] = []
        self._timed_out: OrderedDict[Hashable, Submit] = OrderedDict()
        self._answers: list[tuple[Any, Answer]] = []
        self._deliveries: list[tuple[Report | Inbound, bytes]] = []
        """What was read and the owner has not heard of."""
        self._pauses = Backoff(settings.throttle_min_s, settings.throttle_max_s)
        self._paused: asyncio.TimerHandle | None = None
        self._pace = settings.pace
        self._paced: asyncio.TimerHandle | None = None
        """Runs while the pace alone holds up what waits."""
        self._heartbeat = Heartbeat(
            settings.heartbeat_s, settings.heartbeat_tries, self._loop.time()
        )
        self._heard = False
        self._settled = 0.0
        self._unfinished = Unfinished(settings.response_timeout_s)
        self._quirks = settings.quirks
        self._first = 0 if settings.quirks.from_zero else 1
        self._sequence = self._first - 1
        self._order = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None
        self.lasting = False
        """The login was refused for a reason that will not change by itself."""
        self.worked = False
        """It has answered a submit, or stood long enough to count as a good connection."""
        self.up = False
        self.resting = False
        """Took leave, or was left, because there was nothing to do (`rest_s`)."""
        self._used_at = 0.0
        self._submitted = 0

    @property
    def free(self) -> int:
        """Submits that would go out now."""
        if not self.up or self._paused is not None or self._idle is not None:
            return 0
        if not self._dialect.submits:
            return 0
        return max(0, self.window.room - len(self._queue) - len(self._throttled))

    @property
    def unanswered(self) -> int:
        return len(self.window)

    @property
    def waiting(self) -> int:
        """Submits not on the wire: queued, or throttled and to be sent again."""
        return len(self._queue) + len(self._throttled)

    def submit(self, submits: Iterable[Submit]) -> None:
        """Send what the window allows, queue the rest in order."""
        if not self._dialect.submits:
            tokens = [submit.token for submit in submits]
            self._loop.call_soon(self._owner.session_unsent, tokens)
            return
        self._queue.extend(submits)
        self._pump()

    async def finish(self, wait_s: float) -> None:
        """Take nothing more, give back what is queued, wait for answers, take leave."""
        self._idle = self._loop.create_future()
        self._return_waiting()
        if self.up and not self.closing:
            if not len(self.window):
                self._idle.set_result(None)
            await asyncio.wait([self._idle], timeout=wait_s)
        if not self.closing:
            self._leave()

    def opened(self) -> None:
        self._timer = self._loop.call_later(self._settings.connect_timeout_s, self._login_late)
        try:
            self.write(self._dialect.login(self._next_sequence()))
        except EncodeError as fault:
            self.lasting = True
            self.close(f"login cannot be encoded: {fault}")

    def closed(self, reason: str) -> None:
        self.heard_out()
        if self.up and self._settings.rest_s and reason.startswith(_IDLE_ENDS):
            self.resting = self._idle is None and self._has_nothing()
        self.up = False
        for timer in (self._timer, self._paused, self._paced):
            if timer is not None:
                timer.cancel()
        lost = [flight.submit.token for flight in self.window.drain()]
        self._counters.unanswered += len(lost)
        if lost:
            self._owner.session_lost(lost)
        self._return_waiting()
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        self._owner.session_closed(self, reason)

    def frame_received(self, command: int, frame: bytes) -> None:
        self._heard = True
        try:
            event = self._dialect.read(command, frame)
        except DecodeError as fault:
            self.abort(f"unreadable frame: {fault}")
            return
        kind = type(event)
        if kind is SubmitAnswered:
            self._submit_answered(event)  # type: ignore[arg-type]
        elif kind is Delivered:
            self._delivered(event)  # type: ignore[arg-type]
        else:
            self._other(event)

    def heard_out(self) -> None:
        """Tell the owner at once what came at once."""
        if self._answers:
            answers, self._answers = self._answers, []
            self._owner.session_answered(answers)
        if self._deliveries:
            deliveries, self._deliveries = self._deliveries, []
            self._owner.session_delivered(deliveries)

    def _other(self, event: object) -> None:
        match event:
            case TestAsked(response):
                self.write(response)
            case TestAnswered() | Noted():
                pass
            case LoggedIn() if not self.up:
                self._logged_in()
            case LoginRefused(reason, lasting):
                self.lasting = lasting
                self.close(reason)
            case Leaving(response):
                self.write(response)
                self.close("the peer ended the connection")
            case Left():
                self.close("stopped")
            case Declined(response):
                self.write(response)
            case Unknown(_, response):
                self._counters.unknown += 1
                if response:
                    self.write(response)
            case _:
                self._counters.strays += 1

    def _logged_in(self) -> None:
        self.up = True
        self._heartbeat.heard(self._loop.time())
        if self._timer is not None:
            self._timer.cancel()
        self._settled = self._loop.time() + _GOOD_AFTER_S
        self._tick()
        self._owner.session_up()

    def _login_late(self) -> None:
        self.abort(f"no answer to the login in {self._settings.connect_timeout_s:g} s")

    def _next_sequence(self) -> int:
        wraps = self._sequence == self._dialect.last_sequence
        self._sequence = self._first if wraps else self._sequence + 1
        return self._sequence

    def _pump(self) -> None:
        """Send while there is room: throttled segments first, then the queue."""
        if self._paused is not None or self._paced is not None or not self.up or self.closing:
            return
        now, room, sent = self._loop.time(), self.window.room, 0
        if self._pace is not None:
            room = min(room, self._pace.free())
        while sent < room:
            if self._throttled:
                flight = heappop(self._throttled)
                flight.tries += 1
            elif self._queue:
                self._order += 1
                flight = _Flight(self._queue.popleft(), self._order)
            else:
                break
            sent += self._send(flight, now)
        if self._pace is not None:
            self._keep_pace(self._pace, sent)

    def _keep_pace(self, pace: Pacing, sent: int) -> None:
        """Count what was sent; what waits for the pace goes on when it has room."""
        if sent:
            pace.spend(sent)
        if (self._queue or self._throttled) and self.window.room:
            self._paced = self._loop.call_later(pace.wait_s(), self._go_on)

    def _go_on(self) -> None:
        self._paced = None
        self._pump()

    def _send(self, flight: _Flight, now: float) -> bool:
        """Whether it went to the wire."""
        sequence = self._next_sequence()
        try:
            frame = self._dialect.submit(sequence, flight.submit)
        except EncodeError as fault:
            answer = Answer(False, "", f"ENCODE {fault.field}", Action.PERMANENT)
            self._loop.call_soon(self._owner.session_answered, [(flight.submit.token, answer)])
            return False
        self.window.put(sequence, flight, now)
        self._counters.submitted += 1
        self.write(frame)
        return True

    def _submit_answered(self, event: SubmitAnswered) -> None:
        flight = self.window.take(event.sequence)
        event.answer = answer = self._quirks.answered(event.answer)
        if flight is None:
            self._late(event)
            return
        if answer.ok:
            if self._paused is None:
                self._pauses.reset()
                self.window.grow()
        elif answer.action is Action.THROTTLE and self._throttle(flight):
            return
        self._counters.answered += 1
        self.worked = True
        self._tell(flight.submit, answer)
        if not answer.ok and answer.action is Action.CLOSE:
            self.close(f"a submit was answered with {answer.code}")
            return
        if self._queue or self._throttled:
            self._pump()
        if self._idle is not None and not len(self.window) and not self._idle.done():
            self._idle.set_result(None)

    def _late(self, event: SubmitAnswered) -> None:
        if event.sequence not in self._timed_out:
            self._counters.strays += 1
            return
        submit = self._timed_out.pop(event.sequence)
        self._counters.late += 1
        if event.answer.ok:
            self._tell(submit, event.answer)

    def _tell(self, submit: Submit, answer: Answer) -> None:
        """Its answer, and the report where none will come."""
        self._answers.append((submit.token, answer))
        report = self._quirks.report_for(submit, answer)
        if report is not None:
            self._deliveries.append((report, b""))

    def _throttle(self, flight: _Flight) -> bool:
        """Pause and keep the segment for another sending; False when it had its share."""
        self._counters.throttled += 1
        self.window.shrink()
        if self._paused is None:
            self._paused = self._loop.call_later(self._pauses.next(), self._resume)
        if flight.tries > self._settings.throttle_tries:
            return False
        if self._idle is not None:
            self._owner.session_unsent([flight.submit.token])
            if not len(self.window) and not self._idle.done():
                self._idle.set_result(None)
        else:
            heappush(self._throttled, flight)
        return True

    def _resume(self) -> None:
        self._paused = None
        self._pump()

    def _delivered(self, event: Delivered) -> None:
        if not self.up:
            self.abort("a delivery before the login")
            return
        if event.converted:
            self._counters.converted += 1
        self._deliveries.append((self._quirks.delivered(event.item), event.response))

    def _has_nothing(self) -> bool:
        """Nothing is on the wire or waits for it."""
        return not len(self.window) and not self._queue and not self._throttled

    def _takes_rest(self, now: float) -> bool:
        """Take leave when there was no traffic for `rest_s`."""
        if self._heard or self._counters.submitted != self._submitted or not self._used_at:
            self._used_at, self._submitted = now, self._counters.submitted
        tired = 0 < self._settings.rest_s <= now - self._used_at
        if not tired or self._idle is not None or not self._has_nothing():
            return False
        self._leave()
        self.up, self.resting = False, True
        return True

    def _tick(self) -> None:
        now = self._loop.time()
        if now >= self._settled:
            self.worked = True
        if self._takes_rest(now):
            return
        if self._unfinished.too_long(now, waiting=self.half_read and not self._heard):
            self.abort("half a frame, and then silence")
            return
        if self._heard:
            self._heard = False
            self._heartbeat.heard(now)
        self._expire(now)
        asks = self._dialect.heartbeats and self._quirks.tests
        if asks and self._heartbeat.due(now):
            self.write(self._dialect.test(self._next_sequence()))
        if self._heartbeat.dead:
            self.abort(f"{self._settings.heartbeat_tries} heartbeats unanswered")
            return
        shortest = min(self._settings.heartbeat_s, self._settings.response_timeout_s)
        self._timer = self._loop.call_later(min(1.0, shortest / 4), self._tick)

    def _expire(self, now: float) -> None:
        expired = self.window.expired(now - self._settings.response_timeout_s)
        if not expired:
            return
        for sequence, flight in expired:
            self._timed_out[sequence] = flight.submit
        while len(self._timed_out) > _REMEMBERED:
            self._timed_out.popitem(last=False)
        self._counters.unanswered += len(expired)
        self._owner.session_lost([flight.submit.token for _, flight in expired])
        self._pump()
        if self._idle is not None and not len(self.window) and not self._idle.done():
            self._idle.set_result(None)

    def _return_waiting(self) -> None:
        tokens = [flight.submit.token for flight in sorted(self._throttled)]
        tokens += [submit.token for submit in self._queue]
        self._throttled.clear()
        self._queue.clear()
        if tokens:
            self._owner.session_unsent(tokens)

    def _leave(self) -> None:
        if not self.up:
            self.close("stopped")
            return
        self.write(self._dialect.leave(self._next_sequence()))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(
            min(2.0, self._settings.response_timeout_s), lambda: self.close("stopped")
        )
