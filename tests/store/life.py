"""Messages living in a real store: accepted, sent, answered, as the node would do it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Begin, Outcome, PartResult, Received, Reported, Verdict
from adapter.domain.states import Carrier, Door, DoubtRule, Lane, State
from adapter.domain.values import Message, Submission, Waiting
from adapter.store.acceptance import Acceptance
from adapter.store.capacity import Capacity
from adapter.store.clock import to_ms
from adapter.store.committer import Committer
from adapter.store.engine import write_connection
from adapter.store.inbound import take
from adapter.store.recording import record
from adapter.store.settlement import settle_doubts
from adapter.store.spooling import begin
from adapter.store.withdrawal import withdraw


class Life:
    """Drives the store at a moment that the test sets."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now
        self.ids = IdMaker(clock=lambda: self.now.timestamp())
        self._arrived: list[Waiting] = []
        self._committer = Committer(engine, "life")
        self._acceptance = Acceptance(
            self._committer, self.ids, Capacity(1_000_000), self._arrived.extend, lambda _: None
        )
        self._committer.start()

    def end(self) -> None:
        self._committer.stop()

    @property
    def ms(self) -> int:
        return to_ms(self.now)

    def accept(
        self,
        count: int,
        client: str = "his",
        business: str = "lab",
        door: Door = Door.SOAP,
        carrier: Carrier = Carrier.MOBILE,
        segments: int = 1,
        source: str = "",
    ) -> list[Waiting]:
        """`count` messages in one submission."""
        (made,) = self.ids.take(1)
        its = Submission(
            id=made,
            client=client,
            door=door,
            source=source,
            client_ref="",
            business=business,
            lane=Lane.NORMAL,
            content="text",
            extension="",
            pass_through="",
            business_key="",
            receipt=True,
            accepted_at=self.now,
            due_at=self.now,
            expire_at=self.now + timedelta(days=1),
        )
        own = [
            Message(each, made, "", f"138{each % 10**8:08}", carrier, None, segments)
            for each in self.ids.take(count)
        ]
        self._arrived.clear()
        self._acceptance.offer([(its, own)])()
        return list(self._arrived)

    def submit(
        self,
        waiting: Sequence[Waiting],
        channel: str = "main",
        verdict: Verdict = Verdict.SUBMITTED,
    ) -> None:
        """Send, and hear the carrier's answer."""
        ok = verdict is Verdict.SUBMITTED
        with self._writing() as connection, connection.begin():
            begin(connection, [Begin(each, channel, self.ms) for each in waiting])
            outcomes = [
                Outcome(each, channel, verdict, self._parts(each, ok), self.ms, due_at=self.ms)
                for each in waiting
            ]
            record(connection, self.ids, outcomes, ())

    def report(
        self, waiting: Sequence[Waiting], channel: str = "main", delivered: bool = True
    ) -> None:
        """The carrier's receipts come."""
        code = "DELIVRD" if delivered else "UNDELIV"
        reports = [
            Reported(
                channel, part.carrier_id, code, delivered, each.message.mobile, "", "", self.ms
            )
            for each in waiting
            for part in self._parts(each, True)
        ]
        with self._writing() as connection, connection.begin():
            record(connection, self.ids, (), reports)

    def lose(self, waiting: Sequence[Waiting], channel: str = "main") -> None:
        """Send; the line breaks before the carrier answers."""
        with self._writing() as connection, connection.begin():
            begin(connection, [Begin(each, channel, self.ms) for each in waiting])
            outcomes = [
                Outcome(each, channel, Verdict.DOUBT, (), self.ms, due_at=self.ms + 60_000)
                for each in waiting
            ]
            record(connection, self.ids, outcomes, ())

    def settle(self) -> None:
        """Look for receipts that fit what is in doubt."""
        with self._writing() as connection, connection.begin():
            settle_doubts(connection, self.ids, self.ms, lambda *_of: DoubtRule.WAIT)

    def cancel(self, waiting: Sequence[Waiting], state: State = State.CANCELLED) -> None:
        with self._writing() as connection, connection.begin():
            withdraw(connection, self.ids, [each.message.id for each in waiting], state)

    def inbound(self, mobile: str, channel: str = "main") -> None:
        """A text from a phone."""
        text = Received(channel, mobile, "yes", "10690001", "", self.ms)
        with self._writing() as connection, connection.begin():
            take(connection, self.ids, [text], {}, {})

    def _writing(self) -> Connection:
        return write_connection(self.engine)

    @staticmethod
    def _parts(each: Waiting, ok: bool) -> list[PartResult]:
        numbers = each.parts or range(1, each.message.segments + 1)
        return [
            PartResult(number, ok, f"{each.message.id}-{number}" if ok else "", "0" if ok else "9")
            for number in numbers
        ]
