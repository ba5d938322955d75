"""A courier: brings the notices of one destination home, in order, until they land.

One thread for each destination, so that a hospital database that is slow or gone holds up
nobody else. Notices come straight from the commit that wrote them; the store keeps them until
they have arrived. When more come than memory may hold (`most`), after a restart, and every
`READ_AGAIN_S` for safety, the courier reads them from the store.

Promises
    A notice is forgotten only after it was delivered. What was delivered just before a
    crash is delivered again: deliveries must be repeatable.
    Of several states of one message only the newest is delivered.
    A delivery that fails is repeated with growing pauses, for as long as it takes.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from adapter.domain.values import InboundNotice, Notice

log = structlog.get_logger(__name__)

Home = Notice | InboundNotice

LINGER_S = 0.2
"""A notice may wait this long for company, and for a newer state of its message."""
READ_AGAIN_S = 30.0
PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 60.0


class Courier:
    """Delivers to one destination on a thread of its own.

    `deliver` raises when the destination cannot be written; `read` returns waiting notices with
    ids greater than the one given, oldest first; `forget` deletes what arrived; `arrived` hears
    of it.
    """

    def __init__(
        self,
        destination: str,
        deliver: Callable[[Sequence[Home]], None],
        read: Callable[[int, int], Sequence[Home]],
        forget: Callable[[Sequence[int]], object],
        *,
        arrived: Callable[[Sequence[Home]], object] = lambda notices: None,
        batch: int = 500,
        most: int = 20_000,
    ) -> None:
        self.destination = destination
        self.failing_since: float | None = None
        self._deliver = deliver
        self._read = read
        self._forget = forget
        self._arrived = arrived
        self._batch = batch
        self._most = most
        self._fresh: deque[Home] = deque()
        self._behind = True
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"courier-{destination}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing more than the batch in hand. The store keeps the rest."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Notices in memory."""
        return len(self._fresh)

    def offer(self, notices: Sequence[Home]) -> None:
        """Take notices that were just committed."""
        with self._changed:
            if self._behind or len(self._fresh) + len(notices) > self._most:
                self._behind = True
            else:
                self._fresh.extend(notices)
            self._changed.notify()

    def _work(self) -> None:
        while not self._stopping:
            try:
                if self._behind:
                    self._catch_up()
                elif batch := self._gather():
                    self._bring(batch)
            except Exception as error:
                # The store is away: what is in memory is there too, so read it from there later.
                log.warning(
                    "courier.read", destination=self.destination, error=type(error).__name__
                )
                self._behind = True
                self._pause(PAUSE_MIN_S)

    def _catch_up(self) -> None:
        """Bring everything that the store keeps, then go on with what comes fresh."""
        with self._changed:
            self._fresh.clear()
            self._behind = False
        after = 0
        while not self._stopping and (batch := self._read(self._batch, after)):
            after = batch[-1].id
            self._bring(batch)

    def _gather(self) -> list[Home]:
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._fresh or self._stopping or self._behind, READ_AGAIN_S
            ):
                self._behind = True
                return []
            self._changed.wait_for(
                lambda: len(self._fresh) >= self._batch or self._stopping, LINGER_S
            )
            return [self._fresh.popleft() for _ in range(min(self._batch, len(self._fresh)))]

    def _bring(self, batch: Sequence[Home]) -> None:
        newest = list({_subject(notice): notice for notice in batch}.values())
        tries = 0
        while not self._stopping:
            try:
                self._deliver(newest)
            except Exception as error:
                tries += 1
                if self.failing_since is None:
                    self.failing_since = time.time()
                    log.warning(
                        "courier.failed", destination=self.destination, error=type(error).__name__
                    )
                pause = min(PAUSE_MAX_S, PAUSE_MIN_S * 2 ** min(tries, 10))
                self._pause(pause * random.uniform(0.5, 1.0))
            else:
                if self.failing_since is not None:
                    log.info("courier.recovered", destination=self.destination)
                    self.failing_since = None
                self._forget([notice.id for notice in batch])
                self._arrived(newest)
                return

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)


def _subject(notice: Home) -> tuple[str, int]:
    if isinstance(notice, InboundNotice):
        return "inbound", notice.inbound_id
    return "message", notice.message_id
