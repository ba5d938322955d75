"""Finding rows that were claimed and never answered, to hand them in again.

They are left by a process that died between claim and answer, and by a commit whose
success we never heard of. Handing a row in again is harmless: acceptance knows its key
and gives the first answer.

Everything unanswered is looked for at the start and after each trouble with the claim;
in between, from time to time, rows claimed longer than `grace_s` ago, which another node
may have left. The walk goes along the index in pages, so the cost of a step is bounded,
also where a million rows wait with STATUS 1. A table without TAKEN_AT is walked only at
the start and after trouble.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection

from dbpoll import reading
from dbpoll.binding import key_text
from dbpoll.settings import Settings

PAGE = 1000


class Unanswered(Protocol):
    """A claimed row; `answered`: its answer is in the table."""

    @property
    def key(self) -> Any: ...
    @property
    def answered(self) -> bool: ...
    @property
    def taken_at(self) -> Any: ...


class Walk(Protocol):
    """Reads claimed rows in the order of their keys."""

    def unanswered(self, connection: Connection, after: Any, most: int) -> Sequence[Unanswered]: ...


class Recovery:
    """One walk after the other. `held` are the keys that this process is busy with."""

    def __init__(self, settings: Settings, held: Container[str]) -> None:
        self._settings = settings
        self._held = held
        self._all = True
        self._walking = True
        self._after: Any = None
        self._next_walk = 0.0

    def due(self, now: float) -> bool:
        """Whether there is a page to look at; `now` is monotonic seconds."""
        if not self._walking and now >= self._next_walk:
            self._walking, self._after = True, None
        return self._walking

    def page(self, connection: Connection, claims: Walk, wall: datetime) -> list[Any]:
        """The keys of unanswered rows among the next claimed ones."""
        looked = claims.unanswered(connection, self._after, PAGE)
        self._after = looked[-1].key if looked else None
        return [each.key for each in looked if self._left(each, wall)]

    def turned(self, now: float) -> None:
        """To be called after a page was handed on."""
        if self._after is None:
            self._all, self._walking = False, False
            self._next_walk = now + self._settings.grace_s / 2

    def _left(self, row: Unanswered, wall: datetime) -> bool:
        if row.answered or key_text(row.key) in self._held:
            return False
        if self._all:
            return True
        try:
            taken_at = reading.moment(row.taken_at, self._settings.zone)
        except ValueError:
            return True
        return taken_at is not None and wall - taken_at > timedelta(seconds=self._settings.grace_s)
