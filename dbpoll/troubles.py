"""What is in the way of a source, by step: told once when it comes and once when it is gone."""

from __future__ import annotations

import threading

import structlog

from dbpoll.database import reason
from dbpoll.dialects.base import Tongue


class Troubles:
    """Safe to share between threads. Those of a source that is `stopping` are nobody's business."""

    def __init__(self, name: str, tongue: Tongue, stopping: threading.Event) -> None:
        self._log = structlog.get_logger("dbpoll").bind(source=name)
        self._tongue = tongue
        self._stopping = stopping
        self._now: dict[str, str] = {}

    @property
    def reason(self) -> str:
        """What is in the way now; empty while all is well."""
        return "; ".join(list(self._now.values()))

    def came(self, step: str, fault: Exception) -> None:
        """A step failed."""
        if self._stopping.is_set():
            return
        told = reason(fault, self._tongue)
        if step not in self._now:
            self._log.warning("source_down", step=step, reason=told)
        self._now[step] = told

    def passed(self, step: str) -> None:
        """A step went well."""
        if self._now.pop(step, None) is not None:
            self._log.info("source_up", step=step)
