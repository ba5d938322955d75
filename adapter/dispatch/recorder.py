"""Gathers what the links tell and hands it to the spool in batches.

Everything told within `GATHER_S` goes into one batch for each kind. A report or inbound
text is acknowledged to the carrier after the commit, never before: until then the carrier
keeps it, and its window bounds how many are here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from adapter.dispatch.spool import Spool
from adapter.domain.outcomes import Outcome, Received, Reported

log = structlog.get_logger(__name__)

GATHER_S = 0.005


class Recorder:
    """Used on the event loop only. `deferred` hears of each outcome that will be tried again."""

    def __init__(self, spool: Spool, recorded: Callable[[list[Outcome]], None]) -> None:
        self._spool = spool
        self._recorded = recorded
        self._outcomes: list[Outcome] = []
        self._reports: list[tuple[Reported, Callable[[], None]]] = []
        self._texts: list[tuple[Received, Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    def outcome(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._gather()

    def report(self, reported: Reported, ack: Callable[[], None]) -> None:
        self._reports.append((reported, ack))
        self._gather()

    def inbound(self, received: Received, ack: Callable[[], None]) -> None:
        self._texts.append((received, ack))
        self._gather()

    async def drain(self) -> None:
        """Wait until everything told so far is recorded."""
        self._flush()
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def _gather(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        outcomes, self._outcomes = self._outcomes, []
        reports, self._reports = self._reports, []
        texts, self._texts = self._texts, []
        if outcomes:
            self._run(self._record(outcomes))
        if reports:
            self._run(self._acknowledge(self._spool.report([r for r, _ in reports]), reports))
        if texts:
            self._run(self._acknowledge(self._spool.receive([t for t, _ in texts]), texts))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _record(self, outcomes: list[Outcome]) -> None:
        try:
            await self._spool.finish(outcomes)
        except Exception as error:
            # The rows in `attempt` stay and come up in doubt: nothing is lost, nothing repeated.
            log.error("recorder.finish", error=type(error).__name__, outcomes=len(outcomes))
        else:
            self._recorded(outcomes)

    async def _acknowledge(
        self, recording: Coroutine[Any, Any, None], told: list[tuple[Any, Callable[[], None]]]
    ) -> None:
        try:
            await recording
        except Exception as error:
            # Not acknowledged, so the carrier sends them again.
            log.error("recorder.receive", error=type(error).__name__, items=len(told))
        else:
            for _, ack in told:
                ack()
