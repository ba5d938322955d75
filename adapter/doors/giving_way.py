"""Long loops that let others run.

A thread that computes for milliseconds on end keeps its processor until the system's scheduler
takes it away, up to 4 ms, though the interpreter's lock has long been asked for: whoever was woken
beside it waits. A short sleep gives the processor back at once.

Limits: for threads of their own; an event loop would stand still.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_PORTION = 64
"""Items between two sleeps: some tenths of a millisecond."""
_SLEEP_S = 0.000_05


def giving_way(items: Iterable[T]) -> Iterator[T]:
    """The items; after each portion of them others may run."""
    left = _PORTION
    for item in items:
        if not left:
            time.sleep(_SLEEP_S)
            left = _PORTION
        left -= 1
        yield item
