"""Dead letters: notices that a client's callback did not take in time, kept for a replay.

A notice is either in `notification` (on its way) or dead, never both: burying and replaying move
the row in one transaction. A replayed one keeps its id, by which the client knows it, and its row
here with `replayed_at`, until it has arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, update

from adapter.domain.ids import made_by
from adapter.store import bulk, notices, sealing
from adapter.store.clock import from_ms, to_ms
from adapter.store.committer import Committer, Kind
from adapter.store.schema import dead_letter, inbound, message, notification
from adapter.store.sealing import seal_of

REASON_LENGTH = 200
"""Characters of a reason that are kept."""
_AS_NOTIFIED = [dead_letter.c[column.name] for column in notification.c]


class DeadLetter(NamedTuple):
    """One of them, for people: without content, the number masked by who shows it."""

    id: int
    kind: str
    """`receipt` or `inbound`."""
    message_id: int | None
    mobile: str
    state: str
    happened_at: datetime
    died_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Burial:
    """Notices of a destination that are too old at `at`, and why they did not arrive. Those that
    were replayed after `spared_since` live on."""

    destination: str
    ids: Sequence[int]
    spared_since: datetime
    at: datetime
    reason: str


class DeadLetters:
    """What the running node does with them. Each call waits for its commit and raises
    StoreUnavailable."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._bury: Kind[Burial, Mapping[int, datetime]] = Kind("bury", 9, _run_bury)
        self._arrived: Kind[tuple[str, Sequence[int]], int] = Kind("arrived", 9, _run_arrived)

    def bury(self, burial: Burial) -> Mapping[int, datetime]:
        """Those that were spared, and when they were replayed."""
        return self._committer.submit(self._bury, burial).result()

    def arrived(self, account: str, ids: Sequence[int]) -> int:
        """Forget notices of a client that have arrived."""
        return self._committer.submit(self._arrived, (f"client:{account}", ids)).result()


def _run_bury(connection: Connection, works: Sequence[Burial]) -> list[Mapping[int, datetime]]:
    return [bury(connection, each) for each in works]


def _run_arrived(connection: Connection, works: Sequence[tuple[str, Sequence[int]]]) -> list[int]:
    done = []
    for destination, ids in works:
        done.append(notices.forget_of(connection, destination, ids))
        bulk.delete(connection, dead_letter, ids)
    return done


def bury(connection: Connection, burial: Burial) -> Mapping[int, datetime]:
    """Move notices to the dead; those that were spared, and when they were replayed. What waits no
    more (fetched and acknowledged, say) is passed over."""
    rows = connection.execute(
        select(dead_letter.c.id, dead_letter.c.replayed_at).where(
            bulk.among(connection, dead_letter.c.id, burial.ids),
            dead_letter.c.replayed_at > to_ms(burial.spared_since),
        )
    )
    spared = {row.id: from_ms(row.replayed_at) for row in rows}
    dying = [each for each in burial.ids if each not in spared]
    waiting = connection.execute(
        select(notification).where(
            bulk.among(connection, notification.c.id, dying),
            notification.c.destination == burial.destination,
        )
    ).all()
    ids = [row.id for row in waiting]
    died = (to_ms(burial.at), burial.reason[:REASON_LENGTH] or None, None)
    bulk.delete(connection, dead_letter, ids)
    bulk.insert(connection, dead_letter, [(*row, *died) for row in waiting])
    bulk.delete(connection, notification, ids)
    return spared


def replay(
    connection: Connection, destination: str, at: datetime, most: int, only: Sequence[int] = ()
) -> int:
    """Send the oldest dead ones home once more, or `only` these; how many. They are found by the
    running node when it looks into the store the next time."""
    wanted = _dead(select(*_AS_NOTIFIED), destination)
    if only:
        wanted = wanted.where(bulk.among(connection, dead_letter.c.id, only))
    rows = connection.execute(wanted.order_by(dead_letter.c.id).limit(most)).all()
    ids = [row.id for row in rows]
    if ids:
        bulk.insert(connection, notification, [tuple(row) for row in rows])
        connection.execute(
            update(dead_letter)
            .where(bulk.among(connection, dead_letter.c.id, ids))
            .values(replayed_at=to_ms(at))
        )
    return len(ids)


def read_dead(connection: Connection, destination: str, most: int) -> list[DeadLetter]:
    """The oldest dead letters of a destination."""
    seal = seal_of(connection)
    rows = connection.execute(
        _dead(
            select(dead_letter, message.c.mobile, inbound.c.mobile.label("sender"))
            .outerjoin(message, message.c.id == dead_letter.c.message_id)
            .outerjoin(inbound, inbound.c.id == dead_letter.c.inbound_id),
            destination,
        )
        .order_by(dead_letter.c.id)
        .limit(most)
    )
    return [
        DeadLetter(
            row.id,
            "receipt" if row.inbound_id is None else "inbound",
            row.message_id,
            (
                seal.open(sealing.MESSAGE_MOBILE, row.message_id, row.mobile)
                if row.inbound_id is None
                else seal.open(sealing.INBOUND_MOBILE, row.inbound_id, row.sender)
            )
            or "",
            row.state or "",
            made_by(row.id),
            from_ms(row.died_at),
            row.reason or "",
        )
        for row in rows
    ]


def _dead(statement: Select[Any], destination: str) -> Select[Any]:
    return statement.where(
        dead_letter.c.destination == destination, dead_letter.c.replayed_at.is_(None)
    )


def count_waiting(connection: Connection, destination: str) -> tuple[int, int | None]:
    """How many notices wait for a destination, and the id of the oldest."""
    found = connection.execute(
        select(func.count(), func.min(notification.c.id)).where(
            notification.c.destination == destination
        )
    ).one()
    return found[0], found[1]


def count_dead(connection: Connection) -> Mapping[str, int]:
    """Dead letters by destination."""
    return {
        row[0]: row[1]
        for row in connection.execute(
            select(dead_letter.c.destination, func.count())
            .where(dead_letter.c.replayed_at.is_(None))
            .group_by(dead_letter.c.destination)
        )
    }
