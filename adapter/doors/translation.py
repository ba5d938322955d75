"""From the models of `adapter.contract` to domain values, and back.

Models are made without Spyne's constructor: a batch has thousands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from adapter import contract
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ports import MessageView, SegmentView
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, InboundNotice, Notice, Reply, Request, Result
from adapter.security.contents import Binding, ContentError, unseal

_LISTS = {"SendBatch": "entries"}
"""What an operation calls its recipients, where it has another name for them."""
_ID = re.compile(r"\d{1,19}", re.ASCII)


class Translation:
    """`timezone` is the hospital's: it reads times without a zone and writes all times."""

    def __init__(self, timezone: tzinfo) -> None:
        self.timezone = timezone

    def read_send(self, client: Client, door: Door, request: Any) -> Request:
        """A `Send` as intake takes it. Raises Refusal."""
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

    def read_send_batch(self, client: Client, door: Door, request: Any) -> Request:
        """A `SendBatch` as intake takes it. Raises Refusal."""
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

    def message(self, view: MessageView) -> Any:
        """As `Query` shows it."""
        return built(
            contract.Message,
            messageId=written_id(view.message_id),
            submissionId=written_id(view.submission_id),
            clientRef=view.client_ref,
            ref=view.ref,
            mobile=view.mobile,
            state=str(view.state),
            carrierCode=view.carrier_code,
            description=view.description,
            channel=view.channel,
            inDoubt=view.in_doubt or None,
            acceptedAt=self.local(view.accepted_at),
            submittedAt=self.local(view.submitted_at),
            doneAt=self.local(view.done_at),
            passThrough=view.pass_through,
            segmentCount=view.segments,
            segments=[self._segment(part) for part in view.parts] or None,
        )

    def _segment(self, part: SegmentView) -> Any:
        return built(
            contract.Segment,
            number=part.number,
            state=str(part.state),
            carrierCode=part.carrier_code,
            submittedAt=self.local(part.submitted_at),
            doneAt=self.local(part.done_at),
        )

    def receipt(self, notice: Notice) -> Any:
        """As a client sees it."""
        return built(
            contract.Receipt,
            receiptId=written_id(notice.id),
            messageId=written_id(notice.message_id),
            submissionId=written_id(notice.submission_id),
            clientRef=notice.client_ref,
            ref=notice.ref,
            mobile=notice.mobile,
            state=str(notice.state),
            carrierCode=notice.code,
            description=notice.text,
            segmentCount=notice.segments,
            channel=notice.channel,
            submittedAt=self.local(notice.submitted_at),
            doneAt=self.local(notice.done_at),
            passThrough=notice.pass_through,
        )

    def inbound(self, notice: InboundNotice) -> Any:
        """As a client sees it."""
        return built(
            contract.Inbound,
            inboundId=written_id(notice.id),
            mobile=notice.mobile,
            content=notice.content,
            accessNumber=notice.access_number,
            extension=notice.extension,
            receivedAt=self.local(notice.received_at),
            messageId=written_id(notice.message_id),
            clientRef=notice.client_ref,
            passThrough=notice.pass_through,
        )

    def _read_time(self, moment: datetime | None, field: str) -> datetime | None:
        if moment is None:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.timezone)
        try:
            return moment.astimezone(UTC)
        except (OverflowError, ValueError):
            raise Refusal(Code.BAD_REQUEST, f"{field}: is out of range", field) from None

    def local(self, moment: datetime | None) -> datetime | None:
        """In the hospital's zone."""
        return None if moment is None else moment.astimezone(self.timezone)


def refusal_in(reply: Reply, operation: str) -> Refusal | None:
    """What refuses a request of this operation whole."""
    if reply.submission_id is not None or reply.results:
        return None
    field = reply.field
    if field == "recipients":
        field = _LISTS.get(operation, field)
    return Refusal(reply.code, reply.description, field, retry_after_s=reply.retry_after_s)


def answer_of(request: Request, reply: Reply) -> Any:
    """A reply as the caller reads it."""
    return built(
        contract.SendReply,
        code=str(reply.code),
        description=reply.description,
        submissionId=written_id(reply.submission_id),
        accepted=reply.accepted,
        refused=reply.refused,
        passThrough=request.pass_through,
        results=[_result(result) for result in reply.results],
    )


def built(model: Any, **members: Any) -> Any:
    """A model with these members."""
    its = model.__new__(model)
    its.__dict__.update(members)
    return its


def _result(result: Result) -> Any:
    return built(
        contract.Result,
        mobile=result.mobile,
        ref=result.ref,
        messageId=written_id(result.message_id),
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


def written_id(made: int | None) -> str | None:
    return None if made is None else str(made)


def read_id(text: str | None, field: str) -> int | None:
    """An id that a client sends back. Raises Refusal(BAD_REQUEST)."""
    if text is None:
        return None
    text = text.strip()
    if not _ID.fullmatch(text) or not 0 < int(text) <= contract.MAX_ID:
        raise Refusal(Code.BAD_REQUEST, f"{field}: is no id that we gave", field)
    return int(text)


def read_ids(texts: list[str] | None, field: str) -> list[int]:
    """The same, of a list."""
    read = (read_id(text, f"{field}[{at}]") for at, text in enumerate(texts or (), 1))
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


def one_of(**given: Any) -> None:
    """Exactly one of these must have been given."""
    names = [name for name, value in given.items() if value not in (None, [], "")]
    if len(names) != 1:
        raise Refusal(
            Code.BAD_REQUEST,
            f"give exactly one of {', '.join(given)}",
            names[1] if names else next(iter(given)),
        )
