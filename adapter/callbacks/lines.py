"""Who goes next: events of one message in a line, in order; lines beside each other.

A line is tried by its first event. While that is on its way, or waits after a failure, the others
of its message wait behind it; other lines go on. Pure: no clock, no network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from adapter.domain.values import Home, InboundNotice, Notice


@dataclass(slots=True, eq=False)
class Line:
    """Events about one message. `busy`: how many of the first are on their way. `due`: not tried
    before; `tries`: failures of the first event in succession, the first at `failing_since`.
    `alone`: goes into no request with others, for one of them is at fault."""

    subject: int
    events: deque[Home] = field(default_factory=deque)
    busy: int = 0
    due: float = 0.0
    tries: int = 0
    failing_since: float = 0.0
    alone: bool = False


Portion = Sequence[tuple[Line, Sequence[Home]]]
"""What goes into one request."""


class Lines:
    """All events that are here."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._failing: dict[int, Line] = {}
        self.count = 0
        """Events."""

    @property
    def events(self) -> list[Home]:
        """All of them."""
        return [each for line in self._lines.values() for each in line.events]

    @property
    def failing(self) -> Sequence[Line]:
        """Lines whose first event was refused."""
        return list(self._failing.values())

    @property
    def refused(self) -> int:
        """How many these are."""
        return len(self._failing)

    def add(self, events: Iterable[Home]) -> None:
        """Behind what is known of their messages."""
        for event in events:
            subject = subject_of(event)
            line = self._lines.get(subject)
            if line is None:
                line = self._lines[subject] = Line(subject)
            line.events.append(event)
            self.count += 1

    def next(self, most: int, now: float) -> Portion:
        """Up to `most` events for one request; nothing when nothing can go now."""
        taken: list[tuple[Line, Sequence[Home]]] = []
        left = most
        for line in self._lines.values():
            if line.busy or line.due > now:
                continue
            if line.alone or line.tries or most == 1:
                if taken:
                    continue
                return self._taken([(line, [line.events[0]])])
            its = _together(line.events, left)
            taken.append((line, its))
            left -= len(its)
            if not left:
                break
        return self._taken(taken)

    def probes(self, most: int, *, fresh_first: bool = False) -> Sequence[Portion]:
        """Single events to find out whether anybody is there: the one that was refused first, and
        others that were not tried yet, or those first."""
        idle = [line for line in self._lines.values() if not line.busy]
        failing = sorted((line for line in idle if line.tries), key=lambda line: line.due)
        fresh = [line for line in idle if not line.tries]
        first = 0 if fresh_first else 1
        chosen = [*failing[:first], *fresh, *failing[first:]]
        return [self._taken([(line, [line.events[0]])]) for line in chosen[:most]]

    def safe(self, portion: Portion) -> list[int]:
        """These have arrived; their ids."""
        for line, events in portion:
            line.alone = False
            self._shorten(line, len(events))
        return [event.id for _, events in portion for event in events]

    def failed(self, portion: Portion, *, apart: bool) -> None:
        """These have not; `apart`: what was together is tried alone."""
        together = len(portion) > 1 or len(portion[0][1]) > 1
        for line, _ in portion:
            line.busy = 0
            line.alone = line.alone or (apart and together)

    def refuse(self, line: Line, at: float) -> None:
        """Its first event was refused, alone."""
        if not line.tries:
            line.failing_since = at
        line.tries += 1
        self._failing[line.subject] = line

    def bury(self, ids: set[int]) -> None:
        """Take these out, wherever they are; none of them is on its way."""
        for line in list(self._lines.values()):
            if line.busy or not any(event.id in ids for event in line.events):
                continue
            first = line.events[0]
            kept = deque(event for event in line.events if event.id not in ids)
            self.count -= len(line.events) - len(kept)
            line.events = kept
            if not kept or kept[0] is not first:
                self._begin_again(line)

    def idle_events(self) -> list[Home]:
        """Those that are not on their way, nor behind one that is."""
        return [event for line in self._lines.values() if not line.busy for event in line.events]

    def try_all_now(self) -> None:
        """The pauses are over: whoever was away is back."""
        for line in self._lines.values():
            line.due = 0.0

    def next_due(self) -> float | None:
        """When the first pause is over."""
        return min((line.due for line in self._lines.values() if not line.busy), default=None)

    def _taken(self, portion: Portion) -> Portion:
        for line, events in portion:
            line.busy = len(events)
        return portion

    def _shorten(self, line: Line, by: int) -> None:
        for _ in range(by):
            line.events.popleft()
        self.count -= by
        self._begin_again(line)

    def _begin_again(self, line: Line) -> None:
        """With another first event, or none."""
        line.busy, line.tries, line.due = 0, 0, 0.0
        self._failing.pop(line.subject, None)
        if not line.events:
            del self._lines[line.subject]


def _together(events: Iterable[Home], most: int) -> Sequence[Home]:
    """The first ones that may stand in one request, where receipts stand before texts."""
    taken: list[Home] = []
    for event in islice(events, most):
        if isinstance(event, Notice) and taken and not isinstance(taken[-1], Notice):
            break
        taken.append(event)
    return taken


def subject_of(event: Home) -> int:
    """The message that it is about; a text that answers none stands alone."""
    if isinstance(event, InboundNotice):
        return event.message_id or event.inbound_id
    return event.message_id
