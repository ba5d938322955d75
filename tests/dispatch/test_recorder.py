"""Nothing is acknowledged to the carrier before it is recorded, and one bad piece takes nobody
with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from adapter.dispatch.recorder import Recorder
from adapter.domain.errors import StoreUnavailable
from adapter.domain.outcomes import Outcome, Received, Reported, Verdict
from connectors.values import Ack
from tests.dispatch.memory_spool import MemorySpool, waiting
from tests.dispatch.virtual import run


class Gate(MemorySpool):
    """Records when the test lets it; refuses the pieces named in `bad`."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.bad: list[object] = []
        self.gone = False
        self.recorded: list[Any] = []

    async def finish(self, outcomes: Sequence[Outcome]) -> None:
        await self._record(outcomes)

    async def report(self, reports: Sequence[Reported]) -> None:
        await self._record(reports)

    async def receive(self, texts: Sequence[Received]) -> None:
        await self._record(texts)

    async def _record(self, items: Sequence[Any]) -> None:
        await self.open.wait()
        if self.gone:
            raise StoreUnavailable
        if any(item in self.bad for item in items):
            raise ValueError("an impossible value")
        self.recorded += items


class Acks:
    """What became of numbered pieces."""

    def __init__(self) -> None:
        self.durable: list[int] = []
        self.refused: list[int] = []

    def of(self, number: int) -> Ack:
        return _Ack(self, number)


class _Ack:
    def __init__(self, acks: Acks, number: int) -> None:
        self._acks = acks
        self._number = number

    def __call__(self) -> None:
        self._acks.durable.append(self._number)

    def refused(self) -> None:
        self._acks.refused.append(self._number)


def report(number: int) -> Reported:
    return Reported("a", f"id-{number}", "DELIVRD", True, "138", "", "", 0)


def text(number: int) -> Received:
    return Received("a", f"138{number:08}", "好", "1069", "", 0)


def outcome() -> Outcome:
    return Outcome(waiting(), "a", Verdict.SUBMITTED, (), 0)


def test_nothing_is_acknowledged_before_it_is_recorded() -> None:
    async def test() -> None:
        spool = Gate()
        spool.open.clear()
        acked = Acks()
        recorder = Recorder(spool, lambda _: None)
        for number in range(10):
            recorder.report([(report(number), acked.of(number))])
            recorder.inbound(text(number), acked.of(number))
        await asyncio.sleep(60)
        assert acked.durable == []
        spool.open.set()
        assert await recorder.drain(10)
        assert sorted(acked.durable) == sorted([*range(10)] * 2)

    run(test())


def test_while_the_store_is_away_nothing_is_acknowledged() -> None:
    async def test() -> None:
        spool = Gate()
        spool.gone = True
        acked = Acks()
        recorder = Recorder(spool, lambda _: None)
        recorder.inbound(text(1), acked.of(1))
        assert await recorder.drain(10)
        assert acked.durable == []
        assert acked.refused == [1]

    run(test())


def test_one_that_is_refused_takes_nobody_with_it() -> None:
    async def test() -> None:
        spool = Gate()
        reports, outcomes = [report(n) for n in range(5)], [outcome() for _ in range(5)]
        spool.bad = [reports[2], outcomes[3]]
        told: list[Outcome] = []
        acked = Acks()
        recorder = Recorder(spool, told.extend)
        recorder.expect(each.waiting.message.id for each in outcomes)
        recorder.report([(each, acked.of(number)) for number, each in enumerate(reports)])
        recorder.outcomes(outcomes)
        assert await recorder.drain(10)
        assert acked.durable == [0, 1, 3, 4]
        assert acked.refused == [2]
        assert told == [*outcomes[:3], outcomes[4]]
        # Nobody will tell its end: the settler puts it in doubt.
        assert not any(recorder.is_alive(each.waiting.message.id) for each in outcomes)
        assert recorder.unrecorded("a") == 0

    run(test())


def test_a_drain_ends_though_the_store_hangs() -> None:
    async def test() -> None:
        spool = Gate()
        spool.open.clear()
        recorder = Recorder(spool, lambda _: None)
        recorder.outcomes([outcome()])
        began = asyncio.get_running_loop().time()
        assert not await recorder.drain(20)
        assert asyncio.get_running_loop().time() - began <= 21

    run(test())
