"""Receipts and inbound texts as a provider writes them, pulled or pushed alike."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from connectors.values import LONGEST_ID, Coding, Inbound, Report
from connectors.web import documents
from connectors.web.documents import Opening, path_of
from connectors.web.settings import Items, Pull, Push, WebSettings

log = logging.getLogger(__name__)

_LONGEST_STAT = 32
_LONGEST_TEXT = 20_000
_PATHS = ("id", "mobile", "stat", "submitted", "done", "text", "destination")


class Item(NamedTuple):
    """One of them. `id` is the provider's own. `key` tells it apart while it is being recorded
    and, where it is `lasting`, ever after: an inbound text with neither an id nor a time looks
    like the next one that says the same."""

    key: tuple[str, ...]
    id: str
    value: Report | Inbound
    lasting: bool = True


class Reading(NamedTuple):
    """What a body held. `unread` entries are none that a kind could take; `nothing` is true where
    no kind found the place of its entries."""

    items: Sequence[Item] = ()
    unread: int = 0
    nothing: bool = False
    cursor: str = ""


class EntryReader(Protocol):
    """Makes an item of an entry; None where it lacks what the kind needs."""

    def item(self, node: Any) -> Item | None: ...


class _Said:
    """The texts that the paths find. Raises ValueError for a path that is none, or is missing."""

    def __init__(self, items: Items, needed: Sequence[str]) -> None:
        self._paths = {name: path_of(name, items.format, getattr(items, name)) for name in _PATHS}
        for name in needed:
            if not getattr(items, name):
                raise ValueError(f"{name}: it is needed, or nothing can be read")

    def by(self, node: Any) -> dict[str, str]:
        """Raises UnreadableError."""
        return {name: documents.first(path, node) for name, path in self._paths.items()}


class ReceiptReader:
    """Raises ValueError for a path that is none, or is missing. `id_with_mobile`: the id alone
    stands for several recipients."""

    def __init__(self, items: Items, *, id_with_mobile: bool = False) -> None:
        self._items = items
        self._with_mobile = id_with_mobile
        self._said = _Said(items, ("id", "stat"))

    def item(self, node: Any) -> Item | None:
        """Raises UnreadableError."""
        said = self._said.by(node)
        id_, stat, mobile = said["id"][:LONGEST_ID], said["stat"][:_LONGEST_STAT], said["mobile"]
        if not id_ or not stat:
            return None
        report = Report(
            id=id_of(id_, mobile) if self._with_mobile else id_,
            stat=stat,
            delivered=stat in self._items.delivered,
            final=stat not in self._items.pending,
            destination=mobile[:32],
            source=said["destination"][:32],
            submitted=_minute(said["submitted"]),
            done=_minute(said["done"]),
            raw=b"",
        )
        return Item(("receipt", id_, mobile, stat), id_, report)


class TextReader:
    """Raises ValueError for a path that is none, or is missing."""

    def __init__(self, items: Items) -> None:
        self._said = _Said(items, ("mobile", "text"))

    def item(self, node: Any) -> Item | None:
        """Raises UnreadableError."""
        said = self._said.by(node)
        id_, mobile, done = said["id"][:LONGEST_ID], said["mobile"], said["done"][:LONGEST_ID]
        if not mobile:
            return None
        inbound = Inbound(
            source=mobile[:32],
            destination=said["destination"][:32],
            text=said["text"][:_LONGEST_TEXT],
            coding=Coding.UCS2,
            payload=b"",
            reference=0,
            total=1,
            number=1,
            # Some give every text the same id, and the time alone does as well.
            id=f"{id_}@{done}" if done else id_,
        )
        key = ("inbound", inbound.id, mobile, inbound.destination, inbound.text)
        return Item(key, id_, inbound, lasting=bool(inbound.id))


class Place:
    """Where entries are, and the kinds that are looked for there."""

    def __init__(self, items: Items) -> None:
        self._each = path_of("each", items.format, items.each) if items.each else None
        self.readers: list[EntryReader] = []

    def entries(self, document: Any) -> list[Any] | None:
        """None where the document has no such place."""
        return [document] if self._each is None else documents.nodes(self._each, document)

    def taken(self, entry: Any) -> list[Item]:
        return [item for reader in self.readers if (item := reader.item(entry)) is not None]


class Document:
    """One way to open a body, and the places in it."""

    def __init__(self, items: Items) -> None:
        self.opening = Opening(items.format, items.charset, items.inside)
        self.places: dict[str, Place] = {}


class Contents:
    """All that a body may hold, by the kinds that are described. Kinds that look in one place
    share its entries: what one of them takes is read. Raises ValueError where there is nothing to
    look for, or a path is none."""

    def __init__(self, settings: WebSettings, of: Pull | Push) -> None:
        self._where = f"{settings.name}, {of.name}"
        self._documents: dict[tuple[str, ...], Document] = {}
        if of.receipts is not None:
            with_mobile = settings.id_with_mobile
            self._add(of.receipts, ReceiptReader(of.receipts, id_with_mobile=with_mobile))
        if of.inbound is not None:
            self._add(of.inbound, TextReader(of.inbound))
        described = of.receipts or of.inbound
        if described is None:
            raise ValueError("neither receipts nor inbound are described")
        cursor = of.cursor if isinstance(of, Pull) else ""
        self._cursor = path_of("cursor", described.format, cursor)

    def _add(self, items: Items, reader: EntryReader) -> None:
        key = (items.format, items.charset, items.inside)
        if key not in self._documents:
            self._documents[key] = Document(items)
        places = self._documents[key].places
        if items.each not in places:
            places[items.each] = Place(items)
        places[items.each].readers.append(reader)

    def read(self, octets: bytes) -> Reading:
        """Raises UnreadableError. An empty body holds nothing, and that is well."""
        if not octets.strip():
            return Reading()
        opened = [(each, each.opening.document(octets)) for each in self._documents.values()]
        found = [
            place.entries(document) for each, document in opened for place in each.places.values()
        ]
        places = [place for each, _ in opened for place in each.places.values()]
        taken = [
            place.taken(entry)
            for place, entries in zip(places, found, strict=True)
            for entry in entries or ()
        ]
        unread = sum(not items for items in taken)
        if unread:
            log.warning(
                "%s: %d of %d entries lack what their paths should find",
                self._where,
                unread,
                len(taken),
            )
        return Reading(
            [item for items in taken for item in items],
            unread,
            all(entries is None for entries in found),
            documents.first(self._cursor, opened[0][1]),
        )


def id_of(id_: str, mobile: str) -> str:
    """An id that stands for one recipient of several."""
    return f"{id_[: LONGEST_ID - 12]}:{mobile[-11:]}" if id_ else ""


def _minute(text: str) -> str:
    """YYMMDDhhmm of a time with or without separators; empty for anything else."""
    digits = "".join(filter(str.isdigit, text))
    if len(digits) >= 12 and digits.startswith("20"):
        return digits[2:12]
    return digits if len(digits) == 10 and not digits.startswith("1") else ""
