"""Fetching receipts and inbound texts, again and again.

Fetched, handed in, acknowledged when they are durable: in this order, one round after another,
so no more than one answer's items are in memory. A round that brought something is followed by
the next at once; one that failed by a growing pause.

Limits: the cursor is kept in memory. After a restart the provider is asked from the beginning,
where it does not take acknowledgements: receipts that come again change nothing, inbound texts
would come twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from connectors.backoff import Backoff
from connectors.web import documents
from connectors.web.answers import path_of
from connectors.web.intake import Deliveries
from connectors.web.items import Item, ItemReader
from connectors.web.requests import Requests
from connectors.web.settings import Format, Pull, Push, WebSettings
from connectors.web.soap import SoapService
from connectors.web.transport import LostError, NotSentError, Transport
from connectors.web.values import OF_ACKNOWLEDGE, OF_PULL, Values

log = logging.getLogger(__name__)

_RECORDED_WITHIN_S = 60.0
_PAUSE_LIMIT_S = 300.0


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
        self._readers = readers_of(settings, pull)
        items = pull.receipts or pull.inbound
        assert items is not None  # readers_of has raised
        self._format, self._charset = items.format, items.charset
        self._inside = path_of("inside", Format.XML, items.inside)
        self._has_inside = bool(items.inside)
        self._cursor_path = path_of("cursor", items.format, pull.cursor)
        self._cursor = ""
        self._acknowledging = Values(settings, OF_ACKNOWLEDGE)
        self._acknowledge = (
            Requests(pull.acknowledge, self._acknowledging.names, soap)
            if pull.acknowledge is not None
            else None
        )

    async def run(self, transport: Transport, stopping: asyncio.Event) -> None:
        """Fetch until `stopping`."""
        backoff = Backoff(self._pull.interval_s, max(self._pull.interval_s, _PAUSE_LIMIT_S))
        told = ""
        while not stopping.is_set():
            fault, came = "", False
            try:
                came = await self._round(transport)
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
            if came:
                continue
            if not fault:
                backoff.reset()
            await _pause(stopping, backoff.next() if fault else self._pull.interval_s)

    async def _round(self, transport: Transport) -> bool:
        """Whether something new came."""
        request = self._requests.make(self._values.of({"cursor": self._cursor}))
        given = await transport.exchange(request)
        if not 200 <= given.status < 300:
            raise _FailedError(f"HTTP {given.status}")
        try:
            items = [item for reader in self._readers for item in reader.read(given.body)]
            cursor = self._cursor_of(given.body)
        except documents.UnreadableError as e:
            raise _FailedError(str(e)) from None
        while not await self._deliveries.record(items, _RECORDED_WITHIN_S):
            # The provider may have forgotten them when it answered: they wait here.
            log.warning("%s: %d items wait for the store", self._where, len(items))
        moved = bool(cursor) and cursor != self._cursor
        if items and self._acknowledge is not None:
            await self._confirm(transport, items, cursor)
        if cursor:
            self._cursor = cursor
        return bool(items) and (moved or self._acknowledge is not None)

    async def _confirm(self, transport: Transport, items: Sequence[Item], cursor: str) -> None:
        assert self._acknowledge is not None  # asked by the caller
        ids = ",".join(dict.fromkeys(item.id for item in items))
        values = self._acknowledging.of({"ids": ids, "cursor": cursor})
        given = await transport.exchange(self._acknowledge.make(values))
        if not 200 <= given.status < 300:
            raise _FailedError(f"the acknowledgement was answered with HTTP {given.status}")

    def _cursor_of(self, body: bytes) -> str:
        if not self._pull.cursor or not body.strip():
            return ""
        if self._has_inside:
            body = documents.unwrap(body, self._inside, self._charset)
        charset = "utf-8" if self._has_inside else self._charset
        return documents.first(self._cursor_path, documents.read(body, self._format, charset))


def readers_of(settings: WebSettings, of: Pull | Push) -> list[ItemReader]:
    """Raises ValueError where there is nothing to read, or a path is none."""
    readers = []
    where = f"{settings.name}, {of.name}"
    for items, inbound in ((of.receipts, False), (of.inbound, True)):
        if items is not None:
            readers.append(
                ItemReader(
                    items,
                    inbound=inbound,
                    id_with_mobile=settings.id_with_mobile,
                    where=where,
                )
            )
    if not readers:
        raise ValueError("neither receipts nor inbound are described")
    return readers


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
