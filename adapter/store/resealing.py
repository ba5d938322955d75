"""Bringing rows under the newest key, a bite at a time, while the node works.

Nobody but `reseal` changes contents and numbers once they are written, so a bite reads its rows,
seals them anew and writes them back in one transaction of a committer. Rows that somebody else is
changing just then are left for the next walk (PostgreSQL), so a bite waits for nobody.

What happens on a crash: a bite is there or not. Each row tells its key, so a walk begins anew
anywhere.

Limits: a value that does not open stays as it is, and its key with it. What a database keeps
besides its rows is its own: SQLite overwrites what was in clear as it is replaced; PostgreSQL keeps
replaced rows until VACUUM, and their octets until the page is used again (VACUUM FULL).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    func,
    or_,
    select,
)

from adapter.store import bulk, sealing
from adapter.store.schema import (
    attempt,
    inbound,
    inbound_part,
    message,
    receipt,
    submission,
    submit_part,
)
from adapter.store.sealing import UNREADABLE, Seal, mark_of, seal_of

FRESHENED = 1_000


class Sealed(NamedTuple):
    """A table, its sealed columns with the places of their values; `numbered`: the first of them
    is a number."""

    table: Table
    columns: Sequence[tuple[str, bytes]]
    numbered: bool = False


RECEIPTS = Sealed(receipt, (("mobile", sealing.RECEIPT_MOBILE),), True)
MESSAGES = Sealed(
    message,
    (("mobile", sealing.MESSAGE_MOBILE), ("content", sealing.MESSAGE_CONTENT)),
    True,
)
EVERYTHING: Sequence[Sealed] = (
    RECEIPTS,
    Sealed(submit_part, (("content", sealing.SUBMIT_PART_CONTENT),)),
    Sealed(
        inbound_part,
        (("mobile", sealing.INBOUND_PART_MOBILE), ("content", sealing.INBOUND_PART_CONTENT)),
        True,
    ),
    MESSAGES,
    Sealed(
        submission,
        (
            ("content", sealing.SUBMISSION_CONTENT),
            ("refusals", sealing.SUBMISSION_REFUSALS),
        ),
    ),
    Sealed(
        inbound,
        (("mobile", sealing.INBOUND_MOBILE), ("content", sealing.INBOUND_CONTENT)),
        True,
    ),
)


class Page(NamedTuple):
    """Rows that are not under the newest key, and where the next page begins, None at the end."""

    rows: Sequence[int]
    after: int | None


class Bite(NamedTuple):
    """How many rows were brought under the newest key, and how many have a value that does not
    open."""

    done: int
    unreadable: int


def look(connection: Connection, what: Sealed, after: int, most: int) -> Page:
    """Look at `most` rows behind the id `after`."""
    key = what.table.c.id
    rows = connection.execute(
        select(key, _is_behind(connection, what)).where(key > after).order_by(key).limit(most)
    ).all()
    return Page([row[0] for row in rows if row[1]], rows[-1][0] if len(rows) == most else None)


def reseal(connection: Connection, what: Sealed, rows: Sequence[int]) -> Bite:
    """Bring rows under the newest key."""
    names = [name for name, _ in what.columns]
    statement = select(what.table.c.id, *(what.table.c[name] for name in names)).where(
        bulk.among(connection, what.table.c.id, rows), _is_behind(connection, what)
    )
    return _reseal(connection, what, statement)


def refresh(connection: Connection) -> None:
    """While keys are replaced: bring parked receipts, and messages given to the line, under the
    newest one, so that their numbers can be compared. For whoever matches them, in the same
    transaction."""
    if not seal_of(connection).is_mixed:
        return
    ids = select(attempt.c.message_id)
    for what, chosen in (
        (MESSAGES, message.c.id.in_(ids)),
        (RECEIPTS, receipt.c.state == "parked"),
    ):
        columns = [what.table.c[name] for name, _ in what.columns]
        statement = select(what.table.c.id, *columns).where(chosen, _is_behind(connection, what))
        while _reseal(connection, what, statement.limit(FRESHENED)).done == FRESHENED:
            pass


def _reseal(connection: Connection, what: Sealed, statement: Select[Any]) -> Bite:
    seal = seal_of(connection)
    _overwrite_freed(connection, seal)
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=True, of=what.table)
    found = connection.execute(statement.order_by(what.table.c.id)).all()
    places = [place for _, place in what.columns]
    changed: list[bulk.Row] = []
    for made, *values in found:
        opened = [seal.open(place, made, each) for place, each in zip(places, values)]
        if any(each is UNREADABLE for each in opened):
            continue
        sealed = [seal.text(place, made, each) for place, each in zip(places, opened)]
        key = (seal.key_of(opened[0]),) if what.numbered else ()
        changed.append((made, *sealed, *key))
    columns = [name for name, _ in what.columns] + (["mobile_key"] if what.numbered else [])
    bulk.update(connection, what.table, ("id",), columns, changed)
    return Bite(len(changed), len(found) - len(changed))


def _is_behind(connection: Connection, what: Sealed) -> ColumnElement[bool]:
    """Whether a row has a value that is not under the newest key."""
    mark = mark_of(seal_of(connection).number)
    return or_(*(_lacks(what.table.c[name], mark) for name, _ in what.columns))


def _lacks(column: Column[Any], mark: str) -> ColumnElement[bool]:
    return and_(column.is_not(None), func.substr(column, 1, len(mark)) != mark)


def _overwrite_freed(connection: Connection, seal: Seal) -> None:
    if seal.has_plain and connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
