"""The strategy `watermark`: what has a greater key than the mark is new. Nothing is written.

A transaction of the hospital may commit later than one that drew a greater key. So keys are
remembered for `late_s`, and the stretch behind the mark is read again from time to time: a
key there that nobody remembers came late. What is kept in our store is the mark of `late_s`
ago, and only when everything up to it was accepted, or refused where the hospital can read it:
after a crash the stretch is read again, and acceptance knows what it has. A refusal it does not
know, so one that was not written yet is told only because its row is read again.

Limits: at most MOST_SEEN keys are remembered; where more come within `late_s`, the stretch
gets shorter. Without a mark in our store the first start begins at the end of the table
(or at its first row, `from_start`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from dbpoll.binding import key_text
from dbpoll.feeds.base import Batch, Marks
from dbpoll.feeds.shelf import Record, Shelf, keys_of, lag_s
from dbpoll.settings import Settings
from dbpoll.values import Row

MOST_SEEN = 200_000
PAGE = 5_000
SHARES = 10
"""The stretch behind the mark is read again so many times in `late_s`."""


class _Step(NamedTuple):
    """Keys taken together, and the mark behind them; None for such as came late."""

    taken: float
    mark: Any
    keys: list[str]


class WatermarkFeed:
    """`held` are the keys that this process is busy with: those refused until that is written."""

    writes = False
    looks_first = False
    alone = False
    may_lack_keys = False

    def __init__(
        self, settings: Settings, shelf: Shelf, held: Container[str], marks: Marks
    ) -> None:
        self._shelf = shelf
        self._held = held
        self._marks = marks
        self._late_s = settings.late_s
        self._from_start = settings.from_start
        self._pause_s = max(1.0, settings.late_s / SHARES)
        self._begun = False
        self._mark: Any = None
        self._settled: Any = None
        # Keys that a settled mark must not leave untold (late, refused, or with an answer that is
        # not written), and the mark before them all.
        self._untold: list[str] = []
        self._before_untold: Any = None
        self._written: str | None = None
        self._steps: deque[_Step] = deque()
        self._seen: set[str] = set()
        self._scan: Any = None
        self._scanning = False
        self._next_scan = time.monotonic() + self._pause_s
        # Guards the keys that were not yet accepted; another thread accepts.
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._open_late: set[str] = set()

    def waiting(self, connection: Connection) -> bool:
        return True

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        return self.take(connection, most, now).rows

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        self._begin(connection)
        records = self._shelf.after(connection, self._mark, most)
        fresh = self._fresh(records)
        if records:
            self._mark = records[-1][0]
            self._step(self._mark, keys_of(fresh))
        reader = self._shelf.reader
        return Batch(reader.rows(fresh), lag_s(reader, fresh, now), len(records) == most)

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        self._begin(connection)
        self._shelf.forget()
        found = self._shelf.keys_after(connection, self._mark, most)
        keys = [key for key in found if key_text(key) not in self._seen]
        rows = self._shelf.singly(connection, keys)
        if found:
            self._mark = found[-1]
            self._step(self._mark, [key_text(key) for key in keys])
        return Batch(rows, more=len(found) == most)

    def left_over(self, connection: Connection, now: datetime) -> Batch:
        self._begin(connection)
        if not self._scanning:
            self._scan, self._scanning = self._settled, True
        self._shelf.forget()
        found = self._shelf.keys_after(connection, self._scan, PAGE)
        # What lies beyond the mark is new, and taken as such.
        behind = [key for key in found if self._mark is not None and key <= self._mark]
        keys = [key for key in behind if key_text(key) not in self._seen]
        rows = self._shelf.singly(connection, keys)
        if keys:
            late = [key_text(key) for key in keys]
            self._step(None, late)
            self._stay_before(late)
            with self._lock:
                self._open_late.update(late)
        self._scanning = len(behind) == PAGE
        if found:
            self._scan = found[-1]
        return Batch(rows, more=self._scanning)

    def refuse_keyless(self, connection: Connection, now: datetime) -> int:
        """Nothing is written into the table."""
        return 0

    def turned(self, clock: float) -> None:
        if not self._scanning:
            self._next_scan = clock + self._pause_s
            self._settle(clock)

    def due(self, clock: float) -> bool:
        return self._scanning or clock >= self._next_scan

    def accepted(self, keys: Sequence[str]) -> None:
        with self._lock:
            self._open.difference_update(keys)
            self._open_late.difference_update(keys)

    def _begin(self, connection: Connection) -> None:
        if self._begun:
            return
        written = self._marks.read()
        if written is None:
            self._settled = None if self._from_start else self._shelf.last(connection)
            written = "" if self._settled is None else key_text(self._settled)
            self._marks.write(written)
        elif written:
            self._settled = self._shelf.key_of(written)
        self._mark, self._written, self._begun = self._settled, written, True

    def _fresh(self, records: Sequence[Record]) -> Sequence[Record]:
        if self._seen.isdisjoint(keys_of(records)):
            return records
        return [record for record in records if key_text(record[0]) not in self._seen]

    def _step(self, mark: Any, keys: list[str]) -> None:
        self._steps.append(_Step(time.monotonic(), mark, keys))
        self._seen.update(keys)
        with self._lock:
            self._open.update(keys)

    def _settle(self, clock: float) -> None:
        """Move the settled mark past all that is old and answered; the one that is kept stays
        before rows whose refusal the hospital does not know."""
        with self._lock:
            still_open, blocked = set(self._open), bool(self._open_late)
        while self._steps and not blocked:
            step = self._steps[0]
            old = clock - step.taken > self._late_s or len(self._seen) > MOST_SEEN
            if not old or not still_open.isdisjoint(step.keys):
                break
            self._steps.popleft()
            self._seen.difference_update(step.keys)
            self._stay_before([key for key in step.keys if key in self._held])
            if step.mark is not None:
                self._settled = step.mark
        self._untold = [key for key in self._untold if key in self._held or key in still_open]
        kept = self._before_untold if self._untold else self._settled
        written = "" if kept is None else key_text(kept)
        if written != self._written:
            self._marks.write(written)
            self._written = written

    def _stay_before(self, untold: Sequence[str]) -> None:
        """Keep no mark behind the settled one before these are told of."""
        if not self._untold:
            self._before_untold = self._settled
        self._untold += untold
