"""SMGP's authenticators (protocols/smgp.md 6). MD5 is the protocol's choice.

Deployed peers disagree in two places, so checks accept every known variant: a ClientID shorter
than eight characters is hashed bare or padded with NUL, and the status in the server's answer
is hashed as four octets or as digits.
"""

from __future__ import annotations

import hmac
from hashlib import md5

NO_DIGEST = bytes(16)
_CLIENT_ID_SIZE = 8


def client_digest(client: bytes, secret: bytes, stamp: int, *, padded: bool = False) -> bytes:
    """AuthenticatorClient; the timestamp is hashed as ten digits, its leading zero included."""
    name = client.ljust(_CLIENT_ID_SIZE, b"\0") if padded else client
    return _md5(name + bytes(7) + secret + b"%010d" % stamp)


def client_matches(digest: bytes, client: bytes, secret: bytes, stamp: int) -> bool:
    """Whether the client knows the secret."""
    return any(
        hmac.compare_digest(digest, client_digest(client, secret, stamp, padded=padded))
        for padded in (False, True)
    )


def server_digest(status: int, client: bytes, secret: bytes) -> bytes:
    """AuthenticatorServer over the status in the width of its field."""
    return _md5(status.to_bytes(4, "big") + client + secret)


def server_matches(digest: bytes, status: int, client: bytes, secret: bytes) -> bool:
    """Whether the gateway knows the secret too."""
    variants = (server_digest(status, client, secret), _md5(b"%d" % status + client + secret))
    return any(hmac.compare_digest(digest, variant) for variant in variants)


def _md5(octets: bytes) -> bytes:
    return md5(octets, usedforsecurity=False).digest()
