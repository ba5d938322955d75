"""Requests as the tables keep them once they are accepted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, literal, null, select

from adapter.domain.errors import Code
from adapter.domain.states import State
from adapter.domain.values import Message, Result, Submission
from adapter.store import bulk, sealing
from adapter.store.clock import to_ms
from adapter.store.endings import Counts
from adapter.store.schema import message, spool
from adapter.store.sealing import Seal


def ref_key(client: str, source: str, client_ref: str) -> str | None:
    """What must be unique: the client's reference, or the row of a source. Accounts and names
    of sources have no slash (`xsd/config.xsd`), so no two of them meet in one key."""
    return f"{client}/{source}/{client_ref}" if client_ref else None


def ref_key_of(its: Submission) -> str | None:
    return ref_key(its.client, its.source, its.client_ref)


class Moments(NamedTuple):
    """Those of a submission, in milliseconds."""

    accepted: int
    due: int
    expire: int


def moments_of(its: Submission) -> Moments:
    accepted = to_ms(its.accepted_at)
    due = accepted if its.due_at is its.accepted_at else to_ms(its.due_at)
    return Moments(accepted, due, to_ms(its.expire_at))


def submission_row(its: Submission, key: str | None, at: Moments, seal: Seal) -> bulk.Row:
    """A submission as its table keeps it, under the key that finds it again."""
    return (
        its.id,
        its.client,
        its.door._value_,
        its.source or None,
        its.client_ref or None,
        key,
        its.business,
        its.lane._value_,
        seal.text(sealing.SUBMISSION_CONTENT, its.id, its.content),
        its.extension or None,
        its.pass_through or None,
        its.business_key or None,
        its.receipt,
        *at,
        seal.text(sealing.SUBMISSION_REFUSALS, its.id, _dump_refusals(its.refusals)),
    )


def message_rows(own: Sequence[Message], seal: Seal) -> list[bulk.Row]:
    accepted = State.ACCEPTED._value_
    return [
        (
            each.id,
            each.submission_id,
            each.ref or None,
            seal.sealed(sealing.MESSAGE_MOBILE, each.id, each.mobile),
            each.carrier._value_,
            seal.text(sealing.MESSAGE_CONTENT, each.id, each.content),
            each.segments,
            accepted,
            None,
            None,
            False,
            None,
            None,
            seal.key_of(each.mobile),
        )
        for each in own
    ]


def spool_rows(its: Submission, own: Sequence[Message], at: Moments) -> list[bulk.Row]:
    """What lets messages be sent."""
    lane, client = its.lane._value_, its.client
    return [
        (each.id, each.carrier._value_, lane, client, at.due, at.expire, 0, False, None, 0, None)
        for each in own
    ]


def spool_rows_of_stored(its: Submission, at: Moments) -> Select[Any]:
    """The same, read from the messages of a submission that are stored already."""
    lane, client = its.lane._value_, its.client
    constants = (lane, client, at.due, at.expire, 0, False, None, 0, None)
    return select(
        message.c.id,
        message.c.carrier,
        *[
            literal(value, column.type) if value is not None else null()
            for column, value in zip(list(spool.c)[2:], constants, strict=True)
        ],
    ).where(message.c.submission_id == its.id)


def count_accepted(counts: Counts, its: Submission, own: Sequence[Message], at: Moments) -> None:
    """What the statistics learn of messages."""
    door, accepted = its.door._value_, State.ACCEPTED._value_
    for each in own:
        counts.add(
            at.accepted,
            its.client,
            its.business,
            door,
            "",
            each.carrier._value_,
            accepted,
            each.segments,
        )


def _dump_refusals(refusals: Sequence[tuple[int, Result]]) -> str | None:
    if not refusals:
        return None
    return json.dumps(
        [[place, r.mobile, r.ref, r.code.value, r.description] for place, r in refusals]
    )


def load_refusals(text: str | None) -> list[tuple[int, Result]]:
    if not text:
        return []
    return [
        (place, Result(mobile, ref, None, 0, Code(code), description))
        for place, mobile, ref, code, description in json.loads(text)
    ]
