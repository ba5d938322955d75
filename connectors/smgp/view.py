"""What the frame viewer derives from SMGP's contents and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from connectors.smgp.pdus import CODECS, LAYOUTS, NUMBERS, TEXTS, Deliver, Submit, Tag
from connectors.smgp.report import decode_report
from connectors.text import decode, plain
from connectors.tlv import Tlv, uint_of
from connectors.view import Fields, View, show_udh


def _parameter(tlv: Tlv) -> tuple[str, Any]:
    if tlv.tag in NUMBERS:
        return NUMBERS[tlv.tag], int.from_bytes(tlv.value, "big")
    if tlv.tag in TEXTS:
        return TEXTS[tlv.tag][0], plain(tlv.value)
    return "unknown", tlv.value.hex()


def _content(pdu: Submit | Deliver, fields: Fields) -> None:
    octets = pdu.msg_content
    if uint_of(pdu.tlvs, Tag.TP_UDHI):
        octets = show_udh(octets, fields)
    fields["MsgContent_text"] = decode(octets, pdu.msg_format)


def _deliver(pdu: Deliver, fields: Fields) -> None:
    if not pdu.is_report:
        _content(pdu, fields)
        return
    report = decode_report(pdu.msg_content)
    fields["report"] = {
        "id": report.msg_id.hex(),
        "sub": plain(report.sub),
        "dlvrd": plain(report.dlvrd),
        "submit_date": plain(report.submit_date),
        "done_date": plain(report.done_date),
        "stat": plain(report.stat),
        "err": plain(report.err),
        "text_hex": report.text.hex(),
    }


_DERIVED: Mapping[type, Any] = MappingProxyType({Submit: _content, Deliver: _deliver})
_NUMBERS = frozenset({"SrcTermID", "ChargeTermID", "DestTermID"})
_PLAIN = frozenset({"RequestID", "MsgID", "ValidTime", "AtTime", "RecvTime", "QueryTime"})
_OPEN = frozenset({"ClientID", "ServiceID", "FeeType", "FeeCode", "FixedFee", "QueryCode"})
_VIEWS = {
    version: View(codecs, _DERIVED, _parameter, numbers=_NUMBERS, plain=_PLAIN, open=_OPEN)
    for version, codecs in CODECS.items()
}
VIEWS: Mapping[str, View] = MappingProxyType(
    {version: _VIEWS[layout] for version, layout in LAYOUTS.items()}
)
