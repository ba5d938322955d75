"""The sliding window: requests on the wire that wait for their answers."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Window(Generic[T]):
    """At most `size` unanswered requests, in the order they were sent.

    `limit` is the part of the window in use: it falls to 1 when the peer throttles and
    doubles with every request it accepts, up to `size`.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.limit = size
        self._open: dict[Hashable, tuple[T, float]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, sequence: Hashable) -> bool:
        return sequence in self._open

    @property
    def room(self) -> int:
        return max(0, self.limit - len(self._open))

    def put(self, sequence: Hashable, item: T, now: float) -> None:
        self._open[sequence] = (item, now)

    def take(self, sequence: Hashable) -> T | None:
        """The request this answer belongs to; its slot is free. None for a stranger."""
        found = self._open.pop(sequence, None)
        return found[0] if found is not None else None

    def expired(self, before: float) -> list[tuple[Hashable, T]]:
        """Take out the requests sent at or before this time."""
        out: list[tuple[Hashable, T]] = []
        for sequence, (item, at) in self._open.items():
            if at > before:
                break
            out.append((sequence, item))
        for sequence, _ in out:
            del self._open[sequence]
        return out

    def drain(self) -> list[T]:
        """Take out everything, oldest first."""
        items = [item for item, _ in self._open.values()]
        self._open.clear()
        return items

    def shrink(self) -> None:
        """The peer throttled."""
        self.limit = 1

    def grow(self) -> None:
        """The peer accepted."""
        if self.limit < self.size:
            self.limit = min(self.size, self.limit * 2)
