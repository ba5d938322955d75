"""Binds dbpoll to intake and notifier: HIS rows become requests, notices become columns.

A row is one request of the source's client, its key the client reference: so a row seen
again gets its first answer (promise 3). A row with one recipient shows that message;
MESSAGE_ID is the message's. A row with several is told by all of them together, as the
store knows them: submitted when all are, then delivered if all were, cancelled if all
were, else failed; its MESSAGE_ID is the submission's, and the receipt table, where there
is one, has a row for each recipient.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import structlog

from adapter.config.model import Config
from adapter.config.model import Source as Configured
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ports import DeskPort, IntakePort, MessageView
from adapter.domain.states import FINAL, Door, Lane, State
from adapter.domain.status import SourceStatus
from adapter.domain.values import Entry, Home, InboundNotice, Notice, Reply, Request
from dbpoll.settings import Settings
from dbpoll.source import Source
from dbpoll.values import (
    InboundRow,
    NotNow,
    Row,
    StateChange,
    Status,
    Taken,
)

log = structlog.get_logger(__name__)

_SEPARATORS = re.compile(r"[,;，；、\r\n]")
_PAIRS = re.compile(r"[;；]")
_SEVERAL = re.compile(r"(\d+)/(\d+)")

STATUS: Mapping[State, Status] = {
    State.SUBMITTED: Status.SUBMITTED,
    State.DELIVERED: Status.DELIVERED,
    State.UNDELIVERED: Status.FAILED,
    State.REJECTED: Status.FAILED,
    State.EXPIRED: Status.FAILED,
    State.UNKNOWN: Status.FAILED,
    State.CANCELLED: Status.CANCELLED,
}

# Not the row's fault: it waits, and is handed in again.
_LATER = frozenset({Code.STORE_UNAVAILABLE, Code.SPOOL_FULL, Code.RATE_LIMITED})
_ON_THE_WAY = FINAL | {State.SUBMITTED}


Refused = Callable[[Door, Code, int], object]


def _uncounted(door: Door, code: Code, count: int) -> None:
    """Nobody counts refusals."""


class Sources:
    """All enabled sources of a configuration. `refused` counts refused rows and recipients;
    `answer_delay_s`: see dbpoll's Settings."""

    def __init__(
        self,
        config: Config,
        intake: IntakePort,
        desk: DeskPort,
        refused: Refused = _uncounted,
        *,
        answer_delay_s: float = 3.0,
    ) -> None:
        zone = ZoneInfo(config.node.timezone)
        clients = {client.account: client for client in config.clients}
        self._bound = {
            source.name: _Bound(
                clients[source.client],
                intake,
                desk,
                settings_of(source, zone, answer_delay_s),
                source,
                refused,
            )
            for source in config.sources
            if source.enabled
        }

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

    def homes(self) -> dict[str, Callable[[Sequence[Home]], None]]:
        """What writes notices into the tables of each destination; may be repeated. It raises
        what the database raises, or dbpoll's Locked, when not everything was written."""
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
    ) -> None:
        self._refused = refused
        self._name = configured.name
        self._client = client
        self._intake = intake
        self._desk = desk
        self._report_submitted = configured.report_submitted
        self.source = Source(settings, self._take)

    def _take(self, rows: Sequence[Row]) -> list[Taken]:
        answers: dict[str, Taken] = {}
        asked: dict[str, Request] = {}
        for row in rows:
            try:
                asked[row.key] = request_of(row, self._name)
            except Refusal as refusal:
                answers[row.key] = Taken(row.key, "", 0, refusal.code, refusal.description)
                self._refused(Door.DBPOLL, refusal.code, 1)
        if asked:
            try:
                replies = self._intake.accept(self._client, list(asked.values()))
            except Refusal as refusal:
                raise NotNow(str(refusal)) from refusal
            for key, reply in zip(asked, replies, strict=True):
                if reply.submission_id is None and reply.code in _LATER:
                    raise NotNow(reply.description)
                answers[key] = taken_of(key, reply)
                if reply.refused:
                    for code, count in reply.refusals.items():
                        self._refused(Door.DBPOLL, code, count)
        return [answers[row.key] for row in rows]

    def write_back(self, notices: Sequence[Home]) -> None:
        states = [notice for notice in notices if isinstance(notice, Notice)]
        if not self._report_submitted:
            states = [notice for notice in states if notice.state is not State.SUBMITTED]
        texts = [inbound_of(notice) for notice in notices if isinstance(notice, InboundNotice)]
        self.source.write_inbound(texts)
        self.source.write_receipts([receipt_of(each) for each in states if each.state in FINAL])
        # The row last: who sees its final state finds the receipts in their table.
        if changes := self._changes(states):
            self.source.write(changes)

    def _changes(self, states: Iterable[Notice]) -> list[StateChange]:
        changes: list[StateChange] = []
        several: dict[int, tuple[str, int]] = {}
        for notice in states:
            place = _SEVERAL.fullmatch(notice.ref) if notice.ref else None
            if place is None:
                changes.append(change_of(notice))
            else:
                several[notice.submission_id] = (notice.client_ref, int(place[2]))
        for submission_id, (key, total) in several.items():
            views = self._desk.query(self._client.account, submission_id=submission_id)
            change = change_of_all(key, submission_id, total, views)
            if change is not None and self._wanted(change):
                changes.append(change)
        return changes

    def _wanted(self, change: StateChange) -> bool:
        return self._report_submitted or change.status is not Status.SUBMITTED


def settings_of(source: Configured, zone: ZoneInfo, answer_delay_s: float) -> Settings:
    """A configured source in dbpoll's words."""
    return Settings(
        name=source.name,
        url=source.url,
        table=source.table,
        receipt_table=source.receipt_table,
        inbound_table=source.inbound_table,
        columns=source.columns,
        zone=zone,
        batch=source.batch,
        poll_min_s=source.poll_min_s,
        poll_max_s=source.poll_max_s,
        answer_delay_s=answer_delay_s,
    )


def request_of(row: Row, source: str) -> Request:
    """A row as a request. Raises Refusal where a column cannot be understood."""
    if row.fault:
        raise Refusal(Code.BAD_REQUEST, row.fault)
    template = (row.template or "").strip()
    content = row.content
    if template and not (content or "").strip():
        content = None
    return Request(
        entries=entries_of(row.mobile or ""),
        content=content,
        template=template,
        values=values_of(row.params) if row.params else None,
        client_ref=row.key,
        business=(row.business or "").strip(),
        lane=lane_of(row.lane) if row.lane else None,
        extension=(row.extension or "").strip(),
        schedule_at=row.schedule_at,
        expire_at=row.expire_at,
        pass_through=row.pass_through or "",
        business_key=(row.business_key or "").strip(),
        door=Door.DBPOLL,
        source=source,
    )


def entries_of(mobiles: str) -> list[Entry]:
    """One entry for each number, `ref` telling its place ("2/3") where there are several."""
    if mobiles.isdigit():
        return [Entry(mobiles)]
    parts = [part.strip() for part in _SEPARATORS.split(mobiles)]
    numbers = [part for part in parts if part]
    if len(numbers) < 2:
        return [Entry(numbers[0] if numbers else "")]
    total = len(numbers)
    return [Entry(number, ref=f"{place}/{total}") for place, number in enumerate(numbers, 1)]


def lane_of(text: str) -> Lane | None:
    """The lane of this name, None for blanks. Raises Refusal."""
    name = text.strip().lower()
    if not name:
        return None
    try:
        return Lane(name)
    except ValueError:
        raise Refusal(Code.BAD_REQUEST, f"LANE is none of {', '.join(Lane)}", "LANE") from None


def values_of(params: str) -> Mapping[str, str] | None:
    """Template values from a JSON object, or from pairs `name=value` separated by semicolons.
    Raises Refusal."""
    text = params.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise _bad_params("is no JSON object") from None
        return {str(name): _plain(value) for name, value in found.items()}
    values: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in _PAIRS.split(text))):
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise _bad_params("has a part that is not name=value")
        values[name.strip()] = value.strip()
    return values


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or not isinstance(value, int | float):
        raise _bad_params("has a value that is neither text nor number")
    return str(value)


def _bad_params(what: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"PARAMS {what}", "PARAMS")


def taken_of(key: str, reply: Reply) -> Taken:
    """Intake's answer in dbpoll's words."""
    if reply.submission_id is None:
        return Taken(key, "", 0, reply.code, _refusal_text(reply))
    if len(reply.results) == 1:
        result = reply.results[0]
        return Taken(key, str(result.message_id), result.segments)
    segments = sum(result.segments for result in reply.results)
    text = f"{reply.refused} of {len(reply.results)} refused: {_refusals(reply)}"
    return Taken(key, str(reply.submission_id), segments, "", text if reply.refused else "")


def _refusal_text(reply: Reply) -> str:
    return _refusals(reply) if len(reply.results) > 1 else reply.description


def _refusals(reply: Reply) -> str:
    """`BAD_NUMBER 2, NO_ROUTE 1`"""
    counts = Counter(str(result.code) for result in reply.results if result.message_id is None)
    return ", ".join(f"{code} {count}" for code, count in counts.items())


def change_of(notice: Notice) -> StateChange:
    """A notice about the only recipient of a row."""
    return StateChange(
        notice.client_ref,
        str(notice.message_id),
        STATUS[notice.state],
        notice.code or ("" if notice.state is State.SUBMITTED else notice.state),
        notice.text,
        notice.segments,
        notice.submitted_at,
        notice.done_at,
    )


def change_of_all(
    key: str, submission_id: int, total: int, views: Sequence[MessageView]
) -> StateChange | None:
    """The state of a row with `total` recipients; None while some are still on their way.
    Those that are not among `views` were refused."""
    states = Counter(view.state for view in views)
    if not _ON_THE_WAY.issuperset(states):
        return None
    status, code, text = Status.SUBMITTED, "", ""
    if FINAL.issuperset(states):
        refused = total - len(views)
        if states[State.DELIVERED] == total:
            status = Status.DELIVERED
        elif states[State.CANCELLED] == total:
            status = Status.CANCELLED
        else:
            status = Status.FAILED
        counts = [f"{state} {count}" for state, count in states.items()]
        text = ", ".join([*counts, f"refused {refused}"] if refused else counts)
        codes = {view.carrier_code or view.state for view in views}
        code = codes.pop() if len(codes) == 1 and not refused else str(Code.PARTIAL)
    submitted = [view.submitted_at for view in views if view.submitted_at is not None]
    done = [view.done_at for view in views if view.done_at is not None]
    return StateChange(
        key,
        str(submission_id),
        status,
        code,
        text,
        sum(view.segments for view in views),
        max(submitted, default=None),
        max(done, default=None) if status is not Status.SUBMITTED else None,
    )


def receipt_of(notice: Notice) -> StateChange:
    """A row of the receipt table."""
    return change_of(notice)._replace(
        code=notice.code, mobile=notice.mobile, state=notice.state, channel=notice.channel
    )


def inbound_of(notice: InboundNotice) -> InboundRow:
    """A row of the inbound table."""
    return InboundRow(
        str(notice.inbound_id),
        notice.mobile,
        notice.content,
        notice.access_number,
        notice.extension,
        notice.client_ref,
        notice.received_at,
    )
