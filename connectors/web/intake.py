"""Hands receipts and inbound texts to the owner of a link, and waits until they are durable."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from connectors.web.items import Item

_REMEMBERED = 10_000


class Deliverer(Protocol):
    """Takes an item and calls `ack` once it is durable."""

    def deliver(self, item: Any, ack: Callable[[], None]) -> None: ...


class Deliveries:
    """An item that came already and is durable is not handed in again; one that is still being
    recorded makes the second wait for the first."""

    def __init__(self, owner: Deliverer) -> None:
        self._owner = owner
        self._durable: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._open: dict[tuple[str, ...], asyncio.Future[None]] = {}

    async def record(self, items: Sequence[Item], wait_s: float) -> bool:
        """Whether all are durable; False when that took longer than `wait_s`. What was not
        recorded by then may be handed in again."""
        waits = [self._begin(item) for item in items if item.key not in self._durable]
        if not waits:
            return True
        _, late = await asyncio.wait(waits, timeout=wait_s)
        for item in items:
            if (left := self._open.get(item.key)) in late:
                del self._open[item.key]
                left.cancel()
        # One that was given up while this waited for it, too, is not durable either.
        return not late and not any(each.cancelled() for each in waits)

    def _begin(self, item: Item) -> asyncio.Future[None]:
        open_ = self._open.get(item.key)
        if open_ is not None:
            return open_
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[item.key] = made

        def ack() -> None:
            self._remember(item.key)
            if self._open.get(item.key) is made:
                del self._open[item.key]
            if not made.done():
                made.set_result(None)

        self._owner.deliver(item.value, ack)
        return made

    def _remember(self, key: tuple[str, ...]) -> None:
        self._durable[key] = None
        if len(self._durable) > _REMEMBERED:
            self._durable.popitem(last=False)
