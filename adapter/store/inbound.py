"""Texts from phones: stored once, with the client they are for and the message they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Received
from adapter.domain.tally import INBOUND, NONE
from adapter.domain.values import InboundNotice
from adapter.store import bulk, joining, sealing
from adapter.store.clock import from_ms
from adapter.store.endings import Counts
from adapter.store.schema import arrival, inbound, message, notification, submission
from adapter.store.sealing import seal_of


class _Answered(NamedTuple):
    """The message that an inbound text answers."""

    message_id: int
    client: str
    source: str | None
    client_ref: str | None
    pass_through: str | None
    business: str


def take(
    connection: Connection,
    ids: IdMaker,
    texts: Sequence[Received],
    owners: Mapping[str, str],
    sources: Mapping[str, Sequence[str]],
    overdue: int = 0,
) -> list[InboundNotice]:
    """Store inbound texts, each with the message that it answers; the notices written. What
    came before is left out, and parts of long texts wait for the rest (`joining.gather`, which
    `overdue` is for).

    `owners` maps an extension's beginning to its client, `sources` a client to the
    sources that keep inbound texts for it.
    """
    new = _remember(connection, ids, texts)
    whole = [each for each in new if each.part is None]
    parts = [(each, each.part) for each in new if each.part is not None]
    whole += joining.gather(connection, ids, parts, overdue)
    return _store(connection, ids, whole, owners, sources)


def give_up(
    connection: Connection,
    ids: IdMaker,
    overdue: int,
    owners: Mapping[str, str],
    sources: Mapping[str, Sequence[str]],
    most: int = 200,
) -> tuple[int, list[InboundNotice]]:
    """Store long texts whose missing parts were waited for since before a moment, as far as
    they came: how many, and the notices written."""
    texts = joining.give_up(connection, overdue, most)
    return len(texts), _store(connection, ids, texts, owners, sources)


def _remember(connection: Connection, ids: IdMaker, texts: Sequence[Received]) -> list[Received]:
    """Those that did not come before; from now on they did."""
    keys = {key for each in texts for key in each.keys}
    known: set[tuple[str, str]] = set()
    if keys:
        rows = connection.execute(
            select(arrival.c.channel, arrival.c.arrival_key).where(
                bulk.among(connection, arrival.c.arrival_key, keys)
            )
        )
        known = {(channel, key) for channel, key in rows}
    new: list[Received] = []
    marks: list[bulk.Row] = []
    for made, each in zip(ids.take(len(texts)), texts, strict=True):
        if any((each.channel, key) in known for key in each.keys):
            continue
        new.append(each)
        if each.keys:
            known.add((each.channel, each.keys[0]))
            marks.append((made, each.channel, each.keys[0]))
    bulk.insert(connection, arrival, marks)
    return new


def _store(
    connection: Connection,
    ids: IdMaker,
    texts: Sequence[Received],
    owners: Mapping[str, str],
    sources: Mapping[str, Sequence[str]],
) -> list[InboundNotice]:
    rows: list[bulk.Row] = []
    notices: list[InboundNotice] = []
    counts = Counts()
    seal = seal_of(connection)
    for made, each in zip(ids.take(len(texts)), texts, strict=True):
        client = _owner(each.extension, owners)
        answered = _answered(connection, each, client)
        client = client or (answered.client if answered else None)
        rows.append(
            (
                made,
                each.channel,
                seal.sealed(sealing.INBOUND_MOBILE, made, each.mobile),
                seal.sealed(sealing.INBOUND_CONTENT, made, each.content),
                each.access_number,
                each.extension or None,
                client,
                answered.message_id if answered else None,
                each.at,
                seal.key_of(each.mobile),
            )
        )
        counts.add(
            each.at,
            client or NONE,
            answered.business if answered else NONE,
            NONE,
            each.channel,
            NONE,
            INBOUND,
            1,
        )
        if client is not None:
            notices += [
                _inbound_notice(ids.next(), destination, made, each, answered)
                for destination in _destinations(client, answered, sources)
            ]
    bulk.insert(connection, inbound, rows)
    bulk.insert(
        connection,
        notification,
        [
            (
                each.id,
                each.destination,
                each.message_id,
                each.inbound_id,
                None,
                None,
                None,
                None,
                None,
            )
            for each in notices
        ],
    )
    counts.write(connection, ids)
    return notices


def _owner(extension: str, owners: Mapping[str, str]) -> str | None:
    for length in range(len(extension), 0, -1):
        if extension[:length] in owners:
            return owners[extension[:length]]
    return owners.get("")


def _answered(connection: Connection, each: Received, client: str | None) -> _Answered | None:
    """The newest message to that phone: of the extension's client if it has one, with the
    very extension if there is one (protocols/cmpp.md B6)."""
    statement = (
        select(
            message.c.id,
            submission.c.client,
            submission.c.source,
            submission.c.client_ref,
            submission.c.pass_through,
            submission.c.business,
            submission.c.extension,
        )
        .join(submission, submission.c.id == message.c.submission_id)
        .where(seal_of(connection).of(connection, message, [each.mobile]))
        .order_by(message.c.id.desc())
        .limit(20)
    )
    if client is not None:
        statement = statement.where(submission.c.client == client)
    rows = connection.execute(statement).all()
    exact = [row for row in rows if row.extension and each.extension.endswith(row.extension)]
    for row in exact or rows:
        return _Answered(*row[:6])
    return None


def _destinations(
    client: str, answered: _Answered | None, sources: Mapping[str, Sequence[str]]
) -> list[str]:
    """Home is the HIS table that the answered message came from, else every table of the
    client, else the client itself."""
    tables = sources.get(client, ())
    if answered and answered.source:
        return [f"source:{answered.source}"] if answered.source in tables else [f"client:{client}"]
    if answered or not tables:
        return [f"client:{client}"]
    return [f"source:{name}" for name in tables]


def _reference(answered: _Answered | None, destination: str) -> str:
    """The answered message's reference, for whom it is one: the key of a table's row means
    nothing in another table, nor a client's own reference there."""
    if answered is None:
        return ""
    home = f"source:{answered.source}" if answered.source else f"client:{answered.client}"
    return answered.client_ref or "" if destination == home else ""


def _inbound_notice(
    made: int, destination: str, inbound_id: int, each: Received, answered: _Answered | None
) -> InboundNotice:
    return InboundNotice(
        id=made,
        destination=destination,
        inbound_id=inbound_id,
        mobile=each.mobile,
        content=each.content,
        access_number=each.access_number,
        extension=each.extension,
        received_at=from_ms(each.at),
        message_id=answered.message_id if answered else None,
        client_ref=_reference(answered, destination),
        pass_through=(answered.pass_through or "") if answered else "",
    )
