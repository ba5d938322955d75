"""CMPP's authenticators (protocols/cmpp.md A5). MD5 is the protocol's choice.

Deployed peers disagree in two places, so checks accept every known variant:
an account shorter than six characters is hashed bare or padded with NUL, and the status in
the server's answer is hashed in the field's width, always as four octets, or as a digit.
"""

from __future__ import annotations

import hmac
from hashlib import md5

from connectors.clock import BEIJING as BEIJING
from connectors.clock import timestamp as timestamp

NO_DIGEST = bytes(16)
_ACCOUNT_SIZE = 6


def source_digest(account: bytes, secret: bytes, stamp: int, *, padded: bool = False) -> bytes:
    """AuthenticatorSource; the timestamp is hashed as ten digits, its leading zero included."""
    name = account.ljust(_ACCOUNT_SIZE, b"\0") if padded else account
    return _md5(name + bytes(9) + secret + b"%010d" % stamp)


def source_matches(digest: bytes, account: bytes, secret: bytes, stamp: int) -> bool:
    """Whether the peer knows the secret."""
    return any(
        hmac.compare_digest(digest, source_digest(account, secret, stamp, padded=padded))
        for padded in (False, True)
    )


def server_digest(status: int, source: bytes, secret: bytes, *, width: int) -> bytes:
    """AuthenticatorISMG with the status in `width` octets, the natural reading."""
    return _md5(status.to_bytes(width, "big") + source + secret)


def server_matches(digest: bytes, status: int, source: bytes, secret: bytes) -> bool:
    """Whether the gateway knows the secret too, in any of the deployed variants."""
    variants = [server_digest(status, source, secret, width=width) for width in (1, 4)]
    variants.append(_md5(b"%d" % status + source + secret))
    return any(hmac.compare_digest(digest, variant) for variant in variants)


def _md5(octets: bytes) -> bytes:
    return md5(octets, usedforsecurity=False).digest()
