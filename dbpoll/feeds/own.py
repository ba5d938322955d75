"""The strategy `status` over statements or procedures of the hospital's own.

`fetch` gives new rows and `claim` makes one of them ours: it does if it changed a row. Without
`claim`, `fetch` is a procedure that claims what it gives. `recover` gives rows that were
claimed and never answered; it is asked at the start, after trouble, and every `grace_s`.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from dbpoll.binding import key_text
from dbpoll.feeds.base import NONE, Batch
from dbpoll.feeds.shelf import QueryShelf, Record, fetched, lag_s, used
from dbpoll.settings import Settings
from dbpoll.values import Row


class OwnFeed:
    """`held` are the keys that this process is busy with."""

    writes = True
    looks_first = False
    alone = False
    may_lack_keys = True

    def __init__(self, settings: Settings, held: Container[str]) -> None:
        self._settings = settings
        self._held = held
        self._shelf = QueryShelf(settings)
        self._claim = text(settings.sql.claim) if settings.sql.claim else None
        self._recover = text(settings.sql.recover) if settings.sql.recover else None
        self._recover_at = 0.0

    def waiting(self, connection: Connection) -> bool:
        return True

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        return self._shelf.reader.rows(self._shelf.after(connection, None, most)[:most])

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        found = self._shelf.after(connection, None, most)
        records = [record for record in found if self._won(connection, record)]
        reader = self._shelf.reader
        more = bool(records) and len(found) >= most
        return Batch(reader.rows(records), lag_s(reader, records, now), more)

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        return self.take(connection, most, now)

    def left_over(self, connection: Connection, now: datetime) -> Batch:
        if self._recover is None:
            return NONE
        given = used(self._settings.sql.recover, {"MOST": self._settings.batch})
        found = fetched(connection, self._recover, given, self._settings)
        records = [
            record
            for record in found
            if record[0] is not None and key_text(record[0]) not in self._held
        ]
        return Batch(self._shelf.reader.rows(records))

    def refuse_keyless(self, connection: Connection, now: datetime) -> int:
        """They are only told of: no statement reaches a row without a key."""
        return self._shelf.keyless

    def turned(self, clock: float) -> None:
        self._recover_at = clock + self._settings.grace_s

    def due(self, clock: float) -> bool:
        return self._recover is not None and clock >= self._recover_at

    def accepted(self, keys: Sequence[str]) -> None:
        """The answer goes into the row."""

    def _won(self, connection: Connection, record: Record) -> bool:
        if self._claim is None:
            return True
        # A procedure counts no rows (-1): that it ended without an error must do.
        return connection.execute(self._claim, {"ID": record[0]}).rowcount != 0
