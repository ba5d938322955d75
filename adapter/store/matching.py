"""Matching receipts without a segment to messages whose answer was lost (promise 4).

A parked receipt fits a part of a message in doubt by channel and number, if it came after the
message may have gone out first; of several that fit, those closest in time belong together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, or_, select

from adapter.domain.ids import IdMaker
from adapter.domain.states import State
from adapter.domain.values import Notice
from adapter.store import bulk
from adapter.store.attempts import Open, answer_parts, open_attempts
from adapter.store.clock import to_ms
from adapter.store.endings import HOUR_MS, end
from adapter.store.recording import PARKED, derive
from adapter.store.resealing import refresh
from adapter.store.schema import attempt, message, receipt, segment, submission
from adapter.store.sealing import seal_of


class Place(NamedTuple):
    """How far a search has come: behind this pair of a message in doubt and a receipt."""

    message_id: int
    receipt_id: int


FIRST = Place(0, 0)

# Carriers write Beijing time to the minute, but a wrong zone or clock must not hinder.
_FARTHEST_MS = 12 * HOUR_MS


def match_receipts(
    connection: Connection, ids: IdMaker, after: Place, most: int
) -> tuple[list[Notice], int, Place | None]:
    """Settle messages in doubt by parked receipts, looking at `most` pairs of them: the notices,
    how many fitted, and where to go on, None at the end."""
    refresh(connection)
    pairs = _pairs(connection, after, most)
    if not pairs:
        return [], 0, None
    further = Place(pairs[-1].message_id, pairs[-1].receipt_id) if len(pairs) == most else None
    sending = _still_sending(connection, {row.number for row in pairs})
    free = [row for row in pairs if (row.channel, row.number) not in sending]
    opened = open_attempts(connection, {row.message_id for row in free})
    fits = _fit(free, opened)
    if not fits:
        return [], 0, further
    _record(connection, fits, opened, pairs)
    return _close(connection, ids, fits, opened), len(fits), further


def _pairs(connection: Connection, after: Place, most: int) -> Sequence[Any]:
    """Messages in doubt, oldest first, with each parked receipt that may tell of them."""
    seal = seal_of(connection)
    # Of one that was sent before, any of its sendings may be meant: the first was when it was
    # due, at the earliest.
    sent_from = case((attempt.c.in_doubt, submission.c.due_at), else_=attempt.c.started_at)
    return connection.execute(
        select(
            attempt.c.message_id,
            attempt.c.channel,
            seal.number_of(message).label("number"),
            receipt.c.id.label("receipt_id"),
            receipt.c.carrier_id,
            receipt.c.code,
            receipt.c.delivered,
            receipt.c.submitted,
            receipt.c.received_at,
        )
        .join(message, message.c.id == attempt.c.message_id)
        .join(submission, submission.c.id == message.c.submission_id)
        .join(
            receipt,
            and_(
                seal.same_number(receipt, message),
                receipt.c.channel == attempt.c.channel,
                receipt.c.received_at >= sent_from,
                receipt.c.state == PARKED,
            ),
        )
        .where(
            attempt.c.doubt_at.is_not(None),
            or_(
                attempt.c.message_id > after.message_id,
                and_(
                    attempt.c.message_id == after.message_id,
                    receipt.c.id > after.receipt_id,
                ),
            ),
        )
        .order_by(attempt.c.message_id, receipt.c.id)
        .limit(most)
    ).all()


def _still_sending(connection: Connection, numbers: Collection[Any]) -> set[tuple[str, Any]]:
    """Channels and numbers with an attempt that will be answered yet: a receipt that came
    may be its own."""
    seal = seal_of(connection)
    rows = connection.execute(
        select(attempt.c.channel, seal.number_of(message))
        .join(message, message.c.id == attempt.c.message_id)
        .where(attempt.c.doubt_at.is_(None), seal.among_numbers(connection, message, numbers))
    )
    return {(channel, number) for channel, number in rows}


def _fit(pairs: Sequence[Any], opened: Mapping[int, Open]) -> list[tuple[Any, int]]:
    """Give each receipt to one unanswered part, and each part one receipt: first those whose
    times are closest."""
    unanswered = {made: list(its.parts) for made, its in opened.items()}
    used: set[tuple[str, str]] = set()
    fits = []
    apart = [(_apart_ms(row, opened[row.message_id].started_at), row) for row in pairs]
    for distance, row in sorted(apart, key=lambda each: each[0]):
        parts = unanswered[row.message_id]
        # A receipt that was repeated is parked twice, and still tells of one segment only.
        named = row.channel, row.carrier_id
        if parts and named not in used and distance <= _FARTHEST_MS:
            used.add(named)
            fits.append((row, parts.pop(0)))
    return fits


def _apart_ms(row: Any, started_at: int) -> int:
    """Between the attempt and the submit time that the receipt tells; 0 if it tells none."""
    try:
        told = datetime.strptime(f"{row.submitted:.10} +0800", "%y%m%d%H%M %z")
    except (TypeError, ValueError):
        return 0
    return abs(to_ms(told) - started_at)


def _record(
    connection: Connection,
    fits: Sequence[tuple[Any, int]],
    opened: Mapping[int, Open],
    pairs: Sequence[Any],
) -> None:
    """Write the parts that these receipts tell of; the receipts and their copies go."""
    rows: list[bulk.Row] = [
        (
            row.message_id,
            opened[row.message_id].number,
            part,
            row.channel,
            row.carrier_id,
            None,
            (State.DELIVERED if row.delivered else State.UNDELIVERED).value,
            opened[row.message_id].started_at,
            row.code,
            row.received_at,
        )
        for row, part in fits
    ]
    bulk.insert(connection, segment, rows)
    told = {(row.channel, row.carrier_id) for row, _ in fits}
    copies = {row.receipt_id for row in pairs if (row.channel, row.carrier_id) in told}
    bulk.delete(connection, receipt, copies)


def _close(
    connection: Connection,
    ids: IdMaker,
    fits: Sequence[tuple[Any, int]],
    opened: Mapping[int, Open],
) -> list[Notice]:
    answered: dict[int, set[int]] = {}
    for row, part in fits:
        answered.setdefault(row.message_id, set()).add(part)
    submitted = answer_parts(connection, opened, answered)
    closed = [step.known.message_id for step in submitted]
    return end(connection, ids, [*submitted, *derive(connection, closed)])
