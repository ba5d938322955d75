"""A trace as a person may see it: every frame masked (connectors/masking.py).

A frame is read in the version of its channel or, where that does not fit, in another of its
protocol: a gateway may answer in its own. Of a frame that fits none, the command, the size and
what is wrong are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.errors import DecodeError
from connectors.masking import masked
from connectors.pdu_view import VIEWS, fields_of
from connectors.trace import Kept, Trace, Way
from connectors.view import View


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry. `name`: of the PDU, or what the entry is; `fault`: why a frame has no fields."""

    at: datetime
    link: str
    way: Way
    octets: int
    name: str
    fields: Mapping[str, Any]
    fault: str = ""


def shown(trace: Trace, protocol: str = "", version: str = "") -> Sequence[Shown]:
    """What the trace of a channel holds, oldest first; without a protocol it has no frames."""
    views = list(_views(protocol, version))
    return [_entry(kept, views) for kept in trace.kept()]


def _views(protocol: str, version: str) -> Iterator[View]:
    versions = VIEWS.get(protocol, {})
    if version in versions:
        yield versions[version]
    yield from (view for name, view in versions.items() if name != version)


def _entry(kept: Kept, views: Sequence[View]) -> Shown:
    at = datetime.fromtimestamp(kept.at, UTC)
    name, fields, fault = _frame(kept, views) if kept.octets else (kept.text, {}, "")
    return Shown(at, kept.link, kept.way, kept.size, name, fields, fault)


def _frame(kept: Kept, views: Sequence[View]) -> tuple[str, Mapping[str, Any], str]:
    frame = kept.octets
    if len(frame) < kept.size:
        return _name(frame, views), {}, f"longer than the {len(frame)} octets that are kept"
    faults = []
    for view in views:
        try:
            pdu = view.codecs.decode(frame)
        except DecodeError as fault:
            faults.append(str(fault))
        else:
            return pdu.title, masked(view, fields_of(view, pdu, len(frame))), ""
    return _name(frame, views), {}, faults[0]


def _name(frame: bytes, views: Sequence[View]) -> str:
    """Of the command: its name, or its number where the protocol has none such."""
    command = int.from_bytes(frame[4:8], "big")
    codec = next((v.codecs.by_command[command] for v in views if command in v.codecs.by_command),
                 None)  # fmt: skip
    return codec.pdu.title if codec is not None else f"0x{command:08x}"
