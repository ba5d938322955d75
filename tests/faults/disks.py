"""Disks that are full: a small one of our own, or a limit on what the node may write.

Only where the rights are there can a small disk be mounted; the limit works everywhere on Linux.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

SIZE = 64 << 20
MOUNT = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs")


class Disk(Protocol):
    """Where a node keeps its store."""

    def fill(self, node: int) -> None:
        """Nothing more can be written by the process `node`."""

    def free(self, node: int) -> None: ...


class SmallDisk:
    """A tmpfs at `folder`, filled with ballast."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._ballast = folder / "ballast"
        subprocess.run([*MOUNT, str(folder)], check=True)

    def fill(self, node: int) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self, node: int) -> None:
        self._ballast.unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self._folder)], check=True)


class Limit:
    """No file of the node takes another octet."""

    def fill(self, node: int) -> None:
        self._set(node, 0)

    def free(self, node: int) -> None:
        self._set(node, resource.RLIM_INFINITY)

    def _set(self, node: int, size: int) -> None:
        _, hard = resource.prlimit(node, resource.RLIMIT_FSIZE)
        resource.prlimit(node, resource.RLIMIT_FSIZE, (size, hard))


def can_mount() -> bool:
    """Whether a disk of our own can be had here."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([*MOUNT, folder], capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
        return True
