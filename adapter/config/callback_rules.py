"""What is wrong with a `<callback>`, at the line where it stands: no address, two proofs for one
header, places that nobody fills, arguments that the WSDL does not have."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

from adapter.config.build import callback_of
from adapter.config.document import NAMESPACE
from adapter.config.model import Callback, CallbackCall
from adapter.config.notes import Notes
from adapter.config.provider import only
from adapter.config.provider_rules import place_of
from connectors.web.answers import Results
from connectors.web.requests import Requests
from connectors.web.settings import Call
from connectors.web.soap import SoapService
from connectors.web.transport import check_transport
from connectors.web.values import Values

OF_RECEIPT = frozenset(
    {
        "receiptId",
        "messageId",
        "submissionId",
        "clientRef",
        "ref",
        "mobile",
        "state",
        "carrierCode",
        "description",
        "segmentCount",
        "channel",
        "submittedAt",
        "doneAt",
        "passThrough",
    }
)
OF_INBOUND = frozenset(
    {
        "inboundId",
        "mobile",
        "content",
        "accessNumber",
        "extension",
        "receivedAt",
        "messageId",
        "clientRef",
        "passThrough",
    }
)
"""The fields of the contract's models, as the calls of a service's own form may use them."""

_OURS = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "idempotency-key",
    }
)
"""Headers that a request has anyhow."""
_WITHOUT_EFFECT = ("format", "batch", "events")


def examine_callback(
    notes: Notes, client: etree._Element, element: etree._Element, kept_days: int
) -> None:
    """Note every fault of a callback that fits the schema; `kept_days`: so long notices are
    kept that nobody fetched."""
    try:
        callback = callback_of(element, notes.get(client, "account"), notes.folder)
    except (ValueError, KeyError):
        # The schema has told.
        return
    _address(notes, element, callback.url)
    _proofs(notes, client, element, callback)
    _headers(notes, element, callback)
    if callback.give_up_s > kept_days * 86_400:
        message = f"give-up: after {kept_days} days (notices-keep-days) an event is kept no more"
        notes.fault(element, "give-up", message)
    try:
        check_transport(callback.transport)
    except ValueError as error:
        notes.fault(*place_of(element, str(error)))
    if callback.mapped:
        _calls(notes, element, callback)
        return
    if not callback.url:
        notes.fault(element, "url", "<callback> lacks url: where events are brought")
    if callback.wsdl:
        message = "wsdl has no effect without <receipt operation=...> or <inbound operation=...>"
        notes.fault(element, "wsdl", message)


def _address(notes: Notes, element: etree._Element, url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        notes.fault(element, "url", "url: user and password have attributes of their own")
    elif parts.scheme and not parts.hostname:
        notes.fault(element, "url", "url: it names no host")


def _proofs(
    notes: Notes, client: etree._Element, element: etree._Element, callback: Callback
) -> None:
    # A reference that could not be followed was told already, and is neither there nor missing.
    given = {name: element.get(name, "") for name in ("key-id", "secret", "user", "password")}
    for one, other in (("key-id", "secret"), ("secret", "key-id"), ("password", "user")):
        if given[one] and not given[other]:
            notes.fault(element, one, f"{one} has no effect without {other}")
    if given["secret"] and given["user"]:
        message = "user: a signature and HTTP Basic have the same header: take one out"
        notes.fault(element, "user", message)
    keys = client.iterchildren(f"{{{NAMESPACE}}}hmac-key")
    if given["secret"] and given["secret"] in [key.get("secret") for key in keys]:
        message = "secret: the client signs with it, too: what we sign could be shown to us"
        notes.fault(element, "secret", message)
    if given["user"] and callback.url.startswith("http://"):
        notes.warn(element, "user", "user: without https:// anybody on the way reads the password")


def _headers(notes: Notes, element: etree._Element, callback: Callback) -> None:
    seen: set[str] = set()
    ours = _OURS | ({"authorization"} if callback.secret or callback.user else set())
    for header in element.iterchildren(f"{{{NAMESPACE}}}header"):
        name = notes.get(header, "name").lower()
        if name in seen:
            notes.fault(header, "name", f"there are two <header> with name {name!r}")
        elif name in ours:
            notes.fault(header, "name", f"name: {name} is written by us")
        if not (value := header.get("value", "")).isprintable() or not value.isascii():
            notes.fault(header, "value", "value: a header takes printable characters of ASCII")
        seen.add(name)


def _calls(notes: Notes, element: etree._Element, callback: Callback) -> None:
    for name in _WITHOUT_EFFECT:
        if name in element.attrib:
            notes.fault(element, name, f"{name} has no effect beside <receipt> and <inbound>")
    soap = _soap(notes, element, callback)
    if callback.wsdl and soap is None:
        return
    for name, known in (("receipt", OF_RECEIPT), ("inbound", OF_INBOUND)):
        child, mapped = only(element, name), getattr(callback, name)
        if child is not None and mapped is not None:
            _call(notes, child, callback, mapped, Values(callback.transport, known), soap)


def _call(
    notes: Notes,
    element: etree._Element,
    callback: Callback,
    mapped: CallbackCall,
    known: Values,
    soap: SoapService | None,
) -> None:
    call = call_of(callback, mapped)
    if call.operation and soap is None:
        notes.fault(element, "operation", "operation: it needs wsdl in <callback>")
        return
    try:
        Requests(call, known.names, soap)
    except ValueError as error:
        notes.fault(*place_of(element, str(error)))
    answer = only(element, "answer")
    if answer is None or mapped.answer is None:
        return
    if not mapped.answer.success:
        notes.fault(answer, "success", "<answer> lacks success: a path to what tells it")
    try:
        Results(mapped.answer)
    except ValueError as error:
        notes.fault(*place_of(answer, str(error)))


def _soap(notes: Notes, element: etree._Element, callback: Callback) -> SoapService | None:
    if not callback.wsdl:
        return None
    try:
        return SoapService(callback.wsdl, callback.service, callback.port)
    except ValueError as error:
        notes.fault(element, "wsdl", f"wsdl: {Path(callback.wsdl).name}: {error}")
        return None


def call_of(callback: Callback, mapped: CallbackCall) -> Call:
    """The call with its address: its own, else that of the callback, else the WSDL's."""
    call = mapped.call
    return call if call.url else dataclasses.replace(call, url=callback.url)
