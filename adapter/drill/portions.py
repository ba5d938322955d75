"""A load in portions, so that it lasts as long as the kills do."""

from __future__ import annotations

import threading


class Portions:
    """A pace (`adapter.bench.load.Pace`) that lets through what was released."""

    def __init__(self) -> None:
        self._left = 0
        self._changed = threading.Condition()

    def release(self, more: int) -> None:
        with self._changed:
            self._left += more
            self._changed.notify_all()

    def wait(self, most: int) -> int:
        """Wait until something is released; how many are, at most `most`."""
        with self._changed:
            self._changed.wait_for(lambda: self._left > 0)
            due = min(self._left, most)
            self._left -= due
            return due


def shares(total: int, parts: int) -> list[int]:
    """`total` in that many parts, as equal as can be."""
    each, rest = divmod(total, parts)
    return [each + (part < rest) for part in range(parts)]
