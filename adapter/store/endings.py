"""The end of a message: its final state, the statistics and the notice home, together.

Exactly one final state (promise 2): whoever calls `end` owns the message, either because
it deleted the message's row from `spool` or `attempt`, or because it runs on the one
recording committer and saw `state` ACCEPTED in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Column, Connection, Select, select

from adapter.domain.ids import IdMaker
from adapter.domain.states import FINAL, State
from adapter.domain.tally import NONE, Tally
from adapter.domain.values import Notice, Waiting
from adapter.store import bulk, sealing
from adapter.store.clock import maybe_from_ms, to_ms
from adapter.store.counted import remember
from adapter.store.schema import message, not_delivered, notification, submission, tally
from adapter.store.sealing import Seal, seal_of

HOUR_MS = 3_600_000

NO_ANSWER = "NO_ANSWER"
"""The code of a message that was given to the line once and never answered."""


class Known(NamedTuple):
    """What an ending must know of a message and its submission. `mobile` may be as the store
    keeps it: it is opened when somebody is told (`notice_of`)."""

    message_id: int
    submission_id: int
    client: str
    door: str
    source: str | None
    client_ref: str | None
    business: str
    receipt: bool
    pass_through: str | None
    accepted_at: int
    ref: str | None
    mobile: str
    carrier: str
    segments: int

    @property
    def destination(self) -> str | None:
        """Where notices of this message go; None when nobody asked."""
        if self.source:
            return f"source:{self.source}"
        return f"client:{self.client}" if self.receipt else None


KNOWN_COLUMNS: tuple[Column[Any], ...] = (
    message.c.id,
    message.c.submission_id,
    submission.c.client,
    submission.c.door,
    submission.c.source,
    submission.c.client_ref,
    submission.c.business,
    submission.c.receipt,
    submission.c.pass_through,
    submission.c.accepted_at,
    message.c.ref,
    message.c.mobile,
    message.c.carrier,
    message.c.segments,
)


def select_known(*more: Column[Any]) -> Select[Any]:
    """Open and ended messages with what `Known` needs, and further columns behind."""
    return select(*KNOWN_COLUMNS, *more).join_from(
        message, submission, message.c.submission_id == submission.c.id
    )


def known_of(waiting: Waiting) -> Known:
    its, of = waiting.message, waiting.submission
    return Known(
        its.id,
        its.submission_id,
        of.client,
        of.door._value_,
        of.source,
        of.client_ref,
        of.business,
        of.receipt,
        of.pass_through,
        to_ms(of.accepted_at),
        its.ref,
        its.mobile,
        its.carrier._value_,
        its.segments,
    )


class Step(Struct, frozen=True, gc=False):
    """A message reached a state worth telling: SUBMITTED or a final one."""

    known: Known
    state: State
    code: str = ""
    channel: str = ""
    submitted_at: int | None = None
    done_at: int | None = None


class Counts:
    """Statistics deltas of one transaction, added up."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[int, str, str, str, str, str, str], list[int]] = defaultdict(
            lambda: [0, 0]
        )

    def add(
        self,
        accepted_at: int,
        client: str,
        business: str,
        door: str,
        channel: str,
        carrier: str,
        state: str,
        segments: int,
    ) -> None:
        key = (accepted_at // HOUR_MS, client, business, door, channel or NONE, carrier, state)
        sums = self._sums[key]
        sums[0] += 1
        sums[1] += segments

    def write(self, connection: Connection, ids: IdMaker) -> None:
        """Write the deltas, and remember them for whoever counts commits."""
        rows = [
            (made, *key, *sums)
            for made, (key, sums) in zip(ids.take(len(self._sums)), self._sums.items(), strict=True)
        ]
        bulk.insert(connection, tally, rows)
        remember(connection, [Tally._make(row[1:]) for row in rows])


def end(connection: Connection, ids: IdMaker, steps: Sequence[Step]) -> list[Notice]:
    """Give messages their final state where a step has one, count every step, and write a
    notice for each that somebody waits for; returns the notices."""
    bulk.update(
        connection,
        message,
        ("id",),
        ("state", "code", "channel", "submitted_at", "done_at"),
        [
            (
                step.known.message_id,
                step.state._value_,
                step.code or None,
                step.channel or None,
                step.submitted_at,
                step.done_at,
            )
            for step in steps
            if step.state in FINAL
        ],
    )
    bulk.insert(
        connection,
        not_delivered,
        [
            (step.known.message_id, step.known.client, step.state._value_)
            for step in steps
            if step.state in FINAL and step.state is not State.DELIVERED
        ],
    )
    counts = Counts()
    for step in steps:
        known = step.known
        counts.add(
            known.accepted_at,
            known.client,
            known.business,
            known.door,
            step.channel,
            known.carrier,
            step.state._value_,
            known.segments,
        )
    counts.write(connection, ids)
    return _notify(connection, ids, steps)


def _notify(connection: Connection, ids: IdMaker, steps: Sequence[Step]) -> list[Notice]:
    ended = {step.known.message_id for step in steps if step.state in FINAL}
    wanted = [step for step in steps if _is_wanted(step, ended)]
    seal = seal_of(connection)
    notices = [
        notice_of(made, step, seal)
        for made, step in zip(ids.take(len(wanted)), wanted, strict=True)
    ]
    rows = [
        (
            notice.id,
            notice.destination,
            notice.message_id,
            None,
            notice.state._value_,
            step.code or None,
            step.channel or None,
            step.submitted_at,
            step.done_at,
        )
        for notice, step in zip(notices, wanted, strict=True)
    ]
    bulk.insert(connection, notification, rows)
    return notices


def _is_wanted(step: Step, ended: Container[int]) -> bool:
    # That a message was submitted is news for a HIS row, until it has ended; a client asks for
    # final states.
    if step.state is State.SUBMITTED:
        return bool(step.known.source) and step.known.message_id not in ended
    return step.known.destination is not None


def notice_of(made: int, step: Step, seal: Seal) -> Notice:
    known = step.known
    return Notice(
        id=made,
        destination=known.destination or "",
        message_id=known.message_id,
        submission_id=known.submission_id,
        client_ref=known.client_ref or "",
        ref=known.ref or "",
        mobile=seal.opened(sealing.MESSAGE_MOBILE, known.message_id, known.mobile),
        state=step.state,
        code=step.code,
        text="",
        segments=known.segments,
        channel=step.channel,
        submitted_at=maybe_from_ms(step.submitted_at),
        done_at=maybe_from_ms(step.done_at),
        pass_through=known.pass_through or "",
    )
