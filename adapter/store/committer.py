"""Group commit: many callers, one transaction.

A committer is one thread with one connection. Callers hand it a piece of work and get a
future; while one transaction commits, the pieces for the next one gather, so the batch
grows with the load and an idle system waits for nobody. Pieces of one kind are handed to
that kind's function together; kinds run in the order of their rank.

Promises
    A future is resolved after the commit, never before.
    A piece that the database refuses (a bug, an impossible value) fails alone: the
    transaction is rolled back and its pieces are run one by one.
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

from adapter.domain.errors import Refusal, StoreUnavailable
from adapter.store.engine import write_connection

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Kind(Generic[T, R]):
    """A kind of work. `run` gets the pieces in order and returns one result for each; a result
    that is a Refusal fails that piece alone.

    `linger_s`: how long a piece may wait for company when nothing more urgent is there.
    """

    name: str
    rank: int
    run: Callable[[Connection, Sequence[T]], Sequence[R | Refusal]]
    patient: bool = False
    linger_s: float = 0.0


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
    """One thread, one connection, one transaction at a time."""

    def __init__(
        self, engine: Engine, name: str, *, most: int = 256, watch: Watch | None = None
    ) -> None:
        self._engine = engine
        self._most = most
        self._watch = watch
        self._pieces: list[_Piece] = []
        self._stopping = False
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name=f"committer-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what is there, then end. A patient piece that cannot be committed fails."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, kind: Kind[T, R], work: T) -> Future[R]:
        """Hand in a piece of work; its result comes after the commit."""
        future: Future[R] = Future()
        # Work that was handed in is done even if its caller stopped waiting.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._stopping:
                future.set_exception(StoreUnavailable("the node is stopping"))
                return future
            self._pieces.append(_Piece(kind, work, future, time.monotonic() + kind.linger_s))
            self._changed.notify()
        return future

    def _work(self) -> None:
        while pieces := self._gather():
            try:
                self._commit(pieces)
            except Exception as error:
                self._drop_connection()
                self._recover(pieces, error)
        self._drop_connection()

    def _gather(self) -> list[_Piece]:
        """The pieces of the next transaction; empty when it is time to end."""
        with self._changed:
            while True:
                if self._pieces:
                    wait = min(piece.ready_at for piece in self._pieces) - time.monotonic()
                    if wait <= 0 or self._stopping or len(self._pieces) >= self._most:
                        taken = self._pieces[: self._most]
                        del self._pieces[: self._most]
                        return taken
                    self._changed.wait(wait)
                elif self._stopping:
                    return []
                else:
                    self._changed.wait()

    def _commit(self, pieces: list[_Piece]) -> None:
        started = time.monotonic()
        if self._connection is None:
            self._connection = write_connection(self._engine)
        groups: dict[Kind[Any, Any], list[_Piece]] = defaultdict(list)
        for piece in pieces:
            groups[piece.kind].append(piece)
        with self._connection.begin():
            for kind in sorted(groups, key=lambda each: each.rank):
                group = groups[kind]
                results = kind.run(self._connection, [piece.work for piece in group])
                for piece, result in zip(group, results, strict=True):
                    piece.result = result
        if self._watch:
            self._watch.committed(len(pieces), time.monotonic() - started)
        for piece in pieces:
            if isinstance(piece.result, Refusal):
                piece.future.set_exception(piece.result)
            else:
                piece.future.set_result(piece.result)

    def _recover(self, pieces: list[_Piece], error: Exception) -> None:
        if self._watch:
            self._watch.failed(type(error).__name__)
        if is_away(error):
            self._storeis_away(pieces, error)
        elif len(pieces) == 1:
            self._refuse(pieces[0], error)
        else:
            for piece in pieces:
                try:
                    self._commit([piece])
                except Exception as alone:
                    self._drop_connection()
                    self._recover([piece], alone)

    def _refuse(self, piece: _Piece, error: Exception) -> None:
        if not isinstance(error, Refusal):
            log.error("store.refused", kind=piece.kind.name, error=_short(error))
        piece.future.set_exception(error)

    def _storeis_away(self, pieces: list[_Piece], error: Exception) -> None:
        log.error("store.away", error=_short(error), pieces=len(pieces))
        patient = [piece for piece in pieces if piece.kind.patient]
        for piece in pieces:
            if not piece.kind.patient:
                piece.future.set_exception(StoreUnavailable())
        with self._changed:
            if self._stopping:
                for piece in patient:
                    piece.future.set_exception(StoreUnavailable())
            else:
                self._pieces[:0] = patient
                later = time.monotonic() + _RETRY_S
                for piece in patient:
                    piece.ready_at = later

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError as error:
                log.warning("store.close", error=_short(error))


_RETRY_S = 0.5


def is_away(error: Exception) -> bool:
    """Whether the store, not the work, is at fault: gone, full, locked, read-only."""
    if isinstance(error, OperationalError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _short(error: Exception) -> str:
    """The driver's words without statement and parameters, which may hold contents."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
