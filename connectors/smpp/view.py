"""How the frame viewer shows SMPP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import structs

from connectors.smpp.content import UDHI, text_of
from connectors.smpp.fields import CString, Destinations, Failures
from connectors.smpp.pdus import (
    CODECS,
    OCTETS,
    TEXTS,
    VERSION,
    DataSm,
    DeliverSm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    Tag,
)
from connectors.smpp.receipt import INTERMEDIATE, RECEIPT, TYPE_MASK, parse_receipt
from connectors.smpp.settings import Alphabet
from connectors.text import plain
from connectors.tlv import Tlv, value_of
from connectors.view import Fields, View, show_udh


def _c_string(fields: Fields, spec: CString, value: bytes | None) -> None:
    if value is not None:
        fields[spec.name] = plain(value)


def _destinations(fields: Fields, spec: Destinations, value: Any) -> None:
    fields[spec.count] = len(value)
    fields[spec.name] = [
        {"dest_flag": to.flag, "ton": to.ton, "npi": to.npi, "address": plain(to.address)}
        for to in value
    ]


def _failures(fields: Fields, spec: Failures, value: Any) -> None:
    if value is not None:
        fields[spec.count] = len(value)
        fields[spec.name] = [
            {"ton": to.ton, "npi": to.npi, "address": plain(to.address), "error_status": to.status}
            for to in value
        ]


def _parameter(tlv: Tlv) -> tuple[str, Any]:
    try:
        tag = Tag(tlv.tag)
    except ValueError:
        return "unknown", tlv.value.hex()
    if tag in TEXTS:
        return tag.name.lower(), plain(tlv.value)
    value = tlv.value.hex() if tag in OCTETS else int.from_bytes(tlv.value, "big")
    return tag.name.lower(), value


def _content(pdu: SubmitSm | DeliverSm | SubmitMulti | DataSm, fields: Fields) -> None:
    payload = value_of(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
    if isinstance(pdu, DataSm):
        name, octets = "message_payload_text", payload
    elif payload and not pdu.short_message:
        # The field stays what it is: empty; the text is the parameter's.
        fields["short_message_text"] = ""
        name, octets = "message_payload_text", payload
    else:
        name, octets = "short_message_text", pdu.short_message
    if pdu.esm_class & UDHI:
        octets = show_udh(octets, fields)
    fields[name] = text_of(octets, pdu.data_coding, Alphabet.ASCII)
    if isinstance(pdu, DeliverSm | DataSm) and pdu.esm_class & TYPE_MASK in (RECEIPT, INTERMEDIATE):
        fields["receipt"] = structs.asdict(parse_receipt(fields[name]))


def _replacement(pdu: ReplaceSm, fields: Fields) -> None:
    fields["short_message_text"] = text_of(pdu.short_message, 0, Alphabet.ASCII)


_DERIVED: Mapping[type, Callable[[Any, Fields], None]] = MappingProxyType(
    {
        SubmitSm: _content,
        DeliverSm: _content,
        SubmitMulti: _content,
        DataSm: _content,
        ReplaceSm: _replacement,
    }
)
_SHOWN: Mapping[type, Callable[[Fields, Any, Any], None]] = MappingProxyType(
    {CString: _c_string, Destinations: _destinations, Failures: _failures}
)
VIEWS: Mapping[str, View] = MappingProxyType(
    {
        VERSION: View(
            CODECS,
            _DERIVED,
            tlv=_parameter,
            shown=_SHOWN,
            numbers=frozenset({"source_addr", "destination_addr", "esme_addr"}),
            plain=frozenset(
                ("command_id", "message_id", "schedule_delivery_time", "validity_period")
            ),
            open=frozenset({"system_id", "system_type", "service_type"}),
        )
    }
)
