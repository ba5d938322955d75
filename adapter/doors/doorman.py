"""How many stand at a door: all, and of each client. Lives on an event loop."""

from __future__ import annotations

from collections import Counter


class Doorman:
    """Counts for one door: `most` connections, `most_of_one` of them for each client."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._clients: Counter[str] = Counter()
        self.connections = 0

    def arrive(self) -> bool:
        """A connection came: whether it may stay. `depart` follows in any case."""
        self.connections += 1
        return self.connections <= self._most

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
