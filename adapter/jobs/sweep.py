"""Sweep: repeats a small step until it finds nothing more to do.

Why     What nobody answers has to be looked for: messages in doubt and silent ones
        ("settle"), messages that expired while they waited ("expire"), long texts from
        phones whose missing parts do not come ("give-up"). The step itself belongs to those
        who own the messages; this runs it, bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from adapter.jobs.scheduler import Every


@dataclass(frozen=True, slots=True)
class Sweep:
    """`step` does one bite and says how much it found, 0 when nothing is left.

    `bites`: at most so many in one run, so that a step that always finds something cannot
    keep the store busy; the next run goes on.
    """

    name: str
    step: Callable[[], int]
    every_s: float
    bites: int = 100
    pause_s: float = 0.02

    @property
    def trigger(self) -> Every:
        return Every(self.every_s)

    def run(self, stop: threading.Event) -> None:
        for _ in range(self.bites):
            if not self.step() or stop.wait(self.pause_s):
                return


def settle(step: Callable[[], int], every_s: float = 2.0) -> Sweep:
    """The job that settles messages in doubt and silent ones."""
    return Sweep("settle", step, every_s)


def expire(step: Callable[[], int], every_s: float = 30.0) -> Sweep:
    """The job that ends messages that expired while they waited; it walks the whole spool."""
    return Sweep("expire", step, every_s)


def give_up(step: Callable[[], int], every_s: float = 5.0) -> Sweep:
    """The job that ends the wait for missing parts of long texts from phones."""
    return Sweep("give-up", step, every_s)
