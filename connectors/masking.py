"""Frames without what they must not tell: contents, secrets and whole numbers.

A view names the fields that are open and those that hold numbers; integers are open, every other
field is hidden. So a field that is forgotten is hidden, not shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from connectors.view import Fields, View

HIDDEN = "****"
_LONG_DIGITS = re.compile(r"\+?\d{7,}")
_UINT_OCTETS = 4
_STAT = re.compile(r"DELIVRD|EXPIRED|DELETED|UNDELIV|ACCEPTD|ENROUTE|UNKNOWN|REJECTD|"
                   r"[A-Z]{2}:?\d{1,5}")  # fmt: skip
_OF_REPORT: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "Msg_Id": re.compile(r"[0-9a-f]{16}"),
        "Stat": _STAT,
        "id": re.compile(r"[0-9A-Fa-f-]{1,64}"),
        "stat": _STAT,
        "err": re.compile(r"[0-9A-Za-z]{1,4}"),
    }
)
"""What a report inside a content shows, where it reads as it should."""


def masked_number(number: str) -> str:
    """`13800138000` as `138****8000`; nothing of what is too short for that."""
    return f"{number[:-8][:6]}{HIDDEN}{number[-4:]}" if len(number) >= 11 else HIDDEN


def masked(view: View, fields: Fields) -> Fields:
    """The fields of a PDU, as `View.show` and `View.derived` wrote them."""
    return {name: _value(view, name, value) for name, value in fields.items() if _kept(name, value)}


def _kept(name: str, value: Any) -> bool:
    """Texts and octets derived from a content are left out, and empty fields."""
    return value not in ("", []) and not name.endswith(("_text", "_raw", "_hex"))


def _value(view: View, name: str, value: Any) -> Any:
    match value:
        case int():
            return value
        case dict() if name == "udh":
            return {key: each for key, each in value.items() if isinstance(each, int)}
        case dict():
            return _report(value)
        case list():
            return [_item(view, name, each) for each in value]
        case str() if name in view.numbers:
            return masked_number(value)
        case str() if name in view.plain:
            return value
        case str() if name in view.open:
            return _LONG_DIGITS.sub(lambda found: masked_number(found[0]), value)
    return HIDDEN


def _item(view: View, name: str, item: Any) -> Any:
    """One of several numbers, addresses, parameters, or the parts of a sequence number."""
    if not isinstance(item, dict):
        return _value(view, name, item)
    if "tag" in item:
        value = item["value"]
        shown = isinstance(value, int) and item["length"] <= _UINT_OCTETS
        return {**item, "value": value if shown else HIDDEN, "value_hex": HIDDEN}
    return {
        key: each if isinstance(each, int) else masked_number(str(each))
        for key, each in item.items()
    }


def _report(report: Fields) -> Fields:
    stat = str(report.get("Stat", report.get("stat", "")))
    if not _STAT.fullmatch(stat):
        return {}
    return {
        name: report[name]
        for name, form in _OF_REPORT.items()
        if form.fullmatch(str(report.get(name, "")))
    }
