"""The strategy `remove`: whatever is there is new; after acceptance it is deleted or moved.

The table is walked by its key, so that rows that wait for their removal don't stand in the way
of the next ones. A row that was accepted and is still there (a crash, a lock) is handed in
again, gets its first answer, and is removed then.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dbpoll.binding import key_text
from dbpoll.feeds.base import NONE, Batch
from dbpoll.feeds.shelf import Shelf, lag_s
from dbpoll.settings import Settings
from dbpoll.values import Row


class RemovalFeed:
    """`held` are the keys that this process is busy with."""

    writes = False
    looks_first = False
    alone = False
    may_lack_keys = False

    def __init__(self, settings: Settings, shelf: Shelf, held: Container[str]) -> None:
        self._shelf = shelf
        self._held = held
        self._after: Any = None

    def waiting(self, connection: Connection) -> bool:
        return True

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        return self.take(connection, most, now).rows

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        found = self._shelf.after(connection, self._after, most)
        more = self._walked([record[0] for record in found], most)
        records = [record for record in found if key_text(record[0]) not in self._held]
        reader = self._shelf.reader
        return Batch(reader.rows(records), lag_s(reader, records, now), more)

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        self._shelf.forget()
        found = self._shelf.keys_after(connection, self._after, most)
        more = self._walked(found, most)
        keys = [key for key in found if key_text(key) not in self._held]
        return Batch(self._shelf.singly(connection, keys), more=more)

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
        """The write-back removes the rows."""

    def _walked(self, found: Sequence[Any], most: int) -> bool:
        """Note how far we came; at the end the next look begins at the first row again."""
        # An own query without :MARK gives the same rows again.
        more = len(found) == most and found[-1] != self._after
        self._after = found[-1] if more else None
        return more
