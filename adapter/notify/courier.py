"""A courier: brings the notices of one destination home, in order, until they land.

One thread for each destination, so that a hospital database that is slow or gone holds up
nobody else. Notices come straight from the commit that wrote them; the store keeps them until
they have arrived. When more come than memory may hold (`most`), after a restart, after a
delivery that failed, and every `READ_AGAIN_S` for safety, the courier reads them from the store.

Promises
    A notice is forgotten only after it was delivered, or a newer state of its message was.
    What was delivered just before a crash is delivered again: deliveries must be repeatable.
    Of several states of one message the final one is delivered, whichever came first.
    A delivery that fails is repeated with growing pauses, for as long as it takes.
    A notice that the destination refuses while it takes others is set aside: it stays in the
    store and is tried again, alone, every `ASIDE_S`, and holds up nobody.

Limits
    Whether one notice is at fault is found out by delivering a few of a failed batch alone; a
    batch of nothing but bad ones looks like a destination that is away.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import structlog

from adapter.domain.states import FINAL
from adapter.domain.values import Home, InboundNotice

log = structlog.get_logger(__name__)

LINGER_S = 0.2
"""A notice may wait this long for company, and for a newer state of its message."""
READ_AGAIN_S = 30.0
PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 60.0
TOGETHER = 3
"""So many times a batch fails before some of it are tried alone."""
PROBES = 3
ASIDE_S = 600.0


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
        self._fresh: dict[int, Home] = {}
        self._aside: dict[int, float] = {}
        self._failures = 0
        self._behind = True
        self._read_at = 0.0
        self._stopping = False
        self._changed = threading.Condition()
        # A daemon: a driver's call that never returns must not keep the process.
        self._thread = threading.Thread(
            target=self._work, name=f"courier-{destination}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Deliver nothing more than the batch in hand. The store keeps the rest."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, wait_s: float) -> bool:
        """Wait until it has stopped; False when it hangs in a delivery."""
        if self._thread.ident is not None:
            self._thread.join(wait_s)
        return not self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Notices in memory."""
        return len(self._fresh)

    @property
    def set_aside(self) -> int:
        """Notices that the destination refuses."""
        return len(self._aside)

    def offer(self, notices: Sequence[Home]) -> None:
        """Take notices that were just committed."""
        with self._changed:
            if self._behind or len(self._fresh) + len(notices) > self._most:
                self._behind = True
            else:
                self._fresh.update((notice.id, notice) for notice in notices)
            self._changed.notify()

    def look_again(self) -> None:
        """Read what waits from the store."""
        with self._changed:
            self._behind = True
            self._changed.notify()

    def _work(self) -> None:
        while not self._stopping:
            try:
                if self._behind or time.monotonic() >= self._read_at:
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
        aside: set[int] = set()
        while not self._stopping and (page := self._read(self._batch, after)):
            after = page[-1].id
            refused = [notice for notice in page if notice.id in self._aside]
            if not self._bring([notice for notice in page if notice.id not in self._aside]):
                return
            self._try_again(refused)
            aside.update(notice.id for notice in page if notice.id in self._aside)
            with self._changed:
                for notice in page:
                    self._fresh.pop(notice.id, None)
        self._aside = {made: due for made, due in self._aside.items() if made in aside}
        self._read_at = time.monotonic() + READ_AGAIN_S

    def _gather(self) -> list[Home]:
        with self._changed:
            self._changed.wait_for(
                lambda: self._fresh or self._stopping or self._behind,
                max(0.0, self._read_at - time.monotonic()),
            )
            if not self._fresh:
                return []
            self._changed.wait_for(
                lambda: len(self._fresh) >= self._batch or self._stopping, LINGER_S
            )
            taken = list(islice(self._fresh, self._batch))
            return [self._fresh.pop(made) for made in taken]

    def _bring(self, batch: Sequence[Home]) -> bool:
        """Deliver a batch; False when it has to be read again later, after a pause."""
        if not batch:
            return True
        try:
            self._deliver_and_forget(batch)
        except Exception as error:
            self._failed(error)
        else:
            return True
        if self._failures % TOGETHER == 0 and self._sort_out(batch):
            return True
        with self._changed:
            self._behind = True
        pause = min(PAUSE_MAX_S, PAUSE_MIN_S * 2.0 ** min(self._failures, 10))
        self._pause(pause * random.uniform(0.5, 1.0))
        return False

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = time.time()
            log.warning("courier.failed", destination=self.destination, error=type(error).__name__)

    def _deliver_and_forget(self, batch: Sequence[Home]) -> None:
        latest = newest(batch)
        self._deliver(latest)
        self._failures = 0
        if self.failing_since is not None:
            log.info("courier.recovered", destination=self.destination)
            self.failing_since = None
        self._forget([notice.id for notice in batch])
        self._arrived(latest)

    def _sort_out(self, batch: Sequence[Home]) -> bool:
        """Deliver one by one, where that works; those that are refused are set aside. False
        when nothing lands: then the destination is away."""
        landed = [notice for notice in _spread(batch, PROBES) if self._lands(notice)]
        if not landed:
            return False
        tried = {notice.id for notice in landed}
        refused: list[Home] = []
        for notice in batch:
            if self._stopping:
                return False
            if notice.id in tried:
                continue
            if not self._lands(notice):
                refused.append(notice)
                if len(refused) < PROBES:
                    continue
                # It may have gone away in the middle: then nothing is wrong with these.
                if not self._takes(landed[0]):
                    return False
            self._set_aside(refused)
            refused = []
        if refused and not self._takes(landed[0]):
            return False
        self._set_aside(refused)
        return True

    def _takes(self, witness: Home) -> bool:
        """Whether the destination takes once more what it took before."""
        try:
            self._deliver([witness])
        except Exception:
            return False
        return True

    def _lands(self, notice: Home) -> bool:
        try:
            self._deliver_and_forget([notice])
        except Exception:
            return False
        return True

    def _set_aside(self, notices: Iterable[Home]) -> None:
        for notice in notices:
            if notice.id not in self._aside:
                kind, number = _subject(notice)
                log.error("courier.refused", destination=self.destination, kind=kind, id=number)
            self._aside[notice.id] = time.monotonic() + ASIDE_S

    def _try_again(self, refused: Sequence[Home]) -> None:
        for notice in refused:
            if self._stopping or time.monotonic() < self._aside[notice.id]:
                continue
            if self._lands(notice):
                del self._aside[notice.id]
            else:
                self._set_aside([notice])

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, seconds)


def newest(batch: Sequence[Home]) -> list[Home]:
    """One notice for each message and text: its final state, else the latest. Notices of one
    commit may have overtaken those of the commit before."""
    found: dict[tuple[str, int], Home] = {}
    for notice in batch:
        known = found.setdefault(_subject(notice), notice)
        if known is not notice and _rank(known) <= _rank(notice):
            found[_subject(notice)] = notice
    return list(found.values())


def _rank(notice: Home) -> tuple[bool, int]:
    return isinstance(notice, InboundNotice) or notice.state in FINAL, notice.id


def _spread(batch: Sequence[Home], most: int) -> list[Home]:
    """The last, the first and some between."""
    last = len(batch) - 1
    places = {last * part // max(1, most - 1) for part in range(most)}
    return [batch[place] for place in sorted(places, reverse=True)]


def _subject(notice: Home) -> tuple[str, int]:
    if isinstance(notice, InboundNotice):
        return "inbound", notice.inbound_id
    return "message", notice.message_id
