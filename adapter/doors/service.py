"""The operations of the contract, whatever door they come through.

Translates models of `adapter.contract` to domain values and back; every decision is made
behind the ports. A request that is refused whole is a Refusal, single recipients are refused
in the results. Blocks the calling thread until the store has committed.

Limits: an operation sees at most 10,000 recipients or ids and gives back at most 10,000
messages or 1,000 notices; the models enforce the former.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import adapter
from adapter import contract
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ports import AccountsPort, DeskPort, IntakePort, MessageView
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, InboundNotice, Notice, Reply, Request
from adapter.doors.cursor import Cursor

_SEPARATORS = re.compile(r"[,;，；、\s]+")
_ID = re.compile(r"\d{1,19}", re.ASCII)

N = TypeVar("N", Notice, InboundNotice)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what was shown at the door, not yet believed."""

    account: str
    password: str
    address: str
    door: Door


def _now() -> datetime:
    return datetime.now(UTC)


def _running() -> str:
    return "running"


class Exchange:
    """The operations. `timezone` is the hospital's: it reads times without a zone and writes
    all times. `state` says `running` or `stopping`."""

    def __init__(
        self,
        accounts: AccountsPort,
        intake: IntakePort,
        desk: DeskPort,
        *,
        timezone: tzinfo,
        clock: Callable[[], datetime] = _now,
        state: Callable[[], str] = _running,
    ) -> None:
        self._accounts = accounts
        self._intake = intake
        self._desk = desk
        self._timezone = timezone
        self._clock = clock
        self._state = state
        self._operations: dict[str, Callable[..., Any]] = {
            "Send": self.send,
            "SendBatch": self.send_batch,
            "Query": self.query,
            "FetchReceipts": self.fetch_receipts,
            "AckReceipts": self.ack_receipts,
            "FetchInbound": self.fetch_inbound,
            "AckInbound": self.ack_inbound,
            "Cancel": self.cancel,
            "GetAccount": self.get_account,
        }

    def run(self, operation: str, caller: Caller, *arguments: Any) -> Any:
        """Run an operation by its name in the contract. Raises Refusal."""
        if operation == "Ping":
            return self.ping(caller)
        if operation == "SendText":
            return self.send_text(caller, *arguments)
        run = self._operations.get(operation)
        if run is None:
            raise Refusal(Code.BAD_REQUEST, "there is no such operation")
        return run(self._enter(caller), caller.door, *arguments)

    def _enter(self, caller: Caller) -> Client:
        if not caller.account:
            raise Refusal(Code.AUTH_FAILED, "account and password are missing")
        return self._accounts.authenticate(
            caller.account, caller.password, caller.address, caller.door
        )

    def send(self, client: Client, door: Door, request: Any) -> Any:
        """`Send`."""
        if request.encryptedContent is not None:
            raise Refusal(
                Code.DECRYPT_FAILED,
                "encryptedContent: no key is agreed upon with this client; send content instead",
                "encryptedContent",
            )
        if request.content is not None and request.template is not None:
            raise Refusal(
                Code.BAD_REQUEST, "template: stands beside content; give only one", "template"
            )
        entries = [
            Entry(recipient.mobile, ref=recipient.ref or "") for recipient in request.recipients
        ]
        return self._accept(client, door, request, entries)

    def send_batch(self, client: Client, door: Door, request: Any) -> Any:
        """`SendBatch`."""
        entries = [
            Entry(entry.mobile, entry.content, _values(entry.values), entry.ref or "")
            for entry in request.entries
        ]
        return self._accept(client, door, request, entries)

    def _accept(self, client: Client, door: Door, request: Any, entries: list[Entry]) -> Any:
        asked = Request(
            entries=entries,
            content=request.content,
            template=request.template or "",
            values=_values(request.values),
            client_ref=request.clientRef or "",
            business=request.business or "",
            lane=None if request.lane is None else Lane(request.lane),
            extension=request.extension or "",
            schedule_at=self._read_time(request.scheduleAt, "scheduleAt"),
            expire_at=self._read_time(request.expireAt, "expireAt"),
            receipt=request.receipt is not False,
            pass_through=request.passThrough or "",
            business_key=request.businessKey or "",
            replace=request.replace is True,
            door=door,
        )
        if asked.replace and not asked.business_key:
            raise Refusal(
                Code.BAD_REQUEST, "businessKey: is missing, but replace is true", "businessKey"
            )
        reply = self._take(client, asked)
        answer = contract.SendReply()
        answer.code = str(reply.code)
        answer.description = reply.description
        answer.submissionId = _written_id(reply.submission_id)
        answer.accepted = reply.accepted
        answer.refused = reply.refused
        answer.passThrough = asked.pass_through
        answer.results = [_Result(result) for result in reply.results]
        return answer

    def _take(self, client: Client, request: Request) -> Reply:
        (reply,) = self._intake.accept(client, [request])
        if reply.submission_id is None and not reply.results:
            raise Refusal(reply.code, reply.description)
        return reply

    def send_text(
        self,
        caller: Caller,
        account: str | None,
        password: str | None,
        mobiles: str | None,
        content: str | None,
        extension: str | None,
    ) -> str:
        """`SendText`: refusals, too, are `code;submissionId;text`."""
        try:
            client = self._enter(Caller(account or "", password or "", caller.address, caller.door))
            numbers = [number for number in _SEPARATORS.split(mobiles or "") if number]
            if not 1 <= len(numbers) <= contract.MAX_RECIPIENTS:
                raise Refusal(
                    Code.BAD_REQUEST, f"mobiles: 1 to {contract.MAX_RECIPIENTS} numbers", "mobiles"
                )
            request = Request(
                entries=[Entry(number) for number in numbers],
                content=content,
                extension=(extension or "").strip(),
                door=caller.door,
            )
            reply = self._take(client, request)
        except Refusal as refusal:
            return f"{refusal.code};;{refusal.description}"
        return f"{reply.code};{_written_id(reply.submission_id) or ''};{reply.description}"

    def query(self, client: Client, door: Door, request: Any) -> Any:
        """`Query`."""
        ids = _read_ids(request.messageIds, "messageIds")
        submission = _read_id(request.submissionId, "submissionId")
        _one_of(messageIds=ids, clientRef=request.clientRef, submissionId=submission)
        found = self._desk.query(
            client.account,
            message_ids=ids,
            client_ref=request.clientRef or "",
            submission_id=submission,
        )
        answer = contract.QueryReply()
        answer.code = str(Code.OK if found else Code.NOT_FOUND)
        answer.messages = [self._message(view) for view in found]
        return answer

    def fetch_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchReceipts`."""
        answer = contract.FetchReceiptsReply()
        answer.receipts = self._fetch(
            answer, request, client, self._desk.fetch_receipts, self._receipt
        )
        return answer

    def ack_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`AckReceipts`."""
        return self._acknowledge(
            client, request.cursor, request.receiptIds, "receiptIds", self._desk.fetch_receipts
        )

    def fetch_inbound(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchInbound`."""
        answer = contract.FetchInboundReply()
        answer.inbound = self._fetch(
            answer, request, client, self._desk.fetch_inbound, self._inbound
        )
        return answer

    def ack_inbound(self, client: Client, door: Door, request: Any) -> Any:
        """`AckInbound`."""
        return self._acknowledge(
            client, request.cursor, request.inboundIds, "inboundIds", self._desk.fetch_inbound
        )

    def _fetch(
        self,
        answer: Any,
        request: Any,
        client: Client,
        fetch: Callable[[str, int, int], list[N]],
        written: Callable[[N], Any],
    ) -> list[Any]:
        """Fill in cursor and more; the notices as models. One is fetched beyond `max`."""
        most = request.max or contract.DEFAULT_FETCH
        after = Cursor.parse(request.cursor).last
        notices = fetch(client.account, most + 1, after)
        answer.more = len(notices) > most
        notices = notices[:most]
        answer.cursor = str(Cursor.over(after, [notice.id for notice in notices]))
        return [written(notice) for notice in notices]

    def _acknowledge(
        self,
        client: Client,
        cursor: str | None,
        ids: list[str] | None,
        name: str,
        fetch: Callable[[str, int, int], Sequence[Notice | InboundNotice]],
    ) -> Any:
        _one_of(**{"cursor": cursor, name: ids})
        if cursor is None:
            named = _read_ids(ids, name)
        else:
            place = Cursor.parse(cursor)
            behind = fetch(client.account, place.count + 1, place.after)
            named = [notice.id for notice in behind if notice.id <= place.last]
            if not place.covers(named):
                named = []
        answer = contract.AckReply()
        answer.acknowledged = self._desk.acknowledge(client.account, named) if named else 0
        return answer

    def cancel(self, client: Client, door: Door, request: Any) -> Any:
        """`Cancel`."""
        ids = _read_ids(request.messageIds, "messageIds")
        submission = _read_id(request.submissionId, "submissionId")
        key = request.businessKey
        _one_of(submissionId=submission, messageIds=ids, businessKey=key)
        answer = contract.CancelReply()
        answer.cancelled = self._desk.cancel(
            client.account, submission_id=submission, message_ids=ids, business_key=key or ""
        )
        return answer

    def get_account(self, client: Client, door: Door) -> Any:
        """`GetAccount`."""
        answer = contract.GetAccountReply()
        answer.account = client.account
        answer.title = client.title
        answer.signature = client.signature
        answer.extension = client.extension
        answer.business = client.business
        answer.lane = str(client.lane)
        answer.lanes = [str(lane) for lane in client.lanes] or None
        answer.ratePerMinute = client.rate_per_minute or None
        answer.dailyQuota = client.daily_quota or None
        answer.maxSegments = client.max_segments
        answer.validitySeconds = client.validity_s
        return answer

    def ping(self, caller: Caller) -> Any:
        """`Ping`."""
        if caller.account:
            self._enter(caller)
        answer = contract.PingReply()
        answer.time = self._local(self._clock())
        answer.version = adapter.__version__
        answer.state = self._state()
        return answer

    def _message(self, view: MessageView) -> Any:
        written = contract.Message()
        written.messageId = _written_id(view.message_id)
        written.submissionId = _written_id(view.submission_id)
        written.clientRef = view.client_ref
        written.ref = view.ref
        written.mobile = view.mobile
        written.state = str(view.state)
        written.carrierCode = view.carrier_code
        written.description = view.description
        written.channel = view.channel
        written.inDoubt = view.in_doubt or None
        written.acceptedAt = self._local(view.accepted_at)
        written.submittedAt = self._local(view.submitted_at)
        written.doneAt = self._local(view.done_at)
        written.passThrough = view.pass_through
        written.segmentCount = view.segments
        written.segments = [
            contract.Segment(
                number=part.number,
                state=str(part.state),
                carrierCode=part.carrier_code,
                submittedAt=self._local(part.submitted_at),
                doneAt=self._local(part.done_at),
            )
            for part in view.parts
        ] or None
        return written

    def _receipt(self, notice: Notice) -> Any:
        return contract.Receipt(
            receiptId=_written_id(notice.id),
            messageId=_written_id(notice.message_id),
            submissionId=_written_id(notice.submission_id),
            clientRef=notice.client_ref,
            ref=notice.ref,
            mobile=notice.mobile,
            state=str(notice.state),
            carrierCode=notice.code,
            description=notice.text,
            segmentCount=notice.segments,
            channel=notice.channel,
            submittedAt=self._local(notice.submitted_at),
            doneAt=self._local(notice.done_at),
            passThrough=notice.pass_through,
        )

    def _inbound(self, notice: InboundNotice) -> Any:
        return contract.Inbound(
            inboundId=_written_id(notice.id),
            mobile=notice.mobile,
            content=notice.content,
            accessNumber=notice.access_number,
            extension=notice.extension,
            receivedAt=self._local(notice.received_at),
            messageId=_written_id(notice.message_id),
            clientRef=notice.client_ref,
            passThrough=notice.pass_through,
        )

    def _read_time(self, moment: datetime | None, field: str) -> datetime | None:
        if moment is None:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._timezone)
        try:
            return moment.astimezone(UTC)
        except (OverflowError, ValueError):
            raise Refusal(Code.BAD_REQUEST, f"{field}: is out of range", field) from None

    def _local(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else moment.astimezone(self._timezone)


class _Result:
    """A result as the model `Result` has it, without Spyne's constructor: a batch has many."""

    __slots__ = ("code", "description", "messageId", "mobile", "ref", "segments")

    def __init__(self, result: Any) -> None:
        self.mobile = result.mobile
        self.ref = result.ref
        self.messageId = _written_id(result.message_id)
        self.segments = result.segments or None
        self.code = str(result.code)
        self.description = result.description


def _values(given: list[Any] | None) -> dict[str, str] | None:
    return None if given is None else {value.name: value.value or "" for value in given}


def _written_id(made: int | None) -> str | None:
    return None if made is None else str(made)


def _read_id(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    text = text.strip()
    if not _ID.fullmatch(text) or not 0 < int(text) <= contract.MAX_ID:
        raise Refusal(Code.BAD_REQUEST, f"{field}: is no id that we gave", field)
    return int(text)


def _read_ids(texts: list[str] | None, field: str) -> list[int]:
    read = (_read_id(text, f"{field}[{at}]") for at, text in enumerate(texts or (), 1))
    return [made for made in read if made is not None]


def _one_of(**given: Any) -> None:
    """Exactly one of these must have been given."""
    names = [name for name, value in given.items() if value not in (None, [], "")]
    if len(names) != 1:
        raise Refusal(
            Code.BAD_REQUEST,
            f"give exactly one of {', '.join(given)}",
            names[1] if names else next(iter(given)),
        )
