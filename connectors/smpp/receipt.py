"""The delivery receipt inside a deliver_sm or data_sm (smpp.md 8).

The text is vendor specific: fields may be missing, in any case and order, dates of 10, 12 or 14
digits. The parameters receipted_message_id and message_state say the same, where they are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from connectors.smpp.pdus import Tag
from connectors.tlv import Tlv, value_of

RECEIPT, INTERMEDIATE, TYPE_MASK = 0x04, 0x20, 0x3C
STATES: Mapping[int, str] = MappingProxyType(
    {
        1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV",
        6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD",
    }
)  # fmt: skip
NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in STATES.items()})

_STAT_LIMIT = 16
_LONGHAND = MappingProxyType(
    {
        "DELIVERED": "DELIVRD", "UNDELIVERABLE": "UNDELIV", "UNDELIVERED": "UNDELIV",
        "ACCEPTED": "ACCEPTD", "REJECTED": "REJECTD",
    }
)  # fmt: skip
_KEY = re.compile(
    r"(?:^|(?<=\s))(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)[ ]?:", re.IGNORECASE
)
_LOOKS_LIKE = re.compile(r"\s*id:\S+\s.*\bstat:", re.IGNORECASE | re.DOTALL)
_NAMES = MappingProxyType({"submitdate": "submit_date", "donedate": "done_date"})


class ReceiptText(Struct, frozen=True, gc=False):
    """The fields of a receipt's text; empty where they are missing."""

    id: str = ""
    sub: str = ""
    dlvrd: str = ""
    submit_date: str = ""
    done_date: str = ""
    stat: str = ""
    err: str = ""
    text: str = ""


def looks_like_receipt(text: str) -> bool:
    """Whether a text that nothing marks as a receipt reads like one."""
    return _LOOKS_LIKE.match(text) is not None


def parse_receipt(text: str) -> ReceiptText:
    """Never raises. `text` runs to the end, whatever it holds."""
    found: dict[str, str] = {}
    keys = list(_KEY.finditer(text))
    for key, following in zip(keys, [*keys[1:], None]):
        name = re.sub(r"[ _]", "", key[1].lower())
        if name == "text":
            found[name] = text[key.end() :].strip("\0")
            break
        end = following.start() if following is not None else len(text)
        found.setdefault(_NAMES.get(name, name), text[key.end() : end].strip(" \t\r\n\0,;"))
    return ReceiptText(**found)


def format_receipt(receipt: ReceiptText) -> str:
    """The usual text."""
    return (
        f"id:{receipt.id} sub:{receipt.sub} dlvrd:{receipt.dlvrd} "
        f"submit date:{receipt.submit_date} done date:{receipt.done_date} "
        f"stat:{receipt.stat} err:{receipt.err} text:{receipt.text}"
    )


def stat_of(receipt: ReceiptText, tlvs: Sequence[Tlv]) -> str:
    """The stat in the text, else the one that message_state stands for; empty for none."""
    stat = receipt.stat.upper()[:_STAT_LIMIT]
    if stat:
        return _LONGHAND.get(stat, stat)
    state = value_of(tlvs, Tag.MESSAGE_STATE)
    return STATES.get(int.from_bytes(state, "big"), "") if state else ""


def exact_id(tlvs: Sequence[Tlv]) -> str:
    """receipted_message_id, with or without its NUL; empty for none."""
    value = value_of(tlvs, Tag.RECEIPTED_MESSAGE_ID)
    return value.split(b"\0", 1)[0].decode("ascii", "replace") if value else ""


def minute_of(date: str) -> str:
    """YYMMDDhhmm of any of the three lengths; what is something else stays."""
    if len(date) == 14 and date.startswith("20"):
        return date[2:12]
    return date[:10] if len(date) == 12 else date[:14]
