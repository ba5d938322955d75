"""What a caller shows at a door to be believed (docs/decisions/0010-who-may-enter.md).

A proof is a plain value that can be held against a client. It knows nothing of doors; a door
reads it from the transport, and `adapter.intake.accounts` decides what it opens. Passwords are no
Proof: they are checked against hashes, which costs, by `adapter.security.passwords`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from adapter.domain.client import Client


class ProofKind(StrEnum):
    """The kinds, as a configuration names them."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    DIGEST = "digest"
    HMAC = "hmac"
    CERTIFICATE = "certificate"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes a proof single: when it was made, and a word that the client never uses again
    within the clock window."""

    made_at: datetime
    word: str


class Proof(Protocol):
    """One thing shown at a door."""

    @property
    def kind(self) -> ProofKind:
        """Which kind of proof this is."""

    @property
    def stamp(self) -> Stamp | None:
        """None for what may be shown again and again, such as a certificate."""

    def fits(self, client: Client) -> bool:
        """Whether it was made with what this client alone has. Takes as long whatever part of it
        is wrong."""
