"""Which clients were heard of in the last moments, at any of the doors.

A client that is alone may have all of the machine. As soon as another one is about, what either
does at a time is kept small, so that the other waits for little. Who floods is nobody's company:
for others who flood as well there is nothing to be kept short.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

HEARD_S = 1.0
"""So long after its last request a client still counts."""
_REMEMBERED = 1_000


class Company:
    """Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: OrderedDict[Hashable, float] = OrderedDict()
        self._flooded: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return self._clock()

    def heard(self, client: Hashable) -> None:
        """A request of this client came."""
        with self._lock:
            self._heard[client] = self._clock()
            self._heard.move_to_end(client)
            if len(self._heard) > _REMEMBERED:
                forgotten, _ = self._heard.popitem(last=False)
                self._flooded.pop(forgotten, None)

    def flooded(self, client: Hashable) -> None:
        """This client had several bites more to do as one of them was done."""
        with self._lock:
            if client in self._heard:
                self._flooded[client] = self._clock()

    def beside(self, client: Hashable) -> bool:
        """Whether another client was heard of just now that does not flood itself."""
        with self._lock:
            since = self._clock() - HEARD_S
            for other, heard in reversed(self._heard.items()):
                if heard <= since:
                    break
                if other != client and self._flooded.get(other, since) <= since:
                    return True
        return False
