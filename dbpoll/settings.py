"""What the configuration says about one table, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from types import MappingProxyType

from dbpoll.values import Status


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


WORDS: Mapping[Status, str] = MappingProxyType({status: str(int(status)) for status in Status})
"""The contract's own status values."""


class Strategy(StrEnum):
    """How new rows are found and made ours (docs/decisions/0007-dbpoll.md)."""

    STATUS = "status"
    WATERMARK = "watermark"
    REMOVE = "remove"
    LEDGER = "ledger"


class Claim(StrEnum):
    """How the strategy `status` keeps pollers apart. AUTO: skip-locked where the database
    has it."""

    AUTO = "auto"
    SKIP_LOCKED = "skip-locked"
    COMPARE_AND_SET = "compare-and-set"


@dataclass(frozen=True, slots=True)
class Sql:
    """Statements of the hospital's own, empty where ours will do. Parameters are written
    `:NAME`.

    `fetch` gives new rows, at most :MOST (with the strategy watermark those after :MARK).
    `claim` makes the row :ID ours; without it `fetch` claims what it gives. `recover` gives
    rows that were claimed and never answered. `remove` takes the row :ID away. `result`,
    `receipt` and `inbound` write, with the contract's column names as parameters, `result`
    also with :FINAL (1 for a state that stays).
    """

    fetch: str = ""
    claim: str = ""
    recover: str = ""
    remove: str = ""
    result: str = ""
    receipt: str = ""
    inbound: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """One table to poll.

    `columns` maps a contract name to the column's real name, "" where there is none;
    `constants` stand in a column's place, `defaults` where it is blank; `parameters` maps
    names of template values to columns. `statuses` are the hospital's words, "" for NULL.
    `where` narrows what is new. `encoding` is what the bytes in text columns really are,
    where the database believes something else.

    `late_s`: how long a transaction of the hospital may hide a key from us (watermark).
    `from_start`: a watermark without a past begins at the first row, not at the end.
    `move_to`: where `remove` puts rows, "" to delete them. `row_written`: results go into
    the row itself. `resend`: a row that the hospital sets back to new is sent again.

    `grace_s`: a row that was claimed this long ago and never answered, by whichever node,
    is handed in again. `answer_delay_s`: MESSAGE_ID of an accepted row is written after
    this long, or together with the first change of state if that comes sooner.
    `connections`: 1 lets reading and writing take turns; from 3 on one may listen.
    `warm_s`: after a row came, looks stay `poll_min_s` apart for this long.
    """

    name: str
    url: str = field(repr=False)
    results_url: str = field(default="", repr=False)
    table: str = "SMS_OUTBOUND"
    receipt_table: str = ""
    inbound_table: str = ""
    columns: Mapping[str, str] = field(default_factory=_nothing)
    constants: Mapping[str, str] = field(default_factory=_nothing)
    defaults: Mapping[str, str] = field(default_factory=_nothing)
    parameters: Mapping[str, str] = field(default_factory=_nothing)
    statuses: Mapping[Status, str] = field(default_factory=lambda: WORDS)
    where: str = ""
    encoding: str = ""
    sql: Sql = Sql()
    strategy: Strategy = Strategy.STATUS
    claim: Claim = Claim.AUTO
    late_s: float = 60.0
    from_start: bool = False
    move_to: str = ""
    row_written: bool = True
    resend: bool = False
    zone: tzinfo = UTC
    batch: int = 500
    poll_min_s: float = 0.1
    poll_max_s: float = 2.0
    warm_s: float = 60.0
    retry_min_s: float = 0.2
    retry_max_s: float = 30.0
    statement_timeout_s: float = 15.0
    lock_timeout_s: float = 2.0
    grace_s: float = 120.0
    answer_delay_s: float = 3.0
    connections: int = 3
    channel: str = "sms_outbound"
    thick: str = ""
