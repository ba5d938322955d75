"""Passwords of clients: argon2 hashes, and a checker that stays cheap under load.

A client logs in with every request, and one argon2 check costs 20 ms of CPU and 19 MiB on
purpose. `PasswordChecker` pays that once for each password: afterwards it knows
it by a keyed digest whose key lives and dies with the process.

What an observer learns: nothing about an account. An unknown account is checked against a
dummy hash, and failures are remembered for unknown accounts as for known ones.
What an attacker can use up: `concurrent` checks at a time; a check that finds no place within
`patience_s` raises CheckerBusy. Passwords known already never queue.

Limits: a hash from elsewhere with other argon2 costs is checked at those costs.
"""

from __future__ import annotations

import hmac
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHash, VerificationError

# OWASP's second choice for argon2id: a small memory that many checks at once cannot exhaust.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_REMEMBERED = 4_096
_K = TypeVar("_K")
_V = TypeVar("_V")


class CheckerBusy(Exception):
    """Too many passwords are being checked at once; nothing was said about this one."""


def hash_password(password: str) -> str:
    """The argon2id hash of a password, as it is written in a configuration."""
    return _HASHER.hash(_octets(password))


def new_password(octets: int = 15) -> str:
    """A random password of letters, digits, `-` and `_`; 20 characters unless told otherwise."""
    return secrets.token_urlsafe(octets)


def is_hash(text: str) -> bool:
    """Whether this reads as an argon2 hash."""
    try:
        extract_parameters(text)
    except (InvalidHash, ValueError):
        return False
    return True


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


class PasswordChecker:
    """Checks passwords against argon2 hashes; safe to share between threads.

    The cache holds, for each hash that was passed, the keyed digest of the password that
    passed it. A hash taken out of the configuration is therefore never consulted again.
    """

    def __init__(
        self,
        concurrent: int | None = None,
        patience_s: float = 5.0,
        remembered: int = _REMEMBERED,
    ) -> None:
        """`concurrent` argon2 checks at most, half of the cores unless told otherwise."""
        self._key = secrets.token_bytes(32)
        self._dummy = hash_password(secrets.token_urlsafe())
        self._places = threading.BoundedSemaphore(concurrent or max(1, (os.cpu_count() or 1) // 2))
        self._patience_s = patience_s
        self._remembered = remembered
        self._lock = threading.Lock()
        self._passed: OrderedDict[str, bytes] = OrderedDict()
        self._failed: OrderedDict[bytes, None] = OrderedDict()

    def verify(self, account: str, hashes: Sequence[str], password: str) -> bool:
        """Whether `password` fits one of the hashes of `account`.

        An unknown account has no hashes and takes as long as a known one. Raises CheckerBusy
        when an unknown password found no place in time.
        """
        candidates = tuple(hashes) or (self._dummy,)
        octets = _octets(password)
        known = self._known(account, candidates, octets)
        if known is not None:
            return known
        if not self._places.acquire(timeout=self._patience_s):
            raise CheckerBusy(f"{account}: too many passwords are being checked")
        try:
            # Another thread may have checked the same password while this one queued.
            known = self._known(account, candidates, octets)
            return self._check(account, candidates, octets) if known is None else known
        finally:
            self._places.release()

    def _known(self, account: str, hashes: Sequence[str], octets: bytes) -> bool | None:
        """What an earlier check said, None if there was none."""
        digests = [(h, self._digest(h.encode(), octets)) for h in hashes]
        attempt = self._attempt(account, hashes, octets)
        with self._lock:
            for h, digest in digests:
                passed = self._passed.get(h)
                if passed is not None and hmac.compare_digest(passed, digest):
                    self._passed.move_to_end(h)
                    return True
            if attempt in self._failed:
                self._failed.move_to_end(attempt)
                return False
        return None

    def _check(self, account: str, hashes: Sequence[str], octets: bytes) -> bool:
        for h in hashes:
            if _fits(h, octets):
                with self._lock:
                    _remember(self._passed, h, self._digest(h.encode(), octets), self._remembered)
                return True
        with self._lock:
            _remember(self._failed, self._attempt(account, hashes, octets), None, self._remembered)
        return False

    def _digest(self, scope: bytes, octets: bytes) -> bytes:
        """Keyed, so that neither a look-up nor its time tells anything about the password."""
        return blake2b(b"%d:%s%s" % (len(scope), scope, octets), key=self._key).digest()

    def _attempt(self, account: str, hashes: Sequence[str], octets: bytes) -> bytes:
        return self._digest("\n".join((account, *hashes)).encode("utf-8", "surrogatepass"), octets)


def _fits(password_hash: str, octets: bytes) -> bool:
    try:
        return _HASHER.verify(password_hash, octets)
    except (VerificationError, InvalidHash):
        return False


def _remember(cache: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
