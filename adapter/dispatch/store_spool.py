"""The spool in the store: the bridge from the event loop to the committers.

`begin` has a committer of its own where the store can commit side by side (PostgreSQL), so
that an attempt does not wait behind the recording of receipts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Engine

from adapter.dispatch.inbox import Inbox
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Begin, Late, Outcome, QueueKey, Received, Reported, Verdict
from adapter.domain.states import State
from adapter.domain.values import InboundNotice, Notice, Waiting
from adapter.store import recording, spooling
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer, Kind
from adapter.store.settlement import EXPIRED_WAITING
from adapter.store.withdrawal import Withdrawn, withdraw

T = TypeVar("T")
R = TypeVar("R")


class Watch(Protocol):
    """Who wants to know how long receipts took; `adapter.metrics.Metrics` fits."""

    def observe_receipt(self, channel: str, waits: Iterable[float]) -> None:
        """Seconds from a submit to its receipt."""


class _Told(NamedTuple):
    """What the links told."""

    outcomes: Sequence[Outcome] = ()
    reports: Sequence[Reported] = ()
    late: Sequence[Late] = ()


class _End(NamedTuple):
    """Waiting messages, and how they end."""

    messages: Sequence[int]
    state: State
    code: str


class StoreSpool:
    """See `adapter.dispatch.spool.Spool`.

    `told` gets the notices of each commit.
    """

    def __init__(
        self,
        engine: Engine,
        starter: Committer,
        recorder: Committer,
        ids: IdMaker,
        capacity: Capacity,
        inbox: Inbox,
        told: Callable[[Sequence[Notice | InboundNotice]], None],
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self._engine = engine
        self._starter = starter
        self._recorder = recorder
        self._ids = ids
        self._capacity = capacity
        self._inbox = inbox
        self._told = told
        self._begin: Kind[Sequence[Begin], set[int]] = Kind("begin", 1, self._run_begin)
        self._withdraw: Kind[_End, Withdrawn] = Kind("withdraw", 2, self._run_withdraw)
        self._record: Kind[_Told, Sequence[Notice]] = Kind(
            "record", 3, self._run_record, patient=True
        )

    async def keys(self) -> Sequence[QueueKey]:
        return await asyncio.to_thread(spooling.queue_keys, self._engine)

    async def take(
        self, key: QueueKey, most: int, now: int, held: Collection[int]
    ) -> tuple[list[Waiting], int | None]:
        found, later = await asyncio.to_thread(
            spooling.read_due, self._engine, key, most, now, held
        )
        lost = [each.message.id for each in found if spooling.is_unreadable(each)]
        if lost:
            await self.reject(lost, spooling.UNREADABLE_CODE)
            found = [each for each in found if not spooling.is_unreadable(each)]
        return found, later

    async def begin(self, begins: Sequence[Begin]) -> set[int]:
        owned = await self._commit(self._starter, self._begin, begins)
        self._capacity.add(-len(owned))
        return owned

    async def expire(self, messages: Sequence[int]) -> None:
        await self._end(_End(messages, State.EXPIRED, EXPIRED_WAITING))

    async def reject(self, messages: Sequence[int], code: str) -> None:
        await self._end(_End(messages, State.REJECTED, code))

    async def _end(self, work: _End) -> None:
        gone = await self._commit(self._starter, self._withdraw, work)
        self._capacity.add(-gone.ended)
        self._told(gone.notices)

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        self._tell(await self._commit(self._recorder, self._record, _Told(outcomes=outcomes)))
        self._capacity.add([each.verdict for each in outcomes].count(Verdict.RETRY))

    async def accept_late(self, late: Sequence[Late]) -> None:
        self._tell(await self._commit(self._recorder, self._record, _Told(late=late)))

    async def report(self, reports: Sequence[Reported]) -> None:
        self._tell(await self._commit(self._recorder, self._record, _Told(reports=reports)))

    def _tell(self, notices: Sequence[Notice]) -> None:
        self._told(notices)
        if self._watch is not None:
            for channel, waits in _receipt_times(notices).items():
                self._watch.observe_receipt(channel, waits)

    async def receive(self, texts: Sequence[Received]) -> None:
        notices = await asyncio.wrap_future(self._inbox.take(texts))
        self._told(notices)

    async def _commit(self, committer: Committer, kind: Kind[T, R], work: T) -> R:
        return await asyncio.wrap_future(committer.submit(kind, work))

    # Run on a committer's thread: the pieces of one transaction together.

    def _run_begin(
        self, connection: Connection, works: Sequence[Sequence[Begin]]
    ) -> list[set[int]]:
        owned = spooling.begin(connection, _joined(works))
        return [{each.waiting.message.id for each in work} & owned for work in works]

    def _run_withdraw(self, connection: Connection, works: Sequence[_End]) -> list[Withdrawn]:
        return [withdraw(connection, self._ids, *work) for work in works]

    def _run_record(
        self, connection: Connection, works: Sequence[_Told]
    ) -> Sequence[Sequence[Notice]]:
        outcomes = _joined([work.outcomes for work in works])
        reports = _joined([work.reports for work in works])
        late = _joined([work.late for work in works])
        return _first(recording.record(connection, self._ids, outcomes, reports, late), works)


def _receipt_times(notices: Sequence[Notice]) -> Mapping[str, Sequence[float]]:
    """By channel: seconds from submit to the receipt that ended a message."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for each in notices:
        if each.submitted_at is not None and each.done_at is not None:
            times[each.channel].append((each.done_at - each.submitted_at).total_seconds())
    return times


def _joined(works: Sequence[Sequence[T]]) -> list[T]:
    return [each for work in works for each in work]


def _first(notices: list[T], works: Sequence[object]) -> list[list[T]]:
    """The notices of a whole transaction belong to its first piece."""
    return [notices] + [[] for _ in works[1:]]
