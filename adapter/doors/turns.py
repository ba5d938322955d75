"""Whose turn it is: what waits for threads, taken client by client.

A client that floods waits behind its own work, never others behind it: one bite of each in turn.
A bite is one piece of work, or several of a kind that is cheaper done together (one call of
intake, one commit); how large it may be and how many of one client's may run at a time is the
kind's. In company a client rests after a bite, the longer the larger it was: at most as long as
it ran, so that a flood never has all of the machine, and what it set going elsewhere has time
to end.

Neither threads nor locks here: whoever owns it sees to them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

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
    begun: float = 0.0


class Turns(Generic[W]):
    """Waiting work, by client and kind. `who` a client is in company, where several of them may
    be one."""

    def __init__(self, company: Company, who: Callable[[Any], Hashable] = lambda key: key) -> None:
        self._company = company
        self._who = who
        self._waiting: dict[tuple[Hashable, Kind], deque[W]] = {}
        self._running: Counter[tuple[Hashable, Kind]] = Counter()
        self._resting: dict[tuple[Hashable, Kind], float] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def takeable(self) -> int:
        """How many of the clients that wait may have a bite now."""
        return sum(map(self._may, self._waiting))

    def put(self, client: Hashable, kind: Kind, piece: W) -> None:
        """One piece more, behind the client's others."""
        self._company.heard(self._who(client))
        self._waiting.setdefault((client, kind), deque()).append(piece)

    def take(self) -> Bite[W] | None:
        """The next bite; None where nothing waits that may run now."""
        key = next(filter(self._may, self._waiting), None)
        if key is None:
            return None
        queue = self._waiting.pop(key)
        client, kind = key
        most = kind.shared if kind.shared and self._company.beside(self._who(client)) else kind.most
        pieces = [queue.popleft() for _ in range(min(most, len(queue)))]
        if queue:
            # Behind all others.
            self._waiting[key] = queue
        self._running[key] += 1
        return Bite(key, pieces, self._company.now())

    def over(self, bite: Bite[W]) -> None:
        """A bite has run."""
        self._running[bite.key] -= 1
        if not self._running[bite.key]:
            del self._running[bite.key]
        client, kind = bite.key
        if kind.shared and self._company.beside(self._who(client)):
            now = self._company.now()
            self._resting[bite.key] = now + (now - bite.begun) * len(bite.pieces) / kind.shared

    def rest_s(self) -> float | None:
        """Seconds until a client that waits has had its rest; None where none rests."""
        ends = [end for key, end in self._resting.items() if key in self._waiting]
        return max(0.0, min(ends) - self._company.now()) if ends else None

    def _may(self, key: tuple[Hashable, Kind]) -> bool:
        client, kind = key
        running = self._running[key]
        if key in self._resting:
            if self._resting[key] > self._company.now():
                return False
            del self._resting[key]
        if not running:
            return True
        if running >= kind.at_once or len(self._waiting[key]) < kind.least:
            return False
        return not kind.shared or not self._company.beside(self._who(client))

    def drain(self) -> list[W]:
        """Take out all that waits."""
        pieces = [piece for queue in self._waiting.values() for piece in queue]
        self._waiting.clear()
        return pieces
