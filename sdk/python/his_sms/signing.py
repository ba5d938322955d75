"""Who calls: HTTP Basic, or a signature over each request (docs/integrator/http.md).

What is signed, in UTF-8, each line ended by LF, then the body: algorithm, method, path, account,
key id, time (UTC), nonce, the header Idempotency-Key (empty without).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Protocol

HASHES = {"HMAC-SHA256": "sha256", "HMAC-SM3": "sm3"}


class Credentials(Protocol):
    """Basic or Hmac."""

    @property
    def account(self) -> str: ...

    def authorization(self, method: str, path: str, body: bytes) -> str:
        """The header Authorization of one request; another one for each try."""


@dataclass(frozen=True)
class Basic:
    """Account and password; over TLS only."""

    account: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.account:
            raise ValueError("account: must not hold a colon")

    def authorization(self, method: str, path: str, body: bytes) -> str:
        pair = f"{self.account}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


@dataclass(frozen=True)
class Hmac:
    """A shared key and its id. A signed request can neither be changed nor sent again by others.

    HMAC-SM3 needs a Python whose OpenSSL has SM3.
    """

    account: str
    key_id: str
    secret: str = field(repr=False)
    algorithm: str = "HMAC-SHA256"

    def __post_init__(self) -> None:
        if self.algorithm not in HASHES:
            raise ValueError(f"algorithm: one of {', '.join(HASHES)}")
        if HASHES[self.algorithm] not in hashlib.algorithms_available:
            raise ValueError(f"algorithm: this Python has no {self.algorithm}")
        for name in ("account", "key_id"):
            if any(mark in getattr(self, name) for mark in '"\\\r\n'):
                raise ValueError(f"{name}: must not hold quotes, backslashes or line breaks")

    def authorization(self, method: str, path: str, body: bytes) -> str:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.stamped(method, path, body, time=now, nonce=secrets.token_hex(16))

    def stamped(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        time: str,
        nonce: str,
        idempotency_key: str = "",
    ) -> str:
        """The header with this time and nonce."""
        lines = (
            self.algorithm,
            method,
            path,
            self.account,
            self.key_id,
            time,
            nonce,
            idempotency_key,
        )
        signature = mac(self.algorithm, self.secret, lines, body)
        parts = {
            "account": self.account,
            "key": self.key_id,
            "time": time,
            "nonce": nonce,
            "signature": signature,
        }
        return f"{self.algorithm} " + ", ".join(f'{name}="{told}"' for name, told in parts.items())


def mac(algorithm: str, secret: str, lines: tuple[str, ...], body: bytes) -> str:
    """The signature over lines and body, in hexadecimal digits."""
    signed = "".join(f"{line}\n" for line in lines).encode() + body
    return hmac.new(secret.encode(), signed, HASHES[algorithm]).hexdigest()
