"""A Source: a hospital's table in, results back. Owns three threads and at most three connections.

    claimer     takes a batch of new rows, offers it, takes the next one meanwhile
    hander      hands a batch to `take`, and the next one while the first becomes durable
    answerer    waits for the answers, and keeps them until they are written

What happens when the process dies between any two steps (with the strategy `status`; what
another one does instead stands in its file):

    before the claim's commit      the row is new, and claimed by the next start
    after it, before `take`        the row is claimed without MESSAGE_ID: it is left over
    after `take`, no answer yet    the same; `take` gives the first answer again
    after the answer               nothing is left to do

Any database error throws the connection away; the source tries again, slower and
slower, and says so once when it goes down, once when somebody should come, and once when it
is back. Bounded by configuration: at most five batches of rows and `MOST_ANSWERS` answers
are in memory.

Limits: several nodes may poll one table if they share one store (a node that starts may
hand in what another one has just claimed; the store's key then keeps it single).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime

from sqlalchemy import Connection

from dbpoll.answers import Answers
from dbpoll.claiming import Claimer
from dbpoll.database import Line, open_engine, reason
from dbpoll.feeds.base import Marks, NoMarks
from dbpoll.handing import Hander
from dbpoll.home import Home
from dbpoll.pacing import Pace
from dbpoll.settings import Settings, Strategy
from dbpoll.troubles import Troubles
from dbpoll.values import Health, InboundRow, Locked, Row, StateChange, Take, Taken
from dbpoll.writeback import CHUNK

LOCKED_S = 5.0
"""An answer for a row that the hospital has locked is tried again after this long."""

_WAIT_S = 0.5
"""A stop is noticed so late by a thread that has nothing to do."""


def _wall() -> datetime:
    return datetime.now(UTC)


class Source:
    """Polls one table until stopped. `marks` keeps the watermark of a table that has one.

    `write`, `write_receipts` and `write_inbound` block, may be called from any thread, and
    raise what the database raises, or Locked, when not everything was written: the same
    call may then be made again.
    """

    def __init__(
        self,
        settings: Settings,
        take: Take,
        wall: Callable[[], datetime] = _wall,
        marks: Marks | None = None,
    ) -> None:
        self._settings = settings
        self._engine = open_engine(settings)
        self._line = Line(self._engine, self._relax)
        self._home = Home(settings, self._line_home())
        self._stopping = threading.Event()
        self._troubles = Troubles(settings.name, self._line.tongue, self._stopping)
        removes = settings.strategy is Strategy.REMOVE
        self._row_told = settings.row_written and not removes
        delay_s = 0.0 if removes else settings.answer_delay_s
        self._answers = Answers(delay_s, written=self._row_told or removes)
        self._hander = Hander(settings, take, self._keep, self._troubles, self._stopping)
        self._claimer = Claimer(
            settings,
            self._line,
            # With a single connection reading and writing take turns.
            self._home.turns if self._shares_line else nullcontext(),
            marks or NoMarks(),
            self._answers,
            self._hander.offer,
            wall,
            self._troubles,
        )
        self._ear = None
        if settings.connections > 2:
            self._ear = self._line.tongue.ear(self._engine, settings, self.wake)
        self._threads = [
            threading.Thread(target=work, name=f"{name}-{settings.name}", daemon=True)
            for name, work in (
                ("claim", self._claim_forever),
                ("hand", self._hand_forever),
                ("answer", self._answer_forever),
            )
        ]

    @property
    def name(self) -> str:
        return self._settings.name

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        if self._ear is not None:
            self._ear.start()

    def claim_no_more(self) -> None:
        """Claim no more rows. Those claimed are handed in; writing goes on until `stop`."""
        self._claimer.end()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Stop claiming, write the answers that are known, end. False if a thread still hangs
        in a call outside Python; it is a daemon and keeps nothing from exiting."""
        ends = time.monotonic() + timeout_s
        self._stopping.set()
        self.claim_no_more()
        if self._threads[0].ident is None:
            self.close()
            return True
        if self._ear is not None:
            self._ear.stop()
        if not self._shares_line:
            self._line.interrupt()
        self._join(time.monotonic() + timeout_s * 0.6)
        self._home.line.interrupt()
        self._join(ends)
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Look for new rows now."""
        self._claimer.wake()

    def health(self) -> Health:
        why = self._troubles.reason
        return Health(
            self.name,
            not why,
            why,
            self._claimer.polled_at,
            self._claimer.lag_s,
            self._claimer.claimed,
            self._answers.refused_count + self._claimer.keyless,
            self._home.written,
            len(self._answers.held),
            self._claimer.broken,
            self._home.refused,
            self._home.refusal,
        )

    def reason(self, fault: BaseException) -> str:
        """What may be told of an error of the database."""
        return reason(fault, self._home.line.tongue)

    def write(self, changes: Sequence[StateChange]) -> None:
        """Write changes of state into their rows, where rows tell them."""
        if self._row_told:
            self._write_rows(changes)

    def write_receipts(self, changes: Iterable[StateChange]) -> None:
        """Add final states to the receipt table, if there is one; else nobody asks for them."""
        if not (self._settings.receipt_table or self._settings.sql.receipt):
            return
        if receipts := list(changes):
            self._home.write(lambda home: home.receipts(receipts))

    def write_inbound(self, texts: Sequence[InboundRow]) -> None:
        """Add inbound texts to the inbound table, if there is one."""
        if texts and (self._settings.inbound_table or self._settings.sql.inbound):
            self._home.write(lambda home: home.inbound(texts))

    def peek(self, most: int) -> list[Row]:
        """The next new rows as they would be handed in; nothing is claimed. An own statement
        is undone."""
        return self._claimer.peek(most)

    def close(self) -> None:
        """Give up the connections of a source that was never started."""
        self._line.close()
        self._home.close()

    def _claim_forever(self) -> None:
        self._claimer.run()
        if not self._shares_line:
            self._line.close()

    def _hand_forever(self) -> None:
        while not self._stopping.is_set():
            if self._answers.full:
                self._stopping.wait(_WAIT_S)
            else:
                self._hander.hand(_WAIT_S)

    def _answer_forever(self) -> None:
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        wait_s = min(1.0, max(0.05, self._settings.answer_delay_s / 2))
        while not self._stopping.is_set():
            self._hander.settle(wait_s)
            try:
                self._write_answers(time.monotonic())
            except Exception as fault:
                self._troubles.came("answer", fault)
                self._stopping.wait(trouble.next())
            else:
                self._troubles.passed("answer")
                trouble.reset()
        self._hander.settle_last()
        with suppress(Exception):
            self._write_answers(float("inf"))
        self._home.close()

    def _keep(self, answers: Sequence[Taken]) -> None:
        self._claimer.accepted([answer.key for answer in answers])
        self._answers.keep(answers)

    def _write_answers(self, now: float) -> None:
        while due := self._answers.due(now, CHUNK):
            try:
                self._write_rows(due)
            except Locked as fault:
                self._answers.postpone(fault.keys, time.monotonic() + LOCKED_S)
                return

    def _write_rows(self, changes: Sequence[StateChange]) -> None:
        try:
            self._home.write(lambda home: home.rows(changes))
        except Locked as fault:
            self._answers.landed([each for each in changes if each.key not in fault.keys])
            raise
        self._answers.landed(changes)

    @property
    def _shares_line(self) -> bool:
        return self._home.line is self._line

    def _line_home(self) -> Line:
        if self._settings.results_url:
            return Line(open_engine(self._settings, self._settings.results_url))
        return self._line if self._settings.connections == 1 else Line(self._engine)

    def _relax(self, connection: Connection) -> None:
        # Where rows may be sent again, a claim that the database forgot would look like that.
        if not self._settings.resend:
            self._line.tongue.relax(connection)

    def _join(self, ends: float) -> None:
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - time.monotonic()))
