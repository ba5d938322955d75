"""Restoring: an archive is verified to its end, then loaded in one transaction.

    verified    decrypted, unpacked and counted whole, its schema known to this program
    refused     a store that a node uses, and one that is not empty unless it is to be replaced
    loaded      the tables are made as the archive's schema had them, filled, and brought to
                the program's own; what may have been sent after the backup is put in doubt
                (`adapter.backup.afterwards`), and the next epoch is claimed

All of this is one transaction, on SQLite as on PostgreSQL: after an error, or a power cut
on the way, the store is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, inspect, select, text

from adapter.backup import rows
from adapter.backup.afterwards import Afterwards, doubt_what_followed, look
from adapter.backup.archive import FileOf, Manifest, TableBegin, TableEnd, read_archive
from adapter.backup.drivers import driver_of
from adapter.backup.faults import BackupError, DamagedError, RefusedError
from adapter.backup.making import key_of
from adapter.backup.shelf import check_sum
from adapter.backup.tables import tables_at
from adapter.config.model import Config
from adapter.store import migrate, store_keys
from adapter.store.clock import from_ms, now_ms
from adapter.store.engine import open_engine, write_connection
from adapter.store.ownership import Ownership, claim
from adapter.store.store_keys import SealError
from adapter.store.upkeep import tend

CLOCK_SLACK_MS = 60_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good archive holds."""

    path: Path
    manifest: Manifest
    rows: Mapping[str, int]
    files: Sequence[FileOf]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was loaded, and what must be known of the time after the backup."""

    archive: Verified
    afterwards: Afterwards
    epoch: int
    seconds: float


def verify(path: Path, key: bytes) -> Verified:
    """Read an archive to its end. Raises BackupError, and OSError when it cannot be read."""
    try:
        if not check_sum(path):
            raise DamagedError("it is not what its .sha256 says: it was changed after it was made")
        with path.open("rb") as file:
            return _gather(path, read_archive(file, key))
    except BackupError as error:
        raise type(error)(f"{path}: {error}") from None


def restore(
    config: Config,
    path: Path,
    *,
    replace: bool = False,
    nothing_since: bool = False,
    check: Callable[[Manifest], None] = lambda _manifest: None,
) -> Restored:
    """Load an archive into the store of a configuration.

    `nothing_since`: no node worked on the store after the backup (it is being moved), so what
    waits was not sent. `check` may refuse the archive. Raises BackupError, having changed
    nothing, StoreOwnedError when a node runs on the store, and what the driver raises.
    """
    started = time.monotonic()
    key = key_of(config)
    archive = verify(path, key)
    check(archive.manifest)
    _check_clock(archive.manifest)
    engine = open_engine(config.store.url, pool_size=2)
    owner = Ownership(engine, config.node.name)
    owner.acquire()
    try:
        with write_connection(engine) as connection, connection.begin():
            _make_room(connection, replace=replace)
            _load(connection, archive, key)
            migrate.raise_to(connection, migrate.newest())
            _check_keys(connection, config)
            if not nothing_since:
                doubt_what_followed(connection, config, archive.manifest.taken_at)
            epoch = claim(connection, config.node.name)
            afterwards = look(connection, config, archive.manifest.taken_at)
        _learn(engine)
        return Restored(archive, afterwards, epoch, time.monotonic() - started)
    finally:
        owner.release()
        engine.dispose()


def write_files(archive: Verified, folder: Path) -> list[Path]:
    """Write the configuration of an archive into a folder; what was written.

    Raises FileExistsError for a file that is there already, before anything is written.
    """
    paths = [folder / each.name for each in archive.files]
    for path in paths:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RefusedError(f"{path} is not in {folder}")
        if path.exists():
            raise FileExistsError(f"{path} is there already; nothing was written")
    for path, each in zip(paths, archive.files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(each.octets)
    return paths


def _gather(path: Path, parts: Iterator[Any]) -> Verified:
    manifest = next(parts)
    if not migrate.is_known(manifest.schema):
        raise RefusedError(
            f"it has schema {manifest.schema} of program {manifest.program}, this program knows "
            f"no newer one than {migrate.newest()}: restore it with the newer program"
        )
    counted: dict[str, int] = {}
    files: list[FileOf] = []
    for part in parts:
        match part:
            case FileOf():
                files.append(part)
            case TableEnd(name, count):
                counted[name] = count
    if lacking := {table.name for table in tables_at(manifest.schema)} - counted.keys():
        raise DamagedError(f"the table {', '.join(sorted(lacking))} is missing in it")
    return Verified(path, manifest, counted, files)


def _check_clock(manifest: Manifest) -> None:
    """Ids are made from the clock: one that stands before the backup would make ids anew."""
    if now_ms() + CLOCK_SLACK_MS < manifest.taken_at:
        raise RefusedError(
            f"the backup was taken at {from_ms(manifest.taken_at):%Y-%m-%d %H:%M:%S} UTC, and this "
            f"machine's clock says {from_ms(now_ms()):%Y-%m-%d %H:%M:%S}: set the clock first"
        )


_NO_ROWS = frozenset({"ownership", "store_key"})
"""Tables that hold something in an empty store."""


def _make_room(connection: Connection, *, replace: bool) -> None:
    """Drop what the store has. Raises RefusedError when that is something, and not to be
    replaced."""
    revision = migrate.revision_of(connection)
    if revision is None:
        return
    there = set(inspect(connection).get_table_names())
    known = tables_at(revision) if migrate.is_known(revision) else ()
    own = [table for table in known if table.name in there]
    used = [each.name for each in own if each.name not in _NO_ROWS and _holds(connection, each)]
    if not replace and (used or not known):
        what = f"it has rows in {', '.join(used)}" if used else f"it has schema {revision}"
        raise RefusedError(
            f"the store is not empty: {what}; --replace deletes that (back it up first)"
        )
    for table in reversed(own):
        table.drop(connection)
    connection.execute(text(f"DROP TABLE {migrate.VERSION_TABLE}"))


def _holds(connection: Connection, table: Table) -> bool:
    return connection.execute(select(1).select_from(table).limit(1)).first() is not None


def _check_keys(connection: Connection, config: Config) -> None:
    """A store that was sealed is worth nothing without the key of its keys."""
    try:
        store_keys.check(connection, config.security.store_keys)
    except SealError as error:
        raise RefusedError(str(error)) from None


def _load(connection: Connection, archive: Verified, key: bytes) -> None:
    schema = archive.manifest.schema
    migrate.raise_to(connection, schema)
    tables = {table.name: table for table in tables_at(schema)}
    with archive.path.open("rb") as file:
        parts = read_archive(file, key)
        for part in parts:
            if isinstance(part, TableBegin):
                _fill(connection, tables[part.name], part.columns, _until_end(parts))


def _until_end(parts: Iterator[Any]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, TableEnd):
            return
        yield part


def _fill(
    connection: Connection, table: Table, columns: Sequence[str], blocks: Iterator[bytes]
) -> None:
    own = [table.c[name] for name in columns]
    named = ", ".join(column.name for column in own)
    # The migrations put a row into `store_key`.
    connection.execute(table.delete())
    with driver_of(connection) as driver:
        if connection.dialect.name == "postgresql":
            statement = f"COPY {table.name} ({named}) FROM STDIN"
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for block in blocks:
                    copy.write(block)
        else:
            marks = ", ".join("?" * len(own))
            # Names are those of the migrations, never the archive's.
            statement = f"INSERT INTO {table.name} ({named}) VALUES ({marks})"  # noqa: S608
            for block in blocks:
                driver.executemany(statement, rows.decode(own, block))


def _learn(engine: Engine) -> None:
    """The planner must learn how many rows there are now."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    tend(engine)
