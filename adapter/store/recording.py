"""Recording what the carriers say of our messages: ends of attempts, and receipts.

Everything here runs on one committer, in batches, and may run twice over the same piece
when a commit's answer was lost: each function acts only on rows that it still finds.
A notice is written in the transaction of the state that it tells of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Late, Outcome, PartResult, Reported, Verdict
from adapter.domain.states import State
from adapter.domain.values import WHOLE, Notice
from adapter.store import bulk, sealing
from adapter.store.attempts import accept_late
from adapter.store.clock import to_ms
from adapter.store.endings import NO_ANSWER, Known, Step, end, known_of, select_known
from adapter.store.schema import attempt, message, receipt, segment, spool
from adapter.store.sealing import Seal, seal_of
from adapter.store.spooling import format_avoid, format_parts

PARKED = "parked"
REPEATED = "repeated"
LATE = "late"


def record(
    connection: Connection,
    ids: IdMaker,
    outcomes: Sequence[Outcome],
    reports: Sequence[Reported],
    late: Sequence[Late] = (),
) -> list[Notice]:
    """Record how attempts ended and what was accepted `late`, then final reports: also those
    that were parked because they overtook their submit response (promise 5). Reports that find
    no segment are parked. The notices written.

    One function for both, because each statement costs a journey to the database, and each
    journey a wait for the interpreter.
    """
    ours, rejected = _finish(connection, outcomes)
    notices = end(connection, ids, rejected) if rejected else []
    taken = accept_late(connection, late) if late else []
    answered = [*(part for each in ours for part in each.parts), *(each.part for each in late)]
    parked = _parked(connection, answered)
    seal = seal_of(connection)
    overtaken = [_reported(row, seal) for row in parked]
    known = set(overtaken)
    steps, left = _settle(connection, ids, [*overtaken, *reports])
    still = {(each.channel, each.carrier_id) for each in left}
    applied = [row.id for row in parked if (row.channel, row.carrier_id) not in still]
    bulk.delete(connection, receipt, applied)
    keep(connection, ids, [each for each in left if each not in known], PARKED)
    submitted = [*map(_submitted, filter(_is_submitted, ours)), *taken]
    return notices + end(connection, ids, [*submitted, *steps])


def _finish(
    connection: Connection, outcomes: Sequence[Outcome]
) -> tuple[list[Outcome], list[Step]]:
    """Close attempts: the outcomes that were still open, and the ends of rejected messages."""
    ours = _ended_now(connection, [each for each in outcomes if each.verdict is not Verdict.DOUBT])
    doubtful = _not_yet_in_doubt(connection, outcomes)
    recorded = [*ours, *doubtful]
    bulk.insert(connection, segment, [row for each in recorded for row in _segments(each)])
    bulk.insert(connection, spool, [_again(each) for each in ours if each.verdict is Verdict.RETRY])
    bulk.update(
        connection,
        attempt,
        ("message_id",),
        ("doubt_at", "settle_at", "parts"),
        [
            (each.waiting.message.id, each.at, each.due_at, format_parts(each.remaining))
            for each in doubtful
        ],
    )
    rejected = [_rejected(each) for each in ours if each.verdict is Verdict.REJECTED]
    return recorded, rejected


def _is_submitted(each: Outcome) -> bool:
    return each.verdict is Verdict.SUBMITTED


def _submitted(each: Outcome) -> Step:
    known = known_of(each.waiting)
    return Step(known, State.SUBMITTED, channel=each.channel, submitted_at=each.at)


def _rejected(each: Outcome) -> Step:
    known = known_of(each.waiting)
    if each.waiting.in_doubt:
        # This sending was refused; of the one before nobody knows.
        return Step(known, State.UNKNOWN, NO_ANSWER, each.channel, done_at=each.at)
    return Step(known, State.REJECTED, each.code, each.channel, done_at=each.at)


def _ended_now(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those whose attempt was still open: it is deleted. The number is compared because a
    piece that runs again may find that the next attempt has begun."""
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    for each in outcomes:
        numbers[each.waiting.tries + 1].append(each.waiting.message.id)
    ended = {
        row[0]
        for number, messages in numbers.items()
        for row in bulk.delete(connection, attempt, messages, (), attempt.c.number == number)
    }
    return [each for each in outcomes if each.waiting.message.id in ended]


def _not_yet_in_doubt(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    lost = {
        (each.waiting.message.id, each.waiting.tries + 1): each
        for each in outcomes
        if each.verdict is Verdict.DOUBT
    }
    if not lost:
        return []
    rows = connection.execute(
        select(attempt.c.message_id, attempt.c.number).where(
            bulk.among(connection, attempt.c.message_id, [made for made, _ in lost]),
            attempt.c.doubt_at.is_(None),
        )
    )
    return [lost[made, number] for made, number in rows if (made, number) in lost]


def _segments(each: Outcome) -> list[bulk.Row]:
    waiting = each.waiting
    return [
        (
            waiting.message.id,
            waiting.tries + 1,
            part.number,
            each.channel,
            part.carrier_id or None,
            part.code or None,
            State.SUBMITTED.value if part.ok else State.REJECTED.value,
            each.at,
            None,
            None,
        )
        for part in each.parts
    ]


def _again(each: Outcome) -> bulk.Row:
    waiting, of = each.waiting, each.waiting.submission
    return (
        waiting.message.id,
        waiting.message.carrier.value,
        of.lane.value,
        of.client,
        each.due_at,
        to_ms(of.expire_at),
        waiting.tries + 1,
        waiting.in_doubt,
        format_parts(each.remaining),
        waiting.unsent + (not each.sent),
        format_avoid(each.avoid),
    )


def _parked(connection: Connection, answered: Sequence[PartResult]) -> Sequence[Any]:
    """Receipts that wait for the ids which these answers brought."""
    named = [part.carrier_id for part in answered if part.carrier_id]
    if not named:
        return []
    return connection.execute(
        select(receipt).where(
            bulk.among(connection, receipt.c.carrier_id, named), receipt.c.state == PARKED
        )
    ).all()


def _reported(row: Any, seal: Seal) -> Reported:
    return Reported(
        row.channel,
        row.carrier_id,
        row.code,
        row.delivered,
        seal.open(sealing.RECEIPT_MOBILE, row.id, row.mobile) or "",
        row.submitted or "",
        row.done or "",
        row.received_at,
    )


def keep(connection: Connection, ids: IdMaker, reports: Sequence[Reported], state: str) -> None:
    """Keep reports that changed nothing, with the reason."""
    seal = seal_of(connection)
    bulk.insert(
        connection,
        receipt,
        [
            (
                made,
                each.channel,
                each.carrier_id,
                seal.text(sealing.RECEIPT_MOBILE, made, each.mobile or None),
                each.code,
                each.delivered,
                state,
                each.submitted or None,
                each.done or None,
                each.at,
                seal.key_of(each.mobile or None),
            )
            for made, each in zip(ids.take(len(reports)), reports, strict=True)
        ],
    )


class _Found(NamedTuple):
    """A segment that a report may belong to."""

    attempt: int
    number: int
    channel: str
    state: str
    submitted_at: int
    message_state: str
    known: Known


def _settle(
    connection: Connection, ids: IdMaker, reports: Sequence[Reported]
) -> tuple[list[Step], list[Reported]]:
    """Apply reports to their segments: what became of the messages, and the reports that found
    none."""
    if not reports:
        return [], []
    named = {each.carrier_id for each in reports}
    named.update(other for each in reports for other in each.others)
    found = _find(connection, named)
    left: list[Reported] = []
    repeated: list[Reported] = []
    late: list[Reported] = []
    taken: dict[tuple[int, int, int], tuple[_Found, Reported]] = {}
    seal = seal_of(connection)
    for each in (_as_answered(each, found, seal) for each in reports):
        its = found.get((each.channel, each.carrier_id))
        if its is None:
            left.append(each)
            continue
        key = (its.known.message_id, its.attempt, its.number)
        if its.state != State.SUBMITTED or key in taken:
            repeated.append(each)
        else:
            taken[key] = its, each
            if its.message_state != State.ACCEPTED:
                late.append(each)
    bulk.update(
        connection,
        segment,
        ("message_id", "attempt", "number"),
        ("state", "receipt_code", "receipt_at"),
        [
            (*key, _state(each.delivered).value, each.code, each.at)
            for key, (_, each) in taken.items()
        ],
    )
    keep(connection, ids, repeated, REPEATED)
    keep(connection, ids, late, LATE)
    open_ = [pair for pair in taken.values() if pair[0].message_state == State.ACCEPTED]
    return _steps(connection, open_), left


def _as_answered(each: Reported, found: Mapping[tuple[str, str], _Found], seal: Seal) -> Reported:
    """The report with the id that its segment's answer had, in whatever base it wrote it."""
    if not each.others or (each.channel, each.carrier_id) in found:
        return each
    for other in each.others:
        its = found.get((each.channel, other))
        if its is not None and _mobile(its.known, seal) == each.mobile:
            return each._replace(carrier_id=other, others=())
    return each._replace(others=())


def _mobile(known: Known, seal: Seal) -> str:
    return seal.opened(sealing.MESSAGE_MOBILE, known.message_id, known.mobile)


def _state(delivered: bool) -> State:
    return State.DELIVERED if delivered else State.UNDELIVERED


def _find(connection: Connection, named: set[str]) -> dict[tuple[str, str], _Found]:
    rows = connection.execute(
        select_known(
            segment.c.attempt,
            segment.c.number,
            segment.c.channel,
            segment.c.state,
            segment.c.submitted_at,
            message.c.state,
            segment.c.carrier_id,
        )
        .join(segment, segment.c.message_id == message.c.id)
        .where(bulk.among(connection, segment.c.carrier_id, named))
        # An id that a carrier used a year ago again: the newest message wins.
        .order_by(message.c.id)
    )
    width = len(Known._fields)
    return {
        (row[width + 2], row[width + 6]): _Found._make(
            (*row[width : width + 6], Known(*row[:width]))
        )
        for row in rows
    }


def _steps(connection: Connection, pairs: Sequence[tuple[_Found, Reported]]) -> list[Step]:
    """What became of the messages whose segments these reports closed.

    One step for each message, whatever was counted and went out: a failure wins.
    """
    short: dict[int, Step] = {}
    long: dict[int, Known] = {}
    for its, each in pairs:
        known = its.known
        if known.segments > 1:
            long[known.message_id] = known
        elif known.message_id not in short or not each.delivered:
            short[known.message_id] = Step(
                known, _state(each.delivered), each.code, its.channel, its.submitted_at, each.at
            )
    return [*short.values(), *(_ended(connection, long) if long else [])]


def _ended(connection: Connection, found: dict[int, Known]) -> list[Step]:
    """A message is delivered when every part is, in whichever attempt; it has failed when
    every part has an end and one of them failed (protocols/cmpp.md A7). A part WHOLE stands
    for all of them."""
    still_sending = {
        row[0]
        for table in (spool, attempt)
        for row in connection.execute(
            select(table.c.message_id).where(bulk.among(connection, table.c.message_id, found))
        )
    }
    rows = connection.execute(
        select(segment)
        .where(bulk.among(connection, segment.c.message_id, found))
        .order_by(segment.c.attempt)
    ).all()
    by_message: defaultdict[int, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_message[row.message_id][row.number].append(row)
    steps = []
    for made, known in found.items():
        parts = by_message[made]
        whole = _whole(parts)
        ends = [_part_end(rows) for rows in ([whole] if whole else parts.values())]
        if made in still_sending:
            continue
        if (not whole and len(ends) < known.segments) or any(row is None for row in ends):
            continue
        worst = next((row for row in ends if row.state != State.DELIVERED), ends[-1])
        steps.append(
            Step(
                known,
                _state(worst.state == State.DELIVERED),
                worst.receipt_code or worst.code or "",
                worst.channel,
                min(row.submitted_at for row in ends),
                max(row.receipt_at or row.submitted_at for row in ends),
            )
        )
    return steps


def _whole(parts: dict[int, list[Any]]) -> list[Any]:
    """The rows of the whole text in one, taken out of `parts`; empty where later attempts went
    out in several."""
    whole = parts.pop(WHOLE, [])
    if not whole or any(row.state == State.DELIVERED for row in whole):
        return whole
    last = max((rows[-1].attempt for rows in parts.values()), default=0)
    return whole if whole[-1].attempt > last else []


def _part_end(rows: Sequence[Any]) -> Any:
    """The row that decides a part: a delivered one, else a closed one if none is open."""
    for row in rows:
        if row.state == State.DELIVERED:
            return row
    if any(row.state == State.SUBMITTED for row in rows):
        return None
    return rows[-1]


def derive(connection: Connection, messages: Sequence[int]) -> list[Step]:
    """The steps of those open `messages` whose segments have all come to an end."""
    rows = connection.execute(
        select_known().where(
            bulk.among(connection, message.c.id, messages),
            message.c.state == State.ACCEPTED.value,
        )
    )
    return _ended(connection, {row[0]: Known(*row) for row in rows})
