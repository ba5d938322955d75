"""The folder in which backups lie: names, completeness, how many are kept.

A backup is `NODE-YYYYMMDDTHHMMSSmmmZ.smsbackup` with `.sha256` beside it, which `sha256sum -c`
reads, so that a copy can be checked without the key. Under its name it is whole: it is
written as `.part`, synced to the disk and renamed. What a killed run left as `.part` goes
with the next one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from adapter.backup.faults import BackupError
from adapter.store.clock import from_ms

SUFFIX = ".smsbackup"
_PART = ".part"
_AT_ONCE = 1 << 20


class Shelf:
    """The backups in `folder`, which is made when something is put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else puts backups here meanwhile. Raises BackupError when somebody does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "backup.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BackupError(f"another backup is being written to {self.folder}") from None
        try:
            for left in self.folder.glob(f"*{SUFFIX}{_PART}"):
                left.unlink()
            yield
        finally:
            lock.release()

    @contextmanager
    def new(self, node: str, taken_at: int) -> Iterator[tuple[Path, BinaryIO]]:
        """The path that a new backup will have, and the file to write it to; on an error
        nothing is left of it."""
        moment = from_ms(taken_at).astimezone(UTC)
        name = f"{node}-{moment:%Y%m%dT%H%M%S}{taken_at % 1000:03}Z{SUFFIX}"
        path = self.folder / name
        part = path.with_name(name + _PART)
        try:
            # It holds everything that the store does: nobody but the owner reads even this.
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield path, file
                file.flush()
                os.fsync(file.fileno())
            _write_sum(path, _sum(part))
            part.replace(path)
            _sync(self.folder)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
                _sum_of(path).unlink(missing_ok=True)
            raise

    def of(self, node: str = "") -> list[Path]:
        """The backups of a node, or all, oldest first."""
        found = [path for path in self.folder.glob(f"*{SUFFIX}") if _node(path) == node or not node]
        return sorted(found, key=lambda path: path.name.rpartition("-")[2])

    def forget(self, node: str, keep: int) -> list[Path]:
        """Delete all but the newest `keep` of a node; what was deleted."""
        old = self.of(node)[:-keep]
        for path in old:
            path.unlink()
            _sum_of(path).unlink(missing_ok=True)
        return old


def check_sum(path: Path) -> bool:
    """Whether a backup is as it was written; True where no sum lies beside it."""
    try:
        told = _sum_of(path).read_text(encoding="utf-8").split(" ")[0]
    except FileNotFoundError:
        return True
    return told == _sum(path)


_BINARY = getattr(os, "O_BINARY", 0)


def _node(path: Path) -> str:
    return path.name.rpartition("-")[0]


def _sum_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while octets := file.read(_AT_ONCE):
            digest.update(octets)
    return digest.hexdigest()


def _write_sum(path: Path, digest: str) -> None:
    with _sum_of(path).open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{digest}  {path.name}\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """The new name itself must survive a power cut. Windows syncs folders by itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
