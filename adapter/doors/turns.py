"""Whose turn it is: what waits for threads, taken client by client.

A client that floods waits behind its own work, never others behind it: one bite of each in turn.
A bite is one piece of work, or several of a kind that is cheaper done together (one call of
intake, one commit); how large it may be and how many of one client's may run at a time is the
kind's.

Neither threads nor locks here: whoever owns it sees to them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from adapter.doors.company import Company

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Kind:
    """`at_once`: bites of one client that run at a time; `most` pieces in a bite. While one runs,
    the next one begins when `least` pieces wait for it. In company a client has one bite at a
    time, of `shared` pieces."""

    at_once: int
    most: int = 1
    least: int = 1
    shared: int = 0


class Bite(NamedTuple, Generic[W]):
    """Work of one client that may run now; `Turns.over` follows."""

    key: tuple[Hashable, Kind]
    pieces: list[W]


class Turns(Generic[W]):
    """Waiting work, by client and kind."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._waiting: dict[tuple[Hashable, Kind], deque[W]] = {}
        self._running: Counter[tuple[Hashable, Kind]] = Counter()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def takeable(self) -> int:
        """How many of the clients that wait may have a bite now."""
        return sum(map(self._may, self._waiting))

    def put(self, client: Hashable, kind: Kind, piece: W) -> None:
        """One piece more, behind the client's others."""
        self._company.heard(client)
        self._waiting.setdefault((client, kind), deque()).append(piece)

    def take(self) -> Bite[W] | None:
        """The next bite; None where nothing waits that may run now."""
        key = next(filter(self._may, self._waiting), None)
        if key is None:
            return None
        queue = self._waiting.pop(key)
        client, kind = key
        most = kind.shared if kind.shared and self._company.beside(client) else kind.most
        pieces = [queue.popleft() for _ in range(min(most, len(queue)))]
        if queue:
            # Behind all others.
            self._waiting[key] = queue
        self._running[key] += 1
        return Bite(key, pieces)

    def over(self, bite: Bite[W]) -> None:
        """A bite has run."""
        self._running[bite.key] -= 1
        if not self._running[bite.key]:
            del self._running[bite.key]

    def _may(self, key: tuple[Hashable, Kind]) -> bool:
        client, kind = key
        running = self._running[key]
        if not running:
            return True
        if running >= kind.at_once or len(self._waiting[key]) < kind.least:
            return False
        return not kind.shared or not self._company.beside(client)

    def drain(self) -> list[W]:
        """Take out all that waits."""
        pieces = [piece for queue in self._waiting.values() for piece in queue]
        self._waiting.clear()
        return pieces
