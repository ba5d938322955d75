"""Callbacks of the adapter: who sent them, and what they bring (docs/integrator/callbacks.md).

A callback is signed like a request to the adapter: the same header Authorization, over method,
path, account, key id, time, nonce, Idempotency-Key and body. Give what came to
`CallbackVerifier.verify` before you believe a word of it, and answer 2xx only after everything it
brought is safe: until then it comes again.
"""

from __future__ import annotations

import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from his_sms.signing import HASHES, mac
from his_sms.values import Inbound, Receipt, from_json

CLOCK_WINDOW_S = 300.0
_PARTS = ("account", "key", "time", "nonce", "signature")
_PART = re.compile(r'\s*([a-z]+)="([^"\\\x00-\x1f]{0,256})"\s*(?:,|$)')
_NONCE = re.compile(r"[A-Za-z0-9._~+/=-]{8,64}")


class CallbackRefused(Exception):
    """It is not from the adapter, was changed, or came before. Answer 401, and tell nobody why."""


@dataclass(frozen=True)
class Callback:
    """What a callback brought. It may bring again what came before: `receipt_id` and
    `inbound_id` tell."""

    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[Inbound, ...] = ()


@dataclass
class CallbackVerifier:
    """Believes callbacks signed for `account` with one of `keys` (id: secret), made at most
    `window_s` from now, each once. Safe to share between threads.

    Nonces are remembered in this process for twice the window. Several processes behind one
    address need `seen` of their own: it is told a nonce, remembers it for all of them and says
    whether it was there before.
    """

    account: str
    keys: Mapping[str, str] = field(repr=False)
    window_s: float = CLOCK_WINDOW_S
    seen: Callable[[str], bool] | None = None
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def __post_init__(self) -> None:
        self._nonces: dict[str, float] = {}
        self._lock = threading.Lock()

    def verify(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Callback:
        """What it brings. `path` as it was called, without a query. Raises CallbackRefused, and
        ValueError where the body of a true one cannot be read (it is JSON)."""
        self.check(method, path, headers, body)
        return read(body)

    def check(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Only whether it is true, whatever the body holds. Raises CallbackRefused."""
        lower = {name.lower(): value for name, value in headers.items()}
        algorithm, _, rest = lower.get("authorization", "").partition(" ")
        parts = _parts(rest)
        secret = self.keys.get(parts["key"])
        if algorithm not in HASHES or secret is None or parts["account"] != self.account:
            raise CallbackRefused("it is signed by a key that was not agreed upon")
        lines = (
            algorithm,
            method.upper(),
            path,
            parts["account"],
            parts["key"],
            parts["time"],
            parts["nonce"],
            lower.get("idempotency-key", ""),
        )
        expected = mac(algorithm, secret, lines, body)
        if not hmac.compare_digest(expected.encode(), parts["signature"].lower().encode()):
            raise CallbackRefused("the signature does not fit")
        self._check_freshness(parts["time"], f"{parts['key']} {parts['nonce']}")

    def _check_freshness(self, written: str, nonce: str) -> None:
        now = self.clock()
        if abs(_moment(written) - now) > self.window_s:
            raise CallbackRefused(f"it is more than {self.window_s:g} s from our clock")
        if self._is_seen(nonce, now) if self.seen is None else self.seen(nonce):
            raise CallbackRefused("it came before")

    def _is_seen(self, nonce: str, now: float) -> bool:
        with self._lock:
            # In the order of coming, so the oldest are in front.
            while self._nonces and next(iter(self._nonces.values())) < now - 2 * self.window_s:
                del self._nonces[next(iter(self._nonces))]
            known = nonce in self._nonces
            self._nonces.setdefault(nonce, now)
            return known


def read(body: bytes) -> Callback:
    """What the body of a callback brings. Raises ValueError."""
    members = json.loads(body)
    if not isinstance(members, dict):
        raise ValueError("a callback is an object")
    return Callback(
        tuple(from_json(Receipt, each) for each in members.get("receipts", ())),
        tuple(from_json(Inbound, each) for each in members.get("inbound", ())),
    )


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[1] in found:
            raise CallbackRefused("the header Authorization is none of ours")
        found[part[1]] = part[2]
        at = part.end()
    if set(found) != set(_PARTS) or not _NONCE.fullmatch(found["nonce"]):
        raise CallbackRefused("the header Authorization is none of ours")
    return found


def _moment(written: str) -> float:
    try:
        made = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        raise CallbackRefused("the time is none of ours") from None
    return made.replace(tzinfo=made.tzinfo or timezone.utc).timestamp()
