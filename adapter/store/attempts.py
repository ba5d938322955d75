"""Attempts whose end is not recorded, and parts of them that the carrier took after all.

It shows late, by an answer after its time-out or by a receipt that fits. A message all of whose
parts were taken counts as submitted, and is paid for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from adapter.domain.outcomes import Late
from adapter.domain.states import State
from adapter.store import bulk
from adapter.store.endings import Known, Step, select_known
from adapter.store.schema import attempt, message, segment
from adapter.store.spooling import format_parts, parse_parts


class Open(NamedTuple):
    """An attempt, and the numbers of its parts that were not answered."""

    number: int
    channel: str
    started_at: int
    parts: tuple[int, ...]


def open_attempts(connection: Connection, messages: Collection[int]) -> dict[int, Open]:
    """Those of `messages` that have one."""
    rows = connection.execute(
        select(
            attempt.c.message_id,
            attempt.c.number,
            attempt.c.channel,
            attempt.c.started_at,
            attempt.c.parts,
            message.c.segments,
        )
        .join(message, message.c.id == attempt.c.message_id)
        .where(bulk.among(connection, attempt.c.message_id, messages))
    )
    return {
        made: Open(number, channel, at, parse_parts(parts) or tuple(range(1, segments + 1)))
        for made, number, channel, at, parts, segments in rows
    }


def accept_late(connection: Connection, late: Sequence[Late]) -> list[Step]:
    """Record acceptances of parts that had been given up; the steps of messages that are whole
    by that. Where the message was sent again meanwhile, that sending decides."""
    opened = open_attempts(connection, {each.message_id for each in late})
    taken: dict[int, dict[int, Late]] = {}
    for each in late:
        its = opened.get(each.message_id)
        if its and its.number == each.attempt and each.part.number in its.parts:
            taken.setdefault(each.message_id, {})[each.part.number] = each
    rows: list[bulk.Row] = [
        (
            made,
            each.attempt,
            number,
            each.channel,
            each.part.carrier_id or None,
            each.part.code or None,
            State.SUBMITTED.value,
            opened[made].started_at,
            None,
            None,
        )
        for made, parts in taken.items()
        for number, each in parts.items()
    ]
    bulk.insert(connection, segment, rows)
    return answer_parts(connection, opened, taken)


def answer_parts(
    connection: Connection, opened: Mapping[int, Open], answered: Mapping[int, Collection[int]]
) -> list[Step]:
    """Take the `answered` part numbers of messages out of their attempts; the steps of those
    of which no part is left."""
    left = {
        made: [number for number in opened[made].parts if number not in numbers]
        for made, numbers in answered.items()
    }
    rest = [(made, format_parts(parts)) for made, parts in left.items() if parts]
    bulk.update(connection, attempt, ("message_id",), ("parts",), rest)
    closed = [made for made, parts in left.items() if not parts]
    if not closed:
        return []
    bulk.delete(connection, attempt, closed)
    rows = connection.execute(select_known().where(bulk.among(connection, message.c.id, closed)))
    return [
        Step(
            known,
            State.SUBMITTED,
            channel=opened[known.message_id].channel,
            submitted_at=opened[known.message_id].started_at,
        )
        for known in (Known(*row) for row in rows)
    ]
