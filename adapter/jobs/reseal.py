"""Reseal: brings what older keys sealed, or what stands in clear, under the newest key.

Why     A data key that was used for years, or that somebody may know, has to go
        (`sms-adapter rekey`); and a store from before it had a key holds contents in clear.

Every few seconds it looks whether there is a new key; the node seals with it from that moment on.
Then it walks over all rows, in small transactions with pauses, and removes the older keys after a
walk that found nothing left: one that began when no transaction was open any more that may have
used them.

A row whose value does not open stays, its key with it, and is looked for again every hour.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine

from adapter.jobs.scheduler import Every
from adapter.store import resealing, store_keys
from adapter.store.committer import Committer, Kind
from adapter.store.reading import reading
from adapter.store.resealing import Bite, Sealed
from adapter.store.sealing import Seal

log = structlog.get_logger(__name__)

STUCK_S = 3_600.0

_Rows = tuple[Sealed, Sequence[int]]


@dataclass(slots=True)
class _Walk:
    """What a walk over all tables came to: rows that were found behind, brought under the newest
    key, and left because they do not open."""

    behind: int = 0
    done: int = 0
    unreadable: int = 0


class Reseal:
    """`page`: rows looked at in one reading; `bite`: rows changed in one transaction. `committers`
    are all that write; the bites go through the first."""

    name = "reseal"

    def __init__(
        self,
        engine: Engine,
        committers: Sequence[Committer],
        seal: Seal,
        masters: Sequence[bytes],
        *,
        page: int = 2_000,
        bite: int = 200,
        pause_s: float = 0.002,
        every_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trigger = Every(every_s)
        self._engine = engine
        self._committers = list(dict.fromkeys(committers))
        self._seal = seal
        self._masters = masters
        self._page = page
        self._bite = bite
        self._pause_s = pause_s
        self._clock = clock
        self._again_at = 0.0
        self._rest: Kind[None, None] = Kind("rest", 9, _run_nothing)
        self._reseal: Kind[_Rows, Bite] = Kind("reseal", 9, _run_reseal)
        self._forget: Kind[Sequence[int], None] = Kind("forget-keys", 9, _run_forget)

    def run(self, stop: threading.Event) -> None:
        self._look()
        if not self._seal.is_mixed or self._clock() < self._again_at:
            return
        for committer in self._committers:
            # Whatever runs after this one has seen the newest key.
            committer.submit(self._rest, None).result()
        older = self._seal.older
        total = 0
        while not stop.is_set():
            walk = self._walk(stop)
            total += walk.done
            if walk.unreadable:
                self._again_at = self._clock() + STUCK_S
                log.error("reseal.unreadable", rows=walk.unreadable, kept_keys=older, done=total)
                return
            if not walk.behind and not stop.is_set():
                self._committers[0].submit(self._forget, older).result()
                self._look()
                log.info("reseal.done", key=self._seal.number, removed=older, rows=total)
                return

    def _look(self) -> None:
        with reading(self._engine) as connection:
            found = store_keys.read(connection)
        if [each.id for each in found] != [*self._seal.older, self._seal.number]:
            store_keys.renew(self._seal, found, self._masters)
            self._again_at = 0.0
            log.info("reseal.keys", newest=self._seal.number, older=self._seal.older)

    def _walk(self, stop: threading.Event) -> _Walk:
        walk = _Walk()
        for what in resealing.EVERYTHING:
            after: int | None = 0
            while after is not None and not stop.is_set():
                started = time.monotonic()
                with reading(self._engine) as connection:
                    page = resealing.look(connection, what, after, self._page)
                after = page.after
                walk.behind += len(page.rows)
                self._pause(started, stop)
                for first in range(0, len(page.rows), self._bite):
                    if not stop.is_set():
                        self._take(what, page.rows[first : first + self._bite], walk, stop)
        return walk

    def _take(self, what: Sealed, rows: Sequence[int], walk: _Walk, stop: threading.Event) -> None:
        started = time.monotonic()
        bite = self._committers[0].submit(self._reseal, (what, rows)).result()
        walk.done += bite.done
        walk.unreadable += bite.unreadable
        self._pause(started, stop)

    def _pause(self, started: float, stop: threading.Event) -> None:
        """Take no more than half of the store's time."""
        stop.wait(max(self._pause_s, time.monotonic() - started))


# Run on a committer's thread.


def _run_nothing(_connection: Connection, works: Sequence[None]) -> list[None]:
    return [None for _ in works]


def _run_reseal(connection: Connection, works: Sequence[_Rows]) -> list[Bite]:
    return [resealing.reseal(connection, *work) for work in works]


def _run_forget(connection: Connection, works: Sequence[Sequence[int]]) -> list[None]:
    for keys in works:
        store_keys.forget(connection, keys)
    return [None for _ in works]
