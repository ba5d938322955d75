"""Accepting one submission in many portions, a commit each (see `adapter.intake.uploads`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import QueueKey
from adapter.domain.values import Message, Submission, Uploaded, Waiting
from adapter.store import bulk
from adapter.store.capacity import Capacity
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.endings import Counts
from adapter.store.rows import (
    count_accepted,
    message_rows,
    moments_of,
    ref_key,
    spool_rows,
    submission_row,
)
from adapter.store.schema import message, spool, submission, upload
from adapter.store.sealing import seal_of
from adapter.store.spooling import submission_of


@dataclass(frozen=True, slots=True)
class _Portion:
    its: Submission
    own: Sequence[Message]
    first: int
    entries: int


class Uploading:
    """Implements `adapter.domain.ports.UploadPort`. Safe to call from many threads.

    `arrived` gets what was accepted; `look_again` hears of queues where something may have come
    without an answer.
    """

    def __init__(
        self,
        committer: Committer,
        ids: IdMaker,
        capacity: Capacity,
        arrived: Callable[[list[Waiting]], None],
        look_again: Callable[[Iterable[QueueKey], int], None] = lambda _keys, _due_at: None,
    ) -> None:
        self._committer = committer
        self._ids = ids
        self._capacity = capacity
        self._arrived = arrived
        self._look_again = look_again
        self._find: Kind[tuple[str, str], Uploaded | None] = Kind("find", 1, self._run_find)
        self._take: Kind[_Portion, None] = Kind("portion", 1, self._run_take)

    def find(self, client: str, client_ref: str) -> Uploaded | None:
        """See `adapter.domain.ports.UploadPort`."""
        return self._committer.submit(self._find, (client, client_ref)).result()

    def take(self, its: Submission, own: Sequence[Message], first: int, entries: int) -> None:
        """See `adapter.domain.ports.UploadPort`."""
        work = _Portion(its, own, first, entries)
        try:
            self._committer.submit(self._take, work).result()
        except StoreUnavailable:
            # Perhaps it was committed, and only the answer lost: then nobody else would tell.
            keys = {QueueKey(each.carrier.value, its.lane.value, its.client) for each in own}
            self._look_again(keys, now_ms())
            raise
        self._capacity.add(len(own))
        self._arrived([Waiting(each, its) for each in own])

    # Run on the committer's thread.

    def _run_find(
        self, connection: Connection, works: Sequence[tuple[str, str]]
    ) -> list[Uploaded | Refusal | None]:
        return [_find(connection, *work) for work in works]

    def _run_take(self, connection: Connection, works: Sequence[_Portion]) -> list[Refusal | None]:
        results: list[Refusal | None] = []
        counts = Counts()
        more = 0
        for work in works:
            if self._capacity.room_for(more + len(work.own)):
                results.append(_take(connection, work, counts))
                more += len(work.own)
            else:
                results.append(SpoolFull(self._capacity.limit))
        counts.write(connection, self._ids)
        return results


def _find(connection: Connection, client: str, client_ref: str) -> Uploaded | Refusal | None:
    row = connection.execute(
        select(*submission.c, upload.c.entries, upload.c.accepted)
        .outerjoin(upload, upload.c.submission_id == submission.c.id)
        .where(submission.c.ref_key == ref_key(client, "", client_ref))
    ).one_or_none()
    if row is None:
        return None
    *its, entries, accepted = row
    if entries is None:
        return Refusal(Code.DUPLICATE, "the reference belongs to another request", "clientRef")
    return Uploaded(submission_of(its, seal_of(connection)), entries, accepted)


def _take(connection: Connection, work: _Portion, counts: Counts) -> Refusal | None:
    """Add a portion in its place."""
    its, at, seal = work.its, moments_of(work.its), seal_of(connection)
    there = _find(connection, its.client, its.client_ref)
    if isinstance(there, Refusal):
        return there
    if work.first != (there.entries if there else 0) or (there and there.submission.id != its.id):
        return Refusal(Code.DUPLICATE, "the upload goes on elsewhere", "clientRef")
    if there is None:
        key = ref_key(its.client, "", its.client_ref)
        bulk.insert(connection, submission, [submission_row(its, key, at, seal)])
        bulk.insert(connection, upload, [(its.id, work.entries, len(work.own))])
    else:
        known = (its.id, work.first + work.entries, there.accepted + len(work.own))
        bulk.update(connection, upload, ("submission_id",), ("entries", "accepted"), [known])
    bulk.insert(connection, message, message_rows(work.own, seal))
    bulk.insert(connection, spool, spool_rows(its, work.own, at))
    count_accepted(counts, its, work.own, at)
    return None
