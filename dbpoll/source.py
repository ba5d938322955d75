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

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, TypeVar

import structlog
from sqlalchemy import Connection

from dbpoll.answers import Answers
from dbpoll.database import Line, open_engine, reason
from dbpoll.feeds import feed_for
from dbpoll.feeds.base import AGAIN, NONE, Batch, Feed, Marks, NoMarks
from dbpoll.pacing import BatchSize, Breaker, Looks, Pace
from dbpoll.settings import Settings, Strategy
from dbpoll.tables import Tables, find, find_outbound, find_results
from dbpoll.values import (
    Answered,
    Health,
    InboundRow,
    Locked,
    NotNow,
    Row,
    StateChange,
    Take,
    Taken,
)
from dbpoll.writeback import CHUNK, Writeback

TRIES = 3
# An answer for a row that the hospital has locked is tried again after this long.
LOCKED_S = 5.0

_WAIT_S = 0.5
"""A stop is noticed so late by a thread that has nothing to do."""

SPACING_S = 0.03
"""Between two looks of which the first did not fill its batch."""

T = TypeVar("T")


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
        self._take = take
        self._wall = wall
        self._marks = marks or NoMarks()
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._engine = open_engine(settings)
        self._claim_line = Line(self._engine, self._relax)
        self._write_line = self._line_home()
        self._ear = None
        if settings.connections > 2:
            self._ear = self._claim_line.tongue.ear(self._engine, settings, self.wake)
        self._stopping = threading.Event()
        self._full = threading.Event()
        self._woken = threading.Event()
        self._offered: queue.Queue[list[Row]] = queue.Queue(maxsize=1)
        self._handed: queue.Queue[tuple[list[Row], Answered]] = queue.Queue(maxsize=1)
        # `take` is never called by two threads at once.
        self._taking = threading.Lock()
        # Guards the write line: two writers of one table would meet each other's locks.
        self._writing = threading.Lock()
        self._writeback: Writeback | None = None
        removes = settings.strategy is Strategy.REMOVE
        self._row_told = settings.row_written and not removes
        delay_s = 0.0 if removes else settings.answer_delay_s
        self._answers = Answers(delay_s, written=self._row_told or removes)
        self._stumbled: list[Row] = []
        self._feed: Feed | None = None
        self._doubts = False
        self._known: set[str] = set()
        self._looks = Looks(settings.poll_min_s, settings.poll_max_s, settings.warm_s)
        self._breaker = Breaker(settings.retry_min_s, settings.retry_max_s)
        self._size = BatchSize(settings.batch)
        self._troubles: dict[str, str] = {}
        self._claimed = 0
        self._written = 0
        self._keyless = 0
        self._refused_writes = 0
        self._refusal = ""
        self._polled_at: datetime | None = None
        self._lag_s = 0.0
        self._threads = [
            threading.Thread(
                target=self._claim_forever, name=f"claim-{settings.name}", daemon=True
            ),
            threading.Thread(target=self._hand_forever, name=f"hand-{settings.name}", daemon=True),
            threading.Thread(
                target=self._answer_forever, name=f"answer-{settings.name}", daemon=True
            ),
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
        self._full.set()
        self._woken.set()

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
        if self._claim_line is not self._write_line:
            self._claim_line.interrupt()
        self._join(time.monotonic() + timeout_s * 0.6)
        self._write_line.interrupt()
        self._join(ends)
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Look for new rows now."""
        self._woken.set()

    def health(self) -> Health:
        return Health(
            self.name,
            not self._troubles,
            "; ".join(list(self._troubles.values())),
            self._polled_at,
            self._lag_s,
            self._claimed,
            self._answers.refused_count + self._keyless,
            self._written,
            len(self._answers.held),
            self._breaker.open,
            self._refused_writes,
            self._refusal,
        )

    def reason(self, fault: BaseException) -> str:
        """What may be told of an error of the database."""
        return reason(fault, self._write_line.tongue)

    def write(self, changes: Sequence[StateChange]) -> None:
        """Write changes of state into their rows, where rows tell them."""
        if not self._row_told:
            return
        try:
            self._write(lambda home: home.rows(changes))
        except Locked as fault:
            self._answers.landed([each for each in changes if each.key not in fault.keys])
            raise
        self._answers.landed(changes)

    def write_receipts(self, changes: Iterable[StateChange]) -> None:
        """Add final states to the receipt table, if there is one; else nobody asks for them."""
        if not (self._settings.receipt_table or self._settings.sql.receipt):
            return
        if receipts := list(changes):
            self._write(lambda home: home.receipts(receipts))

    def write_inbound(self, texts: Sequence[InboundRow]) -> None:
        """Add inbound texts to the inbound table, if there is one."""
        if texts and (self._settings.inbound_table or self._settings.sql.inbound):
            self._write(lambda home: home.inbound(texts))

    def peek(self, most: int) -> list[Row]:
        """The next new rows as they would be handed in; nothing is claimed. An own statement
        is undone."""

        def look(connection: Connection) -> list[Row]:
            feed = self._feed_of(connection, Undone(self._marks))
            raise _Seen(feed.look(connection, most, self._wall()))

        try:
            return self._claim_line.run(look)
        except _Seen as seen:
            return seen.rows

    def close(self) -> None:
        """Give up the connections of a source that was never started."""
        self._claim_line.close()
        self._write_line.close()

    # The claimer.

    def _claim_forever(self) -> None:
        while not self._full.is_set():
            self._woken.clear()
            # News of rows hurries no try after a failure.
            alarm = self._woken
            try:
                delay = self._claim_once()
            except Exception as fault:
                # The table may have been altered, and a commit may have succeeded although its
                # answer was lost: a new feed looks at everything again.
                self._feed = None
                alarm = self._full
                was_open = self._breaker.open
                delay = self._breaker.failed()
                self._in_trouble("claim", fault)
                if self._breaker.open and not was_open:
                    told = reason(fault, self._claim_line.tongue)
                    self._log.error("source_broken", reason=told, next_try_s=delay)
            else:
                self._all_well("claim")
                self._breaker.well()
            # Rows that come one by one are taken some at a time, however loud their news.
            if delay and not self._full.wait(min(delay, SPACING_S)):
                alarm.wait(max(0.0, delay - SPACING_S))
        if self._claim_line is not self._write_line:
            self._claim_line.close()

    def _claim_once(self) -> float:
        """Take and offer one batch; how long to wait before the next one."""
        if self._feed is None:
            self._feed = self._read(self._feed_of, writes=False)
        feed = self._feed
        again = False
        if feed.due(time.monotonic()):
            left = self._read(
                lambda connection: feed.left_over(connection, self._wall()), writes=False
            )
            self._offer(left.rows)
            self._refuse_keyless(feed)
            feed.turned(time.monotonic())
            again = left.more or feed.due(time.monotonic())
        began = time.monotonic()
        try:
            batch = self._claim(feed)
        except Exception:
            # Perhaps for want of time: then fewer rows may do.
            self._size.took(0, time.monotonic() - began)
            raise
        took_s = time.monotonic() - began
        self._size.took(len(batch.rows), took_s)
        self._polled_at = self._wall()
        self._lag_s = batch.lag_s
        self._offer(batch.rows)
        pause = self._looks.pause(time.monotonic(), len(batch.rows), took_s)
        return 0.0 if batch.more or again else pause

    def _refuse_keyless(self, feed: Feed) -> None:
        if not feed.may_lack_keys:
            return
        wall = self._wall()
        if refused := self._read(lambda c: feed.refuse_keyless(c, wall), writes=feed.writes):
            self._keyless += refused
            self._log.error("rows_without_key", rows=refused)

    def _claim(self, feed: Feed) -> Batch:
        if feed.looks_first and not self._read(feed.waiting, writes=False, alone=True):
            return NONE
        most = self._size.rows
        try:
            batch = self._read(
                lambda connection: feed.take(connection, most, self._wall()),
                writes=feed.writes,
                alone=feed.alone,
            )
            self._doubts = False
            return batch
        except Exception as fault:
            if not self._claim_line.tongue.blames_row(fault):
                raise
            if feed.alone and self._doubts:
                raise
            if feed.alone:
                # Perhaps committed before it could be read: then it is left over, and a new feed
                # looks for that first, row by row.
                self._feed, self._doubts = None, True
                return AGAIN
            return self._read(
                lambda connection: feed.take_singly(connection, most, self._wall()),
                writes=feed.writes,
            )

    def _feed_of(self, connection: Connection, marks: Marks | None = None) -> Feed:
        found = find_outbound(connection, self._settings)
        tongue = self._claim_line.tongue
        return feed_for(
            self._settings, found, tongue, self._answers.held, self._known, marks or self._marks
        )

    def _read(self, work: Callable[[Connection], T], *, writes: bool, alone: bool = False) -> T:
        # With a single connection reading and writing take turns.
        with self._writing if self._claim_line is self._write_line else nullcontext():
            return self._claim_line.run(work, writes=writes, alone=alone)

    def _offer(self, rows: list[Row]) -> None:
        if not rows:
            return
        self._claimed += len(rows)
        self._answers.hold([row.key for row in rows])
        self._put(self._offered, rows)

    # The hander.

    def _hand_forever(self) -> None:
        while not self._stopping.is_set():
            if self._answers.full:
                self._stopping.wait(_WAIT_S)
                continue
            with suppress(queue.Empty):
                if rows := self._offered.get(timeout=_WAIT_S):
                    self._put(self._handed, (rows, self._taken_in(rows)))

    def _taken_in(self, rows: list[Row]) -> Answered:
        """Hand rows to `take`. What is in the way then is told where the answers are awaited."""
        try:
            with self._taking:
                return self._take(rows)
        except Exception as fault:
            return partial(_raise, fault)

    def _put(self, into: queue.Queue[T], item: T) -> None:
        while not self._stopping.is_set():
            with suppress(queue.Full):
                into.put(item, timeout=0.5)
                return

    # The answerer.

    def _answer_forever(self) -> None:
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        wait_s = min(1.0, max(0.05, self._settings.answer_delay_s / 2))
        while not self._stopping.is_set():
            self._settle(*self._next(wait_s))
            try:
                self._write_answers(time.monotonic())
            except Exception as fault:
                self._in_trouble("answer", fault)
                self._stopping.wait(trouble.next())
            else:
                self._all_well("answer")
                trouble.reset()
        with suppress(queue.Empty):
            self._answered(*self._handed.get_nowait())
        with suppress(Exception):
            self._write_answers(float("inf"))
        with self._writing:
            self._write_line.close()

    def _next(self, wait_s: float) -> tuple[list[Row], Answered | None]:
        """Rows whose answers are awaited. To those that `take` stumbled over before, new ones are
        joined and handed in once more, since together they show whose fault it is."""
        if len(self._stumbled) < self._settings.batch:
            with suppress(queue.Empty):
                rows, answered = self._handed.get(timeout=wait_s)
                if not self._stumbled:
                    return rows, answered
                # Awaited in any case: only who waits tells others that rows were accepted.
                well = self._answered(rows, answered) is None
                return self._stumbled + (rows[:1] if well else rows), None
        return self._stumbled, None

    def _settle(self, rows: list[Row], answered: Answered | None) -> None:
        """Hand rows in until they are answered, stumbled over, or we stop; `answered` where they
        were handed in already."""
        self._stumbled = []
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        failures = 0
        while rows and not self._stopping.is_set():
            fault = self._answered(rows, answered or self._taken_in(rows))
            if fault is None:
                return
            answered = None
            failures += not isinstance(fault, NotNow)
            if failures == TRIES:
                self._stumbled = self._single_out(rows)
                return
            self._stopping.wait(trouble.next())

    def _fails(self, rows: list[Row]) -> Exception | None:
        """Hand rows in once; what was in the way."""
        return self._answered(rows, self._taken_in(rows))

    def _answered(self, rows: list[Row], answered: Answered) -> Exception | None:
        """Await the answers and keep them; what was in the way."""
        try:
            answers = answered()
            if len(answers) != len(rows):
                raise RuntimeError(f"{len(answers)} answers for {len(rows)} rows")
        except Exception as fault:
            self._in_trouble("take", fault)
            return fault
        self._all_well("take")
        self._keep(answers)
        return None

    def _single_out(self, rows: list[Row]) -> list[Row]:
        """`take` cannot cope with these rows: find those that it stumbles over, and refuse them
        if it can be shown that nothing else is at fault. The others are left."""
        failing = self._failing(rows)
        well = [row for row in rows if row not in failing]
        return [row for row in failing if not well or not self._settled(row, well[0])]

    def _failing(self, rows: list[Row]) -> list[Row]:
        if self._stopping.is_set():
            return rows
        if self._fails(rows) is None:
            return []
        if len(rows) == 1:
            return rows
        middle = len(rows) // 2
        return self._failing(rows[:middle]) + self._failing(rows[middle:])

    def _settled(self, row: Row, witness: Row) -> bool:
        """Whether a row is answered: now after all, or refused since it alone fails between two
        times that another, which was accepted, is given its first answer again."""
        if self._fails([witness]) is not None:
            return False
        fault = self._fails([row])
        if fault is None:
            return True
        if isinstance(fault, NotNow) or self._fails([witness]) is not None:
            return False
        self._log.error("row_not_taken", key=row.key)
        self._keep([Taken(row.key, "", 0, "INTERNAL", "the row could not be processed")])
        return True

    def _keep(self, answers: Sequence[Taken]) -> None:
        feed = self._feed
        if feed is not None:
            feed.accepted([answer.key for answer in answers])
        self._answers.keep(answers)

    def _write_answers(self, now: float) -> None:
        while due := self._answers.due(now, CHUNK):
            try:
                self._write(lambda home: home.rows(due))
            except Locked as fault:
                self._answers.landed([each for each in due if each.key not in fault.keys])
                self._answers.postpone(fault.keys, time.monotonic() + LOCKED_S)
                return
            self._answers.landed(due)

    # Both.

    def _line_home(self) -> Line:
        if self._settings.results_url:
            return Line(open_engine(self._settings, self._settings.results_url))
        return self._claim_line if self._settings.connections == 1 else Line(self._engine)

    def _write(self, work: Callable[[Writeback], int]) -> None:
        with self._writing:
            try:
                if self._writeback is None:
                    tables = self._write_line.run(self._find, writes=False)
                    self._writeback = Writeback(
                        self._settings, self._write_line, tables, self._write_refused
                    )
                    if tables.missing:
                        self._log.info("columns_missing", columns=list(tables.missing))
                self._written += work(self._writeback)
            except Locked:
                raise
            except BaseException:
                # The table may have been altered: look at it again.
                self._writeback = None
                raise

    def _write_refused(self, why: str) -> None:
        self._refused_writes += 1
        self._refusal = why

    def _find(self, connection: Connection) -> Tables:
        if not self._settings.results_url:
            return find(connection, self._settings)
        receipt, inbound = find_results(connection, self._settings)
        return Tables(None, receipt, inbound, None, ())

    def _relax(self, connection: Connection) -> None:
        # Where rows may be sent again, a claim that the database forgot would look like that.
        if not self._settings.resend:
            self._claim_line.tongue.relax(connection)

    def _in_trouble(self, where: str, fault: Exception) -> None:
        if self._stopping.is_set():
            return
        told = reason(fault, self._claim_line.tongue)
        if where not in self._troubles:
            self._log.warning("source_down", step=where, reason=told)
        self._troubles[where] = told

    def _all_well(self, where: str) -> None:
        if self._troubles.pop(where, None) is not None:
            self._log.info("source_up", step=where)

    def _join(self, ends: float) -> None:
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - time.monotonic()))


def _raise(fault: Exception) -> NoReturn:
    raise fault


class Undone:
    """Marks of a look that must leave nothing behind."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def read(self) -> str | None:
        return self._marks.read()

    def write(self, mark: str) -> None:
        """Nothing is kept."""


class _Seen(Exception):
    """Carries what was seen out of a transaction that is rolled back."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__()
        self.rows = rows
