"""The strategy `ledger`: a view that only may be read shows what is to be sent.

Keys need no order in time. Each look reads all keys that the view shows; those not seen
before are read and handed in. What was accepted is remembered for as long as the view shows
it; after a restart everything is handed in again, and acceptance, the ledger proper, knows it.

Limits: the view may show MOST_VISIBLE rows; beyond that a look would cost the hospital too
much. A row must leave the view before the store forgets its message (`jobs keep-days`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dbpoll.binding import key_text
from dbpoll.feeds.base import NONE, Batch
from dbpoll.feeds.shelf import Shelf, lag_s
from dbpoll.values import Row, TableFault

MOST_VISIBLE = 100_000
PAGE = 10_000


class LedgerFeed:
    """`held` are the keys that this process is busy with; `known` outlives the feed: the keys
    that were accepted and may still be visible."""

    writes = False
    looks_first = False
    alone = False
    may_lack_keys = False

    def __init__(self, shelf: Shelf, held: Container[str], known: set[str]) -> None:
        self._shelf = shelf
        self._held = held
        self._known = known
        self._waiting: deque[tuple[str, Any]] = deque()

    def waiting(self, connection: Connection) -> bool:
        return True

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        return self.take(connection, most, now).rows

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        new, more = self._new(connection, most)
        records = self._shelf.by_keys(connection, new)
        reader = self._shelf.reader
        return Batch(reader.rows(records), lag_s(reader, records, now), more)

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        new, more = self._new(connection, most)
        return Batch(self._shelf.singly(connection, new), more=more)

    def left_over(self, connection: Connection, now: datetime) -> Batch:
        return NONE

    def refuse_keyless(self, connection: Connection, now: datetime) -> int:
        """Nothing is written into the table."""
        return 0

    def turned(self, clock: float) -> None:
        """Nothing is left over."""

    def due(self, clock: float) -> bool:
        return False

    def accepted(self, keys: Sequence[str]) -> None:
        # In one step, since the other thread takes keys away.
        self._known.update(keys)

    def _new(self, connection: Connection, most: int) -> tuple[list[Any], bool]:
        """Keys that are neither held nor known, and whether there are others: those are given
        before the view is read again."""
        if not self._waiting:
            self._shelf.forget()
            visible = {key_text(key): key for key in self._visible(connection)}
            self._known.difference_update([k for k in self._known.copy() if k not in visible])
            self._waiting = deque(visible.items())
        new: list[Any] = []
        while self._waiting and len(new) < most:
            key, value = self._waiting.popleft()
            # First those held: a key that leaves there is already known.
            if key not in self._held and key not in self._known:
                new.append(value)
        return new, bool(self._waiting)

    def _visible(self, connection: Connection) -> list[Any]:
        found: list[Any] = []
        mark: Any = None
        while page := self._shelf.keys_after(connection, mark, PAGE):
            found += page
            if len(found) > MOST_VISIBLE:
                raise TableFault(
                    f"the view shows more than {MOST_VISIBLE:,} rows: narrow it,"
                    " or use the strategy watermark"
                )
            if len(page) < PAGE or page[-1] == mark:
                break
            mark = page[-1]
        return found
