"""Upkeep: keeps the store's database fast.

Why     Tables grow from nothing to millions of rows: the planner must learn of it. SQLite's
        write-ahead log keeps the size of its worst hour until somebody truncates it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import Engine

from adapter.jobs.scheduler import Every
from adapter.store.upkeep import tend


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Once an hour; a fraction of a second unless a table changed much."""

    engine: Engine
    every_s: float = 3600.0

    @property
    def name(self) -> str:
        return "upkeep"

    @property
    def trigger(self) -> Every:
        return Every(self.every_s)

    def run(self, stop: threading.Event) -> None:
        if not stop.is_set():
            tend(self.engine)
