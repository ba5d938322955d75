"""One node works on a store: a second one would send everything twice.

Two things keep it so. A lock refuses a second node at its start: on SQLite a lock on a file
beside the store, on PostgreSQL an advisory lock that lives as long as its connection. And a
number in the table `ownership`, the epoch, fences a first node that has lost the store: who
takes the store makes the next epoch its own, and every transaction of a node looks first
whether the epoch is still the one that it claimed.

What happens
    The process dies: its lock is gone with it. A host that vanishes without a word keeps
    PostgreSQL's lock for about half a minute, until the server notices.
    PostgreSQL restarts, or the line to it breaks: the lock is gone, the epoch is not. The
    node takes the lock again within `LOOK_S` of the store's return, and goes on.
    Another node was faster, or a standby was promoted: the epoch has moved. The next
    transaction fails with StoreLostError, a node without work notices within `LOOK_S`;
    `watch`'s listener hears of it, once.

Limits
    A transaction that began before the claim may commit after it. What it began is found by
    the new owner's settler and put in doubt, what it accepted by its dispatcher's next look
    everywhere.
    A store that was copied is another store: who promotes a copy claims it there, and makes an
    epoch in the old one, too, where it can be reached.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from adapter.domain.errors import StoreUnavailable
from adapter.store.clock import from_ms, now_ms
from adapter.store.engine import write_connection
from adapter.store.journeys import Question, Row, ask, expect
from adapter.store.schema import ownership

log = structlog.get_logger(__name__)

# "HISSMS" in ASCII: no other program on the server should take this advisory lock.
_ADVISORY_KEY = 0x484953534D53
# By default a server believes for two hours in a client whose host has vanished, and would
# refuse the node that shall replace it.
_SERVER_NOTICES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}
LOOK_S = 1.0
_STOP_S = 5.0


class StoreOwnedError(Exception):
    """Another node works on this store."""


class StoreLostError(StoreUnavailable):
    """Another node has taken the store that this one had."""


class _Lock(Protocol):
    """Keeps a second node out."""

    def acquire(self) -> bool:
        """Take it; whether it was free."""

    def renew(self) -> bool:
        """Take it again where it was lost; whether it is held."""

    def release(self) -> None: ...


_OWNED = Question(lambda among: select(ownership.c.epoch).where(among(ownership.c.epoch)))


class Ownership:
    """Holds the store from `acquire` to `release`. `lost` says who has it now, empty while it
    is ours."""

    def __init__(self, engine: Engine, node: str) -> None:
        self.lost = ""
        self._engine = engine
        self._node = node
        self._lock = _lock_of(engine)
        self._epoch = 0
        self._tell: Callable[[], object] = lambda: None
        self._telling = threading.Lock()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="ownership", daemon=True)

    def acquire(self) -> None:
        """Take the lock. Raises StoreOwnedError when another process holds it."""
        if not self._lock.acquire():
            raise StoreOwnedError(f"another node uses {_name(self._engine)}")

    def claim(self) -> int:
        """Make the next epoch ours, on a store of the newest schema; its number. From now on
        a node that had the store before can commit nothing more."""
        with write_connection(self._engine) as connection, connection.begin():
            self._epoch = claim(connection, self._node)
        return self._epoch

    def watch(self, lost: Callable[[], object]) -> None:
        """Begin to look after the lock and the epoch. `lost` is called from any thread."""
        self._tell = lost
        self._thread.start()

    def check(self, connection: Connection) -> None:
        """Raises StoreLostError when the store is no longer ours."""
        self._judge(connection, *ask(connection, (_OWNED, [self._epoch])))

    def guard(self, connection: Connection) -> None:
        """The same with the next journey, at latest before the commit. For every transaction."""
        expect(connection, _OWNED, [self._epoch], partial(self._judge, connection))

    def _judge(self, connection: Connection, ours: Sequence[Row]) -> None:
        if not ours:
            self._note_loss(connection)
            raise StoreLostError(self.lost)

    def release(self) -> None:
        self._released.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._lock.release()

    def _look_after(self) -> None:
        held = True
        while not self._released.wait(LOOK_S):
            try:
                before, held = held, self._lock.renew()
                if before and not held:
                    log.warning("ownership.unlocked", store=_name(self._engine))
                with self._engine.connect() as connection:
                    self.check(connection)
            except StoreLostError:
                return
            except SQLAlchemyError as error:
                # The committers tell that it is away.
                log.debug("ownership.look", error=type(error).__name__)

    def _note_loss(self, connection: Connection) -> None:
        with self._telling:
            if self.lost:
                return
            row = connection.execute(select(ownership)).first()
            by = f"node {row.node} since {from_ms(row.since):%Y-%m-%d %H:%M:%S} UTC" if row else ""
            self.lost = f"the store {_name(self._engine)} now belongs to {by or 'nobody'}"
        log.critical("ownership.lost", store=_name(self._engine), owner=by, epoch=self._epoch)
        self._tell()


def claim(connection: Connection, node: str) -> int:
    """Make `node` the owner in this transaction, whoever was it before; the new epoch."""
    # With the row locked, two who claim at the same time get two epochs.
    last = connection.execute(select(ownership.c.epoch).with_for_update()).scalar_one_or_none()
    epoch = (last or 0) + 1
    values = {"epoch": epoch, "node": node, "since": now_ms()}
    connection.execute((ownership.insert() if last is None else ownership.update()).values(values))
    return epoch


def _name(engine: Engine) -> str:
    """The store in words for a log."""
    return engine.url.render_as_string(hide_password=True)


def _lock_of(engine: Engine) -> _Lock:
    match engine.dialect.name:
        case "sqlite":
            return _FileLock(f"{engine.url.database}.lock")
        case "postgresql":
            return _AdvisoryLock(engine)
        case other:
            raise StoreUnavailable(f"a store on {other} cannot be owned")


class _FileLock:
    def __init__(self, path: str) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def renew(self) -> bool:
        # The system keeps it as long as the process lives.
        return True

    def release(self) -> None:
        self._lock.release()


class _AdvisoryLock:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            for name, value in _SERVER_NOTICES.items():
                connection.execute(select(func.set_config(name, value, False)))
            held = connection.execute(select(func.pg_try_advisory_lock(_ADVISORY_KEY))).scalar_one()
        except SQLAlchemyError:
            connection.close()
            raise
        if held:
            self._connection = connection
        else:
            connection.close()
        return bool(held)

    def renew(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self.release()
        return self._connection is not None or self.acquire()

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                # By word: a server learns of a closed connection when it next looks, and would
                # refuse a node that starts in between.
                connection.execute(select(func.pg_advisory_unlock(_ADVISORY_KEY)))
            with suppress(SQLAlchemyError):
                # Not back into the pool: another user of the connection would keep the lock.
                connection.invalidate()
            connection.close()
