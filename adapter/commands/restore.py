"""`sms-adapter restore`: verifies a backup, loads it, and says what is not known any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from adapter.backup.afterwards import Afterwards
from adapter.backup.faults import BackupError
from adapter.backup.loading import Restored, Verified, restore, verify, write_files
from adapter.backup.making import key_of
from adapter.config.model import Config
from adapter.security.secrets import SecretError, read_key
from adapter.store.clock import from_ms


def run_restore(
    config: Config,
    path: Path,
    console: Console,
    *,
    replace: bool,
    nothing_since: bool,
    as_json: bool,
) -> None:
    """Load a backup. Raises BackupError, StoreOwnedError, OSError, and what the driver raises."""
    made = restore(config, path, replace=replace, nothing_since=nothing_since)
    if as_json:
        console.print_json(data=document(made))
        return
    zone = ZoneInfo(config.node.timezone)
    console.print(
        f"restored in {made.seconds:.1f} s: {summary(made.archive, zone)}", soft_wrap=True
    )
    for line in standing(made.afterwards, zone, nothing_since=nothing_since):
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"Now start the node: sms-adapter run {config.path}", soft_wrap=True)


def check_backup(config: Config, path: Path, console: Console, *, as_json: bool) -> None:
    """Verify a backup and change nothing. Raises BackupError, OSError."""
    archive = verify(path, key_of(config))
    if as_json:
        console.print_json(data=described(archive))
    else:
        zone = ZoneInfo(config.node.timezone)
        console.print(f"{path}: good, {summary(archive, zone)}", soft_wrap=True)


def write_configuration(path: Path, key_file: Path, folder: Path, console: Console) -> None:
    """Write the configuration of a backup. Raises BackupError, OSError."""
    try:
        key = read_key(key_file)
    except SecretError as error:
        raise BackupError(f"{key_file} {error}") from None
    for written in write_files(verify(path, key), folder):
        console.print(f"written: {written}", soft_wrap=True)


def summary(archive: Verified, zone: tzinfo) -> str:
    manifest = archive.manifest
    return (
        f"taken {_clock(manifest.taken_at, zone)} by node {manifest.node} ({manifest.program}, "
        f"schema {manifest.schema}, {manifest.database}); {archive.rows['message']:,} messages, "
        f"{sum(archive.rows.values()):,} rows"
    )


def standing(found: Afterwards, zone: tzinfo, *, nothing_since: bool) -> Iterator[str]:
    """What is in doubt, in words."""
    if not nothing_since:
        yield f"Nothing is known of what happened after {_clock(found.since, zone)}:"
    yield (
        f"in doubt: {sum(found.in_doubt.values()):,} messages that may have been sent; without a "
        f"receipt {found.in_doubt['resend']:,} are sent again, marked in_doubt, and "
        f"{found.in_doubt['wait']:,} become UNKNOWN"
    )
    yield f"waiting, not sent before: {found.waiting:,} messages"
    yield f"submitted, without a receipt so far: {found.submitted:,} messages"
    yield f"on their way home: {found.notices:,} states and texts"
    if not nothing_since:
        yield (
            "not in the backup: messages accepted, receipts and replies received, "
            "and messages cancelled after it"
        )


def described(archive: Verified) -> dict[str, Any]:
    manifest = archive.manifest
    return {
        "path": str(archive.path),
        "node": manifest.node,
        "program": manifest.program,
        "schema": manifest.schema,
        "database": manifest.database,
        "taken_at": from_ms(manifest.taken_at).isoformat(timespec="milliseconds"),
        "rows": dict(archive.rows),
        "files": [each.name for each in archive.files],
    }


def document(made: Restored) -> dict[str, Any]:
    return {
        **described(made.archive),
        **doubts(made.afterwards),
        "epoch": made.epoch,
        "seconds": round(made.seconds, 3),
    }


def doubts(found: Afterwards) -> dict[str, Any]:
    return {
        "nothing_known_after": from_ms(found.since).isoformat(timespec="milliseconds"),
        "in_doubt": dict(found.in_doubt),
        "waiting": found.waiting,
        "submitted": found.submitted,
        "notices": found.notices,
    }


def _clock(moment: int, zone: tzinfo) -> str:
    at: datetime = from_ms(moment).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M:%S}"
