"""Who may enter: what a caller shows, held against the client that it says it is.

The one place that decides. A door reads what was shown from its transport; kinds of proof judge
themselves (`adapter.domain.proofs`); here they are put together: every proof shown must be right,
and together they must be one of the client's ways in through this door.

Whoever is not let in learns nothing: unknown account, wrong password, disabled account and closed
door give one answer after the same work; so do wrong, old and repeated signatures. Only
who has shown who he is hears IP_DENIED, or which kind of proof is missing. The log says
the reason. Wrong tries are slowed down and locked out (`adapter.security.tries`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.proofs import Proof, ProofKind, Stamp
from adapter.intake.networks import Networks
from adapter.security.passwords import CheckerBusy, PasswordChecker
from adapter.security.tries import WrongTries

_LONGEST = 256
_SIGNED = frozenset({ProofKind.HMAC, ProofKind.SIGNATURE})

_TELLING = frozenset({ProofKind.CERTIFICATE, ProofKind.SIGNATURE})
"""Kinds that tell whose they are."""

FirstUse = Callable[[str, datetime], bool]
"""Whether a word was never used before; remembered until a moment, also over a restart. May
raise StoreUnavailable."""

log = structlog.get_logger(__name__)


class Watch(Protocol):
    """Who counts; `adapter.metrics.Metrics` fits. `client` is "" for an unknown account."""

    def wrong_try(self, door: str, client: str) -> None:
        """Somebody showed what is wrong."""

    def locked_out(self, door: str, client: str) -> None:
        """Somebody tried so often that he is not looked at for a while."""


def _now() -> datetime:
    return datetime.now(UTC)


def _unremembered(_word: str, _until: datetime) -> bool:
    return False


class Accounts:
    """The configured clients; never changes, safe to share between threads.

    Proofs with a time are taken for `window_s` before and after it, each once: `first_use`
    remembers them; without it none is taken. Raises ValueError where a client's network cannot be
    read.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        checker: PasswordChecker,
        *,
        first_use: FirstUse = _unremembered,
        tries: WrongTries | None = None,
        window_s: float = 300.0,
        watch: Watch | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._clients = {client.account: client for client in clients}
        self._networks = {client.account: Networks(client.networks) for client in clients}
        self._checker = checker
        self._first_use = first_use
        self._tries = tries or WrongTries()
        self._window = timedelta(seconds=window_s)
        self._watch = watch
        self._clock = clock

    def find(self, account: str) -> Client | None:
        """The client of this account, enabled or not."""
        return self._clients.get(account)

    def wait_s(self, account: str, address: str) -> int:
        """Seconds until this account is looked at again from this address, after wrong tries; 0
        for now."""
        return self._tries.wait_s(account, address)

    def authenticate(
        self,
        account: str,
        password: str,
        address: str,
        door: str,
        proofs: Sequence[Proof] = (),
    ) -> Client:
        """The client that shows this, password ("" for none) and other proofs, from this address
        through this door. Without an account a certificate tells whose
        it is.

        Raises Refusal: AUTH_FAILED, SIGNATURE_INVALID, CERT_DENIED, IP_DENIED, or RATE_LIMITED
        after too many wrong tries and while too many passwords are being checked at once.
        """
        account = account or self._certified(proofs)
        if len(account) > _LONGEST or len(password) > _LONGEST:
            raise _failed()
        if wait_s := self.wait_s(account, address):
            raise Refusal(
                Code.RATE_LIMITED,
                f"too many wrong tries; try again in {wait_s} s",
                retry_after_s=wait_s,
            )
        client = self._clients.get(account)
        if client is not None and not client.certificates:
            # It has come to the proxy with one of its own, which means nothing to us.
            relevant = [each for each in proofs if each.kind is not ProofKind.CERTIFICATE]
        else:
            relevant = list(proofs)
        fault = self._fault(client, account, password, relevant, door)
        if client is None or fault:
            self._wrong(client, account, address, door, fault)
            raise _refused(proofs)
        self._tries.right(account, address)
        shown = {proof.kind for proof in relevant} | ({ProofKind.PASSWORD} if password else set())
        if lacking := _lacking(client, door, shown):
            raise _incomplete(lacking)
        networks = self._networks[account]
        if networks and address not in networks:
            raise Refusal(Code.IP_DENIED, "this address may not use the account")
        return client

    def _certified(self, proofs: Sequence[Proof]) -> str:
        """The account whose certificate is shown, or has signed; empty for none."""
        shown = [proof for proof in proofs if proof.kind in _TELLING]
        if not shown:
            return ""
        clients = self._clients.values()
        return next((each.account for each in clients if shown[0].fits(each)), "")

    def _fault(
        self,
        client: Client | None,
        account: str,
        password: str,
        proofs: Sequence[Proof],
        door: str,
    ) -> str:
        """What is wrong, for the log; empty where nothing is. Does the same work for whoever is
        not there."""
        faults = [] if client else ["account"]
        if password or not proofs:
            hashes = client.password_hashes if client else ()
            try:
                fits = self._checker.verify(account, hashes, password)
            except CheckerBusy:
                raise Refusal(Code.RATE_LIMITED, "too many logins at once; try again") from None
            faults += [] if fits else ["password"]
        faults += [each.kind for each in proofs if not each.fits(client or _NOBODY)]
        if client is not None:
            faults += [] if client.enabled else ["disabled"]
            faults += [] if not client.doors or door in client.doors else ["door"]
        stamps = [each.stamp for each in proofs if each.stamp is not None]
        if faults:
            return " ".join(faults)
        return next(filter(None, (self._worn(account, stamp) for stamp in stamps)), "")

    def _worn(self, account: str, stamp: Stamp) -> str:
        """Why a proof that is right is no longer, or not yet, taken; empty where it is."""
        if abs(self._clock() - stamp.made_at) > self._window:
            return "clock"
        until = stamp.made_at + self._window
        return "" if self._first_use(f"{account} {stamp.word}", until) else "replay"

    def _wrong(
        self, client: Client | None, account: str, address: str, door: str, fault: str
    ) -> None:
        known = client.account if client else ""
        log.warning(
            "entry.refused", account=account[:64], address=address, door=str(door), wrong=fault
        )
        if self._watch is not None:
            self._watch.wrong_try(str(door), known)
        if self._tries.wrong(account, address):
            log.error("entry.locked", account=account[:64], address=address, door=str(door))
            if self._watch is not None:
                self._watch.locked_out(str(door), known)


_NOBODY = Client("")
"""Stands in for an unknown account, so that looking at a proof takes as long."""


def _refused(proofs: Sequence[Proof]) -> Refusal:
    """The code follows from what was shown, never from what was wrong with it."""
    if any(proof.kind in _SIGNED for proof in proofs):
        return Refusal(
            Code.SIGNATURE_INVALID,
            "the signature is wrong, too old or was used before, or the account is closed here",
        )
    if any(proof.kind is ProofKind.CERTIFICATE for proof in proofs):
        return Refusal(
            Code.CERT_DENIED,
            "the certificate, the account or the password is wrong, or the account is closed here",
        )
    return _failed()


def _lacking(client: Client, door: str, shown: set[ProofKind]) -> Sequence[ProofKind]:
    """What the client's first way in through this door asks for beside what was shown; nothing
    where one of them is complete."""
    ways = [way for way in client.entries if not way.doors or door in way.doors]
    if not ways or any(shown.issuperset(way.needs) for way in ways):
        return ()
    return [kind for kind in ways[0].needs if kind not in shown]


def _incomplete(lacking: Sequence[ProofKind]) -> Refusal:
    code = Code.AUTH_FAILED
    if ProofKind.CERTIFICATE in lacking:
        code = Code.CERT_DENIED
    elif not _SIGNED.isdisjoint(lacking):
        code = Code.SIGNATURE_INVALID
    return Refusal(code, f"the account has to show here as well: {', '.join(lacking)}")


def _failed() -> Refusal:
    return Refusal(Code.AUTH_FAILED, "account or password is wrong, or the account is closed here")
