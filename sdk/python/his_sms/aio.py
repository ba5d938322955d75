"""The asyncio client, twin of `his_sms.client.Client`: what is said there holds here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from types import TracebackType
from typing import TypeVar

import httpx

from his_sms import calls
from his_sms.calls import NO_OPTIONS, Call, Recipients, Target
from his_sms.client import TIMEOUT_S
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


class AsyncClient:
    """As `Client`; of one event loop. An asynchronous context."""

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
        self._http = httpx.AsyncClient(timeout=timeout_s, verify=verify)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(
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
        return await self._run(
            calls.send(self._target, recipients, content, template, values, client_ref, options)
        )

    async def send_batch(
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
        return await self._run(
            calls.send_batch(self._target, entries, content, template, values, client_ref, options)
        )

    async def query(
        self,
        *,
        message_ids: Sequence[str] | None = None,
        client_ref: str | None = None,
        submission_id: str | None = None,
    ) -> tuple[Message, ...]:
        """Where messages stand, by one of the three; empty where there is none."""
        return await self._run(calls.query(message_ids, client_ref, submission_id))

    async def fetch_receipts(
        self, most: int | None = None, cursor: str | None = None
    ) -> ReceiptPage:
        """Receipts not yet acknowledged, oldest first; they come again until they are."""
        return await self._run(calls.fetch_receipts(most, cursor))

    async def ack_receipts(
        self, cursor: str | None = None, *, receipt_ids: Sequence[str] | None = None
    ) -> int:
        """The receipts of a page, or these, are safe here. How many were acknowledged."""
        return await self._run(calls.ack_receipts(cursor, receipt_ids))

    async def fetch_inbound(
        self, most: int | None = None, cursor: str | None = None
    ) -> InboundPage:
        """Texts from phones not yet acknowledged, oldest first."""
        return await self._run(calls.fetch_inbound(most, cursor))

    async def ack_inbound(
        self, cursor: str | None = None, *, inbound_ids: Sequence[str] | None = None
    ) -> int:
        """The texts of a page, or these, are safe here. How many were acknowledged."""
        return await self._run(calls.ack_inbound(cursor, inbound_ids))

    async def cancel(
        self,
        *,
        submission_id: str | None = None,
        message_ids: Sequence[str] | None = None,
        business_key: str | None = None,
    ) -> int:
        """Withdraw what is not yet sent; how many messages could be. Asked for again after a
        lost answer, it counts only what the first try left."""
        return await self._run(calls.cancel(submission_id, message_ids, business_key))

    async def get_account(self) -> Account:
        """Limits, quota left, signature, extension."""
        return await self._run(calls.get_account())

    async def ping(self) -> Pong:
        return await self._run(calls.ping())

    async def handle_receipts(
        self, handler: Callable[[Receipt], Awaitable[None]], *, page: int = 100
    ) -> int:
        """Hand every receipt that waits to `handler`, one after the other, and acknowledge what
        it returned from; see `Client.handle_receipts`."""
        handled = 0
        while (found := await self.fetch_receipts(page)).receipts:
            handled += await self._handle(
                found.receipts,
                handler,
                attrgetter("receipt_id"),
                lambda ids: self.ack_receipts(receipt_ids=ids),
            )
        return handled

    async def handle_inbound(
        self, handler: Callable[[Inbound], Awaitable[None]], *, page: int = 100
    ) -> int:
        """The same for texts from phones."""
        handled = 0
        while (found := await self.fetch_inbound(page)).inbound:
            handled += await self._handle(
                found.inbound,
                handler,
                attrgetter("inbound_id"),
                lambda ids: self.ack_inbound(inbound_ids=ids),
            )
        return handled

    async def follow(
        self,
        *,
        receipts: Callable[[Receipt], Awaitable[None]] | None = None,
        inbound: Callable[[Inbound], Awaitable[None]] | None = None,
        pause_s: float = 2.0,
    ) -> None:
        """Handle what comes, looking every `pause_s`, until the task is cancelled. An adapter
        that is away is waited for; every other error comes out here."""
        while True:
            try:
                if receipts is not None:
                    await self.handle_receipts(receipts)
                if inbound is not None:
                    await self.handle_inbound(inbound)
            except SmsError as error:
                if not error.retryable:
                    raise
            await asyncio.sleep(pause_s)

    async def _handle(
        self,
        found: Sequence[N],
        handler: Callable[[N], Awaitable[None]],
        id_of: Callable[[N], str],
        ack: Callable[[Sequence[str]], Awaitable[int]],
    ) -> int:
        safe: list[str] = []
        try:
            for each in found:
                await handler(each)
                safe.append(id_of(each))
        finally:
            if safe:
                await ack(safe)
        return len(safe)

    async def _run(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return await self._try(call)
            except SmsError as error:
                pause_s = self._retry.pause_s(tried, error)
                if pause_s is None:
                    raise
            await asyncio.sleep(pause_s)

    async def _try(self, call: Call[T]) -> T:
        try:
            answer = await self._http.post(
                self._target.address(call), content=call.body, headers=self._target.headers(call)
            )
        except httpx.RequestError as error:
            told = f"{call.operation}: {type(error).__name__}: {error}"
            raise calls.noted(NoAnswer(told), call) from error
        after = answer.headers.get("Retry-After", "")
        return calls.result(call, answer.status_code, after, answer.content)
