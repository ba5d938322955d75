"""Making a backup: the store and the configuration, encrypted, in one file.

Works while the node runs; memory does not depend on the size of the store. On any error
nothing is left under the name of a backup, and the older ones stay.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapter import __version__
from adapter.backup import mark
from adapter.backup.archive import ArchiveWriter, Manifest
from adapter.backup.faults import BackupError
from adapter.backup.shelf import Shelf
from adapter.backup.snapshot import snapshot
from adapter.config.document import Document
from adapter.config.model import Config
from adapter.security.secrets import SecretError, read_key


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written, and those that were deleted for it."""

    path: Path
    octets: int
    seconds: float
    rows: Mapping[str, int]
    deleted: list[Path]


def backup(config: Config, folder: Path, keep: int) -> Made:
    """Write a backup into `folder`, then keep the newest `keep` of this node.

    Raises BackupError, OSError (disk full), StoreOwnedError when another node took over, and
    what the driver raises.
    """
    if keep < 1:
        raise BackupError(f"keep is {keep}: at least one backup must be kept")
    mark.heed(config)
    key = key_of(config)
    started = time.monotonic()
    shelf = Shelf(folder)
    with shelf.writing():
        path, rows = _write(config, shelf, key)
        deleted = shelf.forget(config.node.name, keep)
    return Made(path, path.stat().st_size, time.monotonic() - started, rows, deleted)


def key_of(config: Config) -> bytes:
    """The key of a configuration. Raises BackupError where there is none."""
    if not config.security.key_file:
        raise BackupError(
            'backups are encrypted: name a key in <security key-file="..."/> '
            "(sms-adapter init makes one)"
        )
    try:
        return read_key(Path(config.security.key_file))
    except SecretError as error:
        raise BackupError(f"key-file: {config.security.key_file} {error}") from None


def _write(config: Config, shelf: Shelf, key: bytes) -> tuple[Path, Mapping[str, int]]:
    with snapshot(config.store.url) as store:
        manifest = Manifest(
            config.node.name, __version__, store.schema, store.database, store.taken_at
        )
        with shelf.new(config.node.name, store.taken_at) as (path, file):
            archive = ArchiveWriter(file, key, manifest)
            for name, octets in _configuration(config.path):
                archive.file(name, octets)
            for table in store.tables:
                archive.table(table.name, table.c.keys(), store.blocks(table))
            rows = archive.finish()
        return path, rows


def _configuration(main: Path) -> list[tuple[str, bytes]]:
    """The main file and those that it includes, by their way from its folder. The key is not
    among them: who has a backup must not have its key."""
    return [
        (_name(path.resolve(), main.parent), path.read_bytes()) for path in Document(main).files
    ]


def _name(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return Path("outside", *path.parts[1:]).as_posix()
