"""The operations without a network: what to send, and what an answer means.

Both clients are built on this, so they differ in nothing but how they wait.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from his_sms.errors import BY_CODE, NoAnswer, Refused, SmsError, UnexpectedAnswer
from his_sms.sealing import ContentKey
from his_sms.signing import Basic, Credentials
from his_sms.values import (
    Account,
    Entry,
    InboundPage,
    Message,
    Options,
    Pong,
    ReceiptPage,
    Recipient,
    SendReply,
    from_json,
    named_values,
    to_json,
)

T = TypeVar("T")
Recipients = str | Recipient | Sequence[str | Recipient]
NO_OPTIONS = Options()
_TAKEN = ("OK", "PARTIAL")
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Call(Generic[T]):
    """One operation: its body, and how its answer is read."""

    operation: str
    body: bytes = field(repr=False)
    read: Callable[[Mapping[str, Any]], T]
    client_ref: str | None = None


@dataclass(frozen=True)
class Target:
    """Where the adapter is and who calls. Raises ValueError where a password would travel in
    the clear, unless `plain` allows it."""

    url: str
    credentials: Credentials
    content_key: ContentKey | None = None
    plain: bool = False

    def __post_init__(self) -> None:
        split = urlsplit(self.url)
        if split.scheme not in ("http", "https") or not split.hostname or split.query:
            raise ValueError("url: write it as https://HOST:PORT")
        exposed = split.scheme == "http" and not _is_here(split.hostname)
        if exposed and isinstance(self.credentials, Basic) and not self.plain:
            raise ValueError(
                "url: a password travels over https only; else use Hmac, or plain=True"
            )

    def address(self, call: Call[Any]) -> str:
        return f"{self.url.rstrip('/')}/api/json/{call.operation}"

    def headers(self, call: Call[Any]) -> dict[str, str]:
        """Of one try: a signature holds for one only."""
        path = urlsplit(self.address(call)).path
        return {
            "Authorization": self.credentials.authorization("POST", path, call.body),
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
        }


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(
    target: Target,
    recipients: Recipients,
    content: str | None,
    template: str | None,
    values: Mapping[str, str] | None,
    client_ref: str | None,
    options: Options,
) -> Call[SendReply]:
    given = [recipients] if isinstance(recipients, str | Recipient) else recipients
    listed = [Recipient(each) if isinstance(each, str) else each for each in given]
    if target.content_key is not None and template is not None:
        raise ValueError("the values of a template cannot be encrypted: send a content")
    request = _sending(template, values, client_ref, options)
    request["recipients"] = [to_json(each) for each in listed]
    key = target.content_key
    if key is None or content is None:
        request |= {} if content is None else {"content": content}
    else:
        account, mobiles = target.credentials.account, [each.mobile for each in listed]
        request["encryptedContent"] = key.seal(content, account, request["clientRef"], mobiles)
    return _call("Send", request, _send_reply)


def send_batch(
    target: Target,
    entries: Sequence[Entry],
    content: str | None,
    template: str | None,
    values: Mapping[str, str] | None,
    client_ref: str | None,
    options: Options,
) -> Call[SendReply]:
    if target.content_key is not None:
        raise ValueError("contents of a batch cannot be encrypted: use send, or another client")
    request = _sending(template, values, client_ref, options)
    request |= {} if content is None else {"content": content}
    request["entries"] = [to_json(each) for each in entries]
    return _call("SendBatch", request, _send_reply)


def query(
    message_ids: Sequence[str] | None, client_ref: str | None, submission_id: str | None
) -> Call[tuple[Message, ...]]:
    given: dict[str, Any] = {
        "messageIds": None if message_ids is None else list(message_ids),
        "clientRef": client_ref,
        "submissionId": submission_id,
    }
    return _call("Query", _present(given), _messages)


def fetch(kind: type[T], operation: str, most: int | None, cursor: str | None) -> Call[T]:
    request = _present({"max": most, "cursor": cursor})
    return _call(operation, request, lambda members: from_json(kind, members))


def fetch_receipts(most: int | None, cursor: str | None) -> Call[ReceiptPage]:
    return fetch(ReceiptPage, "FetchReceipts", most, cursor)


def fetch_inbound(most: int | None, cursor: str | None) -> Call[InboundPage]:
    return fetch(InboundPage, "FetchInbound", most, cursor)


def ack(operation: str, ids: str, cursor: str | None, given: Sequence[str] | None) -> Call[int]:
    request = _present({"cursor": cursor, ids: None if given is None else list(given)})
    return _call(operation, request, lambda members: int(members["acknowledged"]))


def ack_receipts(cursor: str | None, receipt_ids: Sequence[str] | None) -> Call[int]:
    return ack("AckReceipts", "receiptIds", cursor, receipt_ids)


def ack_inbound(cursor: str | None, inbound_ids: Sequence[str] | None) -> Call[int]:
    return ack("AckInbound", "inboundIds", cursor, inbound_ids)


def cancel(
    submission_id: str | None, message_ids: Sequence[str] | None, business_key: str | None
) -> Call[int]:
    given: dict[str, Any] = {
        "submissionId": submission_id,
        "messageIds": None if message_ids is None else list(message_ids),
        "businessKey": business_key,
    }
    return _call("Cancel", _present(given), lambda members: int(members["cancelled"]))


def get_account() -> Call[Account]:
    return _call("GetAccount", {}, lambda members: from_json(Account, members))


def ping() -> Call[Pong]:
    return _call("Ping", {}, lambda members: from_json(Pong, members))


def result(call: Call[T], status: int, retry_after: str, body: bytes) -> T:
    """What an answer means. Raises SmsError."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        members = None
    retry_after_s = _seconds(retry_after)
    error: SmsError
    if not isinstance(members, dict):
        told = f"{call.operation}: status {status}, and no JSON"
        passing = status >= 500 or status in _PASSING
        error = NoAnswer(told, retry_after_s) if passing else UnexpectedAnswer(told)
        raise noted(error, call)
    if status != 200 and not _is_nothing_found(call, members):
        raise noted(_refusal(members, status, retry_after_s), call)
    try:
        return call.read(members)
    except (KeyError, TypeError, ValueError) as fault:
        told = f"{call.operation}: the answer cannot be read: {fault}"
        raise noted(UnexpectedAnswer(told), call) from None


def noted(error: SmsError, call: Call[Any]) -> SmsError:
    """The error, with the reference that the call went out with."""
    error.client_ref = call.client_ref
    return error


def _sending(
    template: str | None,
    values: Mapping[str, str] | None,
    client_ref: str | None,
    options: Options,
) -> dict[str, Any]:
    request: dict[str, Any] = {"clientRef": client_ref or uuid.uuid4().hex}
    if template is not None:
        request["template"] = template
    if values is not None:
        request["values"] = named_values(values)
    return request | to_json(options)


def _call(operation: str, request: Mapping[str, Any], read: Callable[[Any], T]) -> Call[T]:
    body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
    sends = operation in ("Send", "SendBatch")
    return Call(operation, body, read, request["clientRef"] if sends else None)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _send_reply(members: Mapping[str, Any]) -> SendReply:
    reply = from_json(SendReply, members)
    if reply.code not in _TAKEN:
        raise ValueError("status 200 with a code that refuses")
    return reply


def _messages(members: Mapping[str, Any]) -> tuple[Message, ...]:
    return tuple(from_json(Message, each) for each in members.get("messages", ()))


def _is_nothing_found(call: Call[Any], members: Mapping[str, Any]) -> bool:
    """No message is no error of a query."""
    return call.operation == "Query" and members.get("code") == "NOT_FOUND"


def _refusal(members: Mapping[str, Any], status: int, retry_after_s: float | None) -> SmsError:
    code = members.get("code")
    if not isinstance(code, str):
        told = f"status {status}, and no code"
        return NoAnswer(told, retry_after_s) if status >= 500 else UnexpectedAnswer(told)
    reply = None
    if "results" in members:
        try:
            reply = from_json(SendReply, members)
        except ValueError:
            reply = None
    kind = BY_CODE.get(code, Refused)
    description = str(members.get("description", ""))
    field_name = members.get("field")
    return kind(
        code,
        description,
        str(field_name) if field_name is not None else None,
        retry_after_s=retry_after_s,
        reply=reply,
    )


def _seconds(retry_after: str) -> float | None:
    """Of the header Retry-After; its other form, a date, is not used by the adapter."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
