"""Requests and answers as plain values, and how XML and JSON write them.

A request is a dict of the contract's names. An answer is one, too, with every leaf as the text
that XML has for it, so that answers of different doors can be compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from adapter.contract import NS

# The wrapped lists of the contract, and what their items are called.
ITEMS = {
    "recipients": "Recipient",
    "entries": "Entry",
    "values": "Value",
    "messageIds": "MessageId",
    "receiptIds": "ReceiptId",
    "inboundIds": "InboundId",
    "results": "Result",
    "messages": "Message",
    "segments": "Segment",
    "receipts": "Receipt",
    "inbound": "Inbound",
    "lanes": "Lane",
    "businesses": "Business",
    "hours": "Hours",
}
PLAIN = frozenset({"SendText", "Exchange"})
"""Operations whose arguments stand side by side, without a `request`."""
BARE = frozenset({"Ping", "GetAccount"})
"""Operations without arguments."""

MOBILE = 11
_SECONDS = re.compile(r"\d+ s\b")


def tag(name: str) -> str:
    return f"{{{NS}}}{name}"


def document(operation: str, request: Mapping[str, Any]) -> etree._Element:
    """The document of an operation."""
    root = etree.Element(tag(operation), nsmap={None: NS})  # type: ignore[dict-item]
    if operation in PLAIN:
        _fill(root, request)
    elif operation not in BARE:
        _fill(etree.SubElement(root, tag("request")), request)
    return root


def _fill(parent: etree._Element, members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        _put(etree.SubElement(parent, tag(name)), name, value)


def _put(element: etree._Element, name: str, value: Any) -> None:
    if isinstance(value, dict):
        _fill(element, value)
    elif isinstance(value, list):
        for each in value:
            item = etree.SubElement(element, tag(ITEMS.get(name, "Item")))
            _put(item, "", each)
    else:
        element.text = _written(value)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def value_of(element: etree._Element) -> Any:
    """What an element of an answer says."""
    name = etree.QName(element).localname
    if name in ITEMS and (len(element) or not element.text):
        return [value_of(each) for each in element]
    if len(element):
        return {etree.QName(each).localname: value_of(each) for each in element}
    return element.text or ""


def from_json(octets: bytes) -> Any:
    """What a JSON answer says, with leaves as XML writes them."""
    return _leaves(json.loads(octets))


def _leaves(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _leaves(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_leaves(each) for each in value]
    return _written(value)


def alike(value: Any, account: str = "", extension: str = "") -> Any:
    """An answer without what differs from door to door: ids, times, and whose it is."""
    return _alike(value, "", {"": account or "?", "extension": extension or "?"})


def _alike(value: Any, name: str, own: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _alike(each, key, own) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [_alike(each, name, own) for each in value]
    text = str(value)
    if name.endswith(("Id", "Ids")) and text.isdigit():
        return "<id>"
    if name.endswith("At") or name == "time":
        return "<time>" if re.fullmatch(r"[\d-]{10}T[\d:.]{12}\+08:00", text) else text
    if name == "cursor":
        return "<cursor>"
    if name == "account":
        return text.replace(own[""], "<account>")
    if name == "extension":
        return text.replace(own["extension"], "<extension>")
    if name in ("description", ""):
        return re.sub(r";\d{15,19};", ";<id>;", _SECONDS.sub("<n> s", text))
    if name == "mobile" and len(text) == MOBILE:
        # The middle is the door's own.
        return f"{text[:3]}....{text[-4:]}"
    if name == "retryAfter":
        return "<n>"
    return text
