"""Waiting for receipts: how long, and what a message becomes when none comes.

Every message: UNKNOWN after the policies' receipt wait. On a channel that reports only failures:
DELIVERED after its own, shorter wait. On one that reports nothing the connector makes the report
with the answer; its short wait finds what a crash left between the two.

Limits: a search walks along the messages in bites (`settlement.find_silent`), one every two
seconds, and begins again at the first open one. So behind many millions that ended, after a start
or while one waits for its day, and behind a long queue of waiting ones, an end may come some
minutes late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.config.model import Channel, Policies
from adapter.domain.ids import IdMaker, id_at
from adapter.domain.states import State
from adapter.domain.values import Notice
from adapter.store import settlement
from adapter.store.clock import from_ms

_MADE_UP_S = 30.0
"""Longer than a report that comes with its answer can take to be recorded."""


@dataclass(frozen=True, slots=True)
class Wait:
    """`after_s` without a receipt of these `channels` (None: of any) a message `becomes` this:
    UNKNOWN, or DELIVERED unless a part of it failed."""

    after_s: float
    becomes: State
    channels: frozenset[str] | None = None

    def end(
        self, connection: Connection, ids: IdMaker, messages: Sequence[int], now: int
    ) -> list[Notice]:
        """End those of `messages` that are still open; the notices written."""
        if self.becomes is State.DELIVERED:
            return settlement.assume_delivered(connection, ids, messages, now)
        return settlement.end_silent(connection, ids, messages, now)


def waits(policies: Policies, channels: Iterable[Channel]) -> list[Wait]:
    """Channels with the same wait share one."""
    named: defaultdict[float, set[str]] = defaultdict(set)
    for each in channels:
        after_s = each.quirks.delivered_after_s if each.quirks.reports else _MADE_UP_S
        if after_s:
            named[after_s].add(each.name)
    short = [Wait(after_s, State.DELIVERED, frozenset(its)) for after_s, its in named.items()]
    return [*short, Wait(policies.receipt_wait_s, State.UNKNOWN)]


class Silence:
    """The search for messages whose wait is over, bite by bite."""

    def __init__(self, wait: Wait) -> None:
        self.wait = wait
        self._from = 0
        self._open: int | None = None

    def search(self, connection: Connection, now: int) -> list[int]:
        """One bite: the messages found."""
        before = now - int(self.wait.after_s * 1000)
        found = settlement.find_silent(connection, before, self._from, channels=self.wait.channels)
        if self._open is None:
            self._open = found.open_from
        if found.next is not None:
            self._from = found.next
        else:
            self._from = (self._open or id_at(from_ms(before))) - 1
            self._open = None
        return found.silent
