"""Who stands at a door: how many connections there are, and who knocked in vain too often.

An address from which `WRONG_TRIES` logins failed within `LOCKED_S` is turned away for so long.
Lives on an event loop.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

WRONG_TRIES = 10
LOCKED_S = 60.0
_REMEMBERED = 4_096


class Doorman:
    """Counts for one door: `most` connections, `most_of_one` of them for each client."""

    def __init__(
        self, most: int, most_of_one: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._clock = clock
        self._clients: Counter[str] = Counter()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.connections = 0

    def arrive(self, address: str) -> str:
        """A connection from this address: why it cannot stay, or empty. `depart` follows."""
        self.connections += 1
        if self.connections > self._most:
            return "too many connections"
        return "too many wrong logins from this address" if self._is_locked(address) else ""

    def depart(self) -> None:
        """A connection that arrived is gone."""
        self.connections -= 1

    def enter(self, account: str) -> bool:
        """Whether the client may have one connection more. `leave` follows where it may."""
        if self._clients[account] >= self._most_of_one:
            return False
        self._clients[account] += 1
        return True

    def leave(self, account: str) -> None:
        """A connection of the client is gone."""
        self._clients[account] -= 1
        if not self._clients[account]:
            del self._clients[account]

    def count(self, account: str) -> int:
        """Connections of the client."""
        return self._clients[account]

    def failed(self, address: str) -> None:
        """A login from this address was refused."""
        tries, since = self._wrong.pop(address, (0, self._clock()))
        if self._clock() - since >= LOCKED_S:
            tries, since = 0, self._clock()
        self._wrong[address] = tries + 1, since
        while len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)

    def _is_locked(self, address: str) -> bool:
        tries, since = self._wrong.get(address, (0, 0.0))
        return tries >= WRONG_TRIES and self._clock() - since < LOCKED_S
