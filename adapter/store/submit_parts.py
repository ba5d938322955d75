"""Parts of long texts from CMPP clients, durable until their text is whole.

A part was answered "accepted", so it must outlive us: it stays here until its whole text was
accepted or its end recorded. Whoever takes a whole text accepts it under a reference that follows
from its parts, and drops them afterwards: a crash between the two repeats the acceptance,
which then gets its first answer.

Blocks the calling thread; calls share commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select, update

from adapter.store import bulk, sealing
from adapter.store.clock import now_ms
from adapter.store.committer import Committer, Kind
from adapter.store.reading import reading
from adapter.store.schema import submit_part
from adapter.store.sealing import Seal, seal_of


class Part(NamedTuple):
    """A part as it comes, or is kept. `key` is what the parts of one text have in common."""

    id: int
    client: str
    key: str
    number: int
    total: int
    content: str


class Kept(NamedTuple):
    """What became of a part: the id it was first kept under, and all parts of its text in order
    where it was the last one missing."""

    id: int
    whole: Sequence[Part] = ()


_Groups = defaultdict[str, dict[int, Part]]

_COLUMNS = (
    submit_part.c.id,
    submit_part.c.client,
    submit_part.c.part_key,
    submit_part.c.number,
    submit_part.c.total,
    submit_part.c.content,
)


class SubmitParts:
    """Writes through the accepting committer. Safe to share between threads."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer
        self._keep: Kind[Sequence[Part], list[Kept]] = Kind("keep-parts", 2, self._run_keep)
        self._drop: Kind[Sequence[int], int] = Kind("drop-parts", 8, self._run_drop)

    def keep(self, parts: Sequence[Part]) -> list[Kept]:
        """Keep parts; one that came before is known by its content. Raises StoreUnavailable."""
        return self._committer.submit(self._keep, parts).result()

    def drop(self, parts: Sequence[Part]) -> None:
        """Their text is safe, or over. Raises StoreUnavailable."""
        self._committer.submit(self._drop, [each.id for each in parts]).result()

    def overdue(self, before: int, most: int = 100) -> list[Sequence[Part]]:
        """The parts of texts of which nothing came since a moment (milliseconds)."""
        late = (
            select(submit_part.c.part_key)
            .group_by(submit_part.c.part_key)
            .having(func.max(submit_part.c.received_at) < before)
            .limit(most)
        )
        with reading(self._engine) as connection:
            keys = connection.execute(late).scalars().all()
            groups = _read(connection, keys)
        return [_in_order(group) for group in groups.values()]

    def _run_keep(
        self, connection: Connection, works: Sequence[Sequence[Part]]
    ) -> list[list[Kept]]:
        groups = _read(connection, [each.key for work in works for each in work])
        fresh: dict[int, Part] = {}
        kept = [[_take(connection, each, groups, fresh) for each in work] for work in works]
        at = now_ms()
        seal = seal_of(connection)
        rows = [(*_sealed(each, seal), at) for each in fresh.values()]
        bulk.insert(connection, submit_part, rows)
        return kept

    def _run_drop(self, connection: Connection, works: Sequence[Sequence[int]]) -> list[int]:
        dropped = [made for work in works for made in work]
        bulk.delete(connection, submit_part, dropped)
        return [len(work) for work in works]


def _take(connection: Connection, part: Part, groups: _Groups, fresh: dict[int, Part]) -> Kept:
    group = groups[part.key]
    before = group.get(part.number)
    if before is not None and before.content != part.content:
        _part_ways(connection, group, fresh)
        before = None
    if before is None:
        group[part.number] = fresh[part.id] = before = part
    whole = _in_order(group) if len(group) == part.total else ()
    return Kept(before.id, whole)


def _part_ways(connection: Connection, group: dict[int, Part], fresh: dict[int, Part]) -> None:
    """Another text begins under the same reference; the one that waited stands alone."""
    apart = f"apart/{min(each.id for each in group.values())}"
    for each in group.values():
        if each.id in fresh:
            fresh[each.id] = each._replace(key=apart)
    connection.execute(
        update(submit_part)
        .where(bulk.among(connection, submit_part.c.id, [each.id for each in group.values()]))
        .values(part_key=apart)
    )
    group.clear()


def _read(connection: Connection, keys: Sequence[str]) -> _Groups:
    groups: _Groups = defaultdict(dict)
    if keys:
        rows = connection.execute(
            select(*_COLUMNS).where(bulk.among(connection, submit_part.c.part_key, keys))
        )
        seal = seal_of(connection)
        for row in rows:
            part = _opened(Part(*row), seal)
            # One that does not open is as one that never came.
            if part.content is not sealing.UNREADABLE:
                groups[part.key][part.number] = part
    return groups


def _sealed(part: Part, seal: Seal) -> Part:
    return part._replace(content=seal.sealed(sealing.SUBMIT_PART_CONTENT, part.id, part.content))


def _opened(part: Part, seal: Seal) -> Part:
    return part._replace(content=seal.opened(sealing.SUBMIT_PART_CONTENT, part.id, part.content))


def _in_order(group: dict[int, Part]) -> Sequence[Part]:
    return [group[number] for number in sorted(group)]
