"""The dispatcher over a real store (SQLite), with real links to simulated carriers."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import OperationalError

from adapter.config.model import Channel as ChannelConfig
from adapter.config.model import LanePolicy, Policies, Route
from adapter.dispatch.dispatcher import Dispatcher
from adapter.dispatch.inbox import Inbox
from adapter.dispatch.store_spool import StoreSpool
from adapter.domain.states import Carrier, DoubtRule, Lane
from adapter.links import open_links
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import attempt, message, segment, spool
from adapter.store.staging import SLICE
from connectors.behaviour import Behaviour, SimulatorOptions, Span
from connectors.simulator import Simulator
from tests.store.making import IDS, Intake, count, pair

PATIENCE_S = 60.0
STOP_S = 10.0
LANES = {
    lane: LanePolicy(lane, DoubtRule.RESEND, 1.0, backoff_min_s=0.05, backoff_max_s=0.2)
    for lane in Lane
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@dataclass
class House:
    """A dispatcher at work, its store and its carriers, first choice first."""

    engine: Engine
    intake: Intake
    dispatcher: Dispatcher
    carriers: list[Simulator]

    async def accept(self, *pairs: Any) -> list[Any]:
        """As a door does it, on a thread of its own."""
        waiting = await asyncio.to_thread(self.intake.accept, *pairs)
        self.dispatcher.arrived(waiting)
        return waiting

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - nothing signals these
                await asyncio.sleep(0.01)

    async def until_delivered(self, messages: int) -> None:
        statement = select(func.count()).where(message.c.state == "DELIVERED")

        def delivered() -> bool:
            with self.engine.connect() as connection:
                return connection.execute(statement).scalar_one() >= messages

        await self.until(delivered)

    def submits(self, carrier: int = 0) -> list[dict[str, Any]]:
        return [e for e in self.carriers[carrier].events("submit") if e["result"] == 0]


@asynccontextmanager
async def house(
    engine: Engine,
    *behaviours: Behaviour,
    rate: float = 5_000,
    window: int = 16,
    active: int = 1000,
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        carriers, configs = [], []
        for number, behaviour in enumerate(behaviours or (Behaviour(),), 1):
            simulator = Simulator(
                SimulatorOptions(account="900001", password="s", behaviour=behaviour, keep=100_000)
            )
            await simulator.start()
            stack.push_async_callback(simulator.stop)
            carriers.append(simulator)
            configs.append(
                ChannelConfig(
                    f"channel-{number}", "cmpp", "3.0", "127.0.0.1", simulator.port, "900001", "s",
                    "1069", links=2, window=window, rate=5_000,
                    reconnect_min_s=0.02, reconnect_max_s=0.1,
                )
            )  # fmt: skip
        intake = Intake(engine)
        intake.committer.start()
        stack.callback(intake.committer.stop)
        spool = StoreSpool(
            engine,
            intake.committer,
            intake.committer,
            IDS,
            intake.capacity,
            Inbox(intake.committer, IDS, {}, {}, 300.0, lambda _: None),
            lambda _: None,
        )
        routes = [Route(carrier, [config.name for config in configs]) for carrier in Carrier]
        policies = Policies(LANES, active=active)
        dispatcher = Dispatcher(spool, configs, routes, {}, policies, open_links, now_ms)
        await dispatcher.start()
        its = House(engine, intake, dispatcher, carriers)
        await its.until(lambda: all(channel.is_up for channel in dispatcher.channels.values()))
        yield its
        await dispatcher.stop(STOP_S)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_an_urgent_message_overtakes_a_backlog_of_bulk(store: Engine) -> None:
    async def test() -> None:
        slow = Behaviour(answer_delay=Span(2, 4))
        async with house(store, slow, window=8) as its:
            await its.accept(*(pair(1000, lane=Lane.BULK) for _ in range(5)))
            await its.carriers[0].wait_for("submit", 500, PATIENCE_S)
            (code,) = await asyncio.to_thread(its.intake.accept, pair(lane=Lane.URGENT))
            before = len(its.submits())
            its.dispatcher.arrived([code])
            number = code.message.mobile
            await its.until(lambda: any(e["destination"] == number for e in its.submits()))
            order = [e["destination"] for e in its.submits()]
            # Before it: what was on its way to the carrier, and the turn being recorded.
            assert order.index(number) - before <= 2 * 2 * 8
            assert its.intake.capacity.waiting > 2_000
            await its.until_delivered(5001)
            assert Counter(Counter(e["destination"] for e in its.submits()).values()) == {1: 5001}

    run(test())


def test_a_fallen_carrier_is_replaced_and_returns(store: Engine) -> None:
    async def test() -> None:
        async with house(store, Behaviour(), Behaviour()) as its:
            first, second = its.carriers
            await its.accept(pair(50))
            await its.until_delivered(50)
            assert len(its.submits(0)) == 50
            await first.stop()
            await its.until(lambda: not its.dispatcher.channels["channel-1"].is_up)
            await its.accept(pair(50))
            await its.until_delivered(100)
            assert len(its.submits(1)) == 50
            await second.stop()
            await its.until(lambda: not its.dispatcher.channels["channel-2"].is_up)
            await its.accept(pair(50))
            assert count(store, spool) == 50
            with store.connect() as connection:
                tries = connection.execute(select(func.max(spool.c.tries))).scalar_one()
            assert tries == 0

    run(test())


def test_a_carrier_that_throttles_gets_everything_once(store: Engine) -> None:
    async def test() -> None:
        async with house(store, Behaviour(throttle_per_s=200)) as its:
            await its.accept(pair(300))
            await its.until_delivered(300)
            assert any(e["result"] == 8 for e in its.carriers[0].events("submit"))
            assert Counter(Counter(e["destination"] for e in its.submits()).values()) == {1: 300}

    run(test())


def test_links_that_fall_all_the_time_lose_nothing(store: Engine) -> None:
    async def test() -> None:
        async with house(store, Behaviour(drop_after=60, seed=1)) as its:
            accepted = await its.accept(pair(600))
            seen = {each.message.mobile for each in accepted}
            await its.until(lambda: count(store, spool) == 0)
            # What was on a falling link is in doubt, all others arrive once.
            await its.until(lambda: all_answered(store))
            with store.connect() as connection:
                doubtful = set(
                    connection.execute(
                        select(message.c.mobile).join(attempt, attempt.c.message_id == message.c.id)
                    ).scalars()
                )
            counts = Counter(e["destination"] for e in its.submits())
            assert seen - counts.keys() <= doubtful
            assert all(times == 1 for times in counts.values())

    run(test())


def all_answered(store: Engine) -> bool:
    with store.connect() as connection:
        statement = select(func.count()).where(attempt.c.doubt_at.is_(None))
        return connection.execute(statement).scalar_one() == 0


def test_long_messages_go_whole_over_one_link(store: Engine) -> None:
    async def test() -> None:
        async with house(store, Behaviour(answer_delay=Span(0, 3), seed=2), window=4) as its:
            await its.accept(*(long_pair(20) for _ in range(5)))
            await its.until_delivered(100)
            parts: defaultdict[str, list[int]] = defaultdict(list)
            for each in its.submits():
                parts[each["destination"]].append(each["number"])
            assert list(parts.values()) == [[1, 2, 3]] * 100
            with store.connect() as connection:
                rows = connection.execute(select(func.count()).select_from(segment)).scalar_one()
            assert rows == 300

    run(test())


def long_pair(messages: int) -> Any:
    its, own = pair(messages, segments=3)
    its = structs.replace(its, content="长" * 190)
    return its, own


def test_a_store_that_goes_away_while_attempts_are_recorded(store: Engine) -> None:
    transactions, refused, back = 0, 0, False

    def refuse(*_: object) -> None:
        # By count, not by time: however busy the machine is, ten windows are not 1,280 messages.
        nonlocal transactions, refused
        transactions += 1
        if transactions > 10 and not back:
            refused += 1
            raise OperationalError("begin", None, OSError("disk I/O error"))

    async def test() -> None:
        nonlocal back
        async with house(store, Behaviour(answer_delay=Span(1, 2))) as its:
            event.listen(store, "begin", refuse)
            # One commit: none of them is so large that it would be stored in slices.
            await its.accept(*[pair(SLICE) for _ in range(20)])
            await its.until(lambda: refused and on_wire(its) == 0)
            frozen = len(its.submits())
            back = True
            await its.until_delivered(20 * SLICE)
            assert frozen < 20 * SLICE
            sent = Counter(e["destination"] for e in its.submits())
            assert Counter(sent.values()) == {1: 20 * SLICE}
            assert count(store, attempt) == 0

    run(test())


def on_wire(its: House) -> int:
    channels = its.dispatcher.channels.values()
    return sum(link.unanswered for channel in channels for link in channel.links)


@pytest.mark.slow
def test_a_hundred_thousand_waiting_messages_cost_disk_not_memory(store: Engine) -> None:
    async def test() -> None:
        async with house(store, Behaviour(), active=2_000) as its:
            await its.carriers[0].stop()
            await its.until(lambda: not its.dispatcher.channels["channel-1"].is_up)
            await its.accept(pair(1))
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(100):
                await its.accept(pair(1000, lane=Lane.BULK))
                its.intake.arrived.clear()
            await its.until(lambda: its.dispatcher.lanes.held >= 2_000)
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert count(store, spool) == 100_001
            assert its.dispatcher.lanes.held <= 2_000 + 2 * 500
            assert after - before < 20_000_000

    run(test())
