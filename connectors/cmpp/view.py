"""What the frame viewer derives from CMPP's contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from connectors.cmpp.pdus import CODECS, V2, V3, Deliver, Submit
from connectors.cmpp.report import decode_report
from connectors.text import decode, plain
from connectors.view import Fields, View, show_udh

_UDHI = 0x41


def _content(pdu: Submit | Deliver, fields: Fields) -> None:
    octets = pdu.msg_content
    if pdu.tp_udhi & _UDHI:
        octets = show_udh(octets, fields)
    fields["Msg_Content_text"] = decode(octets, pdu.msg_fmt)


def _deliver(pdu: Deliver, fields: Fields) -> None:
    if not pdu.registered_delivery:
        _content(pdu, fields)
        return
    report = decode_report(pdu.msg_content)
    fields["report"] = {
        "Msg_Id": report.msg_id.hex(),
        "Stat": plain(report.stat),
        "Submit_time": plain(report.submit_time),
        "Done_time": plain(report.done_time),
        "Dest_terminal_Id": plain(report.dest_terminal_id),
        "SMSC_sequence": report.smsc_sequence,
        "layout_bytes": len(pdu.msg_content),
    }


_DERIVED: Mapping[type, Any] = MappingProxyType({Submit: _content, Deliver: _deliver})
_NUMBERS = frozenset(
    {"Fee_terminal_Id", "Src_Id", "Dest_terminal_Id", "Dest_Id", "Src_terminal_Id"}
)
_PLAIN = frozenset({"Command_Id", "Msg_Id", "ValId_Time", "At_Time", "Time"})
_OPEN = frozenset({"Source_Addr", "Service_Id", "Msg_src", "FeeType", "FeeCode", "Query_Code"})
_VIEWS = {
    version: View(CODECS[version], _DERIVED, numbers=_NUMBERS, plain=_PLAIN, open=_OPEN)
    for version in (V2, V3)
}
VIEWS: Mapping[str, View] = MappingProxyType({**_VIEWS, "2.1": _VIEWS[V2]})
