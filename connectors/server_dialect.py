"""What differs between the protocols, as the server side of a connection sees it.

A `ServerDialect` lives for one connection. It makes frames, and reads each frame into one of
the events below or of `connectors.dialect`; the login's course, the window of deliveries,
time-outs and heartbeats are the session's (connectors/server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from connectors.dialect import (
    Declined,
    Leaving,
    Left,
    LoginRefused,
    TestAnswered,
    TestAsked,
    Unknown,
)
from connectors.settings import ServerSettings
from connectors.text import decode, parse_udh


class Entry(IntEnum):
    """What a login comes to. A dialect says it in its protocol's own numbers."""

    OK = 0
    BAD_STRUCTURE = 1
    BAD_ACCOUNT = 2
    BAD_SECRET = 3
    BAD_VERSION = 4
    TOO_MANY = 5


class Login(Struct):
    """The client wants in. `receives`: deliveries may go out on this connection."""

    account: str
    version: str
    receives: bool
    pdu: Any


class Accepted(Struct, gc=False):
    """The client took the login that our greeting was."""


class Submitted(Struct, gc=False):
    """A segment as the client sent it.

    `payload` includes its user data header when `udh`; `text` is read from it, without the
    header. `reference` joins the parts of a long text (`total` > 1). `pdu` is the protocol's.
    """

    sequence: Hashable
    source: str
    destinations: Sequence[str]
    text: str
    payload: bytes
    coding: int
    udh: bool
    reference: int
    total: int
    number: int
    report: bool
    pdu: Any


class Content(NamedTuple):
    """What the payload of a segment says: its text, and what its header joins."""

    text: str
    reference: int
    total: int
    number: int


def content_of(payload: bytes, coding: int, *, udh: bool) -> Content:
    """`udh`: a user data header is said to begin it."""
    found, octets = parse_udh(payload) if udh else (None, payload)
    text = decode(octets, coding)
    if found is None:
        return Content(text, 0, 1, 1)
    return Content(text, found.reference, found.total, found.number)


class Acknowledged(Struct, gc=False):
    """The client answered the delivery of this sequence number; 0 is good."""

    sequence: Hashable
    result: int


ServerEvent = (
    Login
    | Accepted
    | LoginRefused
    | Submitted
    | Acknowledged
    | TestAsked
    | TestAnswered
    | Declined
    | Leaving
    | Left
    | Unknown
)


class Receipt(Struct, gc=False):
    """A status report to deliver. `source` and `destination` are those of the submit.

    `id` is that of the submit's answer. `submitted` and `done` read YYMMDDhhmm.
    """

    id: str
    stat: str
    source: str
    destination: str
    submitted: str
    done: str


class Text(Struct, gc=False):
    """A text from a phone, or a part of one, to deliver."""

    source: str
    destination: str
    payload: bytes
    coding: int
    udh: bool


class ServerDialect(Protocol):
    """Frames out, events in. Sequence numbers are handed in by the session."""

    header_size: int
    frame_limit: int
    last_sequence: int
    """Sequence numbers run from 1 to this one."""
    heartbeats: bool
    """Whether the protocol can ask a silent peer if it lives."""
    first: frozenset[int]
    """The commands that are read before there was a login."""

    def greeting(self, sequence: int) -> bytes:
        """What the server says first; empty where it waits for a login."""

    def read(self, command: int, frame: bytes) -> ServerEvent:
        """Raises DecodeError; the session then closes."""

    def check(self, login: Login, secret: bytes | None) -> Entry:
        """Whether the login holds; `secret` is None for an account nobody knows."""

    def status(self, entry: Entry) -> int:
        """The protocol's number for it."""

    def admit(self, login: Login, entry: Entry, secret: bytes) -> bytes:
        """The answer to the login."""

    def answer(self, submit: Submitted, msg_id: str, result: int) -> bytes:
        """The answer to a submit. `msg_id` is canonical text, empty with a bad `result`."""

    def deliver(self, sequence: int, own_id: str, item: Receipt | Text) -> bytes:
        """Raises EncodeError when a value does not fit its field."""

    def test(self, sequence: int) -> bytes: ...

    def leave(self, sequence: int) -> bytes: ...


class Ids(Protocol):
    """Where a server's ids come from."""

    def of(self, submit: Submitted) -> Sequence[str]:
        """One id for each recipient; the first one goes into the answer."""

    def own(self) -> str:
        """The id of a delivery itself."""


ServerDialectFactory = Callable[[ServerSettings], ServerDialect]


@dataclass(frozen=True, slots=True)
class ServerProtocol:
    """A protocol's server side.

    `caller` makes the dialect of a connection that the server itself opens to its client (an
    SGIP gateway's deliveries, SMPP's outbind), where there is such a thing. `ids` takes the
    gateway's number and where its counting begins. `throttled` answers a submit too many.
    """

    dialect: ServerDialectFactory
    ids: Callable[[int, int], Ids]
    throttled: int
    caller: ServerDialectFactory | None = None
