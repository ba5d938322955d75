"""Group commit: many callers, one transaction.

A committer is one thread with one connection. Callers hand it a piece of work and get a
future; while one transaction commits, the pieces for the next one gather, so the batch
grows with the load and an idle system waits for nobody. Pieces of one kind are handed to
that kind's function together; kinds run in the order of their rank.

Promises
    A future is resolved after the commit, never before.
    A piece that the database refuses (a bug, an impossible value) fails alone: the
    transaction is rolled back and its pieces are run one by one. A transaction that lost
    against another one (a deadlock) is run again.
    When the store was lost to another node (`guard` raises), every piece fails at once.
    When the database is away, pieces of an impatient kind fail at once with
    StoreUnavailable (a caller is waiting for its answer); pieces of a patient kind stay, in
    order, until the database is back. Functions of patient kinds may therefore run twice
    over work that was committed the first time, and must be driven by what they find.

Limits
    A patient piece is kept in memory while the database is away: whoever submits them
    bounds how many there are (the dispatcher by its windows, receipts by the carrier's).
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from adapter.domain.errors import Refusal, StoreUnavailable
from adapter.store import counted
from adapter.store.engine import write_connection

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

STOP_WAIT_S = 30.0
"""Longer than a lost connection takes to be noticed (`adapter.store.engine`)."""


@dataclass(frozen=True, eq=False)
class Kind(Generic[T, R]):
    """A kind of work. `run` gets the pieces in order and returns one result for each; a result
    that is a Refusal fails that piece alone.

    `linger_s`: how long a piece may wait for company when nothing more urgent is there.
    `apart`: in no transaction with other kinds; where both wait, they take turns.
    """

    name: str
    rank: int
    run: Callable[[Connection, Sequence[T]], Sequence[R | Refusal]]
    patient: bool = False
    linger_s: float = 0.0
    apart: bool = False


class Watch(Protocol):
    """What a committer tells whoever measures it."""

    def committed(self, pieces: int, seconds: float) -> None: ...
    def failed(self, reason: str) -> None: ...


@dataclass(slots=True)
class _Piece:
    kind: Kind[Any, Any]
    work: Any
    future: Future[Any]
    ready_at: float
    result: Any = field(default=None)


class Committer:
    """One thread, one connection, one transaction at a time. `guard` looks first in each
    whether the store is still ours; it raises StoreUnavailable when it is not. `back` hears
    that the store was away and is there again: what it committed without an answer, nobody
    else tells."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        most: int = 256,
        watch: Watch | None = None,
        guard: Callable[[Connection], None] = lambda _connection: None,
        back: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._back = back
        self._guard = guard
        self._most = most
        self._watch = watch
        self._pieces: list[_Piece] = []
        self._was_apart = False
        self._stopping = False
        self._away = False
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name=f"committer-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait_s: float = STOP_WAIT_S) -> None:
        """Commit what is there, then end. A patient piece that cannot be committed fails. A
        database that does not answer for `wait_s` is waited for no longer."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(wait_s)
        if self._thread.is_alive():
            log.error("store.stop", committer=self._thread.name, reason="no end of a commit")

    def submit(self, kind: Kind[T, R], work: T) -> Future[R]:
        """Hand in a piece of work; its result comes after the commit."""
        future: Future[R] = Future()
        # Work that was handed in is done even if its caller stopped waiting.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._stopping:
                future.set_exception(StoreUnavailable("the node is stopping"))
                return future
            # While the store is away new work of the patient kind is no reason to ask it again.
            linger_s = _RETRY_S if self._away and kind.patient else kind.linger_s
            self._pieces.append(_Piece(kind, work, future, time.monotonic() + linger_s))
            self._changed.notify()
        return future

    def _work(self) -> None:
        while pieces := self._gather():
            self._run(pieces)
        self._drop_connection()

    def _run(self, pieces: list[_Piece]) -> None:
        fault = self._try(pieces)
        if fault is None:
            return
        if len(pieces) == 1 or is_away(fault) or isinstance(fault, StoreUnavailable):
            self._give_up(pieces, fault)
            return
        for place, piece in enumerate(pieces):
            fault = self._try([piece])
            if fault is not None and is_away(fault):
                self._give_up(pieces[place:], fault)
                return
            if fault is not None:
                self._give_up([piece], fault)

    def _try(self, pieces: list[_Piece]) -> Exception | None:
        """Commit the pieces, as often as they lose against another transaction; the fault."""
        for left in reversed(range(_CONFLICTS)):
            started = time.monotonic()
            try:
                connection = self._commit(pieces)
            except Exception as fault:
                self._drop_connection()
                if left and _is_conflict(fault):
                    continue
                return fault
            self._answer(pieces)
            if self._away:
                self._away = False
                log.info("store.back", committer=self._thread.name)
                self._back()
            self._tell(connection, len(pieces), time.monotonic() - started)
            break
        return None

    def _gather(self) -> list[_Piece]:
        """The pieces of the next transaction; empty when it is time to end."""
        with self._changed:
            while True:
                if self._pieces:
                    wait = min(piece.ready_at for piece in self._pieces) - time.monotonic()
                    full = len(self._pieces) >= self._most and not self._away
                    if wait <= 0 or self._stopping or full:
                        return self._take()
                    self._changed.wait(wait)
                elif self._stopping:
                    return []
                else:
                    self._changed.wait()

    def _take(self) -> list[_Piece]:
        apart = [piece for piece in self._pieces if piece.kind.apart]
        others = [piece for piece in self._pieces if not piece.kind.apart]
        self._was_apart = bool(apart) and not (others and self._was_apart)
        ours, rest = (apart, others) if self._was_apart else (others, apart)
        self._pieces = rest + ours[self._most :]
        return ours[: self._most]

    def _commit(self, pieces: Sequence[_Piece]) -> Connection:
        if self._connection is None:
            self._connection = write_connection(self._engine)
        connection = self._connection
        groups: dict[Kind[Any, Any], list[_Piece]] = defaultdict(list)
        for piece in pieces:
            groups[piece.kind].append(piece)
        with connection.begin():
            counted.forget(connection)
            self._guard(connection)
            for kind in sorted(groups, key=lambda each: each.rank):
                group = groups[kind]
                results = kind.run(connection, [piece.work for piece in group])
                for piece, result in zip(group, results, strict=True):
                    piece.result = result
        return connection

    def _answer(self, pieces: Sequence[_Piece]) -> None:
        for piece in pieces:
            if isinstance(piece.result, Refusal):
                piece.future.set_exception(piece.result)
            else:
                piece.future.set_result(piece.result)

    def _tell(self, connection: Connection, pieces: int, seconds: float) -> None:
        try:
            counted.tell(connection)
            if self._watch:
                self._watch.committed(pieces, seconds)
        except Exception:
            # Whoever measures must not stop what is measured.
            log.exception("store.watch")

    def _give_up(self, pieces: list[_Piece], fault: Exception) -> None:
        if self._watch:
            self._watch.failed(type(fault).__name__)
        if is_away(fault):
            if not self._away:
                self._away = True
                log.error("store.away", committer=self._thread.name, error=_short(fault))
            self._put_back(pieces)
            return
        for piece in pieces:
            if not isinstance(fault, Refusal):
                log.error("store.refused", kind=piece.kind.name, error=_short(fault))
            piece.future.set_exception(fault)

    def _put_back(self, pieces: list[_Piece]) -> None:
        """Keep the patient pieces, in order; the others fail now."""
        with self._changed:
            # Those in the queue would meet the same fault, and must not wait behind it.
            stopping = self._stopping
            everything = pieces + self._pieces
            self._pieces = [each for each in everything if each.kind.patient and not stopping]
            later = time.monotonic() + _RETRY_S
            for piece in self._pieces:
                piece.ready_at = later
        for piece in everything:
            if stopping or not piece.kind.patient:
                piece.future.set_exception(StoreUnavailable())

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError as error:
                log.warning("store.close", error=_short(error))


_RETRY_S = 0.5
_CONFLICTS = 5
_CONFLICT_STATES = frozenset({"40001", "40P01", "23505"})


def is_away(error: Exception) -> bool:
    """Whether the store, not the work, is at fault: gone, full, locked, read-only."""
    if isinstance(error, OperationalError | NoConnectionFree):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _is_conflict(error: Exception) -> bool:
    """Serialisation failure, deadlock, or a key that another one was faster to use: PostgreSQL
    rolled back one of two transactions, and what it looked up first is different now."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _CONFLICT_STATES


def _short(error: Exception) -> str:
    """The driver's words without statement and parameters, which may hold contents."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
