"""What differs between the protocols, as the client side of a link sees it.

A `Dialect` lives for one connection. It makes frames, and reads each frame into one of the
events below; everything else (window, heartbeat, time-outs, reconnects) is the link's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from msgspec import Struct

from connectors.settings import LinkSettings
from connectors.values import Answer, Inbound, Report, Submit


class SubmitAnswered(Struct, gc=False):
    """The answer to the submit of this sequence number."""

    sequence: Hashable
    answer: Answer


class Delivered(Struct, gc=False):
    """A report or an inbound text, and the frame that acknowledges it.

    `converted`: the report wrote its id in another base than the answer did.
    """

    item: Report | Inbound
    response: bytes
    converted: bool = False


class LoggedIn(Struct):
    """The peer took us."""


class LoginRefused(Struct):
    """`lasting`: will not change by itself; hammering gets the address locked."""

    reason: str
    lasting: bool


class TestAsked(Struct):
    """The peer's heartbeat, and our answer to it."""

    response: bytes


class TestAnswered(Struct):
    """Our heartbeat was answered."""


class Leaving(Struct):
    """The peer ends the connection; `response` agrees."""

    response: bytes


class Left(Struct):
    """The peer agreed to our end of the connection."""


class Declined(Struct):
    """The peer asked for something that we do not do; `response` says so."""

    response: bytes


class Noted(Struct):
    """The peer said something that asks for nothing; `pdu` is the protocol's."""

    pdu: Any


class Unknown(Struct):
    """A command without a layout: counted, and answered where the protocol has a word for it."""

    command: int
    response: bytes = b""


Event = (
    SubmitAnswered
    | Delivered
    | LoggedIn
    | LoginRefused
    | TestAsked
    | TestAnswered
    | Leaving
    | Left
    | Declined
    | Noted
    | Unknown
)


class Dialect(Protocol):
    """Frames out, events in. Sequence numbers are handed in by the link."""

    header_size: int
    frame_limit: int
    last_sequence: int
    """Sequence numbers run from 1 to this one."""
    heartbeats: bool
    """Whether the protocol can ask a silent peer if it lives."""
    submits: bool
    """Whether submits may go out on this connection."""

    def login(self, sequence: int) -> bytes: ...

    def submit(self, sequence: int, submit: Submit) -> bytes:
        """Raises EncodeError when a value does not fit its field."""

    def test(self, sequence: int) -> bytes: ...

    def leave(self, sequence: int) -> bytes: ...

    def read(self, command: int, frame: bytes) -> Event:
        """Raises DecodeError; the link then closes."""


DialectFactory = Callable[[LinkSettings], Dialect]
