"""What the dispatcher tells the store about attempts, receipts and inbound texts.

Moments are milliseconds since 1970-01-01 UTC (see `adapter.store.schema`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from adapter.domain.values import Waiting


class QueueKey(NamedTuple):
    """One client's share of a lane towards one carrier: a first-in-first-out queue."""

    carrier: str
    lane: str
    client: str


class Begin(Struct, frozen=True, gc=False):
    """A message is about to go to the wire over `channel`."""

    waiting: Waiting
    channel: str
    at: int


class Verdict(Enum):
    """How an attempt ended."""

    SUBMITTED = "submitted"
    """The carrier took every part."""
    REJECTED = "rejected"
    """The carrier refused for good."""
    RETRY = "retry"
    """Certainly not taken: to be sent again when `due_at` comes."""
    DOUBT = "doubt"
    """Given to the line, answer lost: settled by a receipt, or by rule at `due_at`."""


class PartResult(Struct, frozen=True, gc=False):
    """The carrier's answer for one segment. `carrier_id` is empty where refused."""

    number: int
    ok: bool
    carrier_id: str
    code: str


class Outcome(Struct, frozen=True, gc=False):
    """The end of an attempt. `parts` were answered; `remaining` were not accepted. `sent`:
    something of it reached the wire. `avoid`: channels that asked for another one."""

    waiting: Waiting
    channel: str
    verdict: Verdict
    parts: Sequence[PartResult]
    at: int
    code: str = ""
    due_at: int = 0
    remaining: tuple[int, ...] = ()
    sent: bool = True
    avoid: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Segments of the attempt."""
        return len(self.parts) + len(self.remaining)


class Late(Struct, frozen=True, gc=False):
    """The carrier took a part after the `attempt` that sent it had been given up for it."""

    message_id: int
    attempt: int
    channel: str
    part: PartResult
    at: int


class Reported(Struct, frozen=True, gc=False):
    """A final status report of a carrier for one segment. `others`: what its id may be as well,
    if there is no segment of that id."""

    channel: str
    carrier_id: str
    code: str
    delivered: bool
    mobile: str
    submitted: str
    done: str
    at: int
    others: tuple[str, ...] = ()


class Part(NamedTuple):
    """Part `number` of the `total` of a long text, joined by `reference`."""

    reference: int
    total: int
    number: int


class Received(Struct, frozen=True, gc=False):
    """A text from a phone, or a `part` of one; numbers normalised, `extension` cut from the
    access number. The content of a part may begin or end with half of a surrogate pair.

    `keys` tell it from every other text of the channel: it is kept under the first, and is a
    repetition where one of them is known. Without keys it is never taken for one.
    """

    channel: str
    mobile: str
    content: str
    access_number: str
    extension: str
    at: int
    keys: tuple[str, ...] = ()
    part: Part | None = None
