"""Protocol-neutral values between a link and whoever uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from typing import Any, Protocol

from msgspec import Struct

LONGEST_ID = 64
"""Characters of a message's id at the carrier."""


class Coding(IntEnum):
    """How a segment's octets read (protocols/cmpp.md B1); the number is the one on the wire.

    GSM, the 7-bit default alphabet with one character an octet, has none of its own: where a
    protocol speaks it (SMPP), it is that protocol's 0.
    """

    ASCII = 0
    LATIN1 = 3
    BINARY = 4
    UCS2 = 8
    GB = 15
    GSM = 0x100


class Action(Enum):
    """What to do about a submit that was not accepted."""

    NONE = "none"
    THROTTLE = "throttle"
    RETRY = "retry"
    OTHER_CHANNEL = "other_channel"
    PERMANENT = "permanent"
    CLOSE = "close"


class Submit(Struct, frozen=True, gc=False):
    """One segment to send. `token` is the caller's and comes back with the answer.

    `payload` includes the user data header when `udh` is set; at most 140 octets
    (159 for ASCII).
    """

    source: str
    destination: str
    payload: bytes
    coding: Coding
    udh: bool
    total: int
    number: int
    report: bool
    token: Any


class Answer(Struct, frozen=True, gc=False):
    """The peer's answer to a Submit. `id` is canonical text (see each protocol), empty if none."""

    ok: bool
    id: str
    code: str
    action: Action


class Report(Struct, frozen=True, gc=False):
    """A status report. `final` is False for intermediate ones (ACCEPTD, ENROUTE). `others`: what
    its id may be as well, where nothing tells in which base it is written."""

    id: str
    stat: str
    delivered: bool
    final: bool
    destination: str
    source: str
    submitted: str
    done: str
    raw: bytes
    others: tuple[str, ...] = ()


class Inbound(Struct, frozen=True, gc=False):
    """A text from a phone, or one part of a long one (`total` > 1, `reference` joins them).

    The text of a part may begin or end with half of a pair: `connectors.parts.join` makes it
    whole. `id` is the carrier's, hexadecimal, the same when it sends the text again; empty
    where the protocol has none.
    """

    source: str
    destination: str
    text: str
    coding: int
    payload: bytes
    reference: int
    total: int
    number: int
    id: str = ""


class Ack(Protocol):
    """Tells a link what became of a delivery: one of the two, once, on the event loop."""

    def __call__(self) -> None:
        """It is durable."""

    def refused(self) -> None:
        """It could not be kept; should it come again, it is news."""


class Responding(Struct, frozen=True, gc=False):
    """The ack of a delivery that the peer waits for on its connection. Without the response it
    sends the same again, so a refusal says nothing."""

    write: Callable[[bytes], None]
    response: bytes

    def __call__(self) -> None:
        if self.response:
            self.write(self.response)

    def refused(self) -> None:
        return


class Handler(Protocol):
    """What a client link tells its owner, all that came at once in one call. Called on the event
    loop; must not block or raise."""

    def up(self, link: Any) -> None:
        """Logged in; slots are free."""

    def down(self, link: Any, reason: str) -> None:
        """Closed, or could not open. `lost` was called before for what was unanswered."""

    def answered(self, link: Any, answers: Sequence[tuple[Any, Answer]]) -> None:
        """The peer answered the submits of these tokens; their slots are free again."""

    def lost(self, link: Any, tokens: Sequence[Any]) -> None:
        """These submits went to the wire and will never be answered: in doubt."""

    def unsent(self, link: Any, tokens: Sequence[Any]) -> None:
        """These submits never reached the wire: certainly not sent."""

    def delivered(self, link: Any, deliveries: Sequence[tuple[Report | Inbound, Ack]]) -> None:
        """Reports and inbound texts; each `Ack` waits to hear whether its own is durable."""
