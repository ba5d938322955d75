"""What a client may ask about, fetch, acknowledge and withdraw: always only its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select, union_all

from adapter.domain.ids import IdMaker
from adapter.domain.ports import MessageView, SegmentView
from adapter.domain.states import FINAL, State
from adapter.domain.values import InboundNotice, Notice
from adapter.store import bulk, notices, sealing
from adapter.store.capacity import Capacity
from adapter.store.clock import from_ms, maybe_from_ms, now_ms, to_ms
from adapter.store.committer import Committer, Kind
from adapter.store.endings import HOUR_MS
from adapter.store.reading import reading
from adapter.store.rows import ref_key
from adapter.store.schema import (
    attempt,
    message,
    segment,
    spool,
    statistics_hour,
    submission,
    tally,
)
from adapter.store.sealing import Seal, seal_of
from adapter.store.withdrawal import Withdrawn, withdraw


@dataclass(frozen=True, slots=True)
class _Cancel:
    client: str
    submission_id: int | None
    message_ids: Sequence[int]
    business_key: str


class Desk:
    """See `adapter.domain.ports.DeskPort`. `describe` gives a state and a carrier's
    code on a channel in words."""

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        ids: IdMaker,
        capacity: Capacity,
        describe: Callable[[State, str, str], str],
        told: Callable[[list[Notice]], None],
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._ids = ids
        self._capacity = capacity
        self._describe = describe
        self._told = told
        self._cancel_kind: Kind[_Cancel, Withdrawn] = Kind("cancel", 1, self._run_cancel)
        self._acknowledge_kind: Kind[tuple[str, Sequence[int]], int] = Kind(
            "acknowledge", 9, self._run_acknowledge
        )

    def query(
        self,
        client: str,
        *,
        message_ids: Sequence[int] = (),
        client_ref: str = "",
        submission_id: int | None = None,
        limit: int = 10_000,
    ) -> list[MessageView]:
        """Where messages stand, by the ids given, or the reference, or the submission."""
        with reading(self._engine) as connection:
            chosen = _chosen(connection, client, message_ids, client_ref, submission_id)
            return _views(connection, client, chosen, limit, self._describe)

    def fetch_receipts(self, client: str, limit: int, after: int = 0) -> list[Notice]:
        with reading(self._engine) as connection:
            return notices.read_states(connection, f"client:{client}", limit, after)

    def fetch_inbound(self, client: str, limit: int, after: int = 0) -> list[InboundNotice]:
        with reading(self._engine) as connection:
            return notices.read_inbound(connection, f"client:{client}", limit, after)

    def acknowledge(self, client: str, notice_ids: Sequence[int]) -> int:
        work = (f"client:{client}", notice_ids)
        return self._committer.submit(self._acknowledge_kind, work).result()

    def cancel(
        self,
        client: str,
        *,
        submission_id: int | None = None,
        message_ids: Sequence[int] = (),
        business_key: str = "",
    ) -> int:
        work = _Cancel(client, submission_id, message_ids, business_key)
        done = self._committer.submit(self._cancel_kind, work).result()
        self._capacity.add(-done.ended)
        self._told(done.notices)
        return done.unsent

    def accepted_since(self, client: str, moment: datetime) -> int:
        """How many messages were accepted since this moment (aware), a full hour."""
        hour = to_ms(moment) // HOUR_MS
        # One statement: a fold between two would count twice, or not at all.
        counted = union_all(
            *(
                select(table.c.messages).where(
                    table.c.client == client,
                    table.c.state == State.ACCEPTED,
                    table.c.hour >= hour,
                )
                for table in (statistics_hour, tally)
            )
        ).subquery()
        with reading(self._engine) as connection:
            return int(connection.scalar(select(func.sum(counted.c.messages))) or 0)

    def _run_cancel(self, connection: Connection, works: Sequence[_Cancel]) -> list[Withdrawn]:
        return [self._cancel_one(connection, work) for work in works]

    def _cancel_one(self, connection: Connection, work: _Cancel) -> Withdrawn:
        if work.business_key:
            chosen = submission.c.business_key == work.business_key
        elif work.submission_id is not None:
            chosen = submission.c.id == work.submission_id
        else:
            chosen = bulk.among(connection, message.c.id, work.message_ids)
        waiting = connection.execute(
            select(message.c.id)
            .join(submission, submission.c.id == message.c.submission_id)
            .join(spool, spool.c.message_id == message.c.id)
            .where(submission.c.client == work.client, chosen)
        ).scalars()
        return withdraw(connection, self._ids, list(waiting), State.CANCELLED)

    def _run_acknowledge(
        self, connection: Connection, works: Sequence[tuple[str, Sequence[int]]]
    ) -> list[int]:
        return [notices.forget_of(connection, *work) for work in works]


def _chosen(
    connection: Connection,
    client: str,
    message_ids: Sequence[int],
    client_ref: str,
    submission_id: int | None,
) -> ColumnElement[bool]:
    if message_ids:
        return bulk.among(connection, message.c.id, message_ids)
    if submission_id is not None:
        return submission.c.id == submission_id
    return submission.c.ref_key == ref_key(client, "", client_ref)


def _views(
    connection: Connection,
    client: str,
    chosen: ColumnElement[bool],
    limit: int,
    describe: Callable[[State, str, str], str],
) -> list[MessageView]:
    rows = connection.execute(
        select(
            message,
            submission.c.client_ref,
            submission.c.accepted_at,
            submission.c.pass_through,
            spool.c.due_at.label("spool_due_at"),
            spool.c.tries.label("spool_tries"),
            attempt.c.started_at.label("attempt_at"),
            attempt.c.doubt_at,
        )
        .join(submission, submission.c.id == message.c.submission_id)
        .outerjoin(spool, spool.c.message_id == message.c.id)
        .outerjoin(attempt, attempt.c.message_id == message.c.id)
        .where(submission.c.client == client, chosen)
        .order_by(message.c.id)
        .limit(limit)
    ).all()
    parts = _parts(connection, [row.id for row in rows])
    now = now_ms()
    seal = seal_of(connection)
    return [_view(row, parts[row.id], now, describe, seal) for row in rows]


def _parts(connection: Connection, messages: Sequence[int]) -> defaultdict[int, list[Any]]:
    """Segments of messages, those of later attempts in the place of earlier ones."""
    rows = connection.execute(
        select(segment)
        .where(bulk.among(connection, segment.c.message_id, messages))
        .order_by(segment.c.message_id, segment.c.number, segment.c.attempt)
    )
    newest: dict[tuple[int, int], Any] = {(row.message_id, row.number): row for row in rows}
    parts: defaultdict[int, list[Any]] = defaultdict(list)
    for (made, _), row in newest.items():
        parts[made].append(row)
    return parts


def _view(
    row: Any,
    parts: Sequence[Any],
    now: int,
    describe: Callable[[State, str, str], str],
    seal: Seal,
) -> MessageView:
    state = standing(row, now)
    submitted_at = row.submitted_at or (parts[0].submitted_at if parts else None)
    code = row.code or next((part.code for part in parts if part.code), "") or ""
    channel = row.channel or (parts[0].channel if parts else "")
    return MessageView(
        message_id=row.id,
        submission_id=row.submission_id,
        client_ref=row.client_ref or "",
        ref=row.ref or "",
        mobile=seal.opened(sealing.MESSAGE_MOBILE, row.id, row.mobile),
        state=state,
        carrier_code=code,
        description=describe(state, code, channel),
        segments=row.segments,
        channel=channel,
        in_doubt=row.in_doubt,
        accepted_at=from_ms(row.accepted_at),
        submitted_at=maybe_from_ms(submitted_at),
        done_at=maybe_from_ms(row.done_at),
        pass_through=row.pass_through or "",
        parts=[
            SegmentView(
                part.number,
                State(part.state),
                part.receipt_code or part.code or "",
                from_ms(part.submitted_at),
                maybe_from_ms(part.receipt_at),
            )
            for part in parts
        ],
    )


def standing(row: Any, now: int) -> State:
    """Where a message stands, from the table that holds it."""
    state = State(row.state)
    if state in FINAL:
        return state
    if row.attempt_at is not None:
        return State.SENDING if row.doubt_at is None else State.IN_DOUBT
    if row.spool_due_at is not None:
        return State.HELD if row.spool_due_at > now and not row.spool_tries else State.QUEUED
    return State.SUBMITTED
