"""Receipts and inbound texts as a provider writes them, pulled or pushed alike."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from connectors.values import Coding, Inbound, Report
from connectors.web import documents
from connectors.web.answers import path_of
from connectors.web.settings import Format, Items

log = logging.getLogger(__name__)

_LONGEST_ID = 64
_LONGEST_STAT = 32
_LONGEST_TEXT = 20_000


class Item(NamedTuple):
    """One of them; `key` tells it apart when it comes again, `id` is the provider's own."""

    key: tuple[str, ...]
    id: str
    value: Report | Inbound


class ItemReader:
    """Reads one kind of items. Raises ValueError for a path that is none."""

    def __init__(
        self, items: Items, *, inbound: bool, id_with_mobile: bool = False, where: str = ""
    ) -> None:
        self._items = items
        self._where = where
        self._inbound = inbound
        self._with_mobile = id_with_mobile
        format_ = items.format
        self._inside = path_of("inside", Format.XML, items.inside)
        self._each = path_of("each", format_, items.each)
        names = ("id", "mobile", "stat", "submitted", "done", "text", "destination")
        self._paths = {name: path_of(name, format_, getattr(items, name)) for name in names}
        needed = ("mobile", "text") if inbound else ("id", "stat")
        for name in needed:
            if not getattr(items, name):
                raise ValueError(f"{name}: it is needed, or nothing can be read")

    def read(self, octets: bytes) -> list[Item]:
        """Raises UnreadableError."""
        items = self._items
        body = documents.unwrap(octets, self._inside, items.charset) if items.inside else octets
        if not body.strip():
            return []
        charset = "utf-8" if items.inside else items.charset
        document = documents.read(body, items.format, charset)
        found = documents.nodes(self._each, document) if items.each else [document]
        read = [item for node in found if (item := self._item(node)) is not None]
        if len(read) < len(found):
            log.warning(
                "%s: %d of %d entries lack what their paths should find",
                self._where,
                len(found) - len(read),
                len(found),
            )
        return read

    def _item(self, node: Any) -> Item | None:
        said = {name: documents.first(path, node) for name, path in self._paths.items()}
        return self._text(said) if self._inbound else self._receipt(said)

    def _receipt(self, said: dict[str, str]) -> Item | None:
        id_, stat, mobile = said["id"][:_LONGEST_ID], said["stat"][:_LONGEST_STAT], said["mobile"]
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

    def _text(self, said: dict[str, str]) -> Item | None:
        mobile, content = said["mobile"], said["text"][:_LONGEST_TEXT]
        if not mobile:
            return None
        inbound = Inbound(
            source=mobile[:32],
            destination=said["destination"][:32],
            text=content,
            coding=Coding.UCS2,
            payload=b"",
            reference=0,
            total=1,
            number=1,
        )
        own = (said["id"],) if said["id"] else (mobile, content, said["done"])
        return Item(("inbound", *own), said["id"][:_LONGEST_ID], inbound)


def id_of(id_: str, mobile: str) -> str:
    """An id that stands for one recipient of several."""
    return f"{id_[: _LONGEST_ID - 12]}:{mobile[-11:]}" if id_ else ""


def _minute(text: str) -> str:
    """YYMMDDhhmm of a time with or without separators; empty for anything else."""
    digits = "".join(filter(str.isdigit, text))
    if len(digits) >= 12 and digits.startswith("20"):
        return digits[2:12]
    return digits if len(digits) == 10 and not digits.startswith("1") else ""
