"""Words that clients use once: kept for as long as they could be used again.

A signed request that somebody recorded is refused when it comes a second time, also after a
restart, on another node of the same store, and however many came between. What is kept is a
digest of the word, and only of proofs that were right: nobody else can fill the table, and each
commit forgets what has lost its use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, select

from adapter.store import bulk
from adapter.store.clock import now_ms, to_ms
from adapter.store.committer import Committer, Kind
from adapter.store.schema import nonce

_Work = tuple[str, int]


class Nonces:
    """Fits `adapter.intake.accounts.FirstUse` by `first_use`."""

    def __init__(self, committer: Committer, clock: Callable[[], int] = now_ms) -> None:
        self._committer = committer
        self._clock = clock
        # Before all others: they are what a caller still has to hear before he may ask.
        self._kind: Kind[_Work, bool] = Kind("nonce", -1, self._run)

    def first_use(self, word: str, until: datetime) -> bool:
        """Whether the word is new; from now until then it is not. Returns after the commit.

        Raises StoreUnavailable; whether the word was kept is then unknown.
        """
        digest = sha256(word.encode("utf-8", "surrogatepass")).hexdigest()
        return self._committer.submit(self._kind, (digest, to_ms(until))).result()

    def _run(self, connection: Connection, works: Sequence[_Work]) -> list[bool]:
        connection.execute(delete(nonce).where(nonce.c.until < self._clock()))
        asked = {digest for digest, _ in works}
        known = set(connection.execute(select(nonce.c.digest).where(nonce.c.digest.in_(asked))))
        used = {digest for (digest,) in known}
        fresh: dict[str, int] = {}
        answers = []
        for digest, until in works:
            answers.append(digest not in used and digest not in fresh)
            fresh.setdefault(digest, until)
        bulk.insert(connection, nonce, [row for row in fresh.items() if row[0] not in used])
        return answers
