"""How a protocol's PDUs are shown: what the frame viewer asks of it.

Every field shows itself by its description; a protocol adds the names of its optional
parameters, and what can be derived from a content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from connectors.fields import Codec, Counted, Octets, Raw, Repeated, Spec
from connectors.text import parse_udh, plain
from connectors.tlv import Rest, Tlv, Tlvs

Fields = dict[str, Any]


class Decoder(Protocol):
    """The codecs of one version."""

    by_command: Mapping[int, Codec[Any]]

    def decode(self, frame: bytes) -> Any:
        """Raises DecodeError."""


@dataclass(frozen=True, slots=True)
class View:
    """One version of a protocol. `derived` adds to the fields of a PDU; `tlv` says what a
    parameter is called and what its value reads."""

    codecs: Decoder
    derived: Mapping[type, Callable[[Any, Fields], None]]
    tlv: Callable[[Tlv], tuple[str, Any]] | None = None
    shown: Mapping[type, Callable[[Fields, Any, Any], None]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Kinds of field that only this protocol has: (fields, description, value)."""
    numbers: frozenset[str] = frozenset()
    """Fields that hold phone or access numbers. This and the two below are for masking alone
    (connectors/masking.py): texts and octets of other fields are hidden there."""
    plain: frozenset[str] = frozenset()
    """Fields that may be shown as they are: ids and times."""
    open: frozenset[str] = frozenset()
    """Fields that may be shown but for long runs of digits."""

    def show(self, fields: Fields, spec: Spec, value: Any) -> None:
        """Write one field."""
        own = self.shown.get(type(spec))
        if own is not None:
            own(fields, spec, value)
        elif isinstance(spec, Octets):
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
        elif isinstance(spec, Tlvs):
            fields[spec.name] = [self._parameter(Tlv(*each)) for each in value]
        elif isinstance(spec, Rest):
            if value:
                fields[spec.name] = value.hex()
        elif value is not None:
            fields[spec.name] = value

    def _parameter(self, tlv: Tlv) -> Fields:
        octets = tlv.value.hex()
        name, value = self.tlv(tlv) if self.tlv is not None else ("unknown", octets)
        return {
            "tag": f"0x{tlv.tag:04x}",
            "name": name,
            "length": len(tlv.value),
            "value": value,
            "value_hex": octets,
        }


def show_udh(octets: bytes, fields: Fields) -> bytes:
    """Add `udh`, where there is one that joins parts; the text's own octets."""
    udh, body = parse_udh(octets)
    if udh is not None:
        fields["udh"] = {
            "udh_hex": octets[: len(octets) - len(body)].hex(),
            "ref": udh.reference,
            "total": udh.total,
            "seq": udh.number,
            "ref_bits": udh.bits,
        }
    return body
