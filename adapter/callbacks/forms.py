"""How events are written for a client's service, and whether its answer says that they are safe.

json, xml, soap     the operation `Notify` of the contract: our own callback WSDL
its own             one request for each event, by the client's WSDL or a template
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Protocol

from lxml import etree

from adapter.config.callback_rules import OF_INBOUND, OF_RECEIPT, call_of
from adapter.config.model import Callback, CallbackCall
from adapter.contract import SmsCallback
from adapter.domain.errors import Code
from adapter.domain.values import Home, InboundNotice, Notice
from adapter.doors.elements import DEFAULT_NS, Elements
from adapter.doors.objects import written
from adapter.doors.shapes import PREFIX, UNWRITABLE, Shapes
from adapter.spyne_compat import NS_SOAP11_ENV
from connectors.web import documents
from connectors.web.answers import Results
from connectors.web.requests import Request, Requests
from connectors.web.settings import Format, Then
from connectors.web.soap import SoapService
from connectors.web.transport import Given
from connectors.web.values import Values

_NOTIFY = SmsCallback.public_methods["Notify"].in_message
_FAULT = documents.compile_path(Format.XML, "/Envelope/Body/Fault")
_FAULT_CODE = documents.compile_path(Format.XML, "faultcode | Code/Value")
_REPLY_CODE = documents.compile_path(Format.XML, "/Envelope/Body/NotifyResponse/NotifyResult/code")
_SHOWABLE = re.compile(r"(?!.*\d{7})[\w.:-]{1,32}", re.ASCII)


class Wording(Protocol):
    """Puts events in the contract's words; `adapter.doors.service.Exchange` does."""

    def receipt(self, notice: Notice) -> Any: ...
    def inbound(self, notice: InboundNotice) -> Any: ...


class Form(Protocol):
    """`most` events go into one request."""

    most: int

    def request(self, events: Sequence[Home]) -> Request:
        """Raises ValueError for an event that cannot be written so."""

    def fault(self, events: Sequence[Home], given: Given) -> str:
        """Why an answer with status 2xx does not mean that the events are safe; empty where it
        does."""


def form_of(callback: Callback, wording: Wording, shapes: Shapes) -> Form:
    """The form of a callback. Raises ValueError for settings that cannot work."""
    if callback.mapped:
        return _ItsOwn(callback, wording)
    ours: Mapping[str, type[_Json | _Xml | _Soap]] = {"json": _Json, "xml": _Xml, "soap": _Soap}
    return ours[callback.format](callback, wording, shapes)


class _Ours(ABC):
    """The operation `Notify`."""

    kind = ""

    def __init__(self, callback: Callback, wording: Wording, shapes: Shapes) -> None:
        self.most = callback.batch
        self._url = callback.url
        self._wording = wording
        self._elements = Elements(shapes)
        (self._member,) = shapes[_NOTIFY].members

    def request(self, events: Sequence[Home]) -> Request:
        receipts = [each for each in events if isinstance(each, Notice)]
        texts = [each for each in events if isinstance(each, InboundNotice)]
        asked = SimpleNamespace(
            receipts=[*map(self._wording.receipt, receipts)] or None,
            inbound=[*map(self._wording.inbound, texts)] or None,
        )
        headers = {"Content-Type": f"{self.kind}; charset=utf-8", **self._more_headers()}
        return Request("POST", self._url, headers, self._body(asked))

    def fault(self, events: Sequence[Home], given: Given) -> str:
        return ""

    def _more_headers(self) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def _body(self, asked: SimpleNamespace) -> bytes:
        """The document that asks for this."""

    def _fill(self, asked: SimpleNamespace, notify: etree._Element) -> None:
        self._elements.fill(_NOTIFY, {"request": asked}, notify)


class _Json(_Ours):
    kind = "application/json"

    def _body(self, asked: SimpleNamespace) -> bytes:
        return json.dumps(written(self._member, asked), ensure_ascii=False).encode()


class _Xml(_Ours):
    kind = "application/xml"

    def _body(self, asked: SimpleNamespace) -> bytes:
        notify = etree.Element(f"{PREFIX}Notify", nsmap=DEFAULT_NS)
        self._fill(asked, notify)
        return _octets(notify)


class _Soap(_Ours):
    kind = "text/xml"

    def _more_headers(self) -> Mapping[str, str]:
        return {"SOAPAction": '"Notify"'}

    def _body(self, asked: SimpleNamespace) -> bytes:
        envelope = etree.Element(f"{{{NS_SOAP11_ENV}}}Envelope", nsmap={"soap": NS_SOAP11_ENV})
        body = etree.SubElement(envelope, f"{{{NS_SOAP11_ENV}}}Body")
        self._fill(asked, etree.SubElement(body, f"{PREFIX}Notify", nsmap=DEFAULT_NS))
        return _octets(envelope)

    def fault(self, events: Sequence[Home], given: Given) -> str:
        return _soap_fault(given)


class _ItsOwn:
    """The calls of the client's own service, one for each event."""

    most = 1

    def __init__(self, callback: Callback, wording: Wording) -> None:
        wsdl = callback.wsdl
        soap = SoapService(wsdl, callback.service, callback.port) if wsdl else None
        self._receipt = _Call.of(callback, callback.receipt, OF_RECEIPT, soap)
        self._inbound = _Call.of(callback, callback.inbound, OF_INBOUND, soap)
        self._wording = wording

    def request(self, events: Sequence[Home]) -> Request:
        (event,) = events
        return self._call(event).request(
            self._wording.inbound(event)
            if isinstance(event, InboundNotice)
            else self._wording.receipt(event)
        )

    def fault(self, events: Sequence[Home], given: Given) -> str:
        return self._call(events[0]).fault(given)

    def _call(self, event: Home) -> _Call:
        call = self._inbound if isinstance(event, InboundNotice) else self._receipt
        assert call is not None
        return call


class _Call:
    """How one kind of event is told."""

    def __init__(
        self,
        callback: Callback,
        mapped: CallbackCall,
        known: frozenset[str],
        soap: SoapService | None,
    ) -> None:
        call = call_of(callback, mapped)
        self._known = known
        self._values = Values(callback.transport, known)
        self._requests = Requests(call, self._values.names, soap)
        self._is_soap = bool(call.operation)
        self._results = None if mapped.answer is None else Results(mapped.answer)

    @classmethod
    def of(
        cls,
        callback: Callback,
        mapped: CallbackCall | None,
        known: frozenset[str],
        soap: SoapService | None,
    ) -> _Call | None:
        return None if mapped is None else cls(callback, mapped, known, soap)

    def request(self, event: Any) -> Request:
        own = {name: _text(getattr(event, name, None)) for name in self._known}
        return self._requests.make(self._values.of(own))

    def fault(self, given: Given) -> str:
        if self._is_soap and (fault := _soap_fault(given)):
            return fault
        if self._results is None:
            return ""
        (verdict,) = self._results.read(given, [""])
        if verdict.then is Then.ACCEPTED:
            return ""
        return verdict.reason or f"the answer says {_shown(verdict.code)}"


def _soap_fault(given: Given) -> str:
    if not given.body.strip():
        return ""
    try:
        document = documents.read(given.body, Format.XML)
    except documents.UnreadableError:
        return "the answer is no XML"
    if document.tag != "Envelope":
        return "the answer is no SOAP envelope"
    faults = documents.nodes(_FAULT, document)
    if faults:
        return f"a SOAP fault: {_shown(documents.first(_FAULT_CODE, faults[0]))}"
    code = documents.first(_REPLY_CODE, document)
    return "" if code in ("", Code.OK) else f"the answer says {_shown(code)}"


def _shown(word: str) -> str:
    """A code of theirs, fit for a log: short, and no number in disguise."""
    return word if _SHOWABLE.fullmatch(word) else "something else"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return UNWRITABLE.sub(" ", str(value))


def _octets(element: etree._Element) -> bytes:
    octets: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return octets
