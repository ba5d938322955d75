"""Claiming new rows, batch by batch, as fast as they come and as seldom as they don't.

Any error throws what is known of the table away; the claimer tries again, slower and slower, and
says once that somebody should come. How rows are claimed stands with each strategy (`feeds`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from dbpoll.answers import Answers
from dbpoll.database import Line, reason
from dbpoll.feeds import feed_for
from dbpoll.feeds.base import AGAIN, NONE, Batch, Feed, Marks
from dbpoll.pacing import BatchSize, Breaker, Looks
from dbpoll.settings import Settings
from dbpoll.tables import find_outbound
from dbpoll.troubles import Troubles
from dbpoll.values import Row

SPACING_S = 0.03
"""Between two looks of which the first did not fill its batch."""

T = TypeVar("T")


class Claimer:
    """Claims in one thread, through one line, for as long as it holds `turns`; `offer` is given
    the rows. Counted since the start: rows `claimed`, and `keyless` ones, refused in the table.
    `polled_at`, `lag_s`: see Health."""

    def __init__(
        self,
        settings: Settings,
        line: Line,
        turns: AbstractContextManager[object],
        marks: Marks,
        answers: Answers,
        offer: Callable[[list[Row]], None],
        wall: Callable[[], datetime],
        troubles: Troubles,
    ) -> None:
        self.claimed = 0
        self.keyless = 0
        self.polled_at: datetime | None = None
        self.lag_s = 0.0
        self._settings = settings
        self._line = line
        self._turns = turns
        self._marks = marks
        self._answers = answers
        self._offer_to = offer
        self._wall = wall
        self._troubles = troubles
        self._log = structlog.get_logger("dbpoll").bind(source=settings.name)
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._feed: Feed | None = None
        self._doubts = False
        self._known: set[str] = set()
        self._looks = Looks(settings.poll_min_s, settings.poll_max_s, settings.warm_s)
        self._breaker = Breaker(settings.retry_min_s, settings.retry_max_s)
        self._size = BatchSize(settings.batch)

    @property
    def broken(self) -> bool:
        return self._breaker.open

    def run(self) -> None:
        """Claim until the end."""
        while not self._ended.is_set():
            self._woken.clear()
            # News of rows hurries no try after a failure.
            alarm = self._woken
            try:
                delay = self._claim_once()
            except Exception as fault:
                # The table may have been altered, and a commit may have succeeded although its
                # answer was lost: a new feed looks at everything again.
                self._feed = None
                alarm = self._ended
                was_open = self._breaker.open
                delay = self._breaker.failed()
                self._troubles.came("claim", fault)
                if self._breaker.open and not was_open:
                    told = reason(fault, self._line.tongue)
                    self._log.error("source_broken", reason=told, next_try_s=delay)
            else:
                self._troubles.passed("claim")
                self._breaker.well()
            # Rows that come one by one are taken some at a time, however loud their news.
            if delay and not self._ended.wait(min(delay, SPACING_S)):
                alarm.wait(max(0.0, delay - SPACING_S))

    def wake(self) -> None:
        """Look for new rows now."""
        self._woken.set()

    def end(self) -> None:
        """Claim no more rows."""
        self._ended.set()
        self._woken.set()

    def accepted(self, keys: list[str]) -> None:
        """These rows are durable elsewhere, or refused."""
        feed = self._feed
        if feed is not None:
            feed.accepted(keys)

    def peek(self, most: int) -> list[Row]:
        """The next new rows as they would be offered; nothing is claimed. An own statement is
        undone."""

        def look(connection: Connection) -> list[Row]:
            feed = self._feed_of(connection, _Undone(self._marks))
            raise _Seen(feed.look(connection, most, self._wall()))

        try:
            return self._line.run(look)
        except _Seen as seen:
            return seen.rows

    def _claim_once(self) -> float:
        """Take and offer one batch; how long to wait before the next one."""
        if self._feed is None:
            self._feed = self._read(
                lambda connection: self._feed_of(connection, self._marks), writes=False
            )
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
        self.polled_at = self._wall()
        self.lag_s = batch.lag_s
        self._offer(batch.rows)
        pause = self._looks.pause(time.monotonic(), len(batch.rows), took_s)
        return 0.0 if batch.more or again else pause

    def _refuse_keyless(self, feed: Feed) -> None:
        if not feed.may_lack_keys:
            return
        wall = self._wall()
        if refused := self._read(lambda c: feed.refuse_keyless(c, wall), writes=feed.writes):
            self.keyless += refused
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
            if not self._line.tongue.blames_row(fault):
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

    def _feed_of(self, connection: Connection, marks: Marks) -> Feed:
        found = find_outbound(connection, self._settings)
        tongue = self._line.tongue
        return feed_for(self._settings, found, tongue, self._answers.held, self._known, marks)

    def _read(self, work: Callable[[Connection], T], *, writes: bool, alone: bool = False) -> T:
        with self._turns:
            return self._line.run(work, writes=writes, alone=alone)

    def _offer(self, rows: list[Row]) -> None:
        if not rows:
            return
        self.claimed += len(rows)
        self._answers.hold([row.key for row in rows])
        self._offer_to(rows)


class _Undone:
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
