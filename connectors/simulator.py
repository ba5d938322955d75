"""A simulated carrier: the other half of the library, with a carrier's moods.

It takes submits, answers them, sends receipts and inbound texts within the client's window,
and does what its `Behaviour` asks (delays, failures, throttle, dropped links). What waits for
delivery when a link falls goes out on the account's next link; a receipt sent and not answered
is sent again, so a client may see it twice, as with a real gateway.

Events (`--log`, one JSON object a line, each with `event` and `time`):

    login    account, peer, version, result (0 in, else the refusal's status)
    submit   account, source, destination, text, id, result, coding, reference, total, number
    receipt  account, id, stat, source, destination, again
    inbound  account, source, destination, text, id, again
    close    account, peer, reason
    step     number (of a scenario, see connectors/scenario.py)

`id` joins submit and receipt (CMPP: 16 hex digits). A submit that was not accepted (throttled or
refused) has `result` other than 0 and no id. A receipt or inbound is logged when it is written;
`again` counts repeats. A `submit` that was taken and not answered is logged like any other.

Limits: what is not delivered yet is kept in memory, about 400 octets each.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from connectors.backoff import Backoff
from connectors.behaviour import Behaviour, SimulatorOptions, Span
from connectors.clock import BEIJING
from connectors.eventlog import EventLog
from connectors.loop import fastest_loop
from connectors.pace import TokenBucket
from connectors.protocols import SERVERS
from connectors.scenario import Scenario, play
from connectors.server import ServerSession, dial, serve
from connectors.server_dialect import Entry, Receipt, Submitted, Text
from connectors.settings import ServerSettings
from connectors.splitting import UCS2_ONLY, split
from connectors.text import decode, parse_udh
from connectors.values import Coding

_SENDINGS = 3
"""Of a delivery the client answers with an error; an unanswered one is sent until it is."""


class _Delivery(Struct, gc=False):
    """What waits for a slot; `sent` counts how often it went out."""

    item: Receipt | Text
    sent: int = 0


class Simulator:
    """A carrier, every version of its protocol at once. Belongs to one event loop."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.log = EventLog(options.log, keep=options.keep)
        self.sessions: list[ServerSession] = []
        """Those that are logged in."""
        self._connections: set[ServerSession] = set()
        self._port = options.port
        self._behaviour = options.behaviour
        self._random = random.Random(options.behaviour.seed)
        self._protocol = SERVERS[options.protocol]
        self._settings = ServerSettings(
            options.protocol,
            window=options.window,
            heartbeat_s=options.heartbeat_s,
            response_timeout_s=options.response_timeout_s,
            tls=options.tls,
            call_tls=options.call_tls,
            own=options.own,
        )
        self._ids = self._protocol.ids(options.gateway, self._random.randrange(1 << 16))
        self._outbox: deque[_Delivery] = deque()
        self._bucket: TokenBucket | None = None
        self._server: asyncio.Server | None = None
        self._started = False
        self._by_time: list[asyncio.Task[None]] = []
        self._calling: asyncio.Task[None] | None = None
        self.playing: asyncio.Task[None] | None = None
        """The scenario; ends with an exception when a step cannot be done."""
        self._submits = 0
        self._last_source, self._last_destination = "10690000", "13800138000"
        self._reference = 0
        self._minute, self._stamp = -1, ""
        self.behave(self._behaviour)

    @property
    def port(self) -> int:
        """Where it listens; known after `start`."""
        return self._port

    @property
    def waiting(self) -> int:
        """Receipts and texts that wait for a link or a free slot."""
        return len(self._outbox)

    @property
    def usual(self) -> Behaviour:
        """As its options say."""
        return self.options.behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """Change the mood; delays that run already run on."""
        self._behaviour = behaviour
        rate = behaviour.throttle_per_s
        self._bucket = TokenBucket(rate) if rate else None
        self._stop_by_time()
        if self._started:
            self._begin_by_time()
        for session in self._connections:
            session.muted = behaviour.silent
        self._pump()

    async def start(self) -> None:
        """Listen, and begin whatever happens by time."""
        options = self.options
        self.log.open()
        await self.open_port()
        self._started = True
        self._begin_by_time()
        if options.client_port:
            self._calling = asyncio.get_running_loop().create_task(self._call())
        if options.scenario is not None:
            self.play(options.scenario)

    async def stop(self) -> None:
        """Take leave of every client, close the log."""
        self._started = False
        self._stop_by_time()
        for task in (self._calling, self.playing):
            if task is not None:
                task.cancel()
        await self.close_port()
        sessions = list(self.sessions)
        for session in sessions:
            session.leave()
        gone = self.log.counts["close"] + len(sessions)
        with suppress(TimeoutError):  # then they are told more clearly
            await self.log.wait_for("close", gone, timeout=3.0)
        self._abort_all("stopped")
        await asyncio.sleep(0)
        self.log.close()

    def play(self, scenario: Scenario) -> None:
        """Play a scenario from its first step; one that is played ends."""
        if self.playing is not None:
            self.playing.cancel()
        self.playing = asyncio.get_running_loop().create_task(play(self, scenario))

    async def open_port(self) -> None:
        """Listen, on the port of before. Raises OSError when it is taken."""
        if self._server is None:
            self._server = await serve(self, self.options.host, self._port, self._settings)
            self._port = self._server.sockets[0].getsockname()[1]

    async def close_port(self) -> None:
        """Nobody may connect any more; links that stand stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def wait_for(self, event: str, count: int = 1, timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Until `count` events of this name have happened; raises TimeoutError."""
        await self.log.wait_for(event, count, timeout)

    def events(self, event: str) -> list[dict[str, Any]]:
        """The kept events of this name, oldest first."""
        return [line for line in self.log.events if line["event"] == event]

    def drop_links(self) -> None:
        """Break every connection, without a word."""
        self._abort_all("dropped by the simulator")

    def send_raw(self, octets: bytes) -> None:
        """These octets to every client that is logged in, whatever they are."""
        for session in self.sessions:
            session.write(octets)

    def send_inbound(
        self, source: str, destination: str, text: str, *, coding: Coding | None = None
    ) -> None:
        """A text from a phone, in parts when it is long; `coding` GB for GB18030."""
        if coding is Coding.GB:
            items = [Text(source, destination, text.encode("gb18030"), Coding.GB, udh=False)]
        else:
            self._reference += 1
            codings = (coding,) if coding is not None else UCS2_ONLY
            made = split(text, codings, reference=self._reference)
            items = [
                Text(source, destination, part, made.coding, made.udh) for part in made.payloads
            ]
        self._release([_Delivery(item) for item in items])

    def send_receipt(
        self, msg_id: str, *, stat: str = "DELIVRD", source: str = "", destination: str = ""
    ) -> None:
        """A receipt for any id: a second one, an early one, an unknown one."""
        stamp = self._now_stamp()
        self._release([_Delivery(Receipt(msg_id, stat, source, destination, stamp, stamp))])

    def secret(self, session: ServerSession, account: str) -> bytes | None:
        known = not self.options.account or account == self.options.account
        return self.options.password.encode() if known else None

    def connected(self, session: ServerSession) -> None:
        self._connections.add(session)
        session.muted = self._behaviour.silent

    def entered(self, session: ServerSession) -> Entry:
        return self._behaviour.login

    def ready(self, session: ServerSession) -> None:
        self.sessions.append(session)
        self._login(session, 0)
        self._pump()

    def left(self, session: ServerSession, reason: str) -> None:
        self._connections.discard(session)
        if session in self.sessions:
            self.sessions.remove(session)
        elif session.version:
            self._login(session, session.refused)
        values = {"account": session.account, "peer": session.peer, "reason": reason}
        self.log.add("close", values)

    def submitted(self, session: ServerSession, submit: Submitted) -> None:
        self._submits += 1
        behaviour = self._behaviour
        result = self._verdict()
        ids = self._ids.of(submit) if result == 0 else [""] * len(submit.destinations)
        self._log_submit(session, submit, ids, result)
        if behaviour.drop_after and self._submits % behaviour.drop_after == 0:
            session.abort("dropped by the simulator")
        delay = behaviour.answer_delay
        if behaviour.unanswered and self._random.random() < behaviour.unanswered:
            pass  # taken, without a word
        elif delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self._draw(delay), session.answer, submit, ids[0], result)
        else:
            session.answer(submit, ids[0], result)
        if result == 0:
            self._follow(submit, ids)

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None:
        if result and token.sent < _SENDINGS:
            self._outbox.append(token)
        if self._outbox:
            self._pump()

    def undelivered(self, session: ServerSession, tokens: Sequence[Any]) -> None:
        self._outbox.extendleft(reversed(tokens))
        self._pump()

    def _verdict(self) -> int:
        if self._bucket is not None and not self._bucket.take():
            return self._protocol.throttled
        for failure in self._behaviour.failures:
            if failure.at_submit and self._random.random() < failure.share:
                return failure.result
        return 0

    def _stat(self) -> str:
        for failure in self._behaviour.failures:
            if not failure.at_submit and self._random.random() < failure.share:
                return failure.code
        return "DELIVRD"

    def _follow(self, submit: Submitted, ids: Sequence[str]) -> None:
        """What an accepted submit brings about later: receipts, perhaps a reply."""
        behaviour = self._behaviour
        self._last_source, self._last_destination = submit.source, submit.destinations[0]
        items: list[_Delivery] = []
        if behaviour.receipts and submit.report:
            items += self._receipts(submit, ids)
        share = behaviour.inbound_share
        if share and self._random.random() < share:
            reply = split(behaviour.inbound_text, reference=self._submits)
            phone = submit.destinations[0]
            items += [
                _Delivery(Text(phone, submit.source, part, reply.coding, reply.udh))
                for part in reply.payloads
            ]
        if not items:
            return
        delay = behaviour.receipt_delay
        if delay:
            asyncio.get_running_loop().call_later(self._draw(delay), self._release, items)
        else:
            self._release(items)

    def _receipts(self, submit: Submitted, ids: Sequence[str]) -> list[_Delivery]:
        behaviour, stamp = self._behaviour, self._now_stamp()
        if behaviour.strange and self._random.random() < behaviour.strange:
            ids = self._ids.of(submit)  # ids that no answer has had
        made = [
            _Delivery(Receipt(msg_id, self._stat(), submit.source, to, stamp, stamp))
            for msg_id, to in zip(ids, submit.destinations)
        ]
        if behaviour.repeated and self._random.random() < behaviour.repeated:
            made += [_Delivery(structs.replace(each.item), sent=1) for each in made]
        return made

    def _release(self, deliveries: Sequence[_Delivery]) -> None:
        self._outbox.extend(deliveries)
        self._pump()

    def _pump(self) -> None:
        """Deliver on whatever link of the account has a free slot."""
        for session in self.sessions:
            if not self._outbox:
                return
            for _ in range(min(session.free, len(self._outbox))):
                self._deliver(session, self._outbox.popleft())

    def _deliver(self, session: ServerSession, delivery: _Delivery) -> None:
        item = delivery.item
        again, delivery.sent = delivery.sent, delivery.sent + 1
        own_id = self._ids.own()
        if isinstance(item, Receipt):
            item.done = self._now_stamp()
        session.deliver(item, delivery, own_id=own_id)
        self._log_deliver(session, item, own_id, again)

    async def _call(self) -> None:
        """Keep a connection to the client that listens for us, as an SGIP gateway does."""
        options = self.options
        pauses = Backoff(0.1, 5.0)
        while True:
            try:
                session = await dial(self, options.client_host, options.client_port, self._settings)
            except OSError:
                await asyncio.sleep(pauses.next())
                continue
            await session.gone.wait()
            if session.account:
                pauses.reset()
            await asyncio.sleep(pauses.next())

    def _log_submit(
        self, session: ServerSession, submit: Submitted, ids: Sequence[str], result: int
    ) -> None:
        for msg_id, to in zip(ids, submit.destinations):
            self.log.add(
                "submit",
                {
                    "account": session.account,
                    "source": submit.source,
                    "destination": to,
                    "text": submit.text,
                    "id": msg_id,
                    "result": result,
                    "coding": submit.coding,
                    "reference": submit.reference,
                    "total": submit.total,
                    "number": submit.number,
                },
            )

    def _log_deliver(
        self, session: ServerSession, item: Receipt | Text, own_id: str, again: int
    ) -> None:
        values: dict[str, Any] = {
            "account": session.account,
            "source": item.source,
            "destination": item.destination,
        }
        if isinstance(item, Receipt):
            values |= {"id": item.id, "stat": item.stat, "again": again}
            self.log.add("receipt", values)
            return
        octets = parse_udh(item.payload)[1] if item.udh else item.payload
        values |= {"text": decode(octets, item.coding), "id": own_id, "again": again}
        self.log.add("inbound", values)

    def _begin_by_time(self) -> None:
        """What the mood brings about by the clock."""
        every = (
            (self._behaviour.drop_every_s, self.drop_links),
            (self._behaviour.inbound_every_s, self._inbound_by_time),
        )
        loop = asyncio.get_running_loop()
        self._by_time = [loop.create_task(_repeat(s, act)) for s, act in every if s]

    def _stop_by_time(self) -> None:
        for task in self._by_time:
            task.cancel()
        self._by_time = []

    def _abort_all(self, reason: str) -> None:
        for session in list(self._connections):
            session.abort(reason)

    def _inbound_by_time(self) -> None:
        text = self._behaviour.inbound_text
        self.send_inbound(self._last_destination, self._last_source, text)

    def _draw(self, span: Span) -> float:
        """Seconds."""
        return self._random.uniform(span.low, span.high) / 1000

    def _now_stamp(self) -> str:
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute = minute
            moment = datetime.fromtimestamp(minute * 60, BEIJING)
            self._stamp = moment.strftime("%y%m%d%H%M")
        return self._stamp

    def _login(self, session: ServerSession, result: int) -> None:
        self.log.add(
            "login",
            {
                "account": session.account,
                "peer": session.peer,
                "version": session.version,
                "result": result,
            },
        )


async def _repeat(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()


async def run(options: SimulatorOptions, started: Callable[[Simulator], None]) -> None:
    """Run a simulator until SIGTERM or Ctrl-C; `started` is told when it listens.

    Raises what ended its scenario, if it was a fault.
    """
    simulator = Simulator(options)
    await simulator.start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            # Windows' loop has no signal handlers of its own; there the main thread's will do.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(ended.set))
    started(simulator)
    # Woken now and then, because Windows runs signal handlers only between two callbacks.
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), 1.0)
        except TimeoutError:
            if _failed(simulator.playing):
                break
    await simulator.stop()
    if simulator.playing is not None and _failed(simulator.playing):
        await simulator.playing


def _failed(task: asyncio.Task[None] | None) -> bool:
    return (
        task is not None and task.done() and not task.cancelled() and task.exception() is not None
    )


def main(options: SimulatorOptions, started: Callable[[Simulator], None]) -> None:
    """`run` on the fastest event loop there is. Raises OSError when the port is taken."""
    # Messages leave nothing that needs the collector.
    gc.freeze()
    gc.set_threshold(10_000, 50)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(run(options, started))
