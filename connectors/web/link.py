"""A link to a provider of web services: the outside of `connectors.link.Link` over HTTP.

    submit_many ──> queue ──> requests, window / batch at once ──> answered, lost, unsent
    pulls, pushes ──────────────────────────────────────────────> delivered

Promises to the `Handler`, as every link: each token comes back once. A request that was never
written, or that the provider certainly did not take (throttled, account refused), is `unsent`;
one whose answer did not come or cannot be read is `lost`; nothing is ever sent again by the link
itself. Calls are made on the event loop, none from within `submit_many`.

Up means that the last exchange went well, or the ping did. A connection that cannot be made, an
account that is refused, or three lost answers in succession bring the link down; after a growing,
jittered pause one text (or the ping) tries whether the provider is back. A throttled link is up
and has no room until the pause is over; then `unsent` is called with nothing, to say so. Where the
provider asks for more than `LONG_PAUSE_S`, it is down so long, and other channels may be taken.

Limits: the window bounds what is here; answers, pulls and pushes are bounded in size, and the
memory of inbound texts that came already to the last 10,000.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import Any

from connectors.backoff import Backoff
from connectors.pace import Pacing
from connectors.trace import Trace, Way
from connectors.values import Ack, Answer, Handler, Submit
from connectors.waiting import came_within
from connectors.web.answers import Verdict, retry_after_s
from connectors.web.intake import Deliveries
from connectors.web.ping import Ping
from connectors.web.pull import Puller
from connectors.web.push import RECORDED_WITHIN_S, Pushed, Pushes, Reply
from connectors.web.settings import Then, WebSettings
from connectors.web.soap import SoapService
from connectors.web.submission import Submitter
from connectors.web.transport import (
    Given,
    LostError,
    NotSentError,
    Transport,
    check_transport,
)

log = logging.getLogger(__name__)

LOST_IN_SUCCESSION = 3
LONG_PAUSE_S = 10.0
UNWRITABLE = "UNWRITABLE"
_THROTTLE_FIRST_S = 0.5

Reference = Callable[[Submit], str]
"""Our own name for a submit, the same whenever it is sent again: `${ref}` in templates."""


def _random_reference(_submit: Submit) -> str:
    return secrets.token_hex(16)


class WebLink:
    """An account at a provider. Raises ValueError for settings that cannot work; `start` and
    everything else belong to one event loop."""

    def __init__(
        self,
        settings: WebSettings,
        handler: Handler,
        reference: Reference = _random_reference,
        *,
        pace: Pacing | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.number = settings.number
        self.last_error = ""
        self.changed_at: datetime | None = None
        self.reconnects = 0
        self.submits = True
        self.unanswered = 0
        self._handler = handler
        self._pace = pace
        self._paced: asyncio.TimerHandle | None = None
        self._tap = trace.tap(settings.name) if trace is not None else None
        check_transport(settings)
        soap = (
            SoapService(settings.wsdl, settings.service, settings.port) if settings.wsdl else None
        )
        self._slots = max(1, settings.window // settings.submit.batch)
        self._submitter = Submitter(settings, soap, reference)
        self._ping = Ping(settings, soap) if settings.ping is not None else None
        self._deliveries = Deliveries(self)
        self.pushes = Pushes(settings, self._deliveries)
        self._pullers = [Puller(settings, pull, soap, self._deliveries) for pull in settings.pulls]
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[Submit] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._up = False
        self._trial = False
        self._least_pause_s = 0.0
        self._lost_in_succession = 0
        self._pause: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()
        self._fallen = asyncio.Event()
        self._backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s)
        self._throttling = Backoff(_THROTTLE_FIRST_S, settings.reconnect_max_s)

    @property
    def is_up(self) -> bool:
        """The last exchange went well, or it is time to try."""
        return self._up and not self._stopping.is_set()

    @property
    def window(self) -> int:
        """Texts that may be without an answer; 1 while a text tries a provider that was away."""
        if not self.is_up:
            return 0
        return 1 if self._trial else self.settings.window

    @property
    def free(self) -> int:
        """Texts that would go out now."""
        if self._pause is not None:
            return 0
        return max(0, self.window - self.unanswered - len(self._waiting))

    def start(self) -> None:
        """Begin; `handler.up` follows when texts can be taken."""
        if self._tasks:
            return
        self._stopping.clear()
        loop = self._loop = asyncio.get_running_loop()
        transport = self._transport = Transport(self.settings, self._tap)
        self._tasks.append(loop.create_task(self._keep(transport), name=self.name))
        for puller in self._pullers:
            run = puller.run(transport, self._stopping)
            self._tasks.append(loop.create_task(run, name=f"{self.name}-{puller.name}"))

    async def stop(self, wait_s: float = 5.0) -> None:
        """Give back what is not on the wire, wait for answers up to `wait_s`, close."""
        self._stopping.set()
        transport = self._transport
        if transport is None:
            return
        self._give_back()
        if self._requests:
            await asyncio.wait(self._requests, timeout=wait_s)
        # A request that is cancelled tells its texts as lost; a poll in work is only dropped.
        for task in (*self._requests, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._requests, *self._tasks, return_exceptions=True)
        self._tasks.clear()
        for timer in (self._pause, self._paced):
            if timer is not None:
                timer.cancel()
        self._pause = self._paced = None
        self._transport = None
        await transport.close()
        self._up = False
        self._handler.down(self, "stopped")

    def submit_many(self, submits: Sequence[Submit]) -> None:
        """Send texts, in this order. On a link that is down they come back as unsent."""
        if not self.is_up:
            tokens = [submit.token for submit in submits]
            asyncio.get_running_loop().call_soon(self._handler.unsent, self, tokens)
            return
        self._waiting.extend(submits)
        self._send()

    def pushed(self, name: str, pushed: Pushed) -> Reply:
        """What the provider pushed, from any thread but the loop's: blocks until it is durable,
        at most a little longer than `push.RECORDED_WITHIN_S`."""
        loop = self._loop
        if loop is None or not self._tasks:
            return Reply(503)
        receiving = asyncio.run_coroutine_threadsafe(self._receive(name, pushed), loop)
        try:
            return receiving.result(2 * RECORDED_WITHIN_S)
        except (TimeoutError, CancelledError):
            receiving.cancel()
            return Reply(503)

    async def _receive(self, name: str, pushed: Pushed) -> Reply:
        reply = await self.pushes.receive(name, pushed)
        if self._tap is not None:
            known = name if any(name == each.name for each in self.settings.pushes) else "****"
            self._tap.noted(Way.RECEIVED, f"push {known}: {reply.status}", len(pushed.body))
        return reply

    def deliver(self, item: Any, ack: Ack) -> None:
        """Tell the owner of a receipt or an inbound text."""
        self._handler.delivered(self, [(item, ack)])

    def _send(self) -> None:
        """Open as many requests as there are texts and slots for, and the pace allows."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._pause is None and len(self._requests) < self._slots:
            room = len(self._waiting) if self._pace is None else self._pace.free()
            if not room:
                self._wait_for_pace()
                return
            batch = self._submitter.take(self._waiting, room)
            if self._pace is not None:
                self._pace.spend(len(batch))
            self.unanswered += len(batch)
            task = loop.create_task(self._exchange(batch))
            self._requests.add(task)
            task.add_done_callback(self._finished)

    def _wait_for_pace(self) -> None:
        if self._paced is None and self._pace is not None:
            loop = asyncio.get_running_loop()
            self._paced = loop.call_later(self._pace.wait_s(), self._send_on)

    def _send_on(self) -> None:
        self._paced = None
        if self.is_up:
            self._send()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if self.is_up:
            self._send()

    async def _exchange(self, batch: Sequence[Submit]) -> None:
        transport = self._transport
        assert transport is not None  # requests end before it does
        try:
            verdicts, given = await self._ask(transport, batch)
        except NotSentError as e:
            self._settle(batch, unsent=batch)
            self._fall(str(e))
        except LostError as e:
            self._settle(batch, lost=batch)
            self._doubted(str(e))
        except asyncio.CancelledError:
            self._settle(batch, lost=batch)
            raise
        except Exception:
            # A fault of ours, and nobody knows how far it came.
            log.exception("%s: exchange", self.name)
            self._settle(batch, lost=batch)
            self._doubted("a fault in the link")
        else:
            self._judge(batch, verdicts, given)

    async def _ask(
        self, transport: Transport, batch: Sequence[Submit]
    ) -> tuple[list[Verdict], Given | None]:
        """Raises NotSentError and LostError."""
        try:
            request = self._submitter.request(batch)
        except ValueError:
            # The charset or the format lacks a character of the text.
            return [Verdict(Then.PERMANENT, UNWRITABLE)] * len(batch), None
        given = await transport.exchange(request)
        return self._submitter.verdicts(batch, given), given

    def _judge(
        self, batch: Sequence[Submit], verdicts: Sequence[Verdict], given: Given | None
    ) -> None:
        """Tell what became of the texts, and learn how the provider is."""
        of: dict[Then, list[Submit]] = {}
        answers: list[tuple[Submit, Answer]] = []
        for submit, verdict in zip(batch, verdicts, strict=True):
            of.setdefault(verdict.then, []).append(submit)
            if verdict.then not in (Then.DOUBT, Then.THROTTLE, Then.CLOSE):
                answers.append((submit, verdict.answer))
        doubtful = of.get(Then.DOUBT, [])
        certain = next((v for v in verdicts if v.then is not Then.DOUBT), None)
        if certain is not None and given is not None:
            self._went_well(slow=Then.THROTTLE in of, refused=Then.CLOSE in of)
        unsent = [*of.get(Then.THROTTLE, ()), *of.get(Then.CLOSE, ())]
        self._settle(batch, lost=doubtful, unsent=unsent, answers=answers)
        if Then.THROTTLE in of and given is not None:
            self._slow_down(retry_after_s(given))
        if Then.CLOSE in of:
            code = next(v.code for v in verdicts if v.then is Then.CLOSE)
            reason = f"the provider refuses our account or address: {code}"
            self._fall(reason, self.settings.refused_wait_s)
        elif doubtful and certain is None:
            self._doubted(verdicts[0].reason or verdicts[0].code)

    def _settle(
        self,
        batch: Sequence[Submit],
        *,
        lost: Sequence[Submit] = (),
        unsent: Sequence[Submit] = (),
        answers: Sequence[tuple[Submit, Answer]] = (),
    ) -> None:
        self.unanswered -= len(batch)
        if answers:
            self._handler.answered(self, [(submit.token, answer) for submit, answer in answers])
        if lost:
            self._handler.lost(self, [submit.token for submit in lost])
        if unsent:
            self._handler.unsent(self, [submit.token for submit in unsent])

    def _went_well(self, *, slow: bool, refused: bool) -> None:
        self._lost_in_succession = 0
        if refused:
            return
        if not slow:
            self._throttling.reset()
        self._backoff.reset()
        self._trial = False

    def _doubted(self, reason: str) -> None:
        self.last_error = reason
        self._lost_in_succession += 1
        if self._trial or self._lost_in_succession >= LOST_IN_SUCCESSION:
            self._fall(reason)

    def _slow_down(self, asked_s: float | None) -> None:
        """No more texts for a while; what waits goes back."""
        if self._pause is not None or self._stopping.is_set():
            return
        pause_s = self._throttling.next() if asked_s is None else max(asked_s, _THROTTLE_FIRST_S)
        if pause_s > LONG_PAUSE_S:
            self._fall(f"the provider asks for a pause of {pause_s:.0f} s", pause_s)
            return
        self._pause = asyncio.get_running_loop().call_later(pause_s, self._go_on)
        self._give_back()

    def _go_on(self) -> None:
        self._pause = None
        if self.is_up:
            self._send()
        self._handler.unsent(self, ())

    def _give_back(self) -> None:
        tokens = [submit.token for submit in self._waiting]
        self._waiting.clear()
        if tokens:
            self._handler.unsent(self, tokens)

    async def _keep(self, transport: Transport) -> None:
        """Up and down until `stop`."""
        while not self._stopping.is_set():
            self._fallen.clear()
            self._least_pause_s = 0.0
            fault = await self._ping.fault(transport) if self._ping is not None else ""
            if fault:
                self._fall(fault)
            else:
                self._rise()
                await self._watch(transport)
            pause_s = max(self._backoff.next(), self._least_pause_s)
            log.debug("%s: trying again in %.1f s", self.name, pause_s)
            await came_within(self._stopping, pause_s)
            self.reconnects += 1

    async def _watch(self, transport: Transport) -> None:
        """Until the link has fallen; with a ping, it is asked again and again."""
        if self._ping is None:
            await self._fallen.wait()
            return
        while not await came_within(self._fallen, self.settings.ping_every_s):
            fault = await self._ping.fault(transport)
            if fault:
                self._fall(fault)

    def _rise(self) -> None:
        self._up = True
        self._lost_in_succession = 0
        # Without a ping the first text after a fall tries whether the provider is back.
        self._trial = self._ping is None and bool(self.last_error)
        self.changed_at = datetime.now(UTC)
        self._handler.up(self)

    def _fall(self, reason: str, least_pause_s: float = 0.0) -> None:
        self.last_error = reason
        self._least_pause_s = max(self._least_pause_s, least_pause_s)
        if self._stopping.is_set():
            return
        if self._up or self.changed_at is None:
            self.changed_at = datetime.now(UTC)
        self._up = False
        self._give_back()
        self._fallen.set()
        self._handler.down(self, reason)
