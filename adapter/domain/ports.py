"""The seams between the rooms: what each asks of the one below, and nothing more.

Doors and sources see `IntakePort` and `DeskPort`; intake sees `AcceptancePort`. All of
these block the calling thread, never the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from adapter.domain.client import Client
from adapter.domain.proofs import Proof
from adapter.domain.states import State
from adapter.domain.values import (
    InboundNotice,
    Message,
    Notice,
    Reply,
    Request,
    Submission,
    Uploaded,
)


class IntakePort(Protocol):
    """Who are you, may you, is it valid; then one commit."""

    def offer(self, client: Client, requests: Sequence[Request]) -> Callable[[], list[Reply]]:
        """Hand requests in without waiting for their commit; what it returns waits, and must be
        called. What a source offers is accepted in the order in which it was offered."""

    def accept(self, client: Client, requests: Sequence[Request]) -> list[Reply]:
        """Accept requests; returns after the commit, one reply per request, in order.

        A request that is refused whole gets a Reply whose code says why (`submission_id` None).
        Raises StoreUnavailable or SpoolFull when nothing of the call could be taken.
        """


class AccountsPort(Protocol):
    """Who may enter."""

    def find(self, account: str) -> Client | None:
        """The client of this account, whoever asks."""

    def authenticate(
        self,
        account: str,
        password: str,
        address: str,
        door: str,
        proofs: Sequence[Proof] = (),
    ) -> Client:
        """The client, or Refusal(AUTH_FAILED | SIGNATURE_INVALID | CERT_DENIED | IP_DENIED |
        RATE_LIMITED). Never tells which part was wrong."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One segment as a caller may see it."""

    number: int
    state: State
    carrier_code: str
    submitted_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message as a caller may see it, with where it stands now."""

    message_id: int
    submission_id: int
    client_ref: str
    ref: str
    mobile: str
    state: State
    carrier_code: str
    description: str
    segments: int
    channel: str
    in_doubt: bool
    accepted_at: datetime
    submitted_at: datetime | None
    done_at: datetime | None
    pass_through: str
    parts: Sequence[SegmentView] = field(default=())


class DeskPort(Protocol):
    """What a client may ask about, fetch, acknowledge and withdraw: always only its own."""

    def query(
        self,
        client: str,
        *,
        message_ids: Sequence[int] = (),
        client_ref: str = "",
        submission_id: int | None = None,
        limit: int = 10_000,
    ) -> list[MessageView]: ...

    def fetch_receipts(self, client: str, limit: int, after: int = 0) -> list[Notice]:
        """Final states not yet acknowledged, oldest first, with ids greater than `after`."""

    def fetch_inbound(self, client: str, limit: int, after: int = 0) -> list[InboundNotice]:
        """Inbound texts not yet acknowledged, oldest first, with ids greater than `after`."""

    def acknowledge(self, client: str, notice_ids: Sequence[int]) -> int:
        """Forget these notices (receipts or inbound); how many there were."""

    def cancel(
        self,
        client: str,
        *,
        submission_id: int | None = None,
        message_ids: Sequence[int] = (),
        business_key: str = "",
    ) -> int:
        """Withdraw what is not yet on the wire; how many messages were."""

    def accepted_since(self, client: str, moment: datetime) -> int:
        """How many messages were accepted since this moment (aware), a full hour."""


class AcceptancePort(Protocol):
    """The store as intake sees it."""

    def offer(
        self, batch: Sequence[tuple[Submission, Sequence[Message]]], replace: Sequence[bool] = ()
    ) -> Callable[[], list[Reply | None]]:
        """One commit for all; what it returns waits for it, and may store large ones in slices
        before. None where the submission is new and now durable; where (client, source,
        client_ref) was seen before, the first answer.
        The waiting raises StoreUnavailable, SpoolFull, or a Refusal of the code STORE_UNAVAILABLE
        where a part was lost."""

    def first_answers(self, keys: Sequence[tuple[str, str, str]]) -> list[Reply | None]:
        """The first answers of (client, source, client_ref), None where none was accepted:
        a repeated request is answered so even if it would be refused today.
        Raises StoreUnavailable."""


class UploadPort(Protocol):
    """The store as uploads see it: one submission in many portions."""

    def find(self, client: str, client_ref: str) -> Uploaded | None:
        """An upload that was begun. Raises StoreUnavailable, and Refusal(DUPLICATE) where the
        reference belongs to a request of another kind."""

    def take(self, its: Submission, own: Sequence[Message], first: int, entries: int) -> None:
        """One commit for a portion of `entries` recipients that follows the `first` ones; the
        submission comes with the first portion. Raises StoreUnavailable, SpoolFull, and
        Refusal(DUPLICATE) where the upload does not stand at `first`."""
