"""The synchronous client. `his_sms.aio.AsyncClient` is its twin."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import TracebackType
from typing import TypeVar

import httpx

from his_sms import calls
from his_sms.calls import NO_OPTIONS, Call, Recipients, Target
from his_sms.errors import NoAnswer, SmsError
from his_sms.retry import Retry
from his_sms.sealing import ContentKey
from his_sms.signing import Credentials
from his_sms.values import (
    Account,
    Entry,
    Inbound,
    InboundPage,
    Message,
    Options,
    Pong,
    Receipt,
    ReceiptPage,
    SendReply,
)

T = TypeVar("T")
N = TypeVar("N")
TIMEOUT_S = 30.0


class Client:
    """One client system at one adapter; safe to share between threads. A context.

    `url` as in https://HOST:PORT. With `content_key` every content of `send` goes encrypted.
    `timeout_s` is for one try. `verify` as httpx takes it: an SSLContext for an own authority or
    a client certificate. `plain`: a password may travel over http to another machine.

    Every method raises SmsError (his_sms/errors.py), after it has tried as `retry` says.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        content_key: ContentKey | None = None,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        timeout_s: float = TIMEOUT_S,
        verify: ssl.SSLContext | bool = True,
        plain: bool = False,
    ) -> None:
        self._target = Target(url, credentials, content_key, plain)
        self._retry = retry
        self._http = httpx.Client(timeout=timeout_s, verify=verify)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        recipients: Recipients,
        content: str | None = None,
        *,
        template: str | None = None,
        values: Mapping[str, str] | None = None,
        client_ref: str | None = None,
        options: Options = NO_OPTIONS,
    ) -> SendReply:
        """One text, or template, to up to 10,000 recipients. It is durable when this returns.

        Take `client_ref` from your own data: then a text is sent once, even if your program dies
        and asks again. Without it one is made up, which covers the tries of this call. Where
        single recipients are refused, `results` of the reply say why; where all are, this raises.
        """
        return self._run(
            calls.send(self._target, recipients, content, template, values, client_ref, options)
        )

    def send_batch(
        self,
        entries: Sequence[Entry],
        content: str | None = None,
        *,
        template: str | None = None,
        values: Mapping[str, str] | None = None,
        client_ref: str | None = None,
        options: Options = NO_OPTIONS,
    ) -> SendReply:
        """Up to 10,000 messages, each with a text or template values of its own."""
        return self._run(
            calls.send_batch(self._target, entries, content, template, values, client_ref, options)
        )

    def query(
        self,
        *,
        message_ids: Sequence[str] | None = None,
        client_ref: str | None = None,
        submission_id: str | None = None,
    ) -> tuple[Message, ...]:
        """Where messages stand, by one of the three; empty where there is none."""
        return self._run(calls.query(message_ids, client_ref, submission_id))

    def fetch_receipts(self, most: int | None = None, cursor: str | None = None) -> ReceiptPage:
        """Receipts not yet acknowledged, oldest first; they come again until they are."""
        return self._run(calls.fetch_receipts(most, cursor))

    def ack_receipts(
        self, cursor: str | None = None, *, receipt_ids: Sequence[str] | None = None
    ) -> int:
        """The receipts of a page, or these, are safe here. How many were acknowledged."""
        return self._run(calls.ack_receipts(cursor, receipt_ids))

    def fetch_inbound(self, most: int | None = None, cursor: str | None = None) -> InboundPage:
        """Texts from phones not yet acknowledged, oldest first."""
        return self._run(calls.fetch_inbound(most, cursor))

    def ack_inbound(
        self, cursor: str | None = None, *, inbound_ids: Sequence[str] | None = None
    ) -> int:
        """The texts of a page, or these, are safe here. How many were acknowledged."""
        return self._run(calls.ack_inbound(cursor, inbound_ids))

    def cancel(
        self,
        *,
        submission_id: str | None = None,
        message_ids: Sequence[str] | None = None,
        business_key: str | None = None,
    ) -> int:
        """Withdraw what is not yet sent; how many messages could be. Asked for again after a
        lost answer, it counts only what the first try left."""
        return self._run(calls.cancel(submission_id, message_ids, business_key))

    def get_account(self) -> Account:
        """Limits, quota left, signature, extension."""
        return self._run(calls.get_account())

    def ping(self) -> Pong:
        return self._run(calls.ping())

    def handle_receipts(self, handler: Callable[[Receipt], None], *, page: int = 100) -> int:
        """Hand every receipt that waits to `handler`, and acknowledge what it returned from.

        What `handler` raises comes out here, after those before it were acknowledged; the one
        that failed comes again. A receipt may come twice: `receipt_id` tells. How many were
        handled.
        """
        handled = 0
        while (found := self.fetch_receipts(page)).receipts:
            handled += self._handle(
                found.receipts,
                handler,
                attrgetter("receipt_id"),
                lambda ids: self.ack_receipts(receipt_ids=ids),
            )
        return handled

    def handle_inbound(self, handler: Callable[[Inbound], None], *, page: int = 100) -> int:
        """The same for texts from phones."""
        handled = 0
        while (found := self.fetch_inbound(page)).inbound:
            handled += self._handle(
                found.inbound,
                handler,
                attrgetter("inbound_id"),
                lambda ids: self.ack_inbound(inbound_ids=ids),
            )
        return handled

    def follow(
        self,
        *,
        receipts: Callable[[Receipt], None] | None = None,
        inbound: Callable[[Inbound], None] | None = None,
        stop: threading.Event | None = None,
        pause_s: float = 2.0,
    ) -> None:
        """Handle what comes, looking every `pause_s`, until `stop` is set. An adapter that is
        away is waited for; every other error comes out here."""
        ended = threading.Event() if stop is None else stop
        while not ended.is_set():
            try:
                if receipts is not None:
                    self.handle_receipts(receipts)
                if inbound is not None:
                    self.handle_inbound(inbound)
            except SmsError as error:
                if not error.retryable:
                    raise
            ended.wait(pause_s)

    def _handle(
        self,
        found: Sequence[N],
        handler: Callable[[N], None],
        id_of: Callable[[N], str],
        ack: Callable[[Sequence[str]], int],
    ) -> int:
        safe: list[str] = []
        try:
            for each in found:
                handler(each)
                safe.append(id_of(each))
        finally:
            if safe:
                ack(safe)
        return len(safe)

    def _run(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return self._try(call)
            except SmsError as error:
                pause_s = self._retry.pause_s(tried, error)
                if pause_s is None:
                    raise
            time.sleep(pause_s)

    def _try(self, call: Call[T]) -> T:
        try:
            answer = self._http.post(
                self._target.address(call), content=call.body, headers=self._target.headers(call)
            )
        except httpx.RequestError as error:
            told = f"{call.operation}: {type(error).__name__}: {error}"
            raise calls.noted(NoAnswer(told), call) from error
        after = answer.headers.get("Retry-After", "")
        return calls.result(call, answer.status_code, after, answer.content)
