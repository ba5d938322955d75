"""Texts from phones on their way into the store, and the end of the wait for missing parts.

The wait counts from the last part that came, and from the start of this process: what a
carrier kept while we were away must find the parts that came before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import structlog
from sqlalchemy import Connection

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Received
from adapter.domain.values import InboundNotice
from adapter.store import inbound
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind

log = structlog.get_logger(__name__)

LINGER_S = 0.002
"""Texts may wait this long for company: nobody waits for them."""


class Inbox:
    """Through the recording committer. `told` gets the notices of texts that were given up;
    `owners` and `sources` say whose a text is (`adapter.store.inbound.take`)."""

    def __init__(
        self,
        committer: Committer,
        ids: IdMaker,
        owners: Mapping[str, str],
        sources: Mapping[str, Sequence[str]],
        wait_s: float,
        told: Callable[[Sequence[InboundNotice]], None],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._committer = committer
        self._ids = ids
        self._owners = owners
        self._sources = sources
        self._wait_ms = int(wait_s * 1000)
        self._told = told
        self._clock = clock
        self._since = clock()
        self._take: Kind[Sequence[Received], list[InboundNotice]] = Kind(
            "receive", 5, self._run_take, linger_s=LINGER_S
        )
        self._give_up: Kind[int, tuple[int, list[InboundNotice]]] = Kind(
            "give-up", 7, self._run_give_up
        )

    def take(self, texts: Sequence[Received]) -> Future[list[InboundNotice]]:
        """Store texts and parts; the notices, once they are durable."""
        return self._committer.submit(self._take, texts)

    def give_up(self) -> int:
        """One bite: store long texts whose missing parts were waited for long enough, as far
        as they came; how many there were."""
        found, notices = self._committer.submit(self._give_up, self._overdue()).result()
        self._told(notices)
        if found:
            log.info("inbox.given_up", texts=found)
        return found

    def _overdue(self) -> int:
        """What came last before this moment waits no longer."""
        before = self._clock() - self._wait_ms
        return before if before >= self._since else 0

    # Run on the committer's thread.

    def _run_take(
        self, connection: Connection, works: Sequence[Sequence[Received]]
    ) -> list[list[InboundNotice]]:
        texts = [each for work in works for each in work]
        notices = inbound.take(
            connection, self._ids, texts, self._owners, self._sources, self._overdue()
        )
        # The notices of a whole transaction belong to its first piece.
        return [notices] + [[] for _ in works[1:]]

    def _run_give_up(
        self, connection: Connection, works: Sequence[int]
    ) -> list[tuple[int, list[InboundNotice]]]:
        return [
            inbound.give_up(connection, self._ids, overdue, self._owners, self._sources)
            for overdue in works
        ]
