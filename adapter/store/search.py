"""Finding messages among all that are stored, newest first, a page at a time.

Every question that has an answer is answered by walking an index from its newest end. Which one:

    number             message_number; message_mobile for rows in clear
    state              not_delivered; DELIVERED and SUBMITTED: the newest messages, mostly fitting
    client, moment     submission_client, then the messages of each submission
    moment alone       the ids, which tell when they were made

Limits: a state that hardly any message of the asked time is in (DELIVERED or SUBMITTED while
nothing is delivered) is looked for through all of that time: ask for days, not for years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, exists, not_, select, tuple_

from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.store.clock import now_ms
from adapter.store.schema import attempt, message, not_delivered, spool, staged, submission
from adapter.store.sealing import seal_of


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: all that is given must fit. `since` is included, `until` is not."""

    mobile: str = ""
    client: str = ""
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None


class Hit(NamedTuple):
    """A message that was found, and where the next page begins."""

    submission_id: int
    message_id: int


def search(
    connection: Connection, wanted: Search, most: int, after: Hit | None = None
) -> Sequence[Hit]:
    """Up to `most` messages, those after `after` where a page was seen before."""
    by_submission = wanted.client and not wanted.mobile and wanted.state is None
    found = _of_client(wanted, after) if by_submission else _by_id(connection, wanted, after)
    return [Hit(*row) for row in connection.execute(found.limit(most))]


def _of_client(wanted: Search, after: Hit | None) -> Select[Any]:
    place = submission.c.id, message.c.id
    statement = (
        select(*place)
        .join(message, message.c.submission_id == submission.c.id)
        .where(submission.c.client == wanted.client)
        .order_by(submission.c.id.desc(), message.c.id.desc())
    )
    if wanted.since:
        statement = statement.where(submission.c.id >= id_at(wanted.since))
    if wanted.until:
        statement = statement.where(submission.c.id < id_at(wanted.until))
    if after:
        statement = statement.where(
            submission.c.id <= after.submission_id, tuple_(*place) < tuple_(*after)
        )
    return statement


def _by_id(connection: Connection, wanted: Search, after: Hit | None) -> Select[Any]:
    statement, place = _in_state(wanted.state, now_ms())
    statement = statement.order_by(place.desc())
    if wanted.mobile:
        its_number = seal_of(connection).of(connection, message, [wanted.mobile])
        statement = statement.where(its_number)
    if wanted.client and place.table is not_delivered:
        statement = statement.where(not_delivered.c.client == wanted.client)
    elif wanted.client:
        # Not a join: SQLite would walk all that the client ever sent.
        its = select(submission.c.client).where(submission.c.id == message.c.submission_id)
        statement = statement.where(its.scalar_subquery() == wanted.client)
    if wanted.since:
        statement = statement.where(place >= id_at(wanted.since))
    if wanted.until:
        statement = statement.where(place < id_at(wanted.until))
    if after:
        statement = statement.where(place < after.message_id)
    return statement


_HELD_BY = {
    State.UNDELIVERED: not_delivered,
    State.REJECTED: not_delivered,
    State.EXPIRED: not_delivered,
    State.CANCELLED: not_delivered,
    State.UNKNOWN: not_delivered,
    State.HELD: spool,
    State.QUEUED: spool,
    State.SENDING: attempt,
    State.IN_DOUBT: attempt,
}
"""Where the messages of a state are, beside `message`."""


def _as(state: State, now: int) -> ColumnElement[bool]:
    """What tells apart the states that one table holds (`desk.standing`)."""
    held = and_(spool.c.due_at > now, spool.c.tries == 0)
    match state:
        case State.HELD:
            return held
        case State.QUEUED:
            return not_(held)
        case State.SENDING:
            return attempt.c.doubt_at.is_(None)
        case State.IN_DOUBT:
            return attempt.c.doubt_at.is_not(None)
        case _:
            return not_delivered.c.state == state.value


def _in_state(state: State | None, now: int) -> tuple[Select[Any], Column[Any]]:
    """Messages in a state, and the column to walk along."""
    every = select(message.c.submission_id, message.c.id).where(
        ~exists().where(staged.c.submission_id == message.c.submission_id)
    )
    if state is None:
        return every, message.c.id
    table = _HELD_BY.get(state)
    if table is not None:
        held = every.join(table, table.c.message_id == message.c.id)
        return held.where(_as(state, now)), table.c.message_id
    if state in (State.DELIVERED, State.ACCEPTED):
        return every.where(message.c.state == state.value), message.c.id
    return (
        every.where(
            message.c.state == State.ACCEPTED.value,
            ~exists().where(spool.c.message_id == message.c.id),
            ~exists().where(attempt.c.message_id == message.c.id),
        ),
        message.c.id,
    )
