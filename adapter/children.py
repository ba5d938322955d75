"""Processes of our own, started and stopped in order.

Each runs `python -m adapter ...` in a process group of its own, so that Ctrl-C in the terminal
reaches only the parent, which then stops its children in the right order: the node first, while
its carrier can still answer.

Limits: a parent that is killed without warning leaves its children running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

WINDOWS = os.name == "nt"


@dataclass(frozen=True, slots=True)
class Child:
    """A running command; what it prints goes to the end of `log`."""

    name: str
    arguments: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes]

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, to show when it died."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


@dataclass(slots=True)
class Children:
    """A context: whatever was started is stopped at its end, the last one first."""

    folder: Path
    stop_wait_s: float = 30.0
    _running: list[Child] = field(default_factory=list)

    def start(self, name: str, *arguments: str) -> Child:
        """`python -m adapter ARGUMENTS`. Raises OSError."""
        child = self._spawn(name, arguments)
        self._running.append(child)
        return child

    def revive(self, dead: Child) -> Child:
        """The same command once more, in the place of one that ended. Raises OSError."""
        child = self._spawn(dead.name, dead.arguments)
        self._running[self._running.index(dead)] = child
        return child

    def _spawn(self, name: str, arguments: Sequence[str]) -> Child:
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "adapter", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=not WINDOWS,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        return Child(name, arguments, log, process)

    def kill(self, child: Child) -> None:
        """End one without warning: SIGKILL, on Windows TerminateProcess."""
        self._running.remove(child)
        child.process.kill()
        child.process.wait()

    def dead(self) -> Child | None:
        """One that ended by itself."""
        return next((child for child in self._running if child.process.poll() is not None), None)

    def stop(self) -> list[str]:
        """Ask each to stop and wait for it; the names of those that had to be killed."""
        killed = []
        while self._running:
            child = self._running.pop()
            ask_to_stop(child.process)
            try:
                child.process.wait(self.stop_wait_s)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
                killed.append(child.name)
        return killed

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def ask_to_stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM; on Windows Ctrl-Break, the only signal that reaches another process group."""
    if process.poll() is None:
        process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
