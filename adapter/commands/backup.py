"""`sms-adapter backup`: writes a backup and says what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from adapter.backup.faults import BackupError
from adapter.backup.making import Made, backup
from adapter.config.model import Config

KEEP = 14


def run_backup(
    config: Config, folder: Path | None, keep: int | None, console: Console, *, as_json: bool
) -> None:
    """Write a backup; `folder` and `keep` as configured where they are None.

    Raises BackupError, OSError, and what the driver raises.
    """
    made = backup(config, *_wanted(config, folder, keep))
    if as_json:
        console.print_json(data=_document(made))
        return
    console.print(f"{made.path}", soft_wrap=True)
    console.print(
        f"{made.octets / 1e6:,.1f} MB in {made.seconds:.1f} s: "
        f"{made.rows['message']:,} messages, {sum(made.rows.values()):,} rows"
    )
    for path in made.deleted:
        console.print(f"deleted: {path.name}", soft_wrap=True)


def _wanted(config: Config, folder: Path | None, keep: int | None) -> tuple[Path, int]:
    planned = config.jobs.backup
    if folder is None and planned is None:
        raise BackupError('say where to: --to DIRECTORY, or <jobs><backup to="..."/></jobs>')
    if keep is None:
        keep = planned.keep if planned else KEEP
    return folder or Path(planned.to if planned else ""), keep


def _document(made: Made) -> dict[str, Any]:
    return {
        "path": str(made.path),
        "octets": made.octets,
        "seconds": round(made.seconds, 3),
        "rows": dict(made.rows),
        "deleted": [str(path) for path in made.deleted],
    }
