"""Settling what nobody answered: messages in doubt, silent messages, expired ones.

In bites of at most `most` rows, oldest first, run again and again by a job. A message in
doubt is settled by a receipt that fits, or, when its time is up, by its lane's rule
(promise 4). A submitted message whose receipt never came becomes UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import QueueKey
from adapter.domain.states import DoubtRule, Lane, State
from adapter.domain.values import Notice
from adapter.store import bulk
from adapter.store.endings import Known, Step, end, select_known
from adapter.store.recording import PARKED, derive
from adapter.store.schema import attempt, message, receipt, segment, spool, submission
from adapter.store.spooling import format_parts, parse_parts
from adapter.store.withdrawal import withdraw

NO_RECEIPT = "NO_RECEIPT"
NO_ANSWER = "NO_ANSWER"
EXPIRED_WAITING = "EXPIRED"

Rule = Callable[[str, Lane], DoubtRule]
"""The rule for (client, lane)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one bite did. `resent` messages are back in the spool, in these queues."""

    notices: list[Notice]
    resent: list[QueueKey]
    unknown: int
    matched: int


def doubt_survivors(connection: Connection, now: int, wait: Callable[[str, Lane], int]) -> int:
    """Put in doubt what was on the wire when the node died; how many there were.

    For the start only, when no link is up. `wait` gives the milliseconds that a receipt has
    to settle a message of (client, lane).
    """
    rows = connection.execute(
        select(attempt.c.message_id, submission.c.client, submission.c.lane)
        .join(message, message.c.id == attempt.c.message_id)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(attempt.c.doubt_at.is_(None))
    ).all()
    bulk.update(
        connection,
        attempt,
        ("message_id",),
        ("doubt_at", "settle_at"),
        [(made, now, now + wait(client, Lane(lane))) for made, client, lane in rows],
    )
    return len(rows)


def settle_doubts(
    connection: Connection, ids: IdMaker, now: int, rule: Rule, most: int = 500
) -> Settled:
    """Settle messages in doubt by receipts that fit, then those whose time is up by rule."""
    notices, matched = _match_receipts(connection, ids, most)
    rows = connection.execute(
        select_known(
            submission.c.lane,
            submission.c.expire_at,
            attempt.c.number,
            attempt.c.parts,
            attempt.c.channel,
            attempt.c.started_at,
        )
        .join(attempt, attempt.c.message_id == message.c.id)
        .where(attempt.c.settle_at <= now)
        .order_by(attempt.c.message_id)
        .limit(most)
    ).all()
    bulk.delete(connection, attempt, [row[0] for row in rows])
    width = len(Known._fields)
    again: list[bulk.Row] = []
    steps: list[Step] = []
    for row in rows:
        known = Known(*row[:width])
        lane, expire_at, number, parts, channel, started_at = row[width:]
        if rule(known.client, Lane(lane)) is DoubtRule.RESEND and expire_at > now:
            again.append(
                (known.message_id, known.carrier, lane, known.client, now, expire_at, number, True,
                 parts)
            )  # fmt: skip
        else:
            steps.append(Step(known, State.UNKNOWN, NO_ANSWER, channel, started_at, now))
    bulk.insert(connection, spool, again)
    bulk.update(connection, message, ("id",), ("in_doubt",), [(row[0], True) for row in again])
    notices += end(connection, ids, steps)
    return Settled(
        notices, [QueueKey(row[1], row[2], row[3]) for row in again], len(steps), matched
    )


def _match_receipts(connection: Connection, ids: IdMaker, most: int) -> tuple[list[Notice], int]:
    """Parked receipts of the channel, for the number, that came after the attempt began."""
    pairs = connection.execute(
        select(
            attempt.c.message_id,
            attempt.c.number,
            attempt.c.parts,
            attempt.c.started_at,
            attempt.c.channel,
            message.c.segments,
            receipt.c.id.label("receipt_id"),
            receipt.c.carrier_id,
            receipt.c.code,
            receipt.c.delivered,
            receipt.c.received_at,
        )
        .join(message, message.c.id == attempt.c.message_id)
        .join(
            receipt,
            and_(
                receipt.c.mobile == message.c.mobile,
                receipt.c.channel == attempt.c.channel,
                receipt.c.received_at >= attempt.c.started_at,
                receipt.c.state == PARKED,
            ),
        )
        .where(attempt.c.doubt_at.is_not(None))
        .order_by(attempt.c.started_at, receipt.c.id)
        .limit(most)
    ).all()
    fits = _fit(pairs)
    bulk.insert(
        connection,
        segment,
        [
            (
                row.message_id,
                row.number,
                part,
                row.channel,
                row.carrier_id,
                None,
                (State.DELIVERED if row.delivered else State.UNDELIVERED).value,
                row.started_at,
                row.code,
                row.received_at,
            )
            for row, part in fits
        ],
    )
    bulk.delete(connection, receipt, [row.receipt_id for row, _ in fits])
    return _close_matched(connection, ids, fits), len(fits)


def _fit(pairs: Sequence[Any]) -> list[tuple[Any, int]]:
    """Give each receipt to one unanswered part, and each part one receipt."""
    unanswered: dict[int, list[int]] = {}
    used: set[int] = set()
    fits = []
    for row in pairs:
        parts = unanswered.setdefault(
            row.message_id, list(parse_parts(row.parts) or range(1, row.segments + 1))
        )
        if parts and row.receipt_id not in used:
            used.add(row.receipt_id)
            fits.append((row, parts.pop(0)))
    return fits


def _close_matched(
    connection: Connection, ids: IdMaker, fits: Sequence[tuple[Any, int]]
) -> list[Notice]:
    answered: dict[int, set[int]] = {}
    for row, part in fits:
        answered.setdefault(row.message_id, set()).add(part)
    last = {row.message_id: row for row, _ in fits}
    closed: list[int] = []
    open_: list[bulk.Row] = []
    for made, parts in answered.items():
        row = last[made]
        before = parse_parts(row.parts) or tuple(range(1, row.segments + 1))
        rest = [part for part in before if part not in parts]
        if rest:
            open_.append((made, format_parts(rest)))
        else:
            closed.append(made)
    bulk.update(connection, attempt, ("message_id",), ("parts",), open_)
    bulk.delete(connection, attempt, closed)
    return end(connection, ids, derive(connection, closed))


def expire_waiting(
    connection: Connection, ids: IdMaker, now: int, after: int, most: int = 5_000
) -> tuple[int, list[Notice], int | None]:
    """End what expired while it waited, looking at `most` rows behind id `after`: how many.

    The third value is where to go on, None at the end. Walking by key needs no index on
    the expiry, which every acceptance would have to pay for.
    """
    rows = connection.execute(
        select(spool.c.message_id, spool.c.expire_at)
        .where(spool.c.message_id > after)
        .order_by(spool.c.message_id)
        .limit(most)
    ).all()
    expired = [made for made, expire_at in rows if expire_at <= now]
    ended, notices = withdraw(connection, ids, expired, State.EXPIRED, EXPIRED_WAITING)
    return ended, notices, rows[-1][0] if len(rows) == most else None


def find_silent(
    connection: Connection, before: int, after: int, most: int = 1_000
) -> tuple[list[int], int]:
    """Submitted messages with ids in (`after`, `before`) whose receipt never came.

    The second value is the id up to which none is open any more once these have ended: the
    next search begins there, so that a message is looked at about once in its life. The
    first search after a start reads the whole range: it is for a connection on which
    nobody waits.
    """
    rows = connection.execute(
        select(message.c.id, spool.c.message_id, attempt.c.message_id)
        .outerjoin(spool, spool.c.message_id == message.c.id)
        .outerjoin(attempt, attempt.c.message_id == message.c.id)
        .where(
            message.c.id > after,
            message.c.id < before,
            message.c.state == State.ACCEPTED.value,
        )
        .order_by(message.c.id)
        .limit(most)
    ).all()
    silent = [made for made, waits, sends in rows if waits is None and sends is None]
    busy = [made for made, waits, sends in rows if waits is not None or sends is not None]
    if busy:
        return silent, busy[0] - 1
    return silent, rows[-1][0] if len(rows) == most else before - 1


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
