"""Fold: keeps the statistics' hours and days current.

Why     Reports read sums, never messages. Every change of state leaves a tally; folded
        often, there are few of them, and reports stay fast.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy import Engine

from adapter.jobs.scheduler import Every
from adapter.store.statistics import BITE, fold


@dataclass(frozen=True, slots=True)
class Fold:
    """`bite`: tallies in one transaction; `pause_s`: between two, for those who write."""

    engine: Engine
    zone: tzinfo
    every_s: float = 30.0
    bite: int = BITE
    pause_s: float = 0.05

    @property
    def name(self) -> str:
        return "fold"

    @property
    def trigger(self) -> Every:
        return Every(self.every_s)

    def run(self, stop: threading.Event) -> None:
        # A full bite means that there is more.
        while fold(self.engine, self.zone, self.bite) == self.bite:
            if stop.wait(self.pause_s):
                return
