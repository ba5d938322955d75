"""Handing rows in: to `take`, in order, the next batch while the one before becomes durable.

Rows that `take` cannot cope with are handed in again, slower and slower; after `TRIES` failures
those that are at fault are singled out, and refused if it can be shown that nothing else is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, TypeVar

import structlog

from dbpoll.pacing import Pace
from dbpoll.settings import Settings
from dbpoll.troubles import Troubles
from dbpoll.values import Answered, NotNow, Row, Take, Taken

TRIES = 3

T = TypeVar("T")


class Hander:
    """Three threads use it, each for its own: `offer` brings rows, `hand` gives them to `take`,
    and `settle` awaits the answers, which `keep` is told."""

    def __init__(
        self,
        settings: Settings,
        take: Take,
        keep: Callable[[Sequence[Taken]], None],
        troubles: Troubles,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._take = take
        self._keep = keep
        self._troubles = troubles
        self._stopping = stopping
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._offered: queue.Queue[list[Row]] = queue.Queue(maxsize=1)
        self._handed: queue.Queue[tuple[list[Row], Answered]] = queue.Queue(maxsize=1)
        # `take` is never called by two threads at once.
        self._taking = threading.Lock()
        self._stumbled: list[Row] = []

    def offer(self, rows: list[Row]) -> None:
        """Waits while a batch is in front, until we stop."""
        self._put(self._offered, rows)

    def hand(self, wait_s: float) -> None:
        """Hand the next batch in, if it comes in time."""
        with suppress(queue.Empty):
            rows = self._offered.get(timeout=wait_s)
            self._put(self._handed, (rows, self._taken_in(rows)))

    def settle(self, wait_s: float) -> None:
        """Await the answers to the next batch, if there is one in time; it is handed in until it
        is answered, stumbled over, or we stop."""
        rows, answered = self._next(wait_s)
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

    def settle_last(self) -> None:
        """Await the answers to what was handed in before we stopped."""
        with suppress(queue.Empty):
            self._answered(*self._handed.get_nowait())

    def _put(self, into: queue.Queue[T], item: T) -> None:
        while not self._stopping.is_set():
            with suppress(queue.Full):
                into.put(item, timeout=0.5)
                return

    def _taken_in(self, rows: list[Row]) -> Answered:
        """Hand rows to `take`. What is in the way then is told where the answers are awaited."""
        try:
            with self._taking:
                return self._take(rows)
        except Exception as fault:
            return partial(_raise, fault)

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
            self._troubles.came("take", fault)
            return fault
        self._troubles.passed("take")
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


def _raise(fault: Exception) -> NoReturn:
    raise fault
