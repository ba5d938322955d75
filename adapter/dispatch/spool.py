"""The spool as the dispatcher sees it: what is durable and waits for a channel.

The implementation today lies in the store (`adapter.dispatch.store_spool`) and serves one
dispatcher. Another one, over a replicated queue, would serve many.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from adapter.domain.outcomes import Begin, Late, Outcome, QueueKey, Received, Reported
from adapter.domain.values import Waiting


class Spool(Protocol):
    """All methods are awaited on the event loop and return after the commit."""

    async def keys(self) -> Sequence[QueueKey]:
        """Queues that have something waiting, due or not."""

    async def take(
        self, key: QueueKey, most: int, now: int, held: Collection[int]
    ) -> tuple[list[Waiting], int | None]:
        """Due messages of a queue, first due first, without those `held`; and when to look
        again (`now`: at once, None: there is nothing else)."""

    async def begin(self, begins: Sequence[Begin]) -> set[int]:
        """Record attempts before the wire; the messages that may be sent. A message left out
        was cancelled, has expired, or is being sent already.

        Raises StoreUnavailable: nothing may be sent."""

    async def expire(self, messages: Sequence[int]) -> None:
        """End waiting messages as EXPIRED."""

    async def reject(self, messages: Sequence[int], code: str) -> None:
        """End waiting messages as REJECTED."""

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Record how attempts ended."""

    async def accept_late(self, late: Sequence[Late]) -> None:
        """Record parts that were accepted after their attempts were in doubt."""

    async def report(self, reports: Sequence[Reported]) -> None:
        """Record receipts; afterwards they may be acknowledged to the carrier."""

    async def receive(self, texts: Sequence[Received]) -> None:
        """Record inbound texts; afterwards they may be acknowledged to the carrier."""
