"""A Source: a hospital's table in, results back. Owns two threads and two connections.

    claimer     claims a batch of new rows, offers it, claims the next one meanwhile
    hander      hands a batch to `take`, keeps the answers until they are written

What happens when the process dies between any two steps:

    before the claim's commit      the row is new, and claimed by the next start
    after it, before `take`        the row is claimed without MESSAGE_ID: Recovery finds it
    after `take`, no answer yet    the same; `take` gives the first answer again
    after the answer               nothing is left to do

An answer need not be written at once: MESSAGE_ID waits `answer_delay_s`, and mostly goes
into the row with its first change of state, which saves one update a row.

Any database error throws the connection away; the source tries again, slower and
slower, and says so once when it goes down and once when it is back. Bounded by
configuration: at most three batches of rows and `MOST_ANSWERS` answers are in memory.

Limits: several nodes may poll one table if they share one store (a node that starts may
hand in what another one has just claimed; the store's key then keeps it single).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

import structlog
from sqlalchemy import Connection

from dbpoll import reading
from dbpoll.claims import Claims
from dbpoll.database import Line, blames_row, open_engine, reason
from dbpoll.pacing import Pace
from dbpoll.recovery import Recovery, read_singly
from dbpoll.tables import Tables, find
from dbpoll.values import (
    Health,
    InboundRow,
    Locked,
    NotNow,
    Row,
    Settings,
    StateChange,
    Status,
    Take,
    Taken,
)
from dbpoll.writeback import CHUNK, Writeback

# So many answers wait for a change of state; beyond that the oldest ones are written at once,
# and while not even that is possible, no more rows are handed in.
ANSWERS = 20_000
MOST_ANSWERS = 30_000
TRIES = 3
# An answer for a row that the hospital has locked is tried again after this long.
LOCKED_S = 5.0


def _wall() -> datetime:
    return datetime.now(UTC)


class Source:
    """Polls one table until stopped.

    `write`, `write_receipts` and `write_inbound` block, may be called from any thread, and
    raise what the database raises, or Locked, when not everything was written: the same
    call may then be made again.
    """

    def __init__(
        self, settings: Settings, take: Take, wall: Callable[[], datetime] = _wall
    ) -> None:
        self._settings = settings
        self._take = take
        self._wall = wall
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._engine = open_engine(settings)
        self._claim_line = Line(self._engine, self._relax)
        self._write_line = Line(self._engine)
        self._stopping = threading.Event()
        self._full = threading.Event()
        self._woken = threading.Event()
        self._offered: queue.Queue[list[Row]] = queue.Queue(maxsize=1)
        # Guards the write line: two writers of one table would meet each other's locks.
        self._writing = threading.Lock()
        self._writeback: Writeback | None = None
        self._answers_lock = threading.Lock()
        self._accepted: dict[str, tuple[float, StateChange]] = {}
        self._refused: dict[str, StateChange] = {}
        self._held: set[str] = set()
        self._recovery = Recovery(settings, self._held)
        self._claims: Claims | None = None
        self._troubles: dict[str, str] = {}
        self._counts = {"claimed": 0, "refused": 0, "written": 0}
        self._polled_at: datetime | None = None
        self._lag_s = 0.0
        self._threads = [
            threading.Thread(
                target=self._claim_forever, name=f"claim-{settings.name}", daemon=True
            ),
            threading.Thread(target=self._hand_forever, name=f"hand-{settings.name}", daemon=True),
        ]

    @property
    def name(self) -> str:
        return self._settings.name

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

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
        with suppress(queue.Full):
            # For a hander that waits for a batch.
            self._offered.put_nowait([])
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
            self._counts["claimed"],
            self._counts["refused"],
            self._counts["written"],
            len(self._held),
        )

    def write(self, changes: Sequence[StateChange]) -> None:
        """Write changes of state into their rows."""
        try:
            self._write(lambda home: home.rows(changes))
        except Locked as fault:
            self._answered([change.key for change in changes if change.key not in fault.keys])
            raise
        self._answered([change.key for change in changes])

    def write_receipts(self, changes: Sequence[StateChange]) -> None:
        """Add final states to the receipt table, if there is one."""
        if self._settings.receipt_table and changes:
            self._write(lambda home: home.receipts(changes))

    def write_inbound(self, texts: Sequence[InboundRow]) -> None:
        """Add inbound texts to the inbound table, if there is one."""
        if self._settings.inbound_table and texts:
            self._write(lambda home: home.inbound(texts))

    def peek(self, most: int) -> list[Row]:
        """The next new rows as they would be handed in; nothing is claimed."""
        with self._writing:
            return self._write_line.run(lambda connection: self._peek(connection, most))

    def close(self) -> None:
        """Give up the connections of a source that was never started."""
        self._claim_line.close()
        self._write_line.close()

    # The claimer.

    def _claim_forever(self) -> None:
        idle = Pace(self._settings.poll_min_s, self._settings.poll_max_s)
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        while not self._full.is_set():
            self._woken.clear()
            try:
                delay = self._claim_once(idle)
            except Exception as fault:
                self._in_trouble("claim", fault)
                self._claims = None
                # A commit may have succeeded although its answer was lost.
                self._recovery.everything()
                delay = trouble.next()
            else:
                self._all_well("claim")
                trouble.reset()
            if delay and not self._full.is_set():
                self._woken.wait(delay)
        self._claim_line.close()

    def _claim_once(self, idle: Pace) -> float:
        """Claim and offer one batch; how long to wait before the next one."""
        if self._recovery.due(time.monotonic()):
            self._offer(self._claim_line.run(self._recover, writes=False))
            self._recovery.turned(time.monotonic())
        rows = self._claim()
        self._polled_at = self._wall()
        if not rows:
            self._lag_s = 0.0
        self._offer(rows)
        if rows:
            idle.reset()
        if len(rows) == self._settings.batch or self._recovery.due(time.monotonic()):
            return 0.0
        return idle.next()

    def _recover(self, connection: Connection) -> list[Row]:
        return self._recovery.page(connection, self._claimer(connection), self._wall())

    def _claim(self) -> list[Row]:
        line = self._claim_line
        if self._engine.dialect.name != "postgresql" and not line.run(self._any_new, writes=False):
            return []
        try:
            return line.run(self._claim_batch)
        except Exception as fault:
            if not blames_row(fault):
                raise
            return line.run(self._claim_singly)

    def _any_new(self, connection: Connection) -> bool:
        return self._claimer(connection).any_new(connection)

    def _claim_batch(self, connection: Connection) -> list[Row]:
        claims = self._claimer(connection)
        now = self._wall()
        records = claims.claim(connection, self._settings.batch, now)
        if records:
            self._lag_s = reading.age_s(records[0], self._settings.zone, now)
        return reading.rows(records, self._settings.zone)

    def _claim_singly(self, connection: Connection) -> list[Row]:
        claims = self._claimer(connection)
        rows: list[Row] = []
        for key in claims.claim_keys(connection, self._settings.batch, self._wall()):
            rows += read_singly(connection, claims, key, self._settings)
        return rows

    def _claimer(self, connection: Connection) -> Claims:
        if self._claims is None:
            tables = find(connection, self._settings)
            self._claims = Claims(tables.outbound, connection.dialect.name)
            if tables.missing:
                self._log.info("columns_missing", columns=list(tables.missing))
        return self._claims

    def _offer(self, rows: list[Row]) -> None:
        if not rows:
            return
        self._counts["claimed"] += len(rows)
        self._held.update([row.key for row in rows])
        while not self._stopping.is_set():
            with suppress(queue.Full):
                self._offered.put(rows, timeout=0.5)
                return

    # The hander.

    def _hand_forever(self) -> None:
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                if len(self._accepted) + len(self._refused) < MOST_ANSWERS:
                    self._hand_in(
                        self._offered.get(timeout=min(1.0, self._settings.answer_delay_s / 2))
                    )
            try:
                self._write_answers(time.monotonic())
            except Exception as fault:
                self._in_trouble("answer", fault)
                self._stopping.wait(trouble.next())
            else:
                self._all_well("answer")
                trouble.reset()
        with suppress(Exception):
            self._write_answers(float("inf"))
        with self._writing:
            self._write_line.close()

    def _hand_in(self, rows: list[Row]) -> None:
        """Hand rows in until they are answered, or we stop."""
        trouble = Pace(self._settings.retry_min_s, self._settings.retry_max_s, jitter=True)
        failures = 0
        while not self._stopping.is_set():
            try:
                answers = self._take(rows)
                if len(answers) != len(rows):
                    raise RuntimeError(f"{len(answers)} answers for {len(rows)} rows")
            except NotNow as fault:
                self._in_trouble("take", fault)
            except Exception as fault:
                failures += 1
                self._in_trouble("take", fault)
                if failures == TRIES:
                    self._single_out(rows)
                    return
            else:
                self._all_well("take")
                self._keep(answers)
                return
            self._stopping.wait(trouble.next())

    def _single_out(self, rows: list[Row]) -> None:
        """`take` cannot cope with these rows: find the one that it stumbles over."""
        if len(rows) == 1:
            self._log.error("row_not_taken", key=rows[0].key)
            self._keep([Taken(rows[0].key, "", 0, "INTERNAL", "the row could not be processed")])
            return
        middle = len(rows) // 2
        self._hand_in(rows[:middle])
        self._hand_in(rows[middle:])

    def _keep(self, answers: Iterable[Taken]) -> None:
        due = time.monotonic() + self._settings.answer_delay_s
        with self._answers_lock:
            for key, message_id, segments, code, text in answers:
                if message_id and key not in self._held:
                    # A change of state was faster, and has written all there is to write.
                    continue
                if message_id:
                    change = StateChange(key, message_id, Status.TAKEN, "", text, segments)
                    self._accepted[key] = (due, change)
                else:
                    self._refused[key] = StateChange(key, "", Status.REFUSED, code, text)
                    self._counts["refused"] += 1

    def _write_answers(self, now: float) -> None:
        while due := self._due(now):
            try:
                self.write(due)
            except Locked as fault:
                with self._answers_lock:
                    for change in due:
                        if change.key in fault.keys and change.key in self._accepted:
                            del self._accepted[change.key]
                            self._accepted[change.key] = (now + LOCKED_S, change)
                raise

    def _due(self, now: float) -> list[StateChange]:
        with self._answers_lock:
            if len(self._accepted) > ANSWERS:
                now = float("inf")
            due = list(islice(self._refused.values(), CHUNK))
            for at, change in islice(self._accepted.values(), CHUNK - len(due)):
                if at > now:
                    break
                due.append(change)
        return due

    def _answered(self, keys: Sequence[str]) -> None:
        with self._answers_lock:
            for key in keys:
                self._accepted.pop(key, None)
                self._refused.pop(key, None)
            self._held.difference_update(keys)

    # Both.

    def _write(self, work: Callable[[Writeback], int]) -> None:
        with self._writing:
            try:
                if self._writeback is None:
                    tables = self._write_line.run(self._find, writes=False)
                    dialect = self._engine.dialect.name
                    self._writeback = Writeback(self.name, self._write_line, tables, dialect)
                self._counts["written"] += work(self._writeback)
            except Locked:
                raise
            except BaseException:
                # The table may have been altered: look at it again.
                self._writeback = None
                raise

    def _find(self, connection: Connection) -> Tables:
        return find(connection, self._settings)

    def _peek(self, connection: Connection, most: int) -> list[Row]:
        claims = Claims(self._find(connection).outbound, connection.dialect.name)
        return reading.rows(claims.look(connection, most), self._settings.zone)

    def _relax(self, connection: Connection) -> None:
        # A claim that a crash of the database undoes is simply claimed again.
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET synchronous_commit TO off")
            connection.commit()

    def _in_trouble(self, where: str, fault: Exception) -> None:
        if self._stopping.is_set():
            return
        told = reason(fault)
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
