"""Whose turn it is: what waits for threads, taken client by client.

A client that floods waits behind its own work, never others behind it: one bite of each in turn.
A bite is one piece of work, or several of a kind that is cheaper done together (one call of
intake, one commit); how large it may be and how many of one client's may run at a time is the
kind's. In company a client has one small bite at a time of all that sends, and rests afterwards,
the longer the larger it was: `REST` times as long as it ran, longer after a large request, so that
a flood never has all of the machine, and others mostly find it at rest.

Size is counted in messages, not in pieces: a request may bring one or ten thousand.

Neither threads nor locks here: whoever owns it sees to them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from adapter.doors.company import Company

W = TypeVar("W")

REST = 6.0
"""So many times as long as a full bite ran its client rests."""
LARGE = 160
"""Messages of one request that others feel: for so many times as many its client rests so many
times as long."""
LONGEST_REST_S = 2.5
"""A client's own alarms wait behind its rest, too."""
_AHEAD = 2
"""Bites that a client in company has waiting."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`at_once`: bites of one client that run at a time; `most` messages in a bite, or one piece.
    While one runs, the next one begins when `least` messages wait for it. In company a client has
    one bite at a time of all kinds that are `shared`, which says of how many messages."""

    at_once: int
    most: int = 1
    least: int = 1
    shared: int = 0


class Bite(NamedTuple, Generic[W]):
    """Work of one client that may run now; `Turns.over` follows."""

    key: tuple[Hashable, Kind]
    pieces: list[W]
    messages: int
    begun: float


@dataclass(slots=True)
class _Queue(Generic[W]):
    """What waits of one client and kind, and how many messages that is."""

    pieces: deque[tuple[W, int]] = field(default_factory=deque)
    messages: int = 0

    def put(self, piece: W, messages: int) -> None:
        self.pieces.append((piece, messages))
        self.messages += messages

    def take(self, most: int) -> tuple[list[W], int]:
        """The first pieces, and of how many messages they are: `most`, or one piece."""
        taken: list[W] = []
        left = most
        while self.pieces and (not taken or self.pieces[0][1] <= left):
            piece, messages = self.pieces.popleft()
            taken.append(piece)
            left -= messages
        self.messages -= most - left
        return taken, most - left


class Turns(Generic[W]):
    """Waiting work, by client and kind. `who` a client is in company, where several of them may
    be one."""

    def __init__(self, company: Company, who: Callable[[Any], Hashable] = lambda key: key) -> None:
        self._company = company
        self._who = who
        self._waiting: dict[tuple[Hashable, Kind], _Queue[W]] = {}
        self._running: Counter[tuple[Hashable, Kind]] = Counter()
        self._sharing: Counter[Hashable] = Counter()
        self._resting: dict[Hashable, float] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def takeable(self) -> int:
        """How many of the clients that wait may have a bite now."""
        return sum(map(self._may, self._waiting))

    def put(self, client: Hashable, kind: Kind, piece: W, messages: int = 1) -> None:
        """One piece more, behind the client's others."""
        self._company.heard(self._who(client))
        key = client, kind
        if key not in self._waiting:
            self._waiting[key] = _Queue()
        self._waiting[key].put(piece, messages)

    def take(self) -> Bite[W] | None:
        """The next bite; None where nothing waits that may run now."""
        key = next(filter(self._may, self._waiting), None)
        if key is None:
            return None
        queue = self._waiting.pop(key)
        client, kind = key
        who = self._who(client)
        shares = kind.shared and self._company.beside(who)
        pieces, messages = queue.take(min(kind.most, kind.shared) if shares else kind.most)
        if queue.pieces:
            # Behind all others.
            self._waiting[key] = queue
        self._running[key] += 1
        if kind.shared:
            self._sharing[who] += 1
        return Bite(key, pieces, messages, self._company.now())

    def over(self, bite: Bite[W]) -> None:
        """A bite has run."""
        _lower(self._running, bite.key)
        client, kind = bite.key
        if not kind.shared:
            return
        who = self._who(client)
        _lower(self._sharing, who)
        if self._is_ahead(bite.key):
            self._company.flooded(who)
        if self._company.beside(who):
            now = self._company.now()
            times = _rest(bite.messages, kind.shared)
            self._resting[who] = now + min(LONGEST_REST_S, (now - bite.begun) * times)

    def enough(self, client: Hashable) -> bool:
        """Whether more of this client waits, in company, than it will soon be done with."""
        return any(
            key[0] == client and self._is_ahead(key) for key in self._waiting
        ) and self._company.beside(self._who(client))

    def rest_s(self) -> float | None:
        """Seconds until a client that waits has had its rest; None where none rests."""
        ends = [
            self._resting[who]
            for client, kind in self._waiting
            if kind.shared and (who := self._who(client)) in self._resting
        ]
        return max(0.0, min(ends) - self._company.now()) if ends else None

    def _may(self, key: tuple[Hashable, Kind]) -> bool:
        client, kind = key
        running = self._running[key]
        if kind.shared:
            who = self._who(client)
            if who in self._resting:
                if self._resting[who] > self._company.now():
                    return False
                del self._resting[who]
            if self._sharing[who] and self._company.beside(who):
                return False
        return not running or (running < kind.at_once and self._waiting[key].messages >= kind.least)

    def _is_ahead(self, key: tuple[Hashable, Kind]) -> bool:
        shared = key[1].shared
        return (
            bool(shared)
            and key in self._waiting
            and (self._waiting[key].messages >= _AHEAD * shared)
        )

    def drain(self) -> list[W]:
        """Take out all that waits."""
        pieces = [piece for queue in self._waiting.values() for piece, _ in queue.pieces]
        self._waiting.clear()
        return pieces


def _rest(messages: int, shared: int) -> float:
    """How many times as long as a bite of so many messages ran, where `shared` fill one."""
    if messages < shared:
        return REST * messages / shared
    return REST * max(1.0, messages / LARGE)


def _lower(counter: Counter[Any], key: Hashable) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
