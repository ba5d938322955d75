"""Fetching receipts and inbound texts, again and again.

Fetched, handed in, acknowledged when they are durable: in this order, one round after another,
so no more than one answer's items are in memory. A round that brought news is followed by the
next after a second at most; one that failed by a growing pause. A round with an entry that could
not be read is kept but not confirmed: the cursor stays, and an acknowledgement is sent only where
it names the ids.

Limits: the cursor is kept in memory. After a restart the provider is asked from the beginning,
where it does not take acknowledgements: receipts that come again change nothing, inbound texts
would come twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from connectors.backoff import Backoff
from connectors.waiting import came_within
from connectors.web import documents
from connectors.web.intake import Deliveries
from connectors.web.items import Contents, Item
from connectors.web.requests import Requests
from connectors.web.settings import Pull, WebSettings
from connectors.web.soap import SoapService
from connectors.web.transport import LostError, NotSentError, Transport
from connectors.web.values import OF_ACKNOWLEDGE, OF_PULL, Values

log = logging.getLogger(__name__)

_RECORDED_WITHIN_S = 60.0
_PAUSE_LIMIT_S = 300.0
_BETWEEN_S = 1.0
"""Between two rounds, and before something is handed in again."""


class _FailedError(Exception):
    """A round did not work; the message holds nothing of its content."""


class Puller:
    """Raises ValueError for settings that cannot work."""

    def __init__(
        self,
        settings: WebSettings,
        pull: Pull,
        soap: SoapService | None,
        deliveries: Deliveries,
    ) -> None:
        self.name = pull.name
        self._pull = pull
        self._where = f"{settings.name}, {pull.name}"
        self._deliveries = deliveries
        self._values = Values(settings, OF_PULL)
        self._requests = Requests(pull.call, self._values.names, soap)
        self._contents = Contents(settings, pull)
        _check_known_again(pull)
        self._cursor = ""
        self._acknowledging = Values(settings, OF_ACKNOWLEDGE)
        self._acknowledge = (
            Requests(pull.acknowledge, self._acknowledging.names, soap)
            if pull.acknowledge is not None
            else None
        )
        self._names_ids = self._acknowledge is not None and "ids" in self._acknowledge.names

    async def run(self, transport: Transport, stopping: asyncio.Event) -> None:
        """Fetch until `stopping`."""
        backoff = Backoff(self._pull.interval_s, max(self._pull.interval_s, _PAUSE_LIMIT_S))
        told = ""
        while not stopping.is_set():
            fault, came = "", False
            try:
                came = await self._round(transport, stopping)
            except (_FailedError, NotSentError, LostError) as e:
                fault = str(e)
            except Exception as e:
                log.exception("%s: pull", self._where)
                fault = type(e).__name__
            if fault and fault != told:
                log.warning("%s: nothing could be fetched: %s", self._where, fault)
            elif told and not fault:
                log.info("%s: fetching goes well again", self._where)
            told = fault
            pause_s = min(_BETWEEN_S, self._pull.interval_s) if came else self._pull.interval_s
            if fault:
                pause_s = backoff.next()
            else:
                backoff.reset()
            await came_within(stopping, pause_s)

    async def _round(self, transport: Transport, stopping: asyncio.Event) -> bool:
        """Whether there may be more at once. Raises _FailedError, NotSentError, LostError."""
        request = self._requests.make(self._values.of({"cursor": self._cursor}))
        given = await transport.exchange(request)
        if not 200 <= given.status < 300:
            raise _FailedError(f"HTTP {given.status}")
        try:
            held = self._contents.read(given.body)
        except documents.UnreadableError as e:
            raise _FailedError(str(e)) from None
        news = self._deliveries.news(held.items)
        await self._keep(held.items, stopping)
        moved = bool(held.cursor) and held.cursor != self._cursor
        if held.unread and (moved or (self._acknowledge is not None and not self._names_ids)):
            raise _FailedError("not all that came could be read")
        if held.items:
            await self._confirm(transport, held.items, held.cursor)
        self._cursor = held.cursor or self._cursor
        return news and (moved or self._acknowledge is not None)

    async def _keep(self, items: Sequence[Item], stopping: asyncio.Event) -> None:
        """Until they are durable: the provider may have forgotten them when it answered."""
        while not await self._deliveries.record(items, _RECORDED_WITHIN_S):
            log.warning("%s: %d items wait for the store", self._where, len(items))
            await came_within(stopping, _BETWEEN_S)

    async def _confirm(self, transport: Transport, items: Sequence[Item], cursor: str) -> None:
        if self._acknowledge is None:
            return
        ids = ",".join(dict.fromkeys(item.id for item in items))
        values = self._acknowledging.of({"ids": ids, "cursor": cursor})
        given = await transport.exchange(self._acknowledge.make(values))
        if not 200 <= given.status < 300:
            raise _FailedError(f"the acknowledgement was answered with HTTP {given.status}")


def _check_known_again(pull: Pull) -> None:
    """Raises ValueError where the same text would be taken again with each round."""
    inbound = pull.inbound
    if inbound is None or pull.acknowledge is not None or pull.cursor:
        return
    if not inbound.id and not inbound.done:
        raise ValueError(
            "inbound: without acknowledge and cursor a text comes again and again;"
            " id or done must tell it apart"
        )
