"""Requests signed with a shared key: HMAC-SHA256 (RFC 2104) or HMAC-SM3 (GB/T 32905).

What is signed, in UTF-8, each line ended by LF, the body's octets as they are at the end:

    HMAC-SHA256                  the algorithm
    POST                         the method
    /api/json/Send               the path, as the client calls it
    his                          the account
    2026a                        the key's id
    2026-03-01T08:00:00Z         the time, in UTC
    9f86d081884c7d65             the nonce
    OP-20260301-0001             the header Idempotency-Key, empty without
    {"content": ...}             the body, before it is compressed

It is shown in one header, the signature in hexadecimal digits:

    Authorization: HMAC-SHA256 account="his", key="2026a", time="2026-03-01T08:00:00Z",
                   nonce="9f86d081884c7d65", signature="..."
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from adapter.domain.client import Client
from adapter.domain.proofs import ProofKind, Stamp
from adapter.security.moments import read_moment

ALGORITHMS: Mapping[str, type[hashes.SHA256 | hashes.SM3]] = {
    "HMAC-SHA256": hashes.SHA256,
    "HMAC-SM3": hashes.SM3,
}
PARTS = ("account", "key", "time", "nonce", "signature")
"""What the header holds."""

_PART = re.compile(r'\s*([a-z]+)="([^"\\\x00-\x1f]{0,256})"\s*(?:,|$)')
_NONCE = re.compile(r"[A-Za-z0-9._~+/=-]{8,64}")
_MAC = re.compile(r"[0-9A-Fa-f]{64}")
_NOBODYS = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature covers, beside those of its own header."""

    method: str
    path: str
    idempotency_key: bytes
    body: bytes = field(repr=False)


def mac(
    algorithm: str,
    secret: bytes,
    request: SignedRequest,
    *,
    account: str,
    key: str,
    time: str,
    nonce: str,
) -> bytes:
    """The signature of a request."""
    lines = (algorithm, request.method, request.path, account, key, time, nonce)
    made = HMAC(secret, ALGORITHMS[algorithm]())
    made.update("".join(f"{line}\n" for line in lines).encode())
    made.update(request.idempotency_key + b"\n")
    made.update(request.body)
    return made.finalize()


@dataclass(frozen=True, slots=True)
class RequestMac:
    """A signature as it came, with the request that it is to fit."""

    algorithm: str
    account: str
    key: str
    time: str
    nonce: str
    mac: bytes = field(repr=False)
    request: SignedRequest
    made_at: datetime

    @classmethod
    def read(cls, authorization: str, request: SignedRequest) -> RequestMac:
        """From the header. Raises ValueError with what is wrong with it."""
        algorithm, _, rest = authorization.partition(" ")
        parts = _parts(rest)
        lacking = [name for name in PARTS if name not in parts]
        if lacking:
            raise ValueError(f"lacks {', '.join(lacking)}")
        made_at = read_moment(parts["time"])
        if made_at is None:
            raise ValueError("time: write it as 2026-03-01T08:00:00Z")
        if not _NONCE.fullmatch(parts["nonce"]):
            raise ValueError("nonce: 8 to 64 letters, digits and . _ ~ + / = -")
        if not _MAC.fullmatch(parts["signature"]):
            raise ValueError("signature: 64 hexadecimal digits")
        return cls(
            algorithm.upper(),
            parts["account"],
            parts["key"],
            parts["time"],
            parts["nonce"],
            bytes.fromhex(parts["signature"]),
            request,
            made_at,
        )

    @property
    def kind(self) -> ProofKind:
        return ProofKind.HMAC

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.made_at, f"hmac {self.key} {self.nonce}")

    def fits(self, client: Client) -> bool:
        """Whether it was made with the client's key of that id, over this very request."""
        secret = client.hmac_keys.get(self.key)
        expected = mac(
            self.algorithm,
            _NOBODYS if secret is None else secret,
            self.request,
            account=self.account,
            key=self.key,
            time=self.time,
            nonce=self.nonce,
        )
        fits = hmac.compare_digest(self.mac, expected)
        return fits and secret is not None and self.account == client.account


def is_signed(authorization: str) -> bool:
    """Whether a header Authorization is of this kind."""
    return authorization.partition(" ")[0].upper() in ALGORITHMS


def _parts(text: str) -> dict[str, str]:
    """The header's parts. Raises ValueError where it is not a list of name="value"."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[1] not in PARTS or part[1] in found:
            raise ValueError(f'write {", ".join(PARTS)} once each, as name="value"')
        found[part[1]] = part[2]
        at = part.end()
    return found
