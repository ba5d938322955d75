"""Notices on their way home: read again after a restart or an overflow, forgotten on arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true

from adapter.domain.states import Door, State
from adapter.domain.values import InboundNotice, Notice
from adapter.store import bulk, sealing
from adapter.store.clock import from_ms, maybe_from_ms
from adapter.store.schema import inbound, message, notification, submission
from adapter.store.sealing import Seal, seal_of

OF_CMPP: ColumnElement[bool] = submission.c.door == Door.CMPP.value
NOT_OF_CMPP: ColumnElement[bool] = submission.c.door != Door.CMPP.value
"""States of messages that came through the CMPP door, and all others."""


def read_states(
    connection: Connection,
    destination: str,
    most: int,
    after: int = 0,
    *,
    chosen: ColumnElement[bool] | None = None,
) -> list[Notice]:
    """States waiting for a destination, oldest first, with ids greater than `after`: all, or
    those `chosen`."""
    rows = connection.execute(
        select(
            notification,
            message.c.submission_id,
            message.c.ref,
            message.c.mobile,
            message.c.segments,
            submission.c.client_ref,
            submission.c.pass_through,
        )
        .join(message, message.c.id == notification.c.message_id)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(
            notification.c.destination == destination,
            notification.c.id > after,
            notification.c.inbound_id.is_(None),
            true() if chosen is None else chosen,
        )
        .order_by(notification.c.id)
        .limit(most)
    )
    seal = seal_of(connection)
    return [_notice(row, seal) for row in rows]


def _notice(row: Any, seal: Seal) -> Notice:
    return Notice(
        id=row.id,
        destination=row.destination,
        message_id=row.message_id,
        submission_id=row.submission_id,
        client_ref=row.client_ref or "",
        ref=row.ref or "",
        mobile=seal.opened(sealing.MESSAGE_MOBILE, row.message_id, row.mobile),
        state=State(row.state),
        code=row.code or "",
        text="",
        segments=row.segments,
        channel=row.channel or "",
        submitted_at=maybe_from_ms(row.submitted_at),
        done_at=maybe_from_ms(row.done_at),
        pass_through=row.pass_through or "",
    )


def read_inbound(
    connection: Connection, destination: str, most: int, after: int = 0
) -> list[InboundNotice]:
    """Inbound texts waiting for a destination, oldest first, with ids greater than `after`."""
    rows = connection.execute(
        select(
            notification.c.id,
            inbound,
            submission.c.client_ref,
            submission.c.pass_through,
        )
        .join(inbound, inbound.c.id == notification.c.inbound_id)
        .outerjoin(message, message.c.id == inbound.c.message_id)
        .outerjoin(submission, submission.c.id == message.c.submission_id)
        .where(notification.c.destination == destination, notification.c.id > after)
        .order_by(notification.c.id)
        .limit(most)
    )
    seal = seal_of(connection)
    return [_inbound_notice(destination, row, seal) for row in rows]


def _inbound_notice(destination: str, row: Any, seal: Seal) -> InboundNotice:
    return InboundNotice(
        id=row[0],
        destination=destination,
        inbound_id=row[1],
        mobile=seal.opened(sealing.INBOUND_MOBILE, row[1], row.mobile),
        content=seal.open(sealing.INBOUND_CONTENT, row[1], row.content) or "",
        access_number=row.access_number,
        extension=row.extension or "",
        received_at=from_ms(row.received_at),
        message_id=row.message_id,
        client_ref=row.client_ref or "",
        pass_through=row.pass_through or "",
    )


def forget(connection: Connection, arrived: Sequence[int]) -> None:
    """Delete notices that arrived."""
    bulk.remove(connection, notification, arrived)


def forget_of(connection: Connection, destination: str, arrived: Sequence[int]) -> int:
    """Delete those of `arrived` that belong to `destination`; how many there were."""
    mine = (
        connection.execute(
            select(notification.c.id).where(
                bulk.among(connection, notification.c.id, arrived),
                notification.c.destination == destination,
            )
        )
        .scalars()
        .all()
    )
    forget(connection, mine)
    return len(mine)
