"""The mark of a takeover, beside the backups: who works with this store's history now.

A standby that took over from shipped backups cannot reach the store of the node that made
them. It leaves `taken-over.json` in their folder, and a node finds it there at its start:
one that bears another name than the mark must not send. Only `promote` writes it, so taking
the work back is a `promote`, too.

Limits: the folder must be reached by both nodes; a node that runs does not look again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from adapter.config.model import Config
from adapter.store.clock import from_ms, now_ms
from adapter.store.ownership import StoreOwnedError

NAME = "taken-over.json"


def leave(folder: Path, node: str, epoch: int) -> None:
    """Say that `node` works from now on. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{NAME}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump({"node": node, "epoch": epoch, "since": now_ms()}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)


def heed(config: Config) -> None:
    """Raises StoreOwnedError when another node took over from this one's backups, OSError when
    the folder cannot be read."""
    if config.jobs.backup is None:
        return
    path = Path(config.jobs.backup.to) / NAME
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        node, since = str(told["node"]), from_ms(int(told["since"]))
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        raise StoreOwnedError(f"{path} cannot be read: who took over?") from None
    if node != config.node.name:
        raise StoreOwnedError(
            f"node {node} took over at {since:%Y-%m-%d %H:%M:%S} UTC ({path}): this node's store "
            "is behind. To take the work back, stop that node and promote this one"
        )
