"""Hands receipts and inbound texts to the owner of a link, and waits until they are durable.

An item that is being recorded is handed in once, however often it comes meanwhile: the
repetitions wait for the same end. So memory is bounded by `MOST_OPEN` and one body, also while
the owner keeps what it cannot record yet.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from connectors.values import Ack
from connectors.web.items import Item

MOST_OPEN = 10_000
"""Items without an ack, above which nothing new is taken."""
_REMEMBERED = 10_000


class Deliverer(Protocol):
    """Takes an item and tells by `ack` what became of it."""

    def deliver(self, item: Any, ack: Ack) -> None: ...


class Deliveries:
    """An item that came already and is durable is not handed in again."""

    def __init__(self, owner: Deliverer) -> None:
        self._owner = owner
        self._durable: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._open: dict[tuple[str, ...], asyncio.Future[bool]] = {}

    def news(self, items: Sequence[Item]) -> bool:
        """Whether one of them is not durable yet, as far as that is known."""
        return any(item.key not in self._durable for item in items)

    async def record(self, items: Sequence[Item], wait_s: float) -> bool:
        """Whether all are durable; False when that took longer than `wait_s`, when one could not
        be kept, and at once while too many are open."""
        missing = [item for item in items if item.key not in self._durable]
        if len(self._open) >= MOST_OPEN and any(each.key not in self._open for each in missing):
            return False
        waits = {self._begin(item) for item in missing}
        if not waits:
            return True
        ended, late = await asyncio.wait(waits, timeout=wait_s)
        return not late and all(each.result() for each in ended)

    def _begin(self, item: Item) -> asyncio.Future[bool]:
        open_ = self._open.get(item.key)
        if open_ is not None:
            return open_
        made: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._open[item.key] = made
        self._owner.deliver(item.value, _Ack(self, item))
        return made

    def ended(self, item: Item, *, durable: bool) -> None:
        """An item is durable, or could not be kept."""
        future = self._open.pop(item.key, None)
        if future is not None:
            future.set_result(durable)
        if durable and item.lasting:
            self._durable[item.key] = None
            if len(self._durable) > _REMEMBERED:
                self._durable.popitem(last=False)


class _Ack:
    __slots__ = ("_deliveries", "_item")

    def __init__(self, deliveries: Deliveries, item: Item) -> None:
        self._deliveries = deliveries
        self._item = item

    def __call__(self) -> None:
        self._deliveries.ended(self._item, durable=True)

    def refused(self) -> None:
        self._deliveries.ended(self._item, durable=False)
