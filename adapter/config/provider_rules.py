"""What is wrong with a `<provider>`, at the line where it stands: paths that are none, places
that nobody fills, arguments that the WSDL does not have.

The library says it when its parts are made from the settings, as "NAME: what is wrong"; here it
is found out which attribute or element bears that name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from lxml import etree

from adapter.config.notes import Notes
from adapter.config.provider import ProviderReader, every, only
from connectors.web.answers import Results
from connectors.web.items import Document, Place, ReceiptReader, TextReader
from connectors.web.link import WebLink
from connectors.web.requests import Requests, escape_of, template_of
from connectors.web.settings import Items, WebSettings
from connectors.web.soap import SoapService
from connectors.web.templates import as_it_is
from connectors.web.values import (
    OF_ACKNOWLEDGE,
    OF_BATCH,
    OF_PULL,
    OF_SUBMIT,
    Values,
)

_ANY = OF_SUBMIT | OF_BATCH | OF_ACKNOWLEDGE


def examine_provider(notes: Notes, element: etree._Element, reader: ProviderReader) -> None:
    """Note every fault of a provider that fits the schema."""
    try:
        settings = reader.settings(element, "")
    except (ValueError, KeyError):
        # The schema has told.
        return
    told = _Examination(notes, element, reader, settings)
    told.all()


class _Examination:
    def __init__(
        self,
        notes: Notes,
        element: etree._Element,
        reader: ProviderReader,
        settings: WebSettings,
    ) -> None:
        self._notes = notes
        self._element = element
        self._reader = reader
        self._settings = settings
        self._found = False

    def all(self) -> None:
        self._names()
        soap = self._soap()
        if self._settings.wsdl and soap is None:
            return
        for element, known in self._calls():
            self._call(element, known, soap)
        for name, reader in (("receipts", ReceiptReader), ("inbound", TextReader)):
            for element in self._element.iter(f"{{*}}{name}"):
                self._try(element, partial(self._items, element, reader))
        if not self._found:
            # What belongs together: the library knows it best.
            self._try(self._element, lambda: WebLink(self._settings, _Nobody()))

    def _names(self) -> None:
        for name in ("pull", "push", "value", "digest"):
            seen: set[str] = set()
            for each in every(self._element, name):
                own = each.get("name", "")
                if own in seen:
                    self._fault(each, "name", f"there are two <{name}> with name {own!r}")
                seen.add(own)
        known = Values(self._settings, _ANY).names
        for each in every(self._element, "digest"):
            text = (each.text or "").strip()
            self._try(each, partial(template_of, "<digest>", text, known, as_it_is))

    def _soap(self) -> SoapService | None:
        settings = self._settings
        if not settings.wsdl:
            for element, _known in self._calls():
                if element.get("operation"):
                    self._fault(element, "operation", "operation: it needs wsdl in <provider>")
            return None
        try:
            return SoapService(settings.wsdl, settings.service, settings.port)
        except ValueError as e:
            self._fault(self._element, "wsdl", f"wsdl: {Path(settings.wsdl).name}: {e}")
            return None

    def _calls(self) -> list[tuple[etree._Element, Collection[str]]]:
        calls: list[tuple[etree._Element, Collection[str]]] = []
        for name, own in (("submit", OF_SUBMIT | OF_BATCH), ("ping", ()), ("pull", OF_PULL)):
            known = Values(self._settings, own).names
            calls += [(each, known) for each in every(self._element, name)]
        known = Values(self._settings, OF_ACKNOWLEDGE).names
        for pull in every(self._element, "pull"):
            calls += [(each, known) for each in every(pull, "acknowledge")]
        return calls

    def _call(
        self, element: etree._Element, known: Collection[str], soap: SoapService | None
    ) -> None:
        call = self._reader.call(element)
        self._try(element, lambda: Requests(call, known, soap))
        entry = only(element, "entry")
        if entry is not None:
            text = (entry.text or "").strip()
            self._try(element, lambda: template_of("entry", text, known, escape_of(call)))
        answer = only(element, "answer")
        if answer is not None:
            self._try(answer, lambda: Results(self._reader.result(answer)))

    def _items(self, element: etree._Element, reader: Callable[[Items], object]) -> None:
        items = self._reader.items(element)
        reader(items)
        Document(items)
        Place(items)

    def _try(self, element: etree._Element, make: Callable[[], object]) -> None:
        try:
            make()
        except ValueError as e:
            self._place(element, str(e))

    def _place(self, element: etree._Element, message: str) -> None:
        self._fault(*place_of(element, message))

    def _fault(self, element: etree._Element, attribute: str, message: str) -> None:
        self._found = True
        self._notes.fault(element, attribute, message)


def place_of(element: etree._Element, message: str) -> tuple[etree._Element, str, str]:
    """The attribute or the child that a message ("NAME: what is wrong") begins with, and what is
    to be told there."""
    name = message.partition(":")[0]
    kind, _, own = name.partition(" ")
    for child in every(element, kind):
        if child.get("name", "") == own:
            return child, "", f"<{name}>{message[len(name) :]}"
    return element, name, message


class _Nobody:
    """A handler for a link that is never started."""

    def up(self, link: object) -> None: ...
    def down(self, link: object, reason: str) -> None: ...
    def answered(self, link: object, answers: object) -> None: ...
    def lost(self, link: object, tokens: object) -> None: ...
    def unsent(self, link: object, tokens: object) -> None: ...
    def delivered(self, link: object, deliveries: object) -> None: ...
