"""The operations of the contract, whatever door they come through.

Translates models of `adapter.contract` to domain values and back; every decision is made
behind the ports. A request that is refused whole is a Refusal, single recipients are refused
in the results. Blocks the calling thread until the store has committed.

Limits: an operation sees at most 10,000 recipients or ids and gives back at most 10,000
messages or 1,000 notices; the models enforce the former.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import repeat
from typing import Any, NamedTuple, Protocol, TypeVar

import adapter
from adapter import contract
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ports import AccountsPort, DeskPort, IntakePort, MessageView, SegmentView
from adapter.domain.proofs import Proof
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, InboundNotice, Notice, Reply, Request, Result
from adapter.doors.cursor import Cursor
from adapter.security.contents import Binding, ContentError, unseal

_SEPARATORS = re.compile(r"[,;，；、\s]+")
SENDING = frozenset({"Send", "SendBatch"})
"""Operations that may be run together."""
_LISTS = {"SendBatch": "entries"}
"""What an operation calls its recipients, where it has another name for them."""
_TIMED = SENDING | {"SendText"}
_ID = re.compile(r"\d{1,19}", re.ASCII)

N = TypeVar("N", Notice, InboundNotice)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what was shown at the door, not yet believed; or the `client` that it turned
    out to be, at a door where it stays."""

    account: str
    password: str
    address: str
    door: Door
    proofs: Sequence[Proof] = ()
    client: Client | None = None

    def another(self, account: str | None, password: str | None) -> Caller:
        """The same by account and password alone, which stand among its arguments."""
        return replace(self, account=account or "", password=password or "", client=None)


class Asked(NamedTuple):
    """A `Send` or `SendBatch` that is run together with others."""

    caller: Caller
    operation: str
    request: Any


class _Taken(NamedTuple):
    """One of them on its way through intake: where its answer belongs, and whose it is."""

    place: int
    operation: str
    client: Client
    request: Request


class Watch(Protocol):
    """Who counts; `adapter.metrics.Metrics` fits."""

    def observe_accept(self, door: Door, waits: Iterable[float]) -> None:
        """Operations that send were answered after so many seconds."""

    def refused(self, door: Door, code: Code, count: int = 1) -> None:
        """Requests, or recipients of a request, were refused."""


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
        watch: Watch | None = None,
    ) -> None:
        self._watch = watch
        self._accounts = accounts
        self._intake = intake
        self._desk = desk
        self._timezone = timezone
        self._clock = clock
        self._state = state
        self._reading: dict[str, Callable[[Client, Door, Any], Request]] = {
            "Send": self._read_send,
            "SendBatch": self._read_send_batch,
        }
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
        started = time.perf_counter()
        try:
            return self._run(operation, caller, *arguments)
        except Refusal as refusal:
            self._count(caller.door, {refusal.code: 1})
            raise
        finally:
            if self._watch is not None and operation in _TIMED:
                self._watch.observe_accept(caller.door, (time.perf_counter() - started,))

    def knows(self, account: str) -> bool:
        """Whether there is such an account; not for callers to hear."""
        return self._accounts.find(account) is not None

    def run_together(self, asked: Sequence[Asked]) -> list[Any]:
        """Run requests that send and came at one time: those of one client share one call of
        intake, and so one commit. The answer to each, or the exception in its place."""
        started = time.perf_counter()
        told: list[Any] = [None] * len(asked)
        known: dict[tuple[str, str, str, Door], Client] = {}
        groups: dict[tuple[str, Door], list[_Taken]] = {}
        for place, (caller, operation, request) in enumerate(asked):
            try:
                client = self._enter_once(caller, known)
                wanted = self._reading[operation](client, caller.door, request)
            except Exception as fault:
                told[place] = fault
            else:
                group = groups.setdefault((client.account, caller.door), [])
                group.append(_Taken(place, operation, client, wanted))
        for group in groups.values():
            self._take_together(group, told)
        seconds = time.perf_counter() - started
        for each, answer in zip(asked, told, strict=True):
            if isinstance(answer, Refusal):
                self._count(each.caller.door, {answer.code: 1})
        if self._watch is not None:
            for door, count in Counter(each.caller.door for each in asked).items():
                self._watch.observe_accept(door, repeat(seconds, count))
        return told

    def _enter_once(
        self, caller: Caller, known: dict[tuple[str, str, str, Door], Client]
    ) -> Client:
        """Who shows the same as another one of the same moment is the same client. Proofs are
        looked at one by one: most are good for one time. Who is known already shows nothing."""
        if caller.proofs or caller.client is not None:
            return self._enter(caller)
        shown = caller.account, caller.password, caller.address, caller.door
        client = known.get(shown)
        if client is None:
            client = known[shown] = self._enter(caller)
        return client

    def _take_together(self, group: Sequence[_Taken], told: list[Any]) -> None:
        try:
            replies = self._intake.accept(group[0].client, [each.request for each in group])
        except Exception as fault:
            for each in group:
                told[each.place] = fault
            return
        for each, reply in zip(group, replies, strict=True):
            told[each.place] = self._judged(each.operation, each.request, reply)

    def _run(self, operation: str, caller: Caller, *arguments: Any) -> Any:
        if operation == "Ping":
            return self.ping(caller)
        if operation == "SendText":
            return self.send_text(caller, *arguments)
        run = self._operations.get(operation)
        if run is None:
            raise Refusal(Code.BAD_REQUEST, "there is no such operation")
        return run(self._enter(caller), caller.door, *arguments)

    def _count(self, door: Door, refusals: Mapping[Code, int]) -> None:
        if self._watch is not None:
            for code, count in refusals.items():
                self._watch.refused(door, code, count)

    def enter(self, caller: Caller) -> Client:
        """Who the caller turns out to be. Raises Refusal."""
        try:
            return self._enter(caller)
        except Refusal as refusal:
            self._count(caller.door, {refusal.code: 1})
            raise

    def _enter(self, caller: Caller) -> Client:
        if caller.client is not None:
            return caller.client
        if not caller.account and not caller.proofs:
            raise Refusal(Code.AUTH_FAILED, "account and password are missing")
        return self._accounts.authenticate(
            caller.account, caller.password, caller.address, caller.door, caller.proofs
        )

    def send(self, client: Client, door: Door, request: Any) -> Any:
        """`Send`."""
        return self._accept("Send", client, self._read_send(client, door, request))

    def send_batch(self, client: Client, door: Door, request: Any) -> Any:
        """`SendBatch`."""
        wanted = self._read_send_batch(client, door, request)
        return self._accept("SendBatch", client, wanted)

    def _read_send(self, client: Client, door: Door, request: Any) -> Request:
        _at_most_one(
            content=request.content,
            template=request.template,
            encryptedContent=request.encryptedContent,
        )
        entries = [
            Entry(recipient.mobile, ref=recipient.ref or "") for recipient in request.recipients
        ]
        if request.encryptedContent is not None:
            request.content = _opened(client, request, entries)
        return self._read(door, request, entries)

    def _read_send_batch(self, client: Client, door: Door, request: Any) -> Request:
        entries = [
            Entry(entry.mobile, entry.content, _values(entry.values), entry.ref or "")
            for entry in request.entries
        ]
        return self._read(door, request, entries)

    def _read(self, door: Door, request: Any, entries: list[Entry]) -> Request:
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
        return asked

    def _accept(self, operation: str, client: Client, asked: Request) -> Any:
        return _told(asked, self._take(operation, client, asked))

    def _take(self, operation: str, client: Client, request: Request) -> Reply:
        (reply,) = self._intake.accept(client, [request])
        if (refusal := _refusal_in(reply, operation)) is not None:
            raise refusal
        self._count(request.door, reply.refusals)
        return reply

    def _judged(self, operation: str, request: Request, reply: Reply) -> Any:
        """The answer in a reply, or the Refusal."""
        if (refusal := _refusal_in(reply, operation)) is not None:
            return refusal
        self._count(request.door, reply.refusals)
        return _told(request, reply)

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
            client = self._enter(caller.another(account, password))
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
            reply = self._take("SendText", client, request)
        except Refusal as refusal:
            self._count(caller.door, {refusal.code: 1})
            return f"{refusal.code};;{refusal.description}"
        words = reply.description or f"{reply.accepted} accepted"
        return f"{reply.code};{_written_id(reply.submission_id) or ''};{words}"

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
        return _made(
            contract.QueryReply,
            code=str(Code.OK if found else Code.NOT_FOUND),
            messages=[self._message(view) for view in found],
        )

    def fetch_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchReceipts`."""
        notices, cursor, more = self._fetch(client, request, self._desk.fetch_receipts)
        receipts = [self.receipt(notice) for notice in notices]
        return _made(contract.FetchReceiptsReply, receipts=receipts, cursor=cursor, more=more)

    def ack_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`AckReceipts`."""
        return self._acknowledge(
            client, request.cursor, request.receiptIds, "receiptIds", self._desk.fetch_receipts
        )

    def fetch_inbound(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchInbound`."""
        notices, cursor, more = self._fetch(client, request, self._desk.fetch_inbound)
        inbound = [self.inbound(notice) for notice in notices]
        return _made(contract.FetchInboundReply, inbound=inbound, cursor=cursor, more=more)

    def ack_inbound(self, client: Client, door: Door, request: Any) -> Any:
        """`AckInbound`."""
        return self._acknowledge(
            client, request.cursor, request.inboundIds, "inboundIds", self._desk.fetch_inbound
        )

    def _fetch(
        self, client: Client, request: Any, fetch: Callable[[str, int, int], list[N]]
    ) -> tuple[list[N], str, bool]:
        """The notices, the cursor over them, and whether more wait: one more is asked for."""
        most = request.max or contract.DEFAULT_FETCH
        after = Cursor.parse(request.cursor).last
        notices = fetch(client.account, most + 1, after)
        given = notices[:most]
        cursor = Cursor.over(after, [notice.id for notice in given])
        return given, str(cursor), len(notices) > most

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
        done = self._desk.acknowledge(client.account, named) if named else 0
        return _made(contract.AckReply, code=str(Code.OK), acknowledged=done)

    def cancel(self, client: Client, door: Door, request: Any) -> Any:
        """`Cancel`."""
        ids = _read_ids(request.messageIds, "messageIds")
        submission = _read_id(request.submissionId, "submissionId")
        key = request.businessKey
        _one_of(submissionId=submission, messageIds=ids, businessKey=key)
        stopped = self._desk.cancel(
            client.account, submission_id=submission, message_ids=ids, business_key=key or ""
        )
        return _made(contract.CancelReply, code=str(Code.OK), cancelled=stopped)

    def get_account(self, client: Client, door: Door) -> Any:
        """`GetAccount`."""
        return _made(
            contract.GetAccountReply,
            account=client.account,
            title=client.title,
            signature=client.signature,
            extension=client.extension,
            business=client.business,
            lane=str(client.lane),
            lanes=[str(lane) for lane in client.lanes] or None,
            ratePerMinute=client.rate_per_minute or None,
            dailyQuota=client.daily_quota or None,
            quotaLeft=self._quota_left(client),
            monthlyQuota=client.monthly_quota or None,
            maxRecipients=client.max_recipients,
            businesses=list(client.businesses) or None,
            hours=[str(span) for span in client.hours] or None,
            maxSegments=client.max_segments,
            validitySeconds=client.validity_s,
        )

    def _quota_left(self, client: Client) -> int | None:
        if not client.daily_quota:
            return None
        today = self._clock().astimezone(self._timezone)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return max(0, client.daily_quota - self._desk.accepted_since(client.account, midnight))

    def ping(self, caller: Caller) -> Any:
        """`Ping`."""
        if caller.account:
            self._enter(caller)
        return _made(
            contract.PingReply,
            time=self._local(self._clock()),
            version=adapter.__version__,
            state=self._state(),
        )

    def _message(self, view: MessageView) -> Any:
        return _made(
            contract.Message,
            messageId=_written_id(view.message_id),
            submissionId=_written_id(view.submission_id),
            clientRef=view.client_ref,
            ref=view.ref,
            mobile=view.mobile,
            state=str(view.state),
            carrierCode=view.carrier_code,
            description=view.description,
            channel=view.channel,
            inDoubt=view.in_doubt or None,
            acceptedAt=self._local(view.accepted_at),
            submittedAt=self._local(view.submitted_at),
            doneAt=self._local(view.done_at),
            passThrough=view.pass_through,
            segmentCount=view.segments,
            segments=[self._segment(part) for part in view.parts] or None,
        )

    def _segment(self, part: SegmentView) -> Any:
        return _made(
            contract.Segment,
            number=part.number,
            state=str(part.state),
            carrierCode=part.carrier_code,
            submittedAt=self._local(part.submitted_at),
            doneAt=self._local(part.done_at),
        )

    def receipt(self, notice: Notice) -> Any:
        """As a client sees it."""
        return _made(
            contract.Receipt,
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

    def inbound(self, notice: InboundNotice) -> Any:
        """As a client sees it."""
        return _made(
            contract.Inbound,
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


def _refusal_in(reply: Reply, operation: str) -> Refusal | None:
    """What refuses a request of this operation whole."""
    if reply.submission_id is not None or reply.results:
        return None
    field = reply.field
    if field == "recipients":
        field = _LISTS.get(operation, field)
    return Refusal(reply.code, reply.description, field, retry_after_s=reply.retry_after_s)


def _told(request: Request, reply: Reply) -> Any:
    """A reply as the caller reads it."""
    return _made(
        contract.SendReply,
        code=str(reply.code),
        description=reply.description,
        submissionId=_written_id(reply.submission_id),
        accepted=reply.accepted,
        refused=reply.refused,
        passThrough=request.pass_through,
        results=[_result(result) for result in reply.results],
    )


def _made(model: Any, **members: Any) -> Any:
    """A model with these members, without Spyne's constructor: a batch has thousands."""
    made = model.__new__(model)
    made.__dict__.update(members)
    return made


def _result(result: Result) -> Any:
    return _made(
        contract.Result,
        mobile=result.mobile,
        ref=result.ref,
        messageId=_written_id(result.message_id),
        segments=result.segments or None,
        code=str(result.code),
        description=result.description,
    )


def _opened(client: Client, request: Any, entries: Sequence[Entry]) -> str:
    """The text of `encryptedContent`. Raises Refusal(DECRYPT_FAILED)."""
    mobiles = [entry.mobile for entry in entries]
    binding = Binding(client.account, request.clientRef or "", mobiles)
    try:
        return unseal(client.content_keys, request.encryptedContent, binding)
    except ContentError as error:
        field = "encryptedContent"
        raise Refusal(Code.DECRYPT_FAILED, f"{field}: {error}", field) from None


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


def _at_most_one(**given: Any) -> None:
    """More than one of these cannot be meant."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise Refusal(
            Code.BAD_REQUEST,
            f"{names[1]}: stands beside {names[0]}; give only one",
            names[1],
        )


def _one_of(**given: Any) -> None:
    """Exactly one of these must have been given."""
    names = [name for name, value in given.items() if value not in (None, [], "")]
    if len(names) != 1:
        raise Refusal(
            Code.BAD_REQUEST,
            f"give exactly one of {', '.join(given)}",
            names[1] if names else next(iter(given)),
        )
