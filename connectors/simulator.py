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

`id` joins submit and receipt: 16 hex digits. A submit that was not accepted (throttled or
refused) has `result` other than 0 and no id. A receipt or inbound is logged when it is written;
`again` counts repeats.

Limits: what is not delivered yet is kept in memory, about 400 octets each.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.behaviour import Behaviour, SimulatorOptions, Span
from connectors.cmpp.auth import BEIJING
from connectors.cmpp.msgid import MsgIds, nth
from connectors.cmpp.pdus import Deliver, Submit
from connectors.cmpp.report import StatusReport, encode_report
from connectors.cmpp.server import OK, ServerSession, ServerSettings, serve
from connectors.eventlog import EventLog
from connectors.loop import fastest_loop
from connectors.pace import TokenBucket
from connectors.text import decode, parse_udh, plain, split
from connectors.values import Coding

_FLOW_CONTROL = 8
_SENDINGS = 3
"""Of a delivery the client answers with an error; an unanswered one is sent until it is."""
_ASCII = "ascii"


@dataclass(slots=True)
class _Receipt:
    msg_id: bytes
    stat: bytes
    source: bytes
    destination: bytes
    submitted: bytes
    sent: int = 0


@dataclass(slots=True)
class _Text:
    source: bytes
    destination: bytes
    coding: int
    payload: bytes
    udh: bool
    sent: int = 0


class Simulator:
    """A CMPP carrier, 2.0 and 3.0 at once. Belongs to one event loop."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.log = EventLog(options.log, keep=options.keep)
        self.sessions: list[ServerSession] = []
        self._behaviour = options.behaviour
        self._random = random.Random(options.behaviour.seed)
        self._ids = MsgIds(options.gateway, self._random.randrange(1 << 16))
        self._outbox: deque[_Receipt | _Text] = deque()
        self._bucket: TokenBucket | None = None
        self._server: asyncio.Server | None = None
        self._timers: list[asyncio.Task[None]] = []
        self._submits = 0
        self._last_source, self._last_destination = b"10690000", b"13800138000"
        self._reference = 0
        self._minute, self._stamp = -1, b""
        self.behave(self._behaviour)

    @property
    def port(self) -> int:
        """Where it listens; known after `start`."""
        if self._server is None or not self._server.sockets:
            return self.options.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def waiting(self) -> int:
        """Receipts and texts that wait for a link or a free slot."""
        return len(self._outbox)

    def behave(self, behaviour: Behaviour) -> None:
        """Change the mood; delays that run already run on."""
        self._behaviour = behaviour
        rate = behaviour.throttle_per_s
        self._bucket = TokenBucket(rate) if rate else None

    async def start(self) -> None:
        """Listen, and begin whatever happens by time."""
        options = self.options
        settings = ServerSettings(
            window=options.window,
            heartbeat_s=options.heartbeat_s,
            response_timeout_s=options.response_timeout_s,
        )
        self.log.open()
        self._server = await serve(self, options.host, options.port, settings)
        every = (
            (self._behaviour.drop_every_s, self.drop_links),
            (self._behaviour.inbound_every_s, self._inbound_by_time),
        )
        loop = asyncio.get_running_loop()
        self._timers = [loop.create_task(_repeat(s, act)) for s, act in every if s]

    async def stop(self) -> None:
        """Take leave of every client, close the log."""
        for task in self._timers:
            task.cancel()
        if self._server is not None:
            self._server.close()
            sessions = list(self.sessions)
            for session in sessions:
                session.leave()
            gone = self.log.counts["close"] + len(sessions)
            try:
                await self.log.wait_for("close", gone, timeout=3.0)
            except TimeoutError:
                for session in list(self.sessions):
                    session.abort("stopped")
                await asyncio.sleep(0)
            self._server = None
        self.log.close()

    async def wait_for(self, event: str, count: int = 1, timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Until `count` events of this name have happened; raises TimeoutError."""
        await self.log.wait_for(event, count, timeout)

    def events(self, event: str) -> list[dict[str, Any]]:
        """The kept events of this name, oldest first."""
        return [line for line in self.log.events if line["event"] == event]

    def drop_links(self) -> None:
        """Break every connection, without a word."""
        for session in list(self.sessions):
            session.abort("dropped by the simulator")

    def send_inbound(
        self, source: str, destination: str, text: str, *, coding: Coding | None = None
    ) -> None:
        """A text from a phone, in parts when it is long; `coding` GB for GB18030."""
        if coding is Coding.GB:
            parts, fmt, udh = [text.encode("gb18030")], Coding.GB, False
        else:
            self._reference += 1
            made = split(text, gsm=coding is Coding.ASCII, reference=self._reference)
            parts, fmt, udh = made.payloads, made.coding, made.udh
        ends = source.encode(_ASCII), destination.encode(_ASCII)
        self._outbox.extend(_Text(*ends, fmt, part, udh) for part in parts)
        self._pump()

    def send_receipt(
        self, msg_id: str, *, stat: str = "DELIVRD", source: str = "", destination: str = ""
    ) -> None:
        """A receipt for any id (16 hex digits): a second one, an early one, an unknown one."""
        ends = source.encode(_ASCII), destination.encode(_ASCII)
        self._outbox.append(
            _Receipt(bytes.fromhex(msg_id), stat.encode(_ASCII), *ends, self._now_stamp())
        )
        self._pump()

    def secret(self, session: ServerSession, account: str) -> bytes | None:
        known = not self.options.account or account == self.options.account
        return self.options.password.encode() if known else None

    def entered(self, session: ServerSession) -> int:
        return OK

    def ready(self, session: ServerSession) -> None:
        self.sessions.append(session)
        self._login(session, OK)
        self._pump()

    def left(self, session: ServerSession, reason: str) -> None:
        if session in self.sessions:
            self.sessions.remove(session)
        elif session.version_byte:
            self._login(session, session.refused)
        values = {"account": session.account, "peer": session.peer, "reason": reason}
        self.log.add("close", values)

    def submitted(self, session: ServerSession, submit: Submit) -> None:
        self._submits += 1
        result = self._verdict(submit)
        count = len(submit.dest_terminal_id)
        msg_id = self._ids.take(count) if result == 0 else bytes(8)
        self._log_submit(session, submit, msg_id, result)
        drop_after = self._behaviour.drop_after
        if drop_after and self._submits % drop_after == 0:
            session.abort("dropped by the simulator")
        delay = self._behaviour.answer_delay
        if delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self._draw(delay), session.answer, submit, msg_id, result)
        else:
            session.answer(submit, msg_id, result)
        if result == 0:
            self._follow(submit, msg_id)

    def acknowledged(self, session: ServerSession, token: Any, result: int) -> None:
        if result and token.sent < _SENDINGS:
            self._outbox.append(token)
        if self._outbox:
            self._pump()

    def undelivered(self, session: ServerSession, tokens: Sequence[Any]) -> None:
        self._outbox.extendleft(reversed(tokens))
        self._pump()

    def _verdict(self, submit: Submit) -> int:
        if self._bucket is not None and not self._bucket.take():
            return _FLOW_CONTROL
        for failure in self._behaviour.failures:
            if failure.at_submit and self._random.random() < failure.share:
                return int(failure.code)
        return 0

    def _stat(self) -> bytes:
        for failure in self._behaviour.failures:
            if not failure.at_submit and self._random.random() < failure.share:
                return failure.code.encode(_ASCII)
        return b"DELIVRD"

    def _follow(self, submit: Submit, msg_id: bytes) -> None:
        """What an accepted submit brings about later: receipts, perhaps a reply."""
        behaviour = self._behaviour
        self._last_source, self._last_destination = submit.src_id, submit.dest_terminal_id[0]
        items: list[_Receipt | _Text] = []
        if behaviour.receipts and submit.registered_delivery == 1:
            stamp = self._now_stamp()
            items += [
                _Receipt(nth(msg_id, k) if k else msg_id, self._stat(), submit.src_id, to, stamp)
                for k, to in enumerate(submit.dest_terminal_id)
            ]
        share = behaviour.inbound_share
        if share and self._random.random() < share:
            reply = split(behaviour.inbound_text, reference=self._submits)
            phone = submit.dest_terminal_id[0]
            items += [
                _Text(phone, submit.src_id, reply.coding, part, reply.udh)
                for part in reply.payloads
            ]
        if not items:
            return
        delay = behaviour.receipt_delay
        if delay:
            asyncio.get_running_loop().call_later(self._draw(delay), self._release, items)
        else:
            self._release(items)

    def _release(self, items: list[_Receipt | _Text]) -> None:
        self._outbox.extend(items)
        self._pump()

    def _pump(self) -> None:
        """Deliver on whatever link of the account has a free slot."""
        for session in self.sessions:
            for _ in range(min(session.free, len(self._outbox))):
                self._deliver(session, self._outbox.popleft())

    def _deliver(self, session: ServerSession, item: _Receipt | _Text) -> None:
        again, item.sent = item.sent, item.sent + 1
        own_id = self._ids.take()
        if isinstance(item, _Receipt):
            report = StatusReport(
                item.msg_id, item.stat, item.submitted, self._now_stamp(), item.destination
            )
            pdu = Deliver(
                msg_id=own_id,
                dest_id=item.source,
                src_terminal_id=item.destination,
                registered_delivery=1,
                msg_content=encode_report(report, session.version),
            )
        else:
            pdu = Deliver(
                msg_id=own_id,
                dest_id=item.destination,
                src_terminal_id=item.source,
                tp_udhi=1 if item.udh else 0,
                msg_fmt=item.coding,
                msg_content=item.payload,
            )
        session.deliver(pdu, item)
        self._log_deliver(session, item, own_id, again)

    def _log_submit(
        self, session: ServerSession, submit: Submit, msg_id: bytes, result: int
    ) -> None:
        content = submit.msg_content
        udh, octets = parse_udh(content) if submit.tp_udhi else (None, content)
        text = decode(octets, submit.msg_fmt)
        for k, to in enumerate(submit.dest_terminal_id):
            self.log.add(
                "submit",
                {
                    "account": session.account,
                    "source": plain(submit.src_id),
                    "destination": plain(to),
                    "text": text,
                    "id": "" if result else nth(msg_id, k).hex(),
                    "result": result,
                    "coding": submit.msg_fmt,
                    "reference": udh.reference if udh else 0,
                    "total": submit.pk_total,
                    "number": submit.pk_number,
                },
            )

    def _log_deliver(
        self, session: ServerSession, item: _Receipt | _Text, own_id: bytes, again: int
    ) -> None:
        values: dict[str, Any] = {
            "account": session.account,
            "source": plain(item.source),
            "destination": plain(item.destination),
        }
        if isinstance(item, _Receipt):
            values |= {"id": item.msg_id.hex(), "stat": plain(item.stat), "again": again}
            self.log.add("receipt", values)
            return
        octets = parse_udh(item.payload)[1] if item.udh else item.payload
        values |= {"text": decode(octets, item.coding), "id": own_id.hex(), "again": again}
        self.log.add("inbound", values)

    def _inbound_by_time(self) -> None:
        text = self._behaviour.inbound_text
        source, destination = plain(self._last_destination), plain(self._last_source)
        self.send_inbound(source, destination, text)

    def _draw(self, span: Span) -> float:
        """Seconds."""
        return self._random.uniform(span.low, span.high) / 1000

    def _now_stamp(self) -> bytes:
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute = minute
            moment = datetime.fromtimestamp(minute * 60, BEIJING)
            self._stamp = moment.strftime("%y%m%d%H%M").encode(_ASCII)
        return self._stamp

    def _login(self, session: ServerSession, result: int) -> None:
        self.log.add(
            "login",
            {
                "account": session.account,
                "peer": session.peer,
                "version": f"{session.version_byte >> 4}.{session.version_byte & 15}",
                "result": result,
            },
        )


async def _repeat(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()


async def run(options: SimulatorOptions, started: Callable[[Simulator], None]) -> None:
    """Run a simulator until SIGTERM or Ctrl-C; `started` is told when it listens."""
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
            continue
    await simulator.stop()


def main(options: SimulatorOptions, started: Callable[[Simulator], None]) -> None:
    """`run` on the fastest event loop there is. Raises OSError when the port is taken."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(run(options, started))
