"""A captured frame as a person reads it: `sms-adapter pdu` (contract.md).

Field names are the specification's. Octets are shown in hex, texts decoded; where a text field
hides octets behind its first NUL, `<name>_raw` shows the whole field. `udh`, `report` and
`<name>_text` are derived from the content, `hex` is encoded anew from what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from connectors.cmpp.pdus import CODECS, V2, Codecs, Deliver, Submit
from connectors.cmpp.report import decode_report
from connectors.errors import DecodeError
from connectors.fields import Command, Counted, Length, Octets, Raw, Repeated, Spec
from connectors.text import decode, parse_udh, plain

_IGNORED = re.compile(r"[\s:,]|0[xX]")
_NOT_HEX = re.compile(r"[^0-9a-fA-F]")
_VERSIONS: Mapping[tuple[str, str], Codecs] = MappingProxyType(
    {("cmpp", version): codecs for version, codecs in CODECS.items()}
    | {("cmpp", "2.1"): CODECS[V2]}
)
_UDHI = 0x41


def describe(protocol: str, version: str, hex_text: str) -> dict[str, Any]:
    """`name`, `fields` and `hex` of a frame, or `error` and `offset`.

    Blanks, colons and `0x` in the text are skipped. Raises ValueError for an unknown
    protocol or version.
    """
    codecs = _VERSIONS.get((protocol.lower(), version))
    if codecs is None:
        known = ", ".join(" ".join(pair) for pair in _VERSIONS)
        raise ValueError(f"{protocol} {version}: expected one of {known}")
    digits = _IGNORED.sub("", hex_text)
    bad = _NOT_HEX.search(digits)
    if bad is not None:
        return {"error": f"not a hexadecimal digit: {bad[0]!r}", "offset": bad.start() // 2}
    if len(digits) % 2:
        return {"error": "half an octet at the end", "offset": len(digits) // 2}
    frame = bytes.fromhex(digits)
    try:
        pdu = codecs.decode(frame)
    except DecodeError as fault:
        where = {"field": fault.field} if fault.field else {}
        return {"error": str(fault), "offset": fault.offset, **where}
    codec = codecs.by_command[pdu.command]
    fields: dict[str, Any] = {}
    for attr, spec in codec.layout:
        if isinstance(spec, Length):
            fields[spec.name] = len(frame)
        elif isinstance(spec, Command):
            fields[spec.name] = f"0x{pdu.command:08x}"
        else:
            _show(fields, spec, getattr(pdu, attr))
    derive = _DERIVED.get(type(pdu))
    if derive is not None:
        derive(pdu, fields)
    return {"name": pdu.title, "fields": fields, "hex": codec.encode(pdu).hex()}


def _show(fields: dict[str, Any], spec: Spec, value: Any) -> None:
    if isinstance(spec, Octets):
        fields[spec.name] = plain(value)
        if b"\0" in value:
            fields[f"{spec.name}_raw"] = value.ljust(spec.octets, b"\0").hex()
    elif isinstance(spec, Raw):
        fields[spec.name] = value.hex()
    elif isinstance(spec, Repeated):
        fields[spec.count] = len(value)
        fields[spec.name] = [plain(item) for item in value]
    elif isinstance(spec, Counted):
        fields[spec.count] = len(value)
        fields[spec.name] = value.hex()
    elif value is not None:
        fields[spec.name] = value


def _content(pdu: Submit | Deliver, fields: dict[str, Any]) -> None:
    octets = pdu.msg_content
    if pdu.tp_udhi & _UDHI:
        udh, body = parse_udh(octets)
        if udh is not None:
            fields["udh"] = {
                "udh_hex": octets[: len(octets) - len(body)].hex(),
                "ref": udh.reference,
                "total": udh.total,
                "seq": udh.number,
                "ref_bits": udh.bits,
            }
        octets = body
    fields["Msg_Content_text"] = decode(octets, pdu.msg_fmt)


def _deliver(pdu: Deliver, fields: dict[str, Any]) -> None:
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


_DERIVED: Mapping[type, Callable[[Any, dict[str, Any]], None]] = MappingProxyType(
    {Submit: _content, Deliver: _deliver}
)
