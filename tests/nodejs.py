"""Programs on Node.js for the tests: packages as their lock says, one process each, JSON lines out.

Needs `node` and `npm` (Debian: nodejs, npm). The packages are installed once, beside the lock, by
`npm ci`, which checks every archive against the lock's integrity and runs no scripts.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

_PATIENCE_S = 15.0


def packages(folder: Path) -> Path:
    """The folder with what its package-lock.json names. Skips where Node.js or npm is not
    installed, which in CI is a failure."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js is not installed: apt-get install nodejs npm")
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".installed"
    with FileLock(folder / ".npm.lock"):
        if not stamp.exists() or stamp.read_bytes() != lock:
            subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=folder,
                check=True,
            )
            stamp.write_bytes(lock)
    return folder


class Program:
    """One running script; `lines` are the objects that it printed and that were read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []

    def all(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def until(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Read on until it printed `count` lines of this event; raises when it ends before."""
        async with asyncio.timeout(_PATIENCE_S):
            while len(self.all(event)) < count:
                assert await self._read(), f"it ended before {event}: {self.lines}"
        return self.all(event)

    async def ended(self) -> int:
        """Its exit status, everything read."""
        async with asyncio.timeout(_PATIENCE_S):
            while await self._read():
                pass
            return await self._process.wait()

    async def _read(self) -> bool:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if line:
            self.lines.append(json.loads(line))
        return bool(line)


@asynccontextmanager
async def running(script: Path, *arguments: str) -> AsyncIterator[Program]:
    """The script, killed at the end when it still runs."""
    process = await asyncio.create_subprocess_exec("node", str(script), *arguments, stdout=PIPE)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
