"""Settling what nobody answered: messages in doubt, silent messages, expired ones.

In bites of at most `most` rows, oldest first, run again and again by a job. A message in
doubt is settled by a receipt that fits, or, when its time is up, by its lane's rule
(promise 4). A submitted message whose receipt never came becomes UNKNOWN, or DELIVERED where
its channel reports only failures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from adapter.domain.ids import IdMaker, id_at
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import DoubtRule, Lane, State
from adapter.domain.values import Notice
from adapter.store import bulk
from adapter.store.clock import from_ms
from adapter.store.endings import NO_ANSWER, Known, Step, end, select_known
from adapter.store.matching import FIRST, Place, match_receipts
from adapter.store.recording import derive
from adapter.store.schema import attempt, message, segment, spool, submission
from adapter.store.withdrawal import Withdrawn, withdraw

NO_RECEIPT = "NO_RECEIPT"
EXPIRED_WAITING = "EXPIRED"
ASSUMED = "ACCEPTD"
"""The code of a segment that counts as delivered because nothing else was reported."""

Rule = Callable[[str, Lane, int], DoubtRule]
"""The rule for a message of (client, lane) that has gone to the wire so many times."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one bite did. `resent` messages are back in the spool, in these queues. `next` is
    where the search for receipts goes on; None once it was at the end, and the rules applied."""

    notices: list[Notice]
    resent: list[QueueKey]
    unknown: int
    matched: int
    next: Place | None = None


def doubt_abandoned(
    connection: Connection,
    now: int,
    wait: Callable[[Lane], int],
    is_alive: Callable[[int], bool] = lambda _message: False,
) -> int:
    """Put in doubt the attempts of which nobody will tell the end; how many there were.

    That is every open one when the node starts, and later those that are not alive: their
    begin or their end was committed, or not, while the line to the store broke. `wait` gives
    the milliseconds that a receipt has to settle a message of a lane.
    """
    opened = connection.execute(
        select(attempt.c.message_id).where(attempt.c.doubt_at.is_(None))
    ).scalars()
    # Asked after the rows were read: an attempt that ends meanwhile is alive until its end
    # is recorded, which happens on this very committer.
    forgotten = [made for made in opened.all() if not is_alive(made)]
    if not forgotten:
        return 0
    rows = connection.execute(
        select(message.c.id, submission.c.lane)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(bulk.among(connection, message.c.id, forgotten))
    )
    abandoned = [(made, now, now + wait(Lane(lane))) for made, lane in rows]
    bulk.update(connection, attempt, ("message_id",), ("doubt_at", "settle_at"), abandoned)
    return len(abandoned)


def settle_doubts(
    connection: Connection,
    ids: IdMaker,
    now: int,
    rule: Rule,
    most: int = 500,
    after: Place = FIRST,
) -> Settled:
    """Settle messages in doubt by receipts that fit, then those whose time is up by rule."""
    notices, matched, further = match_receipts(connection, ids, after, most)
    if further is not None:
        # The rule must not end what a receipt settles in the next bite: after an outage
        # thousands may be due at once.
        return Settled(notices, [], 0, matched, further)
    # By themselves first: a planner that knows nothing of the tables reads all messages for the
    # few attempts.
    due = connection.execute(
        select(attempt.c.message_id)
        .where(attempt.c.settle_at <= now)
        .order_by(attempt.c.message_id)
        .limit(most)
    ).scalars()
    rows = _in_doubt(connection, due.all())
    bulk.delete(connection, attempt, [row[0] for row in rows])
    width = len(Known._fields)
    again: list[bulk.Row] = []
    steps: list[Step] = []
    for row in rows:
        known = Known(*row[:width])
        lane, expire_at, number, parts, unsent, channel, started_at = row[width:]
        decided = rule(known.client, Lane(lane), number - unsent)
        if decided is DoubtRule.RESEND and expire_at > now:
            again.append(
                (known.message_id, known.carrier, lane, known.client, now, expire_at, number, True,
                 parts, unsent, None)
            )  # fmt: skip
        else:
            steps.append(Step(known, State.UNKNOWN, NO_ANSWER, channel, started_at, now))
    bulk.insert(connection, spool, again)
    bulk.update(connection, message, ("id",), ("in_doubt",), [(row[0], True) for row in again])
    notices += end(connection, ids, steps)
    return Settled(
        notices, [QueueKey(row[1], row[2], row[3]) for row in again], len(steps), matched
    )


def _in_doubt(connection: Connection, messages: Sequence[int]) -> Sequence[Row[Any]]:
    """What there is to know of attempts that are to be settled."""
    if not messages:
        return []
    return connection.execute(
        select_known(
            submission.c.lane,
            submission.c.expire_at,
            attempt.c.number,
            attempt.c.parts,
            attempt.c.unsent,
            attempt.c.channel,
            attempt.c.started_at,
        )
        .join(attempt, attempt.c.message_id == message.c.id)
        .where(bulk.among(connection, message.c.id, messages))
        .order_by(message.c.id)
    ).all()


class Expired(NamedTuple):
    """Waiting messages whose time is over. `next`: where to go on, None at the end."""

    messages: list[int]
    next: int | None


def find_expired(connection: Connection, now: int, after: int, most: int = 5_000) -> Expired:
    """What expired while it waited, looking at `most` rows behind id `after`.

    Walking by key needs no index on the expiry, which every acceptance would have to pay for.
    For a connection on which nobody waits.
    """
    behind = spool.c.message_id > after
    last = connection.execute(
        select(spool.c.message_id)
        .where(behind)
        .order_by(spool.c.message_id)
        .offset(most - 1)
        .limit(1)
    ).scalar_one_or_none()
    expired = select(spool.c.message_id).where(behind, spool.c.expire_at <= now)
    if last is not None:
        expired = expired.where(spool.c.message_id <= last)
    return Expired(list(connection.execute(expired).scalars()), last)


def end_expired(connection: Connection, ids: IdMaker, messages: Sequence[int]) -> Withdrawn:
    """End those of `messages` that still wait as EXPIRED."""
    return withdraw(connection, ids, messages, State.EXPIRED, EXPIRED_WAITING)


class Search(NamedTuple):
    """What one bite of the search for silent messages found.

    `open_from`: the first message that is open and not silent yet. `next`: where to go on,
    None at the end.
    """

    silent: list[int]
    open_from: int | None
    next: int | None


def find_silent(
    connection: Connection,
    before: int,
    after: int,
    most: int = 1_000,
    channels: Collection[str] | None = None,
    bite: int = 200_000,
) -> Search:
    """Messages submitted before the moment `before` whose receipt never came, looking at
    `bite` ones with ids behind `after`, or at those up to the open one number `most`; only
    those whose receipts these `channels` owe.

    A search that has reached the end begins again at the first one that was open; the first
    search after a start walks along all messages. For a connection on which nobody waits.
    """
    newest = id_at(from_ms(before))
    last = connection.execute(
        select(message.c.id)
        .where(message.c.id > after, message.c.id < newest)
        .order_by(message.c.id)
        .offset(bite - 1)
        .limit(1)
    ).scalar_one_or_none()
    # One bound, not two: SQLite would walk to the farther one.
    upper = message.c.id < newest if last is None else message.c.id <= last
    rows = connection.execute(
        select(message.c.id, spool.c.message_id, attempt.c.message_id)
        .outerjoin(spool, spool.c.message_id == message.c.id)
        .outerjoin(attempt, attempt.c.message_id == message.c.id)
        .where(message.c.id > after, upper, message.c.state == State.ACCEPTED.value)
        .order_by(message.c.id)
        .limit(most)
    ).all()
    submitted = [made for made, waits, sends in rows if waits is None and sends is None]
    # Accepted long ago does not mean sent long ago: it may have waited for its time.
    sent_at: dict[int, int] = dict.fromkeys(submitted, 0)
    owing: defaultdict[int, set[str]] = defaultdict(set)
    for made, channel, at in connection.execute(
        select(segment.c.message_id, segment.c.channel, func.max(segment.c.submitted_at))
        .where(
            bulk.among(connection, segment.c.message_id, submitted),
            segment.c.state == State.SUBMITTED.value,
        )
        .group_by(segment.c.message_id, segment.c.channel)
    ):
        sent_at[made] = max(sent_at[made], at)
        owing[made].add(channel)
    silent = [
        made
        for made in submitted
        if sent_at[made] < before and (channels is None or _all_owed(owing[made], channels))
    ]
    quiet = set(silent)
    open_from = next((row[0] for row in rows if row[0] not in quiet), None)
    return Search(silent, open_from, rows[-1][0] if len(rows) == most else last)


def _all_owed(owing: set[str], channels: Collection[str]) -> bool:
    return bool(owing) and owing.issubset(channels)


def assume_delivered(
    connection: Connection, ids: IdMaker, messages: Sequence[int], now: int
) -> list[Notice]:
    """Take the receipts that those of `messages` still wait for as good ones; the notices
    written. A part of which a failure was reported still decides over its message."""
    rows = connection.execute(
        select(segment.c.message_id, segment.c.attempt, segment.c.number)
        .join(message, message.c.id == segment.c.message_id)
        .where(
            bulk.among(connection, segment.c.message_id, messages),
            segment.c.state == State.SUBMITTED.value,
            message.c.state == State.ACCEPTED.value,
        )
    ).all()
    bulk.update(
        connection,
        segment,
        ("message_id", "attempt", "number"),
        ("state", "receipt_code", "receipt_at"),
        [(*row, State.DELIVERED.value, ASSUMED, now) for row in rows],
    )
    return end(connection, ids, derive(connection, messages))


def end_silent(
    connection: Connection, ids: IdMaker, messages: Sequence[int], now: int
) -> list[Notice]:
    """End those of `messages` that are still open as UNKNOWN; the notices written."""
    rows = connection.execute(
        select_known().where(
            bulk.among(connection, message.c.id, messages),
            message.c.state == State.ACCEPTED.value,
        )
    )
    silent = [Known(*row) for row in rows]
    sent = {
        made: (channel, at)
        for made, channel, at in connection.execute(
            select(segment.c.message_id, segment.c.channel, segment.c.submitted_at).where(
                bulk.among(connection, segment.c.message_id, [each.message_id for each in silent])
            )
        )
    }
    steps = []
    for known in silent:
        channel, at = sent.get(known.message_id, ("", None))
        steps.append(Step(known, State.UNKNOWN, NO_RECEIPT, channel, at, now))
    return end(connection, ids, steps)
