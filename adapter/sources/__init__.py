"""Binds dbpoll to intake and notifier: HIS rows become requests, notices become columns.

A row is one request of the source's client, its key the client reference: so a row seen
again gets its first answer (promise 3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog
from msgspec import structs

from adapter.config.model import Config
from adapter.config.model import Source as Configured
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ids import id_at, made_by
from adapter.domain.ports import DeskPort, IntakePort
from adapter.domain.states import FINAL, Door, State
from adapter.domain.status import SourceStatus
from adapter.domain.values import Home, InboundNotice, Notice, Reply, Request
from adapter.sources.answers import (
    change_of,
    change_of_all,
    inbound_of,
    notice_of,
    place_of,
    receipt_of,
    taken_of,
)
from adapter.sources.references import References, is_ambiguous, key_of
from adapter.sources.rows import request_of
from adapter.sources.settings import settings_of
from dbpoll.apart.poller import Poller
from dbpoll.feeds.base import Marks
from dbpoll.settings import Settings
from dbpoll.values import Answered, NotNow, Row, StateChange, Status, Taken

log = structlog.get_logger(__name__)

# Not the row's fault: it waits, and is handed in again.
_LATER = frozenset({Code.STORE_UNAVAILABLE, Code.SPOOL_FULL, Code.RATE_LIMITED})

Refused = Callable[[Door, Code, int], object]
Memory = Callable[[str, str], References]
"""The references of a client's source whose rows may be sent again."""


REST_S = 0.0002
"""For each row at most, while enough waits: 5,000 rows a second go on even so."""

_LOOK_S = 0.005


def _uncounted(door: Door, code: Code, count: int) -> None:
    """Nobody counts refusals."""


def _never() -> bool:
    """Nobody says that enough waits."""
    return False


class Sources:
    """All enabled sources of a configuration. `refused` counts refused rows and recipients;
    `memory` and `marks` (by a source's name) are what the store remembers for them; `enough`
    tells, from any thread, that the channels have enough to send for now; `answer_delay_s`: see
    dbpoll's Settings."""

    def __init__(
        self,
        config: Config,
        intake: IntakePort,
        desk: DeskPort,
        refused: Refused = _uncounted,
        *,
        memory: Memory | None = None,
        marks: Callable[[str], Marks] | None = None,
        enough: Callable[[], bool] = _never,
        answer_delay_s: float = 3.0,
    ) -> None:
        zone = ZoneInfo(config.node.timezone)
        clients = {client.account: client for client in config.clients}
        self._poller = Poller()
        self._bound = {
            source.name: _Bound(
                clients[source.client],
                intake,
                desk,
                settings_of(source, zone, answer_delay_s),
                source,
                refused,
                memory,
                marks,
                enough,
                self._poller,
            )
            for source in config.sources
            if source.enabled
        }
        self._poller.start()

    def start(self) -> None:
        for bound in self._bound.values():
            bound.source.start()

    def claim_no_more(self) -> None:
        """Leave new rows alone; what was claimed is handed in, and notices go on to be written."""
        for bound in self._bound.values():
            bound.source.claim_no_more()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop polling; answers that are known are written. Call it after the notifier's stop."""
        if not self._bound:
            return
        with ThreadPoolExecutor(len(self._bound)) as threads:
            stops = {
                name: threads.submit(bound.source.stop, timeout_s)
                for name, bound in self._bound.items()
            }
        for name, stopped in stops.items():
            if not stopped.result():
                log.error("sources.left", source=name, after_s=timeout_s)
        self._poller.stop()

    def homes(self) -> dict[str, Callable[[Sequence[Home]], None]]:
        """What writes notices into the tables of each destination; may be repeated. It raises
        Locked, Elsewhere or Gone of dbpoll when not everything was written."""
        return {f"source:{name}": bound.write_back for name, bound in self._bound.items()}

    def status(self) -> list[SourceStatus]:
        """How each does; what waits to be written back is the notifier's to know."""
        found = []
        for bound in self._bound.values():
            health = bound.source.health()
            found.append(
                SourceStatus(
                    name=health.name,
                    up=health.up,
                    polled_at=health.polled_at,
                    lag_s=health.lag_s,
                    reason=health.reason,
                    broken=health.broken,
                    refused_writes=health.refused_writes,
                    refusal=health.refusal,
                )
            )
        return found


class _Bound:
    """One source, its client and the way of its rows."""

    def __init__(
        self,
        client: Client,
        intake: IntakePort,
        desk: DeskPort,
        settings: Settings,
        configured: Configured,
        refused: Refused,
        memory: Memory | None,
        marks: Callable[[str], Marks] | None,
        enough: Callable[[], bool],
        poller: Poller,
    ) -> None:
        self._refused = refused
        self._name = configured.name
        self._client = client
        self._intake = intake
        self._desk = desk
        self._enough = enough
        self._report_submitted = configured.report_submitted
        self._references = (
            memory(configured.client, configured.name) if memory and settings.resend else None
        )
        self._resend = settings.resend
        kept = marks(configured.name) if marks else None
        self.source = poller.source(settings, self._take, kept)

    def _take(self, rows: Sequence[Row]) -> Answered:
        self._rest(len(rows))
        began = id_at(datetime.now(UTC))
        answers: dict[str, Taken] = {}
        asked: dict[str, Request] = {}
        references = self._reference(rows)
        for row in rows:
            try:
                if self._references is not None and is_ambiguous(row.key):
                    raise Refusal(Code.BAD_REQUEST, "ID ends like the mark of a second sending")
                asked[row.key] = request_of(row, self._name, references.get(row.key, row.key))
            except Refusal as refusal:
                answers[row.key] = Taken(row.key, "", 0, refusal.code, refusal.description)
                self._refused(Door.DBPOLL, refusal.code, 1)
        try:
            accepted = self._intake.offer(self._client, list(asked.values())) if asked else list
        except Refusal as refusal:
            raise NotNow(str(refusal)) from refusal
        return lambda: self._answers(rows, began, answers, asked, accepted)

    def _rest(self, rows: int) -> None:
        """Leave the machine to the channels while they have enough to send. Rows wait in their
        table as well as in the spool; there they are written, and read again, to wait."""
        until = time.monotonic() + rows * REST_S
        while self._enough() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))

    def _answers(
        self,
        rows: Sequence[Row],
        began: int,
        answers: dict[str, Taken],
        asked: Mapping[str, Request],
        accepted: Callable[[], Sequence[Reply]],
    ) -> list[Taken]:
        """What is to be told of the rows, once those `asked` for are durable."""
        try:
            replies = accepted()
        except Refusal as refusal:
            raise NotNow(str(refusal)) from refusal
        earlier: list[int] = []
        for key, reply in zip(asked, replies, strict=True):
            made = reply.submission_id
            if made is None:
                if reply.code in _LATER:
                    raise NotNow(reply.description)
            elif made < began:
                earlier.append(made)
            answers[key] = taken_of(key, reply, None if made is None else self._sending(made))
            if reply.refused:
                for code, count in reply.refusals.items():
                    self._refused(Door.DBPOLL, code, count)
        self._tell_again(earlier)
        return [answers[row.key] for row in rows]

    def _tell_again(self, submissions: Sequence[int]) -> None:
        """Write what became of rows that were accepted before: nobody else will. Raises NotNow."""
        notices = [
            notice
            for submission_id in submissions
            for view in self._desk.query(self._client.account, submission_id=submission_id)
            if (notice := notice_of(view, f"source:{self._name}")) is not None
        ]
        if not notices:
            return
        try:
            self.write_back(notices)
        except Exception as fault:
            raise NotNow(f"results of earlier rows: {type(fault).__name__}") from fault

    def write_back(self, notices: Sequence[Home]) -> None:
        states = [notice for notice in notices if isinstance(notice, Notice)]
        if not self._report_submitted:
            states = [notice for notice in states if notice.state is not State.SUBMITTED]
        texts = [notice for notice in notices if isinstance(notice, InboundNotice)]
        if self._resend:
            states = [structs.replace(each, client_ref=key_of(each.client_ref)) for each in states]
            texts = [structs.replace(each, client_ref=key_of(each.client_ref)) for each in texts]
        self.source.write_inbound([inbound_of(each) for each in texts])
        self.source.write_receipts(receipt_of(each) for each in states if each.state in FINAL)
        # The row last: who sees its final state finds the receipts in their table.
        if changes := self._changes(states):
            self.source.write(changes)

    def _sending(self, submission_id: int) -> datetime | None:
        """When it was accepted, where a row may have several."""
        return made_by(submission_id) if self._resend else None

    def _reference(self, rows: Sequence[Row]) -> dict[str, str]:
        if self._references is None:
            return {}
        try:
            return self._references.of(rows)
        except Refusal as refusal:
            raise NotNow(str(refusal)) from refusal

    def _changes(self, states: Iterable[Notice]) -> list[StateChange]:
        changes: list[StateChange] = []
        several: dict[int, tuple[str, int]] = {}
        for notice in states:
            total = place_of(notice.ref) if notice.ref else None
            if total is None:
                changes.append(change_of(notice, self._sending(notice.submission_id)))
            else:
                several[notice.submission_id] = (notice.client_ref, total)
        for submission_id, (key, total) in several.items():
            views = self._desk.query(self._client.account, submission_id=submission_id)
            change = change_of_all(key, submission_id, total, views)
            if change is not None and self._wanted(change):
                changes.append(structs.replace(change, accepted_at=self._sending(submission_id)))
        return changes

    def _wanted(self, change: StateChange) -> bool:
        return self._report_submitted or change.status is not Status.SUBMITTED
