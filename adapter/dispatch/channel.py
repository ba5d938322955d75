"""A channel at work: takes from the lanes what its links can carry, and no more.

In one turn it
    1. counts room: free window slots of its links, less the answers that are not recorded
       yet, and what its rate has free (promise 8);
    2. pulls that many segments of the messages that are its own to send now;
    3. records the attempts and waits for the commit (promise 4);
    4. gives the segments of each message to one link, in order, which counts them against the
       rate as they go. Those of a long message for which it has no room yet follow when it has.

What happens on a crash: before 3 is committed the messages still wait in the spool; after
it they are in `attempt` and come up in doubt: never more messages than the windows hold.
While the store is away the channel keeps what it has in hand and asks again, because the
attempts may have been recorded by a commit whose answer was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

import structlog

from adapter.config.model import Channel as ChannelConfig
from adapter.config.model import LanePolicy
from adapter.dispatch import arrivals
from adapter.dispatch.beginning import STORE_PAUSE_S, UNSENDABLE, Beginning, by_expiry
from adapter.dispatch.cutting import Cutter
from adapter.dispatch.flight import UNSENT, Flight
from adapter.dispatch.lanes import Lanes
from adapter.dispatch.numbers import Numbers
from adapter.dispatch.recorder import Recorder
from adapter.dispatch.routes import Routes
from adapter.dispatch.spool import Spool
from adapter.dispatch.timings import Timings, Watch
from adapter.domain.client import Client
from adapter.domain.outcomes import Outcome, Reported, Verdict
from adapter.domain.states import Lane
from adapter.domain.values import Waiting
from connectors.pace import Pace
from connectors.splitting import Split
from connectors.values import Ack, Answer, Inbound, Report, Submit

log = structlog.get_logger(__name__)

MOST_PER_TURN = 500


class ClientLink(Protocol):
    """A link as the channel uses it: `connectors.link.Link`, or a stand-in for one."""

    name: str
    number: int
    submits: bool
    last_error: str
    changed_at: datetime | None

    @property
    def is_up(self) -> bool: ...
    @property
    def free(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def unanswered(self) -> int: ...
    def start(self) -> None: ...
    async def stop(self, wait_s: float) -> None: ...
    def submit_many(self, submits: Sequence[Submit]) -> None: ...


class Channel:
    """Owns the links of one account at a carrier; is their handler (`connectors.values`)."""

    def __init__(
        self,
        config: ChannelConfig,
        spool: Spool,
        lanes: Lanes,
        routes: Routes,
        recorder: Recorder,
        clients: Mapping[str, Client],
        policies: Mapping[Lane, LanePolicy],
        clock: Callable[[], int],
        changed: Callable[[], None],
        watch: Watch | None = None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.links: list[ClientLink] = []
        self.in_flight = 0
        """Segments of messages that are on the wire."""
        self._beginning = Beginning(config.name, spool, recorder, clock)
        self._lanes = lanes
        self._routes = routes
        self._recorder = recorder
        self._clients = clients
        self._policies = policies
        self._clock = clock
        self._changed = changed
        self.pace = Pace(config.rate)
        """Asked by all links before they send."""
        self._cutter = Cutter(config)
        self.numbers = Numbers(config)
        self._timings = Timings(config.name, watch)
        self._told: dict[str, str] = {}
        self._work = asyncio.Event()
        self._stopping = False
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_up(self) -> bool:
        """At least one link that may send is logged in."""
        return any(link.submits and link.is_up for link in self.links)

    def wake(self) -> None:
        """There may be something to do."""
        self._work.set()

    async def run(self) -> None:
        """Send until `stop`."""
        self._at_rest.clear()
        try:
            while not self._stopping:
                self._work.clear()
                if not await self._guarded_turn() and not self._stopping:
                    await self._work.wait()
        finally:
            self._at_rest.set()

    async def _guarded_turn(self) -> bool:
        """A fault of ours in one turn must not end the channel."""
        try:
            return await self._turn()
        except Exception:
            log.exception("channel.turn", channel=self.name)
            await asyncio.sleep(STORE_PAUSE_S)
            return True

    async def stop(self) -> None:
        """Take nothing more, and wait until everything on the wire was answered."""
        self._stopping = True
        self._beginning.stop()
        self._work.set()
        # A turn that runs may have recorded attempts: they go out and are answered, too.
        await self._at_rest.wait()
        await self._idle.wait()

    async def _turn(self) -> bool:
        """One turn; False when there is nothing to do until somebody wakes the channel."""
        self._timings.tell()
        free = min(sum(link.free for link in self.links), self._open_places(), MOST_PER_TURN)
        if free <= 0:
            return False
        room = min(free, self.pace.free())
        if not room:
            await asyncio.sleep(self.pace.wait_s())
            return True
        pulled = self._lanes.pull(self._serves, room)
        if not pulled:
            return False
        await self._send(pulled)
        return True

    def _serves(self, carrier: str, avoid: tuple[str, ...]) -> bool:
        return self._routes.choice(carrier, avoid) == self.name

    def _open_places(self) -> int:
        """How many more segments may be begun. On the wire, or answered and not recorded yet,
        are never more than the windows, but for the end of the last message: so many come up in
        doubt after a crash."""
        return self._windows - self.in_flight - self._recorder.unrecorded(self.name)

    @cached_property
    def _windows(self) -> int:
        """Of all links, which are there before the first turn."""
        return self.config.window * sum(link.submits for link in self.links)

    async def _send(self, pulled: Sequence[Waiting]) -> None:
        fresh = self._without_those_under_way(pulled)
        cuts = {each.message.id: self._cut(each) for each in fresh}
        try:
            ours = await self._beginning.begin([sized for sized, _ in cuts.values()])
        except Exception as error:
            log.error("channel.begin", channel=self.name, error=type(error).__name__)
            self._lanes.returned(fresh)
            await asyncio.sleep(STORE_PAUSE_S)
            return
        self._lanes.settled(fresh)
        now = self._clock()
        alive, late = by_expiry(ours, now)
        for each in late:
            # It expired while the store was away: back into the spool, which ends it.
            self._end_unsent(each, Verdict.RETRY, UNSENT)
        self._timings.sent(alive, now)
        await self._launch([cuts[each.message.id] for each in alive], now)

    def _cut(self, waiting: Waiting) -> tuple[Waiting, Split | None]:
        """Without segments where the text has none: it is begun, and ended."""
        try:
            return self._cutter.cut(waiting)
        except Exception:
            # A fault of ours with one text must not stop the channel.
            log.exception("channel.unsendable", channel=self.name, message=waiting.message.id)
            return waiting, None

    def _without_those_under_way(self, pulled: Sequence[Waiting]) -> list[Waiting]:
        """News of an acceptance may come when the message is on the wire already, from a
        reading that was faster. To begin it again would make the recorder forget its attempt."""
        under_way = [each for each in pulled if self._recorder.is_alive(each.message.id)]
        if not under_way:
            return list(pulled)
        self._lanes.returned(under_way)
        return [each for each in pulled if not self._recorder.is_alive(each.message.id)]

    async def _launch(self, cuts: Sequence[tuple[Waiting, Split | None]], now: int) -> None:
        """Give each message to the link with most room, all of a link's share at once."""
        room = [link.free if link.submits and link.is_up else -1 for link in self.links]
        shares: list[list[Submit]] = [[] for _ in self.links]
        for waiting, split in cuts:
            if split is None:
                self._end_unsent(waiting, Verdict.REJECTED, UNSENDABLE)
                continue
            submits = self._submits(waiting, split, now)
            self.in_flight += len(submits)
            freest = room.index(max(room))
            room[freest] -= len(submits)
            shares[freest] += submits
        if self.in_flight:
            self._idle.clear()
        for link, share in zip(self.links, shares, strict=True):
            if share:
                await self._submit(link, share)

    async def _submit(self, link: ClientLink, share: Sequence[Submit]) -> None:
        """Hand over as the rate allows: mostly everything at once."""
        while len(share) > (free := self.pace.free()):
            if free:
                link.submit_many(share[:free])
                share = share[free:]
            await asyncio.sleep(self.pace.wait_s(len(share)))
        link.submit_many(share)

    def _submits(self, waiting: Waiting, split: Split, now: int) -> list[Submit]:
        total = len(split.payloads)
        numbers = waiting.parts or range(1, total + 1)
        policy = self._policies[waiting.submission.lane]
        flight = Flight(waiting, self.name, policy, set(numbers), sent_at=now)
        source = self._source(waiting)
        return [
            Submit(
                source=source,
                destination=waiting.message.mobile,
                payload=split.payloads[number - 1],
                coding=split.coding,
                udh=split.udh,
                total=total,
                number=number,
                report=True,
                token=(flight, number),
            )
            for number in numbers
        ]

    def _end_unsent(self, waiting: Waiting, verdict: Verdict, code: str) -> None:
        now = self._clock()
        its = Outcome(
            waiting,
            self.name,
            verdict,
            parts=(),
            at=now,
            code=code,
            due_at=now,
            remaining=waiting.parts,
            sent=False,
            avoid=waiting.avoid,
        )
        self._recorder.outcomes([its])

    def _source(self, waiting: Waiting) -> str:
        """Access number, the client's extension, the message's own."""
        of = waiting.submission
        client = self._clients.get(of.client)
        return self.numbers.sender((client.extension if client else "") + of.extension)

    # What the links tell; called on the event loop.

    def up(self, link: Any) -> None:
        self._told.pop(link.name, None)
        log.info("link.up", channel=self.name, link=link.name)
        self._changed()

    def down(self, link: Any, reason: str) -> None:
        # Once for each reason: a carrier that is away for the night fails a thousand logins.
        if reason != "stopped" and self._told.get(link.name) != reason:
            self._told[link.name] = reason
            log.warning("link.down", channel=self.name, link=link.name, reason=reason)
        self._changed()

    def answered(self, link: Any, answers: Sequence[tuple[tuple[Flight, int], Answer]]) -> None:
        now = self._clock()
        ended: list[Flight] = []
        sent_at: list[int] = []
        for (flight, number), answer in answers:
            kept = arrivals.answered(answer)
            if not flight.open:
                self._came_late(flight, number, kept, now)
                continue
            sent_at.append(flight.sent_at)
            if flight.answered(number, kept):
                ended.append(flight)
        self._timings.answered(sent_at, now)
        self._ended(ended, now)

    def _came_late(self, flight: Flight, number: int, answer: Answer, now: int) -> None:
        late = flight.accepted_late(number, answer, now)
        if late is not None:
            self._recorder.late(late)

    def lost(self, link: Any, tokens: Sequence[tuple[Flight, int]]) -> None:
        self._ended([flight for flight, number in tokens if flight.lost(number)], self._clock())

    def unsent(self, link: Any, tokens: Sequence[tuple[Flight, int]]) -> None:
        self._ended([flight for flight, number in tokens if flight.unsent(number)], self._clock())

    def delivered(self, link: Any, deliveries: Sequence[tuple[Report | Inbound, Ack]]) -> None:
        now = self._clock()
        reports: list[tuple[Reported, Ack]] = []
        for item, ack in deliveries:
            if isinstance(item, Inbound):
                access = self.numbers.written_to(item.destination)
                self._recorder.inbound(arrivals.received(self.name, access, item, now), ack)
            elif item.final:
                reports.append((arrivals.reported(self.name, item, now), ack))
            else:
                ack()
        self._recorder.report(reports)

    def _ended(self, flights: Sequence[Flight], now: int) -> None:
        """These have; there may be room for others."""
        self._work.set()
        if not flights:
            return
        self.in_flight -= sum([flight.size for flight in flights])
        if not self.in_flight:
            self._idle.set()
        self._recorder.outcomes([self._outcome(flight, now) for flight in flights])
        if self._open_places() <= 0:
            self._recorder.hurry()

    def _outcome(self, flight: Flight, now: int) -> Outcome:
        elsewhere = flight.turned_away and self._routes.elsewhere(
            flight.waiting.message.carrier.value, flight.avoid
        )
        return flight.outcome(now, elsewhere=elsewhere)
