"""Plain values handed from room to room along the way of a message.

Times are aware datetimes in UTC wherever they appear; `None` means "not yet" or
"not asked for". Numbers are eleven digits without country code. What is made for each message
is a struct (docs/decisions/0017-structs.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from adapter.domain.errors import Code
from adapter.domain.states import Carrier, Door, Lane, State


class Entry(Struct, frozen=True, gc=False):
    """One recipient of a request. `content` and `values` override the request's."""

    mobile: str
    content: str | None = None
    values: Mapping[str, str] | None = None
    ref: str = ""
    refused: tuple[Code, str] | None = None
    """Set by a door or source that already knows why this entry cannot be sent."""


class Request(Struct, frozen=True, gc=False):
    """What a client asks for, as a door or source hands it to intake, unchecked.

    `source` is the name of the dbpoll source, empty for doors. `client_ref` is unique per
    (client, source). Text is `content`, or the configured `template` filled with `values`.
    `lane` and `business` fall back to the client's. `receipt` asks for
    final states to be kept for the client. `whole`: one recipient that is refused refuses all.
    """

    entries: Sequence[Entry]
    content: str | None = None
    template: str = ""
    values: Mapping[str, str] | None = None
    client_ref: str = ""
    business: str = ""
    lane: Lane | None = None
    extension: str = ""
    schedule_at: datetime | None = None
    expire_at: datetime | None = None
    receipt: bool = True
    pass_through: str = ""
    business_key: str = ""
    replace: bool = False
    whole: bool = False
    door: Door = Door.SOAP
    source: str = ""


class Result(Struct, frozen=True, gc=False):
    """The answer for one recipient, in the order of the request's entries."""

    mobile: str
    ref: str
    message_id: int | None
    segments: int
    code: Code
    description: str = ""


class Reply(Struct, frozen=True, gc=False):
    """The answer to one request: durable when it is given.

    `code` is OK, PARTIAL, or the common code of all refused recipients (BAD_REQUEST where
    they differ). What was refused whole has `submission_id` None: without results where the
    request itself is at fault, with one for each entry where all its recipients are.
    `retry_after_s`: when a request that was refused whole is worth another try, 0 where nobody
    knows. `field`: the one at fault where the request itself is, as the contract names it.
    """

    code: Code
    description: str
    submission_id: int | None
    accepted: int
    refused: int
    results: Sequence[Result] = ()
    retry_after_s: int = 0
    field: str = ""

    @property
    def refusals(self) -> Mapping[Code, int]:
        """Refused recipients by code; one for the request where it is itself at fault."""
        if self.submission_id is None and not self.results:
            return {self.code: 1}
        if not self.refused:
            return {}
        return Counter(each.code for each in self.results if each.message_id is None)


class Submission(Struct, frozen=True, gc=False):
    """A request that passed intake; one row, shared by its messages.

    `refusals` are the refused entries with their place among all entries: they belong to
    the answer that a repeated request gets.
    """

    id: int
    client: str
    door: Door
    source: str
    client_ref: str
    business: str
    lane: Lane
    content: str | None
    extension: str
    pass_through: str
    business_key: str
    receipt: bool
    accepted_at: datetime
    due_at: datetime
    expire_at: datetime
    refusals: Sequence[tuple[int, Result]] = ()


class Uploaded(NamedTuple):
    """How far an upload has come: `entries` taken so far, refused ones included, and messages
    made of them."""

    submission: Submission
    entries: int
    accepted: int


class Message(Struct, frozen=True, gc=False):
    """One text to one recipient. `content` None means the submission's."""

    id: int
    submission_id: int
    ref: str
    mobile: str
    carrier: Carrier
    content: str | None
    segments: int


WHOLE = 0
"""The number of a part that is the whole text, for the carrier to split."""


class Waiting(Struct, gc=False):
    """A spooled message in the dispatcher's hands: the right to send it once.

    `tries` counts attempts so far; `in_doubt` marks one that may have been sent before;
    `parts` are the segment numbers still to send, empty for all, WHOLE alone where the carrier
    splits. `recounted`: it takes other
    segments than the store says, which is to be recorded with the attempt. `unsent` of the
    tries never reached the wire; the channels to `avoid` have asked for another one.
    """

    message: Message
    submission: Submission
    tries: int = 0
    in_doubt: bool = False
    parts: tuple[int, ...] = ()
    recounted: bool = False
    unsent: int = 0
    avoid: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        own = self.message.content
        return own if own is not None else self.submission.content or ""


class Notice(Struct, frozen=True, gc=False):
    """A state of a message on its way home to a client or source.

    `destination` is `source:NAME` or `client:ACCOUNT`. `state` is SUBMITTED or final.
    """

    id: int
    destination: str
    message_id: int
    submission_id: int
    client_ref: str
    ref: str
    mobile: str
    state: State
    code: str
    text: str
    segments: int
    channel: str
    submitted_at: datetime | None
    done_at: datetime | None
    pass_through: str = ""


class InboundNotice(Struct, frozen=True, gc=False):
    """An inbound text on its way home. `client_ref` is that of the message it answers."""

    id: int
    destination: str
    inbound_id: int
    mobile: str
    content: str
    access_number: str
    extension: str
    received_at: datetime
    message_id: int | None
    client_ref: str
    pass_through: str = ""


Home = Notice | InboundNotice
"""What goes home."""
