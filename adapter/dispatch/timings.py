"""How long messages of a channel waited for the wire, and the carrier took to answer.

Told in batches, because it happens on the event loop: one call a turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from adapter.domain.states import Lane
from adapter.domain.values import Waiting

MOST_KEPT = 500


class Watch(Protocol):
    """Who wants to know; `adapter.metrics.Metrics` fits. All times are in seconds."""

    def observe_wire(self, lane: Lane, waits: Iterable[float]) -> None:
        """From acceptance or due time to the wire, for messages sent the first time."""

    def observe_submit(self, channel: str, waits: Iterable[float]) -> None:
        """From a submit to its answer."""


class Timings:
    """Of one channel; used on the event loop only. Times handed in are milliseconds."""

    def __init__(self, channel: str, watch: Watch | None) -> None:
        self._channel = channel
        self._watch = watch
        self._answers: list[float] = []

    def sent(self, messages: Sequence[Waiting], now: int) -> None:
        """These go to the wire now."""
        if self._watch is None:
            return
        waits: defaultdict[Lane, list[float]] = defaultdict(list)
        for each in messages:
            if not each.tries:
                of = each.submission
                waits[of.lane].append(now / 1000 - of.due_at.timestamp())
        for lane, its in waits.items():
            self._watch.observe_wire(lane, its)

    def answered(self, sent_at: Iterable[int], now: int) -> None:
        """Submits that went out at these times were answered."""
        self._answers += [(now - each) / 1000 for each in sent_at]
        if len(self._answers) >= MOST_KEPT:
            self.tell()

    def tell(self) -> None:
        """Tell what was gathered."""
        if self._answers and self._watch is not None:
            self._watch.observe_submit(self._channel, self._answers)
        self._answers.clear()
