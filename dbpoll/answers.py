"""What intake said, and the hospital's table doesn't know yet.

An answer need not be written at once: MESSAGE_ID waits `delay_s`, and mostly goes into the row
with its first change of state, which saves one update a row. Refusals don't wait.

Bounded: beyond ANSWERS the oldest ones are due at once, and while there are MOST_ANSWERS no
more rows are to be handed in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

from dbpoll.values import StateChange, Status, Taken

ANSWERS = 20_000
MOST_ANSWERS = 30_000


class Answers:
    """Safe to share between threads. `held` are the keys of rows that were taken and whose
    answer isn't in the table; `written`: accepted rows get theirs written, too."""

    def __init__(self, delay_s: float, *, written: bool) -> None:
        self.held: set[str] = set()
        self.refused_count = 0
        self._delay_s = delay_s
        self._written = written
        self._lock = threading.Lock()
        self._accepted: dict[str, tuple[float, StateChange]] = {}
        self._refused: dict[str, tuple[float, StateChange]] = {}

    @property
    def full(self) -> bool:
        return len(self._accepted) + len(self._refused) >= MOST_ANSWERS

    def hold(self, keys: Sequence[str]) -> None:
        """These rows were taken. An answer to an earlier sending is of no use any more."""
        with self._lock:
            self.held.update(keys)
            for answers in (self._accepted, self._refused):
                if answers:
                    for key in keys:
                        answers.pop(key, None)

    def keep(self, answers: Iterable[Taken]) -> None:
        """These answers are to be written."""
        due = time.monotonic() + self._delay_s
        now = datetime.now(UTC)
        with self._lock:
            for its in answers:
                if not its.message_id:
                    self._refused[its.key] = (0.0, _change(its, Status.REFUSED, now))
                    self.refused_count += 1
                elif not self._written:
                    self.held.discard(its.key)
                elif its.key in self.held:
                    # Else a change of state was faster, and has written all there is to write.
                    self._accepted[its.key] = (due, _change(its, Status.TAKEN, now))

    def due(self, now: float, most: int) -> list[StateChange]:
        """Answers to write now, refusals first."""
        with self._lock:
            if len(self._accepted) > ANSWERS:
                now = float("inf")
            ready = (change for at, change in self._refused.values() if at <= now)
            due = list(islice(ready, most))
            for at, change in islice(self._accepted.values(), most - len(due)):
                if at > now:
                    break
                due.append(change)
        return due

    def landed(self, changes: Iterable[StateChange]) -> None:
        """The table knows of these changes."""
        with self._lock:
            for change in changes:
                if change.accepted_at is not None and self._outlives(change):
                    continue
                self._accepted.pop(change.key, None)
                if self._refused:
                    self._refused.pop(change.key, None)
                self.held.discard(change.key)

    def postpone(self, keys: Iterable[str], until: float) -> None:
        """These rows can't be written before then."""
        with self._lock:
            for key in keys:
                for answers in (self._accepted, self._refused):
                    if key in answers:
                        _, change = answers.pop(key)
                        answers[key] = (until, change)

    def _outlives(self, change: StateChange) -> bool:
        """Whether a change, which knows its sending, may be about an earlier one than the answer
        to its row."""
        key = change.key
        answer = self._refused.get(key) or self._accepted.get(key)
        if answer is None:
            return key in self.held
        return answer[1].message_id != change.message_id


def _change(its: Taken, status: Status, now: datetime) -> StateChange:
    return StateChange(
        key=its.key,
        message_id=its.message_id,
        status=status,
        code=its.code,
        text=its.text,
        segments=its.segments,
        accepted_at=its.accepted_at or now,
    )
