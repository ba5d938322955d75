"""Recording what the carriers say of our messages: ends of attempts, and receipts.

Everything here runs on one committer, in batches, and may run twice over the same piece
when a commit's answer was lost: each function acts only on rows that it still finds.
A notice is written in the transaction of the state that it tells of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Connection, delete, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Late, Outcome, PartResult, Reported, Verdict
from adapter.domain.states import State
from adapter.domain.values import WHOLE, Notice
from adapter.store import bulk, sealing
from adapter.store.attempts import accept_late
from adapter.store.clock import to_ms
from adapter.store.endings import NO_ANSWER, Known, Step, end, known_of, select_known
from adapter.store.journeys import Question, ask
from adapter.store.schema import attempt, message, receipt, segment, spool
from adapter.store.sealing import Seal, seal_of
from adapter.store.spooling import format_avoid, format_parts

PARKED = "parked"
REPEATED = "repeated"
LATE = "late"


_CLOSE_FIRST = Question(
    lambda among: (
        delete(attempt)
        .where(among(attempt.c.message_id), attempt.c.number == 1)
        .returning(attempt.c.message_id)
    )
)
_PARKED = Question(
    lambda among: select(
        receipt.c.id,
        receipt.c.channel,
        receipt.c.carrier_id,
        receipt.c.code,
        receipt.c.delivered,
        receipt.c.mobile,
        receipt.c.submitted,
        receipt.c.done,
        receipt.c.received_at,
    ).where(among(receipt.c.carrier_id), receipt.c.state == PARKED)
)
_SEGMENTS = Question(
    lambda among: (
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
        # In no order: to have them in that of the messages, PostgreSQL may walk along all of these.
        .where(among(segment.c.carrier_id))
    )
)


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
    journey a wait for the interpreter; and because what an answer and its receipt say in one
    batch is written at once.
    """
    ended = [each for each in outcomes if each.verdict is not Verdict.DOUBT]
    first, again = _by_number(ended)
    answered = {part.carrier_id for each in outcomes for part in each.parts if part.carrier_id}
    answered.update(each.part.carrier_id for each in late)
    open_, parked, found = ask(
        connection,
        (_CLOSE_FIRST, [each.waiting.message.id for each in first]),
        (_PARKED, list(answered)),
        (_SEGMENTS, list(_named(reports))),
    )
    closed = {row[0] for row in open_} | _closed_again(connection, again)
    ours = [each for each in ended if each.waiting.message.id in closed]
    doubtful = _not_yet_in_doubt(connection, outcomes)
    seal = seal_of(connection)
    overtaken = [_reported(row, seal) for row in parked]
    met, rest = _meet(ours, [*overtaken, *reports])
    _keep_outcomes(connection, ours, doubtful, met)
    rejected = [_rejected(each) for each in ours if each.verdict is Verdict.REJECTED]
    notices = end(connection, ids, rejected) if rejected else []
    taken = accept_late(connection, late) if late else []
    known_before = _by_id(found)
    if overtaken or not answered.isdisjoint(_named(rest)):
        # Of what was answered just now, more than the plain messages.
        known_before = _by_id(*ask(connection, (_SEGMENTS, list(_named(rest)))))
    steps, left = _settle(connection, ids, rest, known_before)
    still = {(each.channel, each.carrier_id) for each in left}
    applied = [row[0] for row in parked if (row[1], row[2]) not in still]
    bulk.delete(connection, receipt, applied)
    known = set(overtaken)
    keep(connection, ids, [each for each in left if each not in known], PARKED)
    return notices + end(connection, ids, [*_submitted(ours, met), *taken, *steps])


def _meet(
    ours: Sequence[Outcome], reports: Sequence[Reported]
) -> tuple[dict[int, Reported], list[Reported]]:
    """The reports whose messages were answered in this very batch, by message, and the others.

    Only of messages in one part that went out the first time: nothing else can have ended them.
    """
    waiting = {(each.channel, each.parts[0].carrier_id): each for each in ours if _is_plain(each)}
    met: dict[int, Reported] = {}
    rest: list[Reported] = []
    for report in reports:
        its = waiting.pop((report.channel, report.carrier_id), None)
        if its is None:
            rest.append(report)
        else:
            met[its.waiting.message.id] = report
    return met, rest


def _is_plain(each: Outcome) -> bool:
    its = each.waiting
    return (
        each.verdict is Verdict.SUBMITTED
        and its.message.segments == 1
        and not its.tries
        and len(each.parts) == 1
    )


def _keep_outcomes(
    connection: Connection,
    ours: Sequence[Outcome],
    doubtful: Sequence[Outcome],
    met: Mapping[int, Reported],
) -> None:
    """Their segments, what is to be sent again, and what is in doubt."""
    bulk.insert(
        connection, segment, [row for each in (*ours, *doubtful) for row in _segments(each, met)]
    )
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


def _submitted(ours: Sequence[Outcome], met: Mapping[int, Reported]) -> list[Step]:
    """The steps of messages that the carrier took, and of those whose receipt came along."""
    steps: list[Step] = []
    for each in ours:
        if each.verdict is not Verdict.SUBMITTED:
            continue
        known = known_of(each.waiting)
        steps.append(Step(known, State.SUBMITTED, channel=each.channel, submitted_at=each.at))
        report = met.get(known.message_id)
        if report is not None:
            state = _state(report.delivered)
            steps.append(Step(known, state, report.code, each.channel, each.at, report.at))
    return steps


def _rejected(each: Outcome) -> Step:
    known = known_of(each.waiting)
    if each.waiting.in_doubt:
        # This sending was refused; of the one before nobody knows.
        return Step(known, State.UNKNOWN, NO_ANSWER, each.channel, done_at=each.at)
    return Step(known, State.REJECTED, each.code, each.channel, done_at=each.at)


def _by_number(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Those of first attempts, and those of later ones."""
    first: list[Outcome] = []
    again: list[Outcome] = []
    for each in outcomes:
        (again if each.waiting.tries else first).append(each)
    return first, again


def _closed_again(connection: Connection, outcomes: Sequence[Outcome]) -> set[int]:
    """Those whose later attempt was still open: it is deleted. The number is compared because
    a piece that runs again may find that the next attempt has begun."""
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    for each in outcomes:
        numbers[each.waiting.tries + 1].append(each.waiting.message.id)
    return {
        row[0]
        for number, messages in numbers.items()
        for row in bulk.delete(connection, attempt, messages, (), attempt.c.number == number)
    }


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


def _segments(each: Outcome, met: Mapping[int, Reported]) -> list[bulk.Row]:
    made, attempted = each.waiting.message.id, each.waiting.tries + 1
    report = met.get(made)
    return [
        (
            made,
            attempted,
            part.number,
            each.channel,
            part.carrier_id or None,
            part.code or None,
            (_answer(part) if report is None else _state(report.delivered))._value_,
            each.at,
            report and report.code,
            report and report.at,
        )
        for part in each.parts
    ]


def _answer(part: PartResult) -> State:
    return State.SUBMITTED if part.ok else State.REJECTED


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


def _reported(row: Sequence[Any], seal: Seal) -> Reported:
    """A parked report, from what `_PARKED` finds."""
    made, channel, carrier_id, code, delivered, mobile, submitted, done, at = row
    number = seal.open(sealing.RECEIPT_MOBILE, made, mobile) or ""
    return Reported(channel, carrier_id, code, delivered, number, submitted or "", done or "", at)


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
    connection: Connection,
    ids: IdMaker,
    reports: Sequence[Reported],
    found: Mapping[tuple[str, str], _Found],
) -> tuple[list[Step], list[Reported]]:
    """Apply reports to those of their segments that were `found`: what became of the messages,
    and the reports that found none."""
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
            (*key, _state(each.delivered)._value_, each.code, each.at)
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
            return structs.replace(each, carrier_id=other, others=())
    return structs.replace(each, others=())


def _mobile(known: Known, seal: Seal) -> str:
    return seal.opened(sealing.MESSAGE_MOBILE, known.message_id, known.mobile)


def _state(delivered: bool) -> State:
    return State.DELIVERED if delivered else State.UNDELIVERED


def _named(reports: Sequence[Reported]) -> set[str]:
    """All ids that segments of these reports may have."""
    named = {each.carrier_id for each in reports}
    named.update(other for each in reports for other in each.others)
    return named


def _by_id(rows: Sequence[Sequence[Any]]) -> dict[tuple[str, str], _Found]:
    """What `_SEGMENTS` found. Of an id that a carrier used a year ago, too, the newest message
    wins."""
    width = len(Known._fields)
    return {
        (row[width + 2], row[width + 6]): _Found._make(
            (*row[width : width + 6], Known(*row[:width]))
        )
        for row in sorted(rows, key=itemgetter(0))
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
