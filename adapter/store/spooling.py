"""The spool in the store: what waits, read in order, and moved to `attempt` before the wire.

Limits: one dispatcher reads a spool (`adapter.store.ownership` keeps a second one out), so
reading takes no locks and marks nothing. What is handed out twice is still sent once:
`begin` hands over only rows that it deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from adapter.domain.outcomes import Begin, QueueKey
from adapter.domain.states import Carrier, Door, Lane
from adapter.domain.values import Message, Submission, Waiting
from adapter.store import bulk, sealing
from adapter.store.clock import from_ms
from adapter.store.journeys import Question, ask
from adapter.store.reading import reading
from adapter.store.schema import attempt, message, spool, submission
from adapter.store.sealing import Seal, seal_of

AVOID_LENGTH = 500
UNREADABLE_CODE = "UNREADABLE"
"""How a message ends whose text or number does not open."""


def queue_keys(engine: Engine) -> list[QueueKey]:
    """Every queue that has something waiting, due or not."""
    with reading(engine) as connection:
        columns = spool.c.carrier, spool.c.lane, spool.c.client
        return [QueueKey(*row) for row in connection.execute(select(*columns).distinct())]


def count_waiting(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(spool)).scalar_one()


def read_due(
    engine: Engine, key: QueueKey, most: int, now: int, held: Collection[int]
) -> tuple[list[Waiting], int | None]:
    """Up to `most` due messages of a queue, first due first, without those `held` in memory.

    The second value is when to look again: None when the queue has nothing further that
    is not due or held, `now` when more is due than was read.
    """
    mine = (spool.c.carrier == key.carrier, spool.c.lane == key.lane, spool.c.client == key.client)
    with reading(engine) as connection:
        due = (
            select(spool)
            .where(*mine, spool.c.due_at <= now, bulk.none_of(connection, spool.c.message_id, held))
            .order_by(spool.c.due_at, spool.c.message_id)
            # One more than is asked for shows whether more is due.
            .limit(most + 1)
            .subquery()
        )
        statement = (
            select(
                due.c.message_id,
                due.c.tries,
                due.c.in_doubt,
                due.c.parts,
                due.c.unsent,
                due.c.avoid,
                message.c.ref,
                message.c.mobile,
                message.c.content,
                message.c.segments,
                *submission.c,
            )
            .join(message, message.c.id == due.c.message_id)
            .join(submission, submission.c.id == message.c.submission_id)
            .order_by(due.c.due_at, due.c.message_id)
        )
        rows = connection.execute(statement).all()
        later = connection.execute(
            select(func.min(spool.c.due_at)).where(*mine, spool.c.due_at > now)
        ).scalar_one()
        seal = seal_of(connection)
    carrier = Carrier(key.carrier)
    shared: dict[int, Submission] = {}
    found = [_waiting(row, carrier, shared, seal) for row in rows[:most]]
    return found, now if len(rows) > most else later


def _waiting(
    row: Sequence[Any], carrier: Carrier, shared: dict[int, Submission], seal: Seal
) -> Waiting:
    made, tries, in_doubt, parts, unsent, avoid, ref, mobile, content, segments, *its = row
    mobile = seal.opened(sealing.MESSAGE_MOBILE, made, mobile)
    content = seal.open(sealing.MESSAGE_CONTENT, made, content)
    of = shared.get(its[0])
    if of is None:
        of = shared[its[0]] = submission_of(its, seal)
    own = Message(made, of.id, ref or "", mobile, carrier, content, segments)
    return Waiting(
        own, of, tries, in_doubt, parse_parts(parts), unsent=unsent, avoid=parse_avoid(avoid)
    )


def is_unreadable(waiting: Waiting) -> bool:
    """Whether it cannot be sent, because the store's text or number does not open."""
    return waiting.content is sealing.UNREADABLE or waiting.message.mobile is sealing.UNREADABLE


def submission_of(row: Sequence[Any], seal: Seal) -> Submission:
    """A submission from its row, columns in the table's order."""
    (made, client, door, source, ref, _, business, lane, content, extension, pass_through,
     business_key, receipt, accepted_at, due_at, expire_at, _) = row  # fmt: skip
    return Submission(
        id=made,
        client=client,
        door=Door(door),
        source=source or "",
        client_ref=ref or "",
        business=business,
        lane=Lane(lane),
        content=seal.open(sealing.SUBMISSION_CONTENT, made, content),
        extension=extension or "",
        pass_through=pass_through or "",
        business_key=business_key or "",
        receipt=receipt,
        accepted_at=from_ms(accepted_at),
        due_at=from_ms(due_at),
        expire_at=from_ms(expire_at),
    )


def parse_parts(text: str | None) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",")) if text else ()


def format_parts(parts: Sequence[int]) -> str | None:
    return ",".join(map(str, parts)) or None


def parse_avoid(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def format_avoid(channels: Sequence[str]) -> str | None:
    """The last ones that fit: whoever asked longest ago is asked again first."""
    text = ",".join(channels)
    while len(text) > AVOID_LENGTH:
        _, _, text = text.partition(",")
    return text or None


_TAKE = Question(
    lambda among: delete(spool).where(among(spool.c.message_id)).returning(spool.c.message_id)
)


def begin(connection: Connection, begins: Sequence[Begin]) -> set[int]:
    """Record attempts before the wire (promise 4); the messages that are ours to send.

    A message whose spool row is gone was cancelled, has expired or was begun before: it is
    left out, and must not be sent. The very same begin may be asked again, because the answer
    of its commit was lost: it gets the same answer.
    """
    (taken,) = ask(connection, (_TAKE, [each.waiting.message.id for each in begins]))
    owned = {row[0] for row in taken}
    bulk.insert(
        connection,
        attempt,
        [
            (
                each.waiting.message.id,
                each.waiting.tries + 1,
                each.channel,
                format_parts(each.waiting.parts),
                each.waiting.in_doubt,
                each.at,
                None,
                None,
                each.waiting.unsent,
            )
            for each in begins
            if each.waiting.message.id in owned
        ],
    )
    bulk.update(
        connection,
        message,
        ("id",),
        ("segments",),
        [
            (each.waiting.message.id, each.waiting.message.segments)
            for each in begins
            if each.waiting.recounted and each.waiting.message.id in owned
        ],
    )
    rest = [each for each in begins if each.waiting.message.id not in owned]
    return owned | _begun_before(connection, rest)


def _begun_before(connection: Connection, begins: Sequence[Begin]) -> set[int]:
    """Those whose attempt is recorded already, by this very begin."""
    if not begins:
        return set()
    asked = {(each.waiting.message.id, each.channel, each.at) for each in begins}
    rows = connection.execute(
        select(attempt.c.message_id, attempt.c.channel, attempt.c.started_at).where(
            bulk.among(connection, attempt.c.message_id, {made for made, _, _ in asked}),
            attempt.c.doubt_at.is_(None),
        )
    )
    return {made for made, channel, at in rows if (made, channel, at) in asked}
