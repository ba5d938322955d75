"""The digest of a WS-Security UsernameToken (UsernameToken Profile 1.0, section 3.1).

`Password_Digest = Base64(SHA-1(nonce + created + password))`. Both sides need the clear
password, so a client that shows digests has a secret of its own for them (`<digest-secret>`), which
is none of its passwords. SHA-1 is the profile's; nothing here rests on collisions.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1

from adapter.domain.client import Client
from adapter.domain.proofs import ProofKind, Stamp
from adapter.security.moments import read_moment

_NOBODYS = secrets.token_urlsafe()
_LONGEST_NONCE = 128


@dataclass(frozen=True, slots=True)
class TokenDigest:
    """A digest as it came, with its nonce and the moment of which the client says that it was
    made then."""

    nonce: bytes
    created: str
    digest: bytes = field(repr=False)
    made_at: datetime

    @classmethod
    def read(cls, nonce: str, created: str, digest: str) -> TokenDigest | None:
        """From the texts of a token; None where one of them is missing or cannot be read."""
        made_at = read_moment(created)
        try:
            octets = base64.b64decode(nonce, validate=True)
            shown = base64.b64decode(digest, validate=True)
        except (binascii.Error, ValueError):
            return None
        if made_at is None or not 0 < len(octets) <= _LONGEST_NONCE:
            return None
        return cls(octets, created, shown, made_at)

    @property
    def kind(self) -> ProofKind:
        return ProofKind.DIGEST

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.made_at, f"digest {self.created} {self.nonce.hex()}")

    def fits(self, client: Client) -> bool:
        """Whether it was made with one of the client's digest secrets."""
        known = tuple(client.digest_secrets) or (_NOBODYS,)
        fits = [hmac.compare_digest(self.digest, self._of(secret)) for secret in known]
        return any(fits) and bool(client.digest_secrets)

    def _of(self, secret: str) -> bytes:
        octets = self.nonce + self.created.encode() + secret.encode()
        return sha1(octets, usedforsecurity=False).digest()
