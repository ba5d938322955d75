"""The operations of the contract, whatever door they come through.

Thin: `adapter.doors.translation` reads and writes the models, and every decision is made behind
the ports. A request that is refused whole is a Refusal, single recipients are refused
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
from adapter.domain.ports import AccountsPort, DeskPort, IntakePort
from adapter.domain.proofs import Proof
from adapter.domain.states import Door
from adapter.domain.values import Entry, InboundNotice, Notice, Reply, Request
from adapter.doors.cursor import Cursor
from adapter.doors.translation import (
    Translation,
    answer_of,
    built,
    one_of,
    read_id,
    read_ids,
    refusal_in,
    written_id,
)

_SEPARATORS = re.compile(r"[,;，；、\s]+")
SENDING = frozenset({"Send", "SendBatch"})
"""Operations that may be run together."""
_TIMED = SENDING | {"SendText"}

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
    """The operations. `timezone` is the hospital's; `state` says `running` or `stopping`. `words`
    says what happens as a client reads it."""

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
        self.words = Translation(timezone)
        self._clock = clock
        self._state = state
        self._reading: dict[str, Callable[[Client, Door, Any], Request]] = {
            "Send": self.words.read_send,
            "SendBatch": self.words.read_send_batch,
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
        return self._accept("Send", client, self.words.read_send(client, door, request))

    def send_batch(self, client: Client, door: Door, request: Any) -> Any:
        """`SendBatch`."""
        wanted = self.words.read_send_batch(client, door, request)
        return self._accept("SendBatch", client, wanted)

    def _accept(self, operation: str, client: Client, asked: Request) -> Any:
        return answer_of(asked, self._take(operation, client, asked))

    def _take(self, operation: str, client: Client, request: Request) -> Reply:
        (reply,) = self._intake.accept(client, [request])
        if (refusal := refusal_in(reply, operation)) is not None:
            raise refusal
        self._count(request.door, reply.refusals)
        return reply

    def _judged(self, operation: str, request: Request, reply: Reply) -> Any:
        """The answer in a reply, or the Refusal."""
        if (refusal := refusal_in(reply, operation)) is not None:
            return refusal
        self._count(request.door, reply.refusals)
        return answer_of(request, reply)

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
        return f"{reply.code};{written_id(reply.submission_id) or ''};{words}"

    def query(self, client: Client, door: Door, request: Any) -> Any:
        """`Query`."""
        ids = read_ids(request.messageIds, "messageIds")
        submission = read_id(request.submissionId, "submissionId")
        one_of(messageIds=ids, clientRef=request.clientRef, submissionId=submission)
        found = self._desk.query(
            client.account,
            message_ids=ids,
            client_ref=request.clientRef or "",
            submission_id=submission,
        )
        return built(
            contract.QueryReply,
            code=str(Code.OK if found else Code.NOT_FOUND),
            messages=[self.words.message(view) for view in found],
        )

    def fetch_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchReceipts`."""
        notices, cursor, more = self._fetch(client, request, self._desk.fetch_receipts)
        receipts = [self.words.receipt(notice) for notice in notices]
        return built(contract.FetchReceiptsReply, receipts=receipts, cursor=cursor, more=more)

    def ack_receipts(self, client: Client, door: Door, request: Any) -> Any:
        """`AckReceipts`."""
        return self._acknowledge(
            client, request.cursor, request.receiptIds, "receiptIds", self._desk.fetch_receipts
        )

    def fetch_inbound(self, client: Client, door: Door, request: Any) -> Any:
        """`FetchInbound`."""
        notices, cursor, more = self._fetch(client, request, self._desk.fetch_inbound)
        inbound = [self.words.inbound(notice) for notice in notices]
        return built(contract.FetchInboundReply, inbound=inbound, cursor=cursor, more=more)

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
        one_of(**{"cursor": cursor, name: ids})
        if cursor is None:
            named = read_ids(ids, name)
        else:
            place = Cursor.parse(cursor)
            behind = fetch(client.account, place.count + 1, place.after)
            named = [notice.id for notice in behind if notice.id <= place.last]
            if not place.covers(named):
                named = []
        done = self._desk.acknowledge(client.account, named) if named else 0
        return built(contract.AckReply, code=str(Code.OK), acknowledged=done)

    def cancel(self, client: Client, door: Door, request: Any) -> Any:
        """`Cancel`."""
        ids = read_ids(request.messageIds, "messageIds")
        submission = read_id(request.submissionId, "submissionId")
        key = request.businessKey
        one_of(submissionId=submission, messageIds=ids, businessKey=key)
        stopped = self._desk.cancel(
            client.account, submission_id=submission, message_ids=ids, business_key=key or ""
        )
        return built(contract.CancelReply, code=str(Code.OK), cancelled=stopped)

    def get_account(self, client: Client, door: Door) -> Any:
        """`GetAccount`."""
        return built(
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
        today = self._clock().astimezone(self.words.timezone)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return max(0, client.daily_quota - self._desk.accepted_since(client.account, midnight))

    def ping(self, caller: Caller) -> Any:
        """`Ping`."""
        if caller.account:
            self._enter(caller)
        return built(
            contract.PingReply,
            time=self.words.local(self._clock()),
            version=adapter.__version__,
            state=self._state(),
        )
