"""A captured frame as a person reads it: `sms-adapter pdu` (contract.md).

Field names are the specification's. Octets are shown in hex, texts decoded; where a text field
hides octets behind its first NUL, `<name>_raw` shows the whole field. `udh`, `report` and
`<name>_text` are derived from the content, `hex` is encoded anew from what was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from connectors.capture import Piece, octets_of, pieces
from connectors.cmpp.view import VIEWS as CMPP
from connectors.errors import DecodeError, EncodeError
from connectors.fields import Command, Length
from connectors.sgip.view import VIEWS as SGIP
from connectors.smgp.view import VIEWS as SMGP
from connectors.smpp.view import VIEWS as SMPP
from connectors.view import Fields, View

VIEWS: Mapping[str, Mapping[str, View]] = MappingProxyType(
    {
        "cmpp": CMPP,
        "sgip": SGIP,
        "smgp": SMGP,
        "smpp": SMPP,
    }
)
"""By protocol and version."""


def describe(protocol: str, version: str, hex_text: str) -> dict[str, Any]:
    """`name`, `fields` and `hex` of one frame, or `error` and `offset`.

    Raises ValueError for an unknown protocol or version.
    """
    view = _view(protocol, version)
    octets, fault = octets_of(hex_text)
    return _piece(view, fault or Piece(octets))


def describe_all(protocol: str, version: str, text: str) -> list[dict[str, Any]]:
    """Each frame of a text in any form (connectors/capture.py) as `describe` shows it; an error
    has `at`, where its frame does not begin what was pasted.

    Raises ValueError for an unknown protocol or version.
    """
    view = _view(protocol, version)
    return [_piece(view, piece) for piece in pieces(text)]


def _view(protocol: str, version: str) -> View:
    views = VIEWS.get(protocol.lower())
    if views is None:
        raise ValueError(f"protocol {protocol!r}: expected one of {', '.join(VIEWS)}")
    if version not in views:
        raise ValueError(f"version {version!r}: {protocol.lower()} has {', '.join(sorted(views))}")
    return views[version]


def _piece(view: View, piece: Piece) -> dict[str, Any]:
    if piece.fault:
        return {"error": piece.fault, "offset": piece.at}
    shown = _shown(view, piece.octets)
    return {**shown, "at": piece.at} if "error" in shown and piece.at else shown


def fields_of(view: View, pdu: Any, octets: int) -> Fields:
    """What a PDU of so many octets holds, with what is derived from its content."""
    fields: Fields = {}
    codec = view.codecs.by_command[pdu.command]
    for attr, spec in codec.layout:
        if isinstance(spec, Length):
            fields[spec.name] = octets
        elif isinstance(spec, Command):
            fields[spec.name] = f"0x{pdu.command:08x}"
        else:
            view.show(fields, spec, getattr(pdu, attr))
    derive = view.derived.get(type(pdu))
    if derive is not None:
        derive(pdu, fields)
    return fields


def _shown(view: View, frame: bytes) -> dict[str, Any]:
    try:
        pdu = view.codecs.decode(frame)
    except DecodeError as fault:
        where = {"field": fault.field} if fault.field else {}
        return {"error": str(fault), "offset": fault.offset, **where}
    codec = view.codecs.by_command[pdu.command]
    shown = {"name": pdu.title, "fields": fields_of(view, pdu, len(frame))}
    try:
        return {**shown, "hex": codec.encode(pdu).hex()}
    except EncodeError as fault:
        # A peer exceeded a width that binds us.
        return {**shown, "error": str(fault), "offset": 0, "field": fault.field}
