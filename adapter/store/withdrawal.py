"""Withdrawing what is not yet on the wire: whoever deletes the spool row owns the message."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from adapter.domain.ids import IdMaker
from adapter.domain.states import State
from adapter.domain.values import Notice
from adapter.store import bulk
from adapter.store.clock import now_ms
from adapter.store.endings import Known, Step, end, select_known
from adapter.store.schema import message, spool, submission


def withdraw(
    connection: Connection, ids: IdMaker, messages: Sequence[int], state: State, code: str = ""
) -> tuple[int, list[Notice]]:
    """End those of `messages` that still wait, as CANCELLED or EXPIRED: how many, their notices."""
    owned = [row[0] for row in bulk.delete(connection, spool, messages)]
    rows = connection.execute(select_known().where(bulk.among(connection, message.c.id, owned)))
    now = now_ms()
    steps = [Step(known, state, code, done_at=now) for known in (Known(*row) for row in rows)]
    return len(steps), end(connection, ids, steps)


def withdraw_by_key(
    connection: Connection, ids: IdMaker, client: str, business_key: str
) -> tuple[int, list[Notice]]:
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
