"""How many messages wait, against how many may (promise 11)."""

from __future__ import annotations

import threading


class Capacity:
    """Kept by adding and subtracting after each commit, so what is committed right now may pass
    the limit by a commit of each committer. Safe to share between threads.
    """

    def __init__(self, limit: int, waiting: int = 0) -> None:
        self.limit = limit
        self.waiting = waiting
        self._lock = threading.Lock()

    def room_for(self, more: int) -> bool:
        return self.waiting + more <= self.limit

    def add(self, change: int) -> None:
        with self._lock:
            self.waiting += change
