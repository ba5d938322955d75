"""What followed a backup, and is not in it: what a restored store cannot know.

A message that waited in the spool may have been sent since, and one on the wire answered.
Sending it again without a word would break promise 4, and dropping it promise 2; so it is
put in doubt, as after a lost answer: a receipt that fits settles it, or the rule of its lane
decides, and a second sending carries the mark `in_doubt`. A message whose time had not come
yet cannot have been sent; it waits on.

Limits, told in `Afterwards`: what was accepted after the backup is not in it; receipts that
came since do not come again, so messages submitted before end as UNKNOWN; what was
cancelled since waits again; states since told home are told once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from adapter.config.model import Config
from adapter.domain.states import DoubtRule, Lane, State
from adapter.store.clock import now_ms
from adapter.store.schema import attempt, message, notification, segment, spool, submission

_NOWHERE = "-"


@dataclass(frozen=True, slots=True)
class Afterwards:
    """How a store stands, of which nothing is known after the moment `since` (ms).

    `in_doubt`: messages that were given to a link, or may have been, by what will become of
    them when no receipt settles them (`resend`, `wait`). `waiting`: those in the spool.
    `submitted`: those that wait for a receipt. `notices`: states and texts on their way home.
    """

    since: int
    in_doubt: Mapping[str, int]
    waiting: int
    submitted: int
    notices: int


def doubt_what_followed(connection: Connection, config: Config, since: int) -> None:
    """Put in doubt what was on the wire at the moment `since`, and what was due and may have
    been sent after it. Every doubt has its lane's whole time, for a receipt to settle it."""
    now = now_ms()
    _prolong(connection, config, now)
    _suspect(connection, config, since, now)


def look(connection: Connection, config: Config, since: int) -> Afterwards:
    """How the store stands."""
    return Afterwards(
        since,
        _rules(connection, config),
        _count(connection, select(func.count()).select_from(spool)),
        _count(connection, _submitted()),
        _count(connection, select(func.count()).select_from(notification)),
    )


def _prolong(connection: Connection, config: Config, now: int) -> None:
    of = (
        select(submission.c.lane)
        .join(message, message.c.submission_id == submission.c.id)
        .where(message.c.id == attempt.c.message_id)
        .scalar_subquery()
    )
    connection.execute(update(attempt).values(doubt_at=now, settle_at=_settle_at(config, of, now)))


def _suspect(connection: Connection, config: Config, since: int, now: int) -> None:
    due = spool.c.due_at <= now
    begun: dict[str, ColumnElement[Any]] = {
        "number": spool.c.tries + 1,
        "channel": _channel(config),
        # Not before this can it have been sent: a receipt that fits came later.
        "started_at": case((spool.c.due_at > since, spool.c.due_at), else_=since),
        "doubt_at": literal(now),
        "settle_at": _settle_at(config, spool.c.lane, now),
    }
    # What both tables know of a message goes on with it.
    kept = {c.name: spool.c[c.name] for c in attempt.c if c.name in spool.c} | begun
    connection.execute(insert(attempt).from_select(list(kept), select(*kept.values()).where(due)))
    connection.execute(delete(spool).where(due))


def _settle_at(config: Config, lane: ColumnElement[str], now: int) -> ColumnElement[int]:
    waits = {
        its.value: now + int(policy.doubt_wait_s * 1000)
        for its, policy in config.policies.lanes.items()
    }
    return case(waits, value=lane)


def _channel(config: Config) -> ColumnElement[str]:
    """Where a message most likely went: the first channel of its carrier that is enabled."""
    enabled = {channel.name for channel in config.channels if channel.enabled}
    first = {
        route.carrier.value: next((name for name in route.channels if name in enabled), _NOWHERE)
        for route in config.routes
    }
    if not first:
        return literal(_NOWHERE)
    return case(first, value=spool.c.carrier, else_=_NOWHERE)


def _rules(connection: Connection, config: Config) -> Mapping[str, int]:
    clients = {client.account: client for client in config.clients}
    found: Counter[str] = Counter()
    for account, lane, count in connection.execute(
        select(submission.c.client, submission.c.lane, func.count())
        .select_from(attempt)
        .join(message, message.c.id == attempt.c.message_id)
        .join(submission, submission.c.id == message.c.submission_id)
        .group_by(submission.c.client, submission.c.lane)
    ):
        rule = config.policies.lanes[Lane(lane)].doubt
        if client := clients.get(account):
            rule = client.doubt.get(Lane(lane), rule)
        found[rule.value] += count
    return {rule.value: found[rule.value] for rule in DoubtRule}


def _submitted() -> Select[int]:
    elsewhere = union_all(select(spool.c.message_id), select(attempt.c.message_id)).subquery()
    return select(func.count()).where(
        message.c.state == State.ACCEPTED.value,
        exists().where(segment.c.message_id == message.c.id),
        ~exists().where(elsewhere.c.message_id == message.c.id),
    )


def _count(connection: Connection, statement: Select[int]) -> int:
    return connection.execute(statement).scalar_one()
