"""The messages of a large submission, stored ahead of the commit that accepts it.

A commit of thousands of messages holds up whoever commits next to it: SQLite has one writer, and
PostgreSQL this machine. So such messages come first, a slice and a commit at a time, between which
others have their turn. The acceptance then writes the submission, and what lets its messages be
sent, in one commit. Until then nobody finds them: all that reads messages looks for their
submission, or for their place in the spool.

A crash in between leaves messages that belong to nobody. `staged` keeps the id of their submission,
and retention deletes them after a day.

Limits: what sources hand in has an order, and is not taken apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from adapter.domain.errors import RETRY_AFTER_S, Code, Refusal, SpoolFull
from adapter.domain.values import Message, Submission
from adapter.store import bulk
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer, Kind
from adapter.store.journeys import Question, ask
from adapter.store.rows import message_rows, moments_of, ref_key_of, spool_rows_of_stored
from adapter.store.schema import message, spool, staged, submission
from adapter.store.sealing import seal_of

SLICE = 64
"""Messages of one commit: some milliseconds."""


def is_staged(its: Submission, own: Sequence[Message]) -> bool:
    """Whether its messages are stored ahead."""
    return len(own) > SLICE and not its.source


@dataclass(frozen=True, slots=True)
class _Slice:
    """Some messages of a submission of `messages`; `is_first` begins it."""

    its: Submission
    own: Sequence[Message]
    messages: int
    is_first: bool


class Staging:
    """Safe to call from many threads."""

    def __init__(self, committer: Committer, capacity: Capacity) -> None:
        self._committer = committer
        self._capacity = capacity
        self._kind: Kind[_Slice, bool] = Kind("stage", 2, self._run, apart=True)
        self._drop: Kind[Sequence[int], None] = Kind("drop", 3, self._run_drop, apart=True)

    def store(self, its: Submission, own: Sequence[Message]) -> None:
        """Store all messages of a submission, unless its reference was accepted before. Raises
        StoreUnavailable, SpoolFull."""
        for at in range(0, len(own), SLICE):
            work = _Slice(its, own[at : at + SLICE], len(own), is_first=not at)
            if not self._committer.submit(self._kind, work).result():
                return

    def give_up(self, submissions: Sequence[int]) -> None:
        """Delete what was stored of those that are not accepted, when there is time."""
        self._committer.submit(self._drop, submissions)

    def _run_drop(self, connection: Connection, works: Sequence[Sequence[int]]) -> list[None]:
        drop(connection, [made for work in works for made in work])
        return [None for _ in works]

    def _run(self, connection: Connection, works: Sequence[_Slice]) -> list[bool | Refusal]:
        """Whether the submission is new. On the committer's thread."""
        keys = [ref_key_of(work.its) if work.is_first else None for work in works]
        known, begun = ask(
            connection,
            (_REFERENCES, [key for key in keys if key is not None]),
            (_BEGUN, [work.its.id for work in works if not work.is_first]),
        )
        results: list[bool | Refusal] = []
        for work, key in zip(works, keys, strict=True):
            if not work.is_first:
                results.append((work.its.id,) in begun or _lost())
            elif (key,) in known:
                results.append(False)
            elif self._capacity.room_for(work.messages):
                results.append(True)
            else:
                results.append(SpoolFull(self._capacity.limit))
        new = [work for work, result in zip(works, results, strict=True) if result is True]
        seal = seal_of(connection)
        bulk.insert(connection, staged, [(work.its.id,) for work in new if work.is_first])
        bulk.insert(
            connection, message, [row for work in new for row in message_rows(work.own, seal)]
        )
        return results


_REFERENCES = Question(
    lambda among: select(submission.c.ref_key).where(among(submission.c.ref_key))
)
# Locked, so that whoever gives one up waits for a slice of it that is being committed.
_BEGUN = Question(
    lambda among: (
        select(staged.c.submission_id)
        .where(among(staged.c.submission_id))
        .with_for_update(read=True)
    )
)


def claim(connection: Connection, its: Submission, messages: int) -> None:
    """Let all messages that were stored of a submission be sent. Raises Refusal
    (STORE_UNAVAILABLE) where not all of so many are there: a standby took over that lacks some."""
    begun = connection.execute(delete(staged).where(staged.c.submission_id == its.id)).rowcount
    waiting = spool_rows_of_stored(its, moments_of(its))
    found = connection.execute(
        insert(spool).from_select(spool.c.keys(), waiting),
        execution_options={"preserve_rowcount": True},
    ).rowcount
    if not begun or found != messages:
        raise _lost()


def drop(connection: Connection, submissions: Sequence[int]) -> None:
    """Delete what was stored of those among these submissions that are not accepted."""
    if submissions:
        # First these, which `claim` deletes: one that is being accepted is waited for, and stays.
        begun = [made for (made,) in bulk.delete(connection, staged, submissions)]
        gone = bulk.among(connection, message.c.submission_id, begun)
        connection.execute(delete(message).where(gone))


def _lost() -> Refusal:
    # Not StoreUnavailable, with which all other pieces of the transaction would fail.
    why = "the store has lost a part of the request; try again"
    return Refusal(Code.STORE_UNAVAILABLE, why, retry_after_s=RETRY_AFTER_S)
