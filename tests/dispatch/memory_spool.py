"""A spool in memory, and a link to a carrier of the test's own: for what needs a clock of its
own. Both keep a record of everything that was asked of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapter.config.model import Channel as ChannelConfig
from adapter.config.model import LanePolicy, Policies, Route
from adapter.dispatch.dispatcher import Dispatcher
from adapter.domain.errors import StoreUnavailable
from adapter.domain.outcomes import Begin, Late, Outcome, QueueKey, Received, Reported, Verdict
from adapter.domain.states import Carrier, Door, DoubtRule, Lane
from adapter.domain.values import Message, Submission, Waiting
from connectors.pace import Pacing
from connectors.values import Action, Answer, Handler, Submit
from tests.dispatch.virtual import clock

_numbers = itertools.count(1)
OK = Answer(True, "id", "0", Action.NONE)
BUSY = Answer(False, "", "9", Action.RETRY)
OTHER = Answer(False, "", "84", Action.OTHER_CHANNEL)
REFUSED = Answer(False, "", "5", Action.PERMANENT)


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def waiting(
    *,
    client: str = "his",
    lane: Lane = Lane.NORMAL,
    carrier: Carrier = Carrier.MOBILE,
    segments: int = 1,
    due_at: int = 0,
    expire_at: int = 10**12,
) -> Waiting:
    """A message nobody has seen yet, long enough for so many segments."""
    made = next(_numbers)
    content = "短信" if segments == 1 else "长" * (67 * segments)
    own = Message(made, made, "", f"138{made:08}", carrier, None, segments)
    of = Submission(
        id=made,
        client=client,
        door=Door.SOAP,
        source="",
        client_ref="",
        business="lab",
        lane=lane,
        content=content,
        extension="",
        pass_through="",
        business_key="",
        receipt=True,
        accepted_at=moment(0),
        due_at=moment(due_at),
        expire_at=moment(expire_at),
    )
    return Waiting(own, of)


def key_of(each: Waiting) -> QueueKey:
    of = each.submission
    return QueueKey(each.message.carrier.value, of.lane.value, of.client)


class MemorySpool:
    """`away`: begins fail; those with a `poisoned` message, too. `forgetful`: the next begin is
    done, but its answer is lost."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, Waiting]] = {}
        self.attempts: dict[int, Begin] = {}
        self.finished: list[Outcome] = []
        self.late: list[Late] = []
        self.expired: list[int] = []
        self.rejected: list[int] = []
        self.poisoned: set[int] = set()
        self.reports: list[Reported] = []
        self.texts: list[Received] = []
        self.begun: Counter[int] = Counter()
        self.away = False
        self.forgetful = False

    def put(self, *messages: Waiting) -> list[Waiting]:
        for each in messages:
            due_at = round(each.submission.due_at.timestamp() * 1000)
            self.rows[each.message.id] = due_at, each
        return list(messages)

    def cancel(self, each: Waiting) -> bool:
        return self.rows.pop(each.message.id, None) is not None

    def ended(self, verdict: Verdict) -> list[int]:
        return [o.waiting.message.id for o in self.finished if o.verdict is verdict]

    async def keys(self) -> Sequence[QueueKey]:
        return sorted({key_of(each) for _, each in self.rows.values()})

    async def take(
        self, key: QueueKey, most: int, now: int, held: Collection[int]
    ) -> tuple[list[Waiting], int | None]:
        mine = sorted(
            (due_at, made)
            for made, (due_at, each) in self.rows.items()
            if key_of(each) == key and made not in held
        )
        due = [self.rows[made][1] for due_at, made in mine if due_at <= now]
        later = [due_at for due_at, _ in mine if due_at > now]
        await asyncio.sleep(0.001)
        return due[:most], now if len(due) > most else min(later, default=None)

    async def begin(self, begins: Sequence[Begin]) -> set[int]:
        await asyncio.sleep(0.001)
        if self.away:
            raise StoreUnavailable
        if self.poisoned.intersection(each.waiting.message.id for each in begins):
            raise ValueError("one of these")
        owned = set()
        for each in begins:
            made = each.waiting.message.id
            if self.rows.pop(made, None) is not None:
                self.attempts[made] = each
                self.begun[made] += 1
            if self.attempts.get(made) == each:
                owned.add(made)
        if self.forgetful:
            self.forgetful = False
            raise StoreUnavailable
        return owned

    async def expire(self, messages: Sequence[int]) -> None:
        self.expired += [made for made in messages if self.rows.pop(made, None)]

    async def reject(self, messages: Sequence[int], code: str) -> None:
        self.rejected += [made for made in messages if self.rows.pop(made, None)]

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        await asyncio.sleep(0.001)
        for each in outcomes:
            its = each.waiting
            del self.attempts[its.message.id]
            self.finished.append(each)
            if each.verdict is Verdict.RETRY:
                again = Waiting(
                    its.message,
                    its.submission,
                    its.tries + 1,
                    its.in_doubt,
                    each.remaining,
                    unsent=its.unsent + (not each.sent),
                    avoid=each.avoid,
                )
                self.rows[its.message.id] = each.due_at, again

    async def accept_late(self, late: Sequence[Late]) -> None:
        self.late += late

    async def report(self, reports: Sequence[Reported]) -> None:
        self.reports += reports

    async def receive(self, texts: Sequence[Received]) -> None:
        self.texts += texts


@dataclass(eq=False)
class Line:
    """A link whose carrier answers each submit after `delay_s` with what `answer` says; None
    means never. Up from the start."""

    handler: Handler
    pace: Pacing
    number: int = 1
    window: int = 16
    delay_s: float = 0.01
    answer: Callable[[Submit], Answer | None] = lambda _: OK
    up: bool = True
    submits: bool = True
    name: str = "line"
    last_error: str = ""
    changed_at: datetime | None = None
    reconnects: int = 0
    sent: list[tuple[float, Submit]] = field(default_factory=list)
    most_open: int = 0
    _open: list[Submit] = field(default_factory=list)
    _queue: list[Submit] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.up

    @property
    def free(self) -> int:
        if not self.up or not self.submits:
            return 0
        return max(0, self.window - len(self._open) - len(self._queue))

    @property
    def unanswered(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """It is up already."""

    async def stop(self, wait_s: float) -> None:
        self.fall()

    def submit_many(self, submits: Sequence[Submit]) -> None:
        if not self.up:
            tokens = [each.token for each in submits]
            asyncio.get_running_loop().call_soon(self.handler.unsent, self, tokens)
            return
        self._queue += submits
        self._pump()

    def fall(self) -> None:
        """The connection breaks."""
        self.up = False
        lost, self._open = [each.token for each in self._open], []
        unsent, self._queue = [each.token for each in self._queue], []
        self.handler.lost(self, lost)
        self.handler.unsent(self, unsent)
        self.handler.down(self, "fell")

    def rise(self) -> None:
        """It is there again."""
        self.up = True
        self.handler.up(self)

    def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue and len(self._open) < self.window:
            submit = self._queue.pop(0)
            self._open.append(submit)
            self.most_open = max(self.most_open, len(self._open))
            self.pace.spend(1)
            self.sent.append((loop.time(), submit))
            answer = self.answer(submit)
            if answer is not None:
                loop.call_later(self.delay_s, self._answer, submit, answer)

    def _answer(self, submit: Submit, answer: Answer) -> None:
        if submit in self._open:
            self._open.remove(submit)
            self._pump()
            self.handler.answered(self, [(submit.token, answer)])


POLICIES = Policies(
    lanes={
        lane: LanePolicy(lane, DoubtRule.RESEND, 10.0, tries=4, backoff_min_s=2, backoff_max_s=60)
        for lane in Lane
    }
)
STOP_S = 20.0


class House:
    """A dispatcher over a spool in memory; its channels `a`, `b` ... in the order of choice."""

    def __init__(
        self,
        channels: int = 1,
        *,
        links: int = 1,
        window: int = 16,
        rate: float = 10_000,
        active: int = 10_000,
    ) -> None:
        self.spool = MemorySpool()
        self.lines: dict[str, list[Line]] = {}
        names = "abcd"[:channels]
        configs = [
            ChannelConfig(
                name, "cmpp", "3.0", "", 0, "", "", "1069", rate=rate, links=links, window=window
            )
            for name in names
        ]
        policies = Policies(POLICIES.lanes, active=active)

        def open_links(config: ChannelConfig, handler: Handler, pace: Pacing) -> Sequence[Line]:
            made = [Line(handler, pace, number + 1, window) for number in range(links)]
            self.lines[config.name] = made
            return made

        routes = [Route(carrier, tuple(names)) for carrier in Carrier]
        self.dispatcher = Dispatcher(self.spool, configs, routes, {}, policies, open_links, clock)

    @property
    def line(self) -> Line:
        """The only one."""
        ((line,),) = self.lines.values()
        return line

    @property
    def sent(self) -> list[tuple[float, Submit]]:
        """All submits of all links, in the order of time."""
        every = [each for lines in self.lines.values() for line in lines for each in line.sent]
        return sorted(every, key=lambda each: each[0])

    def accept(self, *messages: Waiting) -> list[Waiting]:
        """Put into the spool and tell, as acceptance does."""
        accepted = self.spool.put(*messages)
        self.dispatcher.arrived(accepted)
        return accepted

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():  # noqa: ASYNC110 - on a clock of its own this costs nothing
            await asyncio.sleep(0.01)

    async def until_ended(self, count: int) -> None:
        """Until so many messages are submitted or rejected."""

        def ended() -> int:
            outcomes = (Verdict.SUBMITTED, Verdict.REJECTED)
            return sum(o.verdict in outcomes for o in self.spool.finished)

        await self.until(lambda: ended() >= count)
