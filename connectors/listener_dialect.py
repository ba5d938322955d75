"""What differs between the protocols where the carrier opens a connection to its client.

A `ListenerDialect` lives for one such connection: the carrier logs in, then delivers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

from connectors.dialect import Event


class Refusal(Enum):
    """What becomes of a carrier's login; a dialect says it in its protocol's own numbers."""

    NONE = "none"
    BAD_LOGIN = "unknown account or wrong password"
    BAD_TYPE = "wrong login type"
    TOO_MANY = "too many connections"


class Arrival(Struct):
    """The carrier wants in. `pdu` is the protocol's."""

    account: str
    pdu: Any


class ListenerDialect(Protocol):
    """Frames out, events in."""

    header_size: int
    frame_limit: int
    first: frozenset[int]
    """The commands that may be a login."""

    def arrival(self, frame: bytes) -> Arrival:
        """Raises DecodeError."""

    def check(self, arrival: Arrival, account: str, password: bytes) -> Refusal:
        """Whether this is the carrier that was given these credentials."""

    def admit(self, arrival: Arrival, refusal: Refusal) -> bytes:
        """The answer to the login."""

    def read(self, command: int, frame: bytes) -> Event:
        """A frame after the login. Raises DecodeError."""


ListenerDialectFactory = Callable[[], ListenerDialect]
