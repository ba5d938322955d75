"""Withdrawing what is not yet on the wire: whoever deletes the spool row owns the message.

A message that waits to be sent again because its first submit was never answered ends as
UNKNOWN, whoever withdraws it: nobody can say that it was not sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from adapter.domain.ids import IdMaker
from adapter.domain.states import State
from adapter.domain.values import Notice
from adapter.store import bulk
from adapter.store.clock import now_ms
from adapter.store.endings import NO_ANSWER, Known, Step, end, select_known
from adapter.store.schema import message, spool, submission


class Withdrawn(NamedTuple):
    """`ended` messages wait no longer; `unsent` of them certainly never went out."""

    ended: int
    notices: list[Notice]
    unsent: int


def withdraw(
    connection: Connection, ids: IdMaker, messages: Sequence[int], state: State, code: str = ""
) -> Withdrawn:
    """End those of `messages` that still wait, as CANCELLED, EXPIRED or REJECTED, or, if they may
    have been sent before, as UNKNOWN."""
    gone = bulk.delete(connection, spool, messages, (spool.c.message_id, spool.c.in_doubt))
    owned: dict[int, bool] = {row[0]: row[1] for row in gone}
    rows = connection.execute(select_known().where(bulk.among(connection, message.c.id, owned)))
    now = now_ms()
    steps = [
        Step(known, State.UNKNOWN, NO_ANSWER, done_at=now)
        if owned[known.message_id]
        else Step(known, state, code, done_at=now)
        for known in (Known(*row) for row in rows)
    ]
    unsent = sum(step.state is state for step in steps)
    return Withdrawn(len(steps), end(connection, ids, steps), unsent)


def withdraw_by_key(
    connection: Connection, ids: IdMaker, client: str, business_key: str
) -> Withdrawn:
    """Cancel what waits under a client's business key."""
    return withdraw(connection, ids, _by_key(connection, client, business_key), State.CANCELLED)


def _by_key(connection: Connection, client: str, business_key: str) -> list[int]:
    rows = connection.execute(
        select(message.c.id)
        .join(submission, message.c.submission_id == submission.c.id)
        .join(spool, spool.c.message_id == message.c.id)
        .where(submission.c.business_key == business_key, submission.c.client == client)
    )
    return [row[0] for row in rows]
