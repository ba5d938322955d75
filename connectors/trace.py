"""The last frames of a channel, kept for whoever looks into a fault.

A ring: the newest push the oldest out. Octets are kept as they were on the wire and read only
when they are shown (connectors/trace_view.py), so that recording costs an append; connections of
one channel share the ring, and it outlives them.

Limits: of one frame at most `MOST_OCTETS` are kept. What is kept holds contents and secrets:
nothing but `trace_view` may show it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

MOST_OCTETS = 4096


class Way(StrEnum):
    """What an entry is about. CUT: octets that came and are no frame."""

    SENT = "sent"
    RECEIVED = "received"
    CUT = "cut"
    OPENED = "opened"
    CLOSED = "closed"


class Kept(NamedTuple):
    """One entry. `at` is seconds of the epoch, `size` the octets there were; `octets` are those
    of a frame, `text` says what else it was: nothing that must not be shown."""

    at: float
    link: str
    way: Way
    size: int = 0
    octets: bytes = b""
    text: str = ""


class Trace:
    """The ring of a channel. Written on the event loop, read from any thread."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._kept: deque[Kept] = deque(maxlen=keep)

    def tap(self, link: str) -> Tap:
        """What the connections of this link write to."""
        return Tap(self._kept, link)

    def kept(self) -> Sequence[Kept]:
        """What there is, oldest first."""
        return tuple(self._kept)


class Tap:
    """Where a connection tells what passes."""

    __slots__ = ("_append", "_link")

    def __init__(self, kept: deque[Kept], link: str) -> None:
        self._append = kept.append
        self._link = link

    def sent(self, frame: bytes) -> None:
        """A frame that goes out."""
        size = len(frame)
        self._append(Kept(time.time(), self._link, Way.SENT, size, frame[:MOST_OCTETS]))

    def received(self, frame: bytes) -> None:
        """A frame that came in."""
        size = len(frame)
        self._append(Kept(time.time(), self._link, Way.RECEIVED, size, frame[:MOST_OCTETS]))

    def noted(self, way: Way, text: str = "", size: int = 0) -> None:
        """Something without octets: a connection's beginning or end, a web request."""
        self._append(Kept(time.time(), self._link, way, size, text=text))
