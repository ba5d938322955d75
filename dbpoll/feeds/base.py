"""What the engine asks of a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from dbpoll.values import Row


class Batch(NamedTuple):
    """Rows that are ours. `lag_s`: age of the oldest; `more`: look again without a pause."""

    rows: list[Row]
    lag_s: float = 0.0
    more: bool = False


NONE = Batch([])
AGAIN = Batch([], more=True)


class Feed(Protocol):
    """How new rows of one table are found and made ours. One thread uses it, except for
    `accepted`, which another calls. One that met trouble is thrown away: the outcome of its
    last transaction is unknown, and whatever that took is left over for the next one.

    `writes`: taking writes into the table; `looks_first`: so it is worth a look first; `alone`:
    taking is a single statement; `may_lack_keys`: new rows may be there that have no key, and
    can be told so.
    """

    writes: bool
    looks_first: bool
    alone: bool
    may_lack_keys: bool

    def waiting(self, connection: Connection) -> bool:
        """Whether there is something new: a look that takes no lock."""

    def look(self, connection: Connection, most: int, now: datetime) -> list[Row]:
        """The next new rows, none of which becomes ours. What an own statement does is undone
        by the caller."""

    def take(self, connection: Connection, most: int, now: datetime) -> Batch:
        """Up to `most` new rows, which are ours after the commit."""

    def take_singly(self, connection: Connection, most: int, now: datetime) -> Batch:
        """The same where `take` met a row that cannot be read: that row says so."""

    def left_over(self, connection: Connection, now: datetime) -> Batch:
        """Some rows that were taken and, as far as the table tells, never answered. `more`
        while there are others to look at."""

    def refuse_keyless(self, connection: Connection, now: datetime) -> int:
        """Refuse new rows without a key, in the row; how many. Asked where `may_lack_keys`, at
        the start and each time that what is left over is looked for."""

    def turned(self, clock: float) -> None:
        """What was left over has been handed on. `clock`: monotonic seconds."""

    def due(self, clock: float) -> bool:
        """Whether to look for what is left over."""

    def accepted(self, keys: Sequence[str]) -> None:
        """These rows were answered, durably."""


class Marks(Protocol):
    """Where a watermark is kept, outside the hospital's database."""

    def read(self) -> str | None:
        """The mark that was written last, None if none ever was."""

    def write(self, mark: str) -> None: ...


class NoMarks:
    """For strategies that keep none, and for looking only."""

    def read(self) -> str | None:
        return None

    def write(self, mark: str) -> None:
        """Nothing is kept."""
