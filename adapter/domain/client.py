"""A client: a business system that sends through us (接入系统)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from adapter.domain.hours import Span
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door, DoubtRule, Lane


@dataclass(frozen=True, slots=True)
class WayIn:
    """Through these doors (empty: through all) who shows all of these proofs."""

    needs: Sequence[ProofKind]
    doors: Sequence[Door] = ()


class ContentCipher(StrEnum):
    """How a client may encrypt contents."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A key that a client encrypts contents with."""

    cipher: ContentCipher
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate, by fingerprint or else by subject (RFC 4514)."""

    fingerprint: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as configured. `password_hashes` holds one or, during rotation, two argon2 hashes.

    `extension` is appended to the access number; `signature` is the text between the
    brackets, put in front where the content does not begin with it. Empty `doors`,
    `networks`, `lanes`, `businesses` and `hours` mean all. Through a door that some
    of `entries` name, one of those is the way in; through others any one proof is. `hmac_keys` and
    `content_keys` are by their ids. `doubt` overrides the lane's rule for messages whose
    submit was never answered. `cmpp_secret` is the shared secret of the CMPP door, which the
    protocol needs as it is; empty where the client may not use that door. `cmpp_secret_old` opens
    as well, while the client changes.
    """

    account: str
    password_hashes: Sequence[str] = field(default=(), repr=False)
    title: str = ""
    extension: str = ""
    signature: str = ""
    business: str = "general"
    lane: Lane = Lane.NORMAL
    lanes: Sequence[Lane] = ()
    doors: Sequence[Door] = ()
    networks: Sequence[str] = ()
    rate_per_minute: int = 0
    daily_quota: int = 0
    monthly_quota: int = 0
    max_recipients: int = 10_000
    businesses: Sequence[str] = ()
    hours: Sequence[Span] = ()
    digest_secrets: Sequence[str] = field(default=(), repr=False)
    hmac_keys: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    certificates: Sequence[Certificate] = ()
    entries: Sequence[WayIn] = ()
    content_keys: Mapping[str, ContentKey] = field(default_factory=lambda: MappingProxyType({}))
    max_segments: int = 10
    validity_s: int = 86_400
    cmpp_secret: str = field(default="", repr=False)
    cmpp_secret_old: str = field(default="", repr=False)
    doubt: Mapping[Lane, DoubtRule] = field(default_factory=lambda: MappingProxyType({}))
    enabled: bool = True
