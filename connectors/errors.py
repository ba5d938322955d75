"""Faults of the carrier library.

ProtocolError
├── DecodeError    octets that are not the PDU they claim to be
└── EncodeError    a value that does not fit its field
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of everything this library raises on purpose."""


class DecodeError(ProtocolError):
    """`offset` counts octets from the start of the frame; `field` is the name on the wire."""

    def __init__(self, reason: str, *, offset: int, field: str = "") -> None:
        where = f"{field} at {offset}" if field else f"offset {offset}"
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.offset = offset
        self.field = field


class EncodeError(ProtocolError):
    """`field` is the name on the wire. The value itself is left out: it may be a number."""

    def __init__(self, reason: str, *, field: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.reason = reason
        self.field = field
