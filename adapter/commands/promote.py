"""`sms-adapter promote`: a standby takes over, and says what is in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from adapter.backup.takeover import Promoted, promote_replica, promote_shipped
from adapter.commands.restore import doubts, standing, summary
from adapter.config.model import Config


def run_promote(
    config: Config,
    backups: Path | None,
    console: Console,
    *,
    replace: bool,
    lossless: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Take over. Raises BackupError, StoreOwnedError, OSError, and what the driver raises."""
    if backups is None:
        made = promote_replica(config, lossless=lossless, force=force)
    else:
        made = promote_shipped(config, backups, replace=replace)
    if as_json:
        console.print_json(data=_document(made))
    else:
        _tell(made, config, console, complete=lossless and backups is None)


def _tell(made: Promoted, config: Config, console: Console, *, complete: bool) -> None:
    zone = ZoneInfo(config.node.timezone)
    console.print(
        f"promoted in {made.seconds:.1f} s: the store is {config.node.name}'s, epoch {made.epoch}",
        soft_wrap=True,
    )
    if made.restored:
        console.print(f"  from {summary(made.restored.archive, zone)}", soft_wrap=True)
    for line in (*made.notes, *standing(made.afterwards, zone, nothing_since=complete)):
        console.print(f"  {line}", soft_wrap=True)


def _document(made: Promoted) -> dict[str, Any]:
    return {
        "epoch": made.epoch,
        "from": str(made.restored.archive.path) if made.restored else None,
        **doubts(made.afterwards),
        "notes": list(made.notes),
        "seconds": round(made.seconds, 3),
    }
