"""Parts of long texts from phones: kept until they are whole, or waited for long enough.

Nothing is lost: a text whose rest does not come is given up with a mark in the place of each
part that is missing, and a part that comes later is given up the same way, by itself.

Phones use their references again, most of them after 256 long texts. A part that stands in the
place of another one, or comes too late for those that wait, begins a text of its own; those
that waited are given up as they are.

How much waits is bounded by time: what came before `overdue` goes. Only the parts under the
numbers and references of one batch are read at a time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, func, select

from adapter.domain.ids import IdMaker
from adapter.domain.outcomes import Part, Received
from adapter.store import bulk, sealing
from adapter.store.schema import inbound_part
from adapter.store.sealing import Seal, seal_of
from connectors.parts import join


class _Key(NamedTuple):
    """What the parts of one text have in common."""

    channel: str
    mobile: str
    access_number: str
    extension: str
    reference: int
    total: int


class _Kept(NamedTuple):
    """A part in the table, or about to be."""

    id: int
    content: str
    at: int


_Group = dict[int, _Kept]
"""Parts by number."""

_GROUPED = (
    inbound_part.c.channel,
    inbound_part.c.mobile_key,
    # Of a number in clear; sealed values are all different.
    case((inbound_part.c.mobile_key.is_(None), inbound_part.c.mobile), else_=""),
    inbound_part.c.access_number,
    inbound_part.c.extension,
    inbound_part.c.reference,
    inbound_part.c.total,
)


def gather(
    connection: Connection, ids: IdMaker, parts: Sequence[tuple[Received, Part]], overdue: int
) -> list[Received]:
    """Keep parts; the texts that are whole by them, or are given up. Parts that waited alone
    since before the moment `overdue` wait no longer."""
    if not parts:
        return []
    groups = _read(connection, [(each.mobile, part.reference) for each, part in parts])
    known = {kept.id for group in groups.values() for kept in group.values()}
    ended: list[Received] = []
    for made, (each, part) in zip(ids.take(len(parts)), parts, strict=True):
        key = _key_of(each, part)
        group = groups[key]
        before = group.get(part.number)
        if before is not None and before.content == each.content:
            continue
        if group and (before is not None or _newest(group) < overdue):
            ended.append(_text(key, group))
            group.clear()
        group[part.number] = _Kept(made, each.content, each.at)
        if len(group) == part.total:
            ended.append(_text(key, group))
            group.clear()
    left = {kept.id for group in groups.values() for kept in group.values()}
    bulk.delete(connection, inbound_part, sorted(known - left))
    bulk.insert(connection, inbound_part, list(_rows(groups, known, seal_of(connection))))
    return ended


def give_up(connection: Connection, overdue: int, most: int) -> list[Received]:
    """Take up to `most` texts out of the table whose last part came before a moment."""
    late = connection.execute(
        select(func.min(inbound_part.c.id))
        .group_by(*_GROUPED)
        .having(func.max(inbound_part.c.received_at) < overdue)
        .limit(most)
    ).scalars()
    chosen = bulk.among(connection, inbound_part.c.id, list(late))
    seal = seal_of(connection)
    keys = {_key(row, seal) for row in connection.execute(select(inbound_part).where(chosen))}
    groups = _read(connection, [(key.mobile, key.reference) for key in keys])
    ended = {
        key: group for key, group in groups.items() if key in keys and _newest(group) < overdue
    }
    bulk.delete(
        connection,
        inbound_part,
        [kept.id for group in ended.values() for kept in group.values()],
    )
    return [_text(key, group) for key, group in ended.items()]


def _read(connection: Connection, wanted: Iterable[tuple[str, int]]) -> defaultdict[_Key, _Group]:
    """Every part under these numbers and references, and perhaps some under others."""
    pairs = set(wanted)
    groups: defaultdict[_Key, _Group] = defaultdict(dict)
    if not pairs:
        return groups
    seal = seal_of(connection)
    rows = connection.execute(
        select(inbound_part).where(
            seal.of(connection, inbound_part, {mobile for mobile, _ in pairs}),
            bulk.among(connection, inbound_part.c.reference, {its for _, its in pairs}),
        )
    )
    for row in rows:
        its = _Kept(row.id, _content(row, seal), row.received_at)
        groups[_key(row, seal)][row.number] = its
    return groups


def _key(row: Any, seal: Seal) -> _Key:
    mobile = seal.opened(sealing.INBOUND_PART_MOBILE, row.id, row.mobile)
    return _Key(
        row.channel, mobile, row.access_number, row.extension or "", row.reference, row.total
    )


def _content(row: Any, seal: Seal) -> str:
    dumped = seal.opened(sealing.INBOUND_PART_CONTENT, row.id, row.content)
    if dumped is sealing.UNREADABLE:
        return dumped
    content: str = json.loads(dumped)
    return content


def _key_of(each: Received, part: Part) -> _Key:
    return _Key(
        each.channel, each.mobile, each.access_number, each.extension, part.reference, part.total
    )


def _rows(groups: Mapping[_Key, _Group], known: Container[int], seal: Seal) -> Iterator[bulk.Row]:
    """The rows of parts that are not `known` to the table."""
    for key, group in groups.items():
        for number, kept in group.items():
            if kept.id in known:
                continue
            yield (
                kept.id,
                key.channel,
                seal.sealed(sealing.INBOUND_PART_MOBILE, kept.id, key.mobile),
                key.access_number,
                key.extension or None,
                key.reference,
                key.total,
                number,
                seal.sealed(sealing.INBOUND_PART_CONTENT, kept.id, json.dumps(kept.content)),
                kept.at,
                seal.key_of(key.mobile),
            )


def _newest(group: _Group) -> int:
    return max(kept.at for kept in group.values())


def _text(key: _Key, group: _Group) -> Received:
    """The parts as one text, received with the last of them."""
    return Received(
        channel=key.channel,
        mobile=key.mobile,
        content=join(_pieces(key.total, group)),
        access_number=key.access_number,
        extension=key.extension,
        at=_newest(group),
    )


def _pieces(total: int, group: _Group) -> Iterator[str]:
    """The parts in order, and a mark for each run that is missing."""
    for present, numbers in groupby(range(1, total + 1), group.__contains__):
        run = list(numbers)
        if present:
            yield from (group[number].content for number in run)
        else:
            yield missing(run[0], run[-1], total)


def missing(first: int, last: int, total: int) -> str:
    """What stands where parts `first` to `last` of `total` never came."""
    run = f"{first}" if first == last else f"{first}-{last}"
    return f"[缺{run}/{total}]"
