"""What the frame viewer derives from SGIP's contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from connectors.fields import Raw
from connectors.sgip.pdus import CODECS, V1, Deliver, Submit, TraceResp
from connectors.sgip.sequence import NUMBER
from connectors.sgip.trace import decode_station
from connectors.text import decode, plain
from connectors.view import Fields, View, show_udh


def _number(fields: Fields, spec: Any, value: bytes) -> None:
    """All that is raw in SGIP are sequence numbers: node, time, counter."""
    fields[spec.name] = list(NUMBER.unpack(value))


def _content(pdu: Submit | Deliver, fields: Fields) -> None:
    octets = pdu.message_content
    if pdu.tp_udhi:
        octets = show_udh(octets, fields)
    fields["MessageContent_text"] = decode(octets, pdu.message_coding)


def _stations(pdu: TraceResp, fields: Fields) -> None:
    fields["Nodes"] = [
        {
            "Result": station.result,
            "NodeId": plain(station.node_id),
            "ReceiveTime": plain(station.receive_time),
            "SendTime": plain(station.send_time),
            "Reserve": plain(station.reserve),
        }
        for station in map(decode_station, pdu.nodes)
    ]


_DERIVED: Mapping[type, Callable[[Any, Fields], None]] = MappingProxyType(
    {Submit: _content, Deliver: _content, TraceResp: _stations}
)
VIEWS: Mapping[str, View] = MappingProxyType(
    {
        V1: View(
            CODECS[V1],
            _DERIVED,
            shown=MappingProxyType({Raw: _number}),
            numbers=frozenset({"SPNumber", "ChargeNumber", "UserNumber"}),
            plain=frozenset({"CommandID", "ExpireTime", "ScheduleTime"}),
            open=frozenset({"LoginName", "CorpId", "ServiceType", "FeeValue", "GivenValue"}),
        )
    }
)
