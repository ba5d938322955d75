"""Promoting a standby: it takes the store over, fences the node that had it, and says what
is in doubt.

PostgreSQL, streaming replication
    The standby is promoted, unless somebody did so already, and the next epoch claimed. With
    synchronous replication nothing that anybody was told of is missing. The old primary
    cannot commit without its standby, so its node cannot send, should it come back; with
    asynchronous replication `adapter.backup.fence` keeps it from that. The setting
    `synchronous_standby_names` came along with the data: without a standby of its own the
    new primary would wait for ever at its first commit, so it is emptied.
SQLite, shipped backups
    The newest backup is restored, and a mark is left beside the backups. A node that finds
    the mark of another one there refuses to start (`adapter.backup.mark`).

A standby that still receives is not promoted: its primary lives, and so may its node.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from adapter.backup import fence, mark
from adapter.backup.afterwards import Afterwards, doubt_what_followed, look
from adapter.backup.faults import BackupError, RefusedError
from adapter.backup.loading import Restored, restore
from adapter.backup.shelf import Shelf
from adapter.config.model import Config
from adapter.store import migrate, store_keys
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine, write_connection
from adapter.store.ownership import Ownership, claim

PROMOTE_WAIT_S = 60
_RELOAD_WAIT_S = 10.0
_NOT_ALLOWED = "42501"


@dataclass(frozen=True, slots=True)
class Promoted:
    """A store that is ours now. `restored` is None where it was replicated."""

    epoch: int
    afterwards: Afterwards
    seconds: float
    notes: tuple[str, ...] = ()
    restored: Restored | None = None


def promote_shipped(config: Config, backups: Path, *, replace: bool) -> Promoted:
    """Take over from shipped backups: a folder, or one file of it. Raises BackupError,
    StoreOwnedError, OSError, and what the driver raises."""
    started = time.monotonic()
    path = backups if backups.is_file() else _newest(backups)
    made = restore(config, path, replace=replace, check=lambda each: _other_name(config, each.node))
    mark.leave(path.parent, config.node.name, made.epoch)
    return Promoted(made.epoch, made.afterwards, time.monotonic() - started, restored=made)


def promote_replica(config: Config, *, lossless: bool, force: bool) -> Promoted:
    """Take over a replicated PostgreSQL database. `lossless`: its replication was synchronous.
    Raises BackupError, StoreOwnedError, SealError, and what the driver raises."""
    started = time.monotonic()
    engine = open_engine(config.store.url, pool_size=2)
    if engine.dialect.name != "postgresql":
        raise RefusedError("the store is an SQLite file: say where the backups are, with --from")
    owner = Ownership(engine, config.node.name)
    try:
        with _autocommit(engine) as connection:
            since = _open_for_writing(connection, force=force)
            notes = _release_commits(connection)
        owner.acquire()
        epoch, afterwards = _take(engine, config, since, lossless=lossless)
        if fence.claim_old(config):
            notes += ("the old database was reached and claimed: a node that runs on it stops",)
    finally:
        owner.release()
        engine.dispose()
    if config.jobs.backup is not None:
        mark.leave(Path(config.jobs.backup.to), config.node.name, epoch)
    return Promoted(epoch, afterwards, time.monotonic() - started, notes)


def _newest(folder: Path) -> Path:
    found = Shelf(folder).of()
    if not found:
        raise BackupError(f"there is no backup in {folder}")
    return found[-1]


def _other_name(config: Config, node: str) -> None:
    # The mark tells nodes by their names, and two nodes with one id would make the same ids.
    if node == config.node.name:
        raise RefusedError(
            f"the backup is of a node {node!r} too: give this one a name and an id of its own, "
            'in <node name="..." id="..."/>, or use restore where it is the same node'
        )


@contextmanager
def _autocommit(engine: Engine) -> Iterator[Connection]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What is promoted may wait for a standby that it has not.
        connection.execute(text("SET synchronous_commit = local"))
        yield connection


def _open_for_writing(connection: Connection, *, force: bool) -> int:
    """Promote the server, where that is to be done; the moment (ms) until which it knows of
    what its primary did."""
    in_recovery, receives, last = connection.execute(
        text(
            "SELECT pg_is_in_recovery(), EXISTS (SELECT FROM pg_stat_wal_receiver), "
            "(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint"
        )
    ).one()
    if not in_recovery:
        return last or now_ms()
    if receives and not force:
        raise RefusedError(
            "the primary still sends to this standby: stop it and its node first; where it is "
            "certain that the old node sends nothing any more, --force"
        )
    try:
        done = connection.execute(text(f"SELECT pg_promote(true, {PROMOTE_WAIT_S})")).scalar_one()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_ALLOWED:
            raise
        raise BackupError(
            f"the user {connection.engine.url.username} may not promote: run pg_ctl promote on the "
            "standby and repeat this, or GRANT EXECUTE ON FUNCTION pg_promote to the user"
        ) from None
    if not done:
        raise BackupError(f"the standby was not promoted within {PROMOTE_WAIT_S} s: see its log")
    return last or now_ms()


def _release_commits(connection: Connection) -> tuple[str, ...]:
    """See that commits need not wait for a standby that is not there; what was changed."""
    names = _synchronous_names(connection)
    if not names or connection.execute(text(_CONNECTED)).scalar_one():
        return ()
    try:
        connection.execute(text("ALTER SYSTEM SET synchronous_standby_names = ''"))
        connection.execute(text("SELECT pg_reload_conf()"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_ALLOWED:
            raise
    deadline = time.monotonic() + _RELOAD_WAIT_S
    while _synchronous_names(connection):
        if time.monotonic() > deadline:
            raise BackupError(
                f"synchronous_standby_names is {names!r} and no such standby is connected: every "
                "commit would wait for ever. As a superuser: ALTER SYSTEM SET "
                "synchronous_standby_names = ''; SELECT pg_reload_conf(); then repeat this"
            )
        time.sleep(0.02)
    return (
        f"synchronous_standby_names was {names!r} and is empty now: set it again "
        "when the new primary has a standby",
    )


_CONNECTED = (
    "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))"
)


def _synchronous_names(connection: Connection) -> str:
    names: str = connection.execute(text("SHOW synchronous_standby_names")).scalar_one()
    return names


def _take(engine: Engine, config: Config, since: int, *, lossless: bool) -> tuple[int, Afterwards]:
    with write_connection(engine) as connection, connection.begin():
        if migrate.revision_of(connection) is None:
            raise BackupError("the database holds no store: it is not the standby of one")
        migrate.raise_to(connection, migrate.newest())
        store_keys.check(connection, config.security.store_keys)
        if not lossless:
            doubt_what_followed(connection, config, since)
        epoch = claim(connection, config.node.name)
        return epoch, look(connection, config, since)
