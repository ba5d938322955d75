"""Gathers what the links tell and hands it to the spool in batches.

Everything told within `GATHER_S`, or at once where a channel waits for it, goes into one batch
for each kind. A report or inbound text is acknowledged to the carrier after the commit, never
before: until then the carrier keeps it, and its window bounds how many are here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import structlog

from adapter.dispatch.spool import Spool
from adapter.domain.errors import StoreUnavailable
from adapter.domain.outcomes import Late, Outcome, Received, Reported
from connectors.values import Ack

T = TypeVar("T")

log = structlog.get_logger(__name__)

GATHER_S = 0.002
"""While the store commits one batch the next one gathers anyway."""


class Recorder:
    """Used on the event loop only, but for `is_alive`. `recorded` hears of the outcomes that
    were recorded, or of none when a batch could not be."""

    def __init__(self, spool: Spool, recorded: Callable[[list[Outcome]], None]) -> None:
        self._spool = spool
        self._recorded = recorded
        self._outcomes: list[Outcome] = []
        self._late: list[Late] = []
        self._reports: list[tuple[Reported, Ack]] = []
        self._texts: list[tuple[Received, Ack]] = []
        self._timer: asyncio.Handle | None = None
        self._hurrying = False
        self._running: set[asyncio.Task[None]] = set()
        self._alive: set[int] = set()
        self._unrecorded: Counter[str] = Counter()

    def is_alive(self, message: int) -> bool:
        """Whether the outcome of this message's attempt will still be told. From any thread."""
        return message in self._alive

    def expect(self, messages: Iterable[int]) -> None:
        """Attempts of these are about to be recorded."""
        self._alive.update(messages)

    def expect_no_more(self, messages: Iterable[int]) -> None:
        """They were not begun."""
        self._alive.difference_update(messages)

    def unrecorded(self, channel: str) -> int:
        """Segments of this channel's outcomes that were told and are not recorded yet."""
        return self._unrecorded[channel]

    def outcomes(self, outcomes: Iterable[Outcome]) -> None:
        for each in outcomes:
            self._unrecorded[each.channel] += each.size
            self._outcomes.append(each)
        self._gather()

    def late(self, late: Late) -> None:
        """A part was accepted after the outcome of its attempt was told."""
        self._late.append(late)
        self._gather()

    def report(self, reports: Sequence[tuple[Reported, Ack]]) -> None:
        if reports:
            self._reports += reports
            self._gather()

    def inbound(self, received: Received, ack: Ack) -> None:
        self._texts.append((received, ack))
        self._gather()

    def hurry(self) -> None:
        """A channel can begin nothing until what was told is recorded."""
        if self._timer is not None and not self._hurrying:
            self._hurrying = True
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_soon(self._flush)

    async def drain(self, wait_s: float) -> bool:
        """Wait until everything told so far is recorded; False when it took longer.

        What is not recorded comes up in doubt at the next start, or is told again by the
        carrier."""
        self._flush()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while self._running and (left := deadline - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left)
        return not self._running

    def _gather(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hurrying = False
        outcomes, self._outcomes = self._outcomes, []
        late, self._late = self._late, []
        reports, self._reports = self._reports, []
        texts, self._texts = self._texts, []
        if outcomes:
            self._run(self._record(outcomes))
        if late:
            self._run(self._record_late(late))
        if reports:
            self._run(self._acknowledge(self._spool.report, reports))
        if texts:
            self._run(self._acknowledge(self._spool.receive, texts))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _record(self, outcomes: list[Outcome]) -> None:
        # What could not be recorded stays in `attempt` and comes up in doubt.
        recorded = await _commit(self._spool.finish, outcomes)
        self.expect_no_more([each.waiting.message.id for each in outcomes])
        for each in outcomes:
            self._unrecorded[each.channel] -= each.size
        self._recorded(recorded)

    async def _record_late(self, late: list[Late]) -> None:
        # What could not be recorded stays in doubt.
        await _commit(self._spool.accept_late, late)

    async def _acknowledge(
        self,
        record: Callable[[Sequence[T]], Awaitable[None]],
        told: Sequence[tuple[T, Ack]],
    ) -> None:
        # What could not be recorded is not acknowledged: the carrier sends it again.
        recorded = set(map(id, await _commit(record, [item for item, _ in told])))
        for item, ack in told:
            if id(item) in recorded:
                ack()
            else:
                ack.refused()


async def _commit(record: Callable[[Sequence[T]], Awaitable[None]], items: list[T]) -> list[T]:
    """Record; those that are. What the store refuses takes nobody with it: after a refusal
    each is recorded alone."""
    try:
        await record(items)
    except StoreUnavailable:
        log.warning("recorder.store_away", items=len(items))
        return []
    except Exception as error:
        if len(items) > 1:
            return [done for item in items for done in await _commit(record, [item])]
        log.error("recorder.refused", kind=type(items[0]).__name__, error=type(error).__name__)
        return []
    return items
