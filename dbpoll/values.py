"""Plain values that pass between a hospital's table and whoever uses dbpoll.

Keys are text here, whatever type the table's key column has. Times are aware datetimes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from msgspec import Struct


class NotNow(Exception):
    """Raised by `take` when nothing could be accepted now: the same rows are handed in later."""


class TableFault(Exception):
    """The table, or a column that dbpoll cannot do without, is missing or of a wrong type."""


class Locked(Exception):
    """The hospital holds locks on these rows; all the others were written. Write them later."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"{len(keys)} rows are locked by the hospital's own transactions")
        self.keys = frozenset(keys)

    def __reduce__(self) -> tuple[type[Locked], tuple[Sequence[str]]]:
        return Locked, (list(self.keys),)


class Status(IntEnum):
    """Values of SMS_OUTBOUND.STATUS (contract.md, "HIS tables")."""

    NEW = 0
    TAKEN = 1
    SUBMITTED = 2
    DELIVERED = 3
    FAILED = 4
    REFUSED = 5
    CANCELLED = 6


class Row(NamedTuple):
    """A row that is ours. `fault` says why it can't be sent as it is; empty if nothing was
    found. `values` are template values that have columns of their own; `taken_at` is known
    where a row may be sent again."""

    key: str
    mobile: str | None
    content: str | None
    template: str | None
    params: str | None
    business: str | None
    lane: str | None
    extension: str | None
    pass_through: str | None
    business_key: str | None
    schedule_at: datetime | None
    expire_at: datetime | None
    fault: str = ""
    values: Mapping[str, str] | None = None
    taken_at: datetime | None = None


class Taken(Struct, frozen=True, gc=False):
    """The answer to one row. `message_id` empty: refused for good, `code` and `text` say why.
    `accepted_at`: see StateChange; None for now."""

    key: str
    message_id: str
    segments: int = 0
    code: str = ""
    text: str = ""
    accepted_at: datetime | None = None


class StateChange(Struct, frozen=True, gc=False):
    """What became of a row (`mobile` empty), or of one of its recipients.

    `state` is the word written into a receipt table; empty and None leave a column as it is.
    `accepted_at`: when the sending that this is about was accepted, where a row may be sent
    again: news of an earlier sending leaves the row alone.
    """

    key: str
    message_id: str
    status: Status
    code: str = ""
    text: str = ""
    segments: int = 0
    submitted_at: datetime | None = None
    done_at: datetime | None = None
    mobile: str = ""
    state: str = ""
    channel: str = ""
    accepted_at: datetime | None = None


class InboundRow(NamedTuple):
    """A text from a phone. `key` is that of the row it answers, empty if none."""

    id: str
    mobile: str
    content: str
    access_number: str
    extension: str
    key: str
    received_at: datetime


Answered = Callable[[], Sequence[Taken]]
"""Waits until rows are durable: one answer per row, in order. Raises NotNow."""
Take = Callable[[Sequence[Row]], Answered]
"""Takes rows in, in the order of the calls, and does not wait for it; the same row again gets the
same answer. Raises NotNow. Never called by two threads at once."""


def at_once(take: Callable[[Sequence[Row]], Sequence[Taken]]) -> Take:
    """For whoever takes rows and answers in one step."""
    return lambda rows: partial(take, rows)


@dataclass(frozen=True, slots=True)
class Health:
    """How a source does. `reason` is empty while it is up; counts are since the start.
    `lag_s`: age of the oldest new row at the last poll; `unanswered`: rows claimed whose
    answer isn't in the table yet; `broken`: it has failed so long that only now and then a
    look is taken, and somebody should come. `refused_writes`: results that a constraint or
    trigger of the hospital refused, each given up and told of; `refusal`: why the last one."""

    name: str
    up: bool
    reason: str
    polled_at: datetime | None
    lag_s: float
    claimed: int
    refused: int
    written: int
    unanswered: int
    broken: bool = False
    refused_writes: int = 0
    refusal: str = ""
