"""The few words every part of the platform speaks: states, lanes, carriers, doors.

A message has exactly one final state. `Message.state` in the store holds only
`ACCEPTED` or a final state; where an open message stands (held, queued, on the
wire, in doubt, submitted) follows from the table that owns it: see
`adapter.store.schema`.

Where each message passes, the words are taken as `_value_`: `value` is a call of Python code.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """State of a message (contract.md, "Message states")."""

    ACCEPTED = "ACCEPTED"
    HELD = "HELD"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    IN_DOUBT = "IN_DOUBT"
    SUBMITTED = "SUBMITTED"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


FINAL = frozenset(
    {
        State.DELIVERED,
        State.UNDELIVERED,
        State.REJECTED,
        State.EXPIRED,
        State.CANCELLED,
        State.UNKNOWN,
    }
)


class Lane(StrEnum):
    """Who goes first; declared from first to last."""

    URGENT = "urgent"
    REALTIME = "realtime"
    NORMAL = "normal"
    BULK = "bulk"


class AccessNumber(StrEnum):
    """Which of its numbers a channel's texts bear."""

    PRIMARY = "primary"
    SPARE = "spare"


class Carrier(StrEnum):
    """The four mainland carriers (R-1.1.1)."""

    MOBILE = "mobile"
    UNICOM = "unicom"
    TELECOM = "telecom"
    BROADNET = "broadnet"


class Door(StrEnum):
    """A way in."""

    SOAP = "soap"
    HTTP = "http"
    SOCKET = "socket"
    CMPP = "cmpp"
    CONSOLE = "console"
    DBPOLL = "dbpoll"


class DoubtRule(StrEnum):
    """What becomes of a message whose submit was never answered (promise 4)."""

    RESEND = "resend"
    WAIT = "wait"
