"""Backup: writes one every so often, as `sms-adapter backup` does.

Why     R-3.4. A backup that somebody must think of is missing on the day it is needed.

In a process of its own, and less urgent than the node: encoding a million messages takes a
core for some seconds, which the event loop must not feel. A backup that fails is told in
the log and counted with the job (`sms_job_runs_total{job="backup",outcome="failed"}`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from adapter.config.model import Backup as Planned
from adapter.jobs.scheduler import Every

_NICE = 10
_LOOK_S = 0.2


class BackupFailedError(Exception):
    """The backup's process said why."""


@dataclass(frozen=True, slots=True)
class Backup:
    """`config` is the node's configuration file, in which `planned` stands."""

    config: Path
    planned: Planned

    @property
    def name(self) -> str:
        return "backup"

    @property
    def trigger(self) -> Every:
        return Every(self.planned.every_s)

    def run(self, stop: threading.Event) -> None:
        """Raises BackupFailedError. A node that stops ends the backup; nothing is left of it."""
        command = [sys.executable, "-m", "adapter", "backup", "--json"]
        process = subprocess.Popen(
            [*command, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if os.name == "posix":
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        said = _until_ended(process, stop)
        if process.returncode and not stop.is_set():
            raise BackupFailedError(said.strip())


def _until_ended(process: subprocess.Popen[str], stop: threading.Event) -> str:
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)[0]
        except subprocess.TimeoutExpired:
            if stop.is_set():
                process.terminate()
