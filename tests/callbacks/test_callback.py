"""A callback over a store in memory and a service that hangs, refuses or is away, with a clock that
jumps: nothing is lost, nothing overtakes, nobody is held up, what is too old is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.callbacks import callback as module
from adapter.callbacks.callback import Callback
from adapter.callbacks.target import NotTakenError
from adapter.config.model import Callback as Settings
from adapter.domain.errors import StoreUnavailable
from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.domain.values import Home, InboundNotice, Notice
from adapter.notify.feeds import Feed
from adapter.store.dead_letters import Burial
from tests.connectors.recorder import eventually, run

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
FIRST = id_at(NOW)
DAY = 86_400.0


def receipt(number: int, message: int = 0, at: datetime = NOW) -> Notice:
    """The event number so and so, which happened then."""
    return Notice(
        id=id_at(at) + number,
        destination="client:his",
        message_id=message or number,
        submission_id=1,
        client_ref="",
        ref="",
        mobile="13800138000",
        state=State.DELIVERED,
        code="DELIVRD",
        text="",
        segments=1,
        channel="main",
        submitted_at=None,
        done_at=at,
    )


def reply(number: int, message: int) -> InboundNotice:
    made = FIRST + number
    return InboundNotice(made, "client:his", made, "138", "好", "1069", "", NOW, message, "")


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Store:
    """What waits, and the dead; away on request."""

    def __init__(self, events: Iterable[Home]) -> None:
        self.waiting = {each.id: each for each in events}
        self.dead: dict[int, str] = {}
        self.replayed: dict[int, datetime] = {}
        self.away = False
        self.most = 0

    def read(self, most: int) -> Sequence[Home]:
        self._look()
        self.most = max(self.most, most)
        return [self.waiting[made] for made in sorted(self.waiting)][:most]

    def forget(self, ids: Sequence[int]) -> None:
        self._look()
        for made in ids:
            del self.waiting[made]

    def bury(self, burial: Burial) -> Mapping[int, datetime]:
        self._look()
        assert burial.destination == "client:his"
        spared = {
            made: at
            for made, at in self.replayed.items()
            if made in burial.ids and at > burial.spared_since
        }
        for made in burial.ids:
            if made not in spared:
                del self.waiting[made]
                self.dead[made] = burial.reason
        return spared

    def _look(self) -> None:
        if self.away:
            raise StoreUnavailable


class Service:
    """The client's."""

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self.taken: list[int] = []
        self.tried: list[list[int]] = []
        self.refused: set[int] = set()
        self.away = False
        self.down = False
        self.slow: asyncio.Event | None = None
        self.at_once = 0
        self.greatest = 0
        self.messages: set[int] = set()

    async def bring(self, events: Sequence[Home]) -> None:
        ids = [each.id for each in events]
        self.tried.append(ids)
        about = {each.message_id or each.id for each in events}
        assert not about & self.messages, "two events of a message at the same time"
        self.messages |= about
        self.at_once += 1
        self.greatest = max(self.greatest, self.at_once)
        try:
            await asyncio.sleep(0)
            if self.slow is not None:
                await self.slow.wait()
            if self.away:
                raise NotTakenError("no connection", away=True)
            if self.down or self.refused.intersection(ids):
                raise NotTakenError("HTTP 500")
            self.taken += ids
        finally:
            self.at_once -= 1
            self.messages -= about

    async def close(self) -> None:
        return


class Counted:
    def __init__(self) -> None:
        self.buried = 0
        self.brought = 0

    def callback_asked(self, client: str, outcome: str) -> None:
        assert outcome in ("taken", "refused", "unreachable")

    def callback_brought(self, client: str, waits: Iterable[float]) -> None:
        self.brought += len(list(waits))

    def callback_buried(self, client: str, count: int) -> None:
        self.buried += count


class House:
    def __init__(self, events: Iterable[Home], most: int = 1, **settings: Any) -> None:
        self.clock = Clock()
        self.store = Store(events)
        self.service = Service(most)
        self.watch = Counted()
        given = {"retry_min_s": 0.001, "retry_max_s": 0.005, "connections": 4}
        self.settings = Settings("his", url="http://h", **{**given, **settings})
        self.feed: Feed
        self.callback: Callback

    def add(self, *events: Home) -> None:
        self.store.waiting.update((each.id, each) for each in events)
        self.feed.told()

    @property
    def taken(self) -> list[int]:
        """Numbers of the events of this moment."""
        return [made - FIRST for made in self.service.taken]


@asynccontextmanager
async def calling(house: House) -> AsyncIterator[House]:
    with ThreadPoolExecutor(2) as pool:
        house.feed = Feed("his/all", house.store.read, house.store.forget, pool)
        house.callback = Callback(
            house.settings, house.service, house.feed, house.store.bury, house.watch, house.clock
        )
        yield house
        await house.callback.close()


@pytest.mark.parametrize("most", [1, 50])
def test_all_that_waits_is_brought_once_and_forgotten(most: int) -> None:
    async def test() -> None:
        async with calling(House((receipt(n) for n in range(1, 1_201)), most)) as house:
            await eventually(lambda: not house.store.waiting)
            assert sorted(house.taken) == list(range(1, 1_201))
            assert max(map(len, house.service.tried)) == most
            assert house.service.greatest <= 4
            assert house.watch.brought == 1_200
            assert house.callback.failing_since is None

    run(test())


@pytest.mark.parametrize("most", [1, 7])
def test_events_of_a_message_come_in_order_whatever_fails(most: int) -> None:
    events: list[Home] = [receipt(n, message=n) for n in range(1, 41)]
    events += [reply(100 * k + n, message=n) for k in range(1, 6) for n in range(1, 41)]
    chance = random.Random(5)

    class Moody(Service):
        async def bring(self, events: Sequence[Home]) -> None:
            self.down = chance.random() < 0.4
            await super().bring(events)

    async def test() -> None:
        house = House(events, most)
        house.service = Moody(most)
        async with calling(house):
            await eventually(lambda: not house.store.waiting)
            assert len(house.taken) == 240
            for message in range(1, 41):
                mine = [n for n in house.taken if n % 100 == message]
                assert mine == sorted(mine)

    run(test())


@pytest.mark.parametrize("most", [1, 20])
@pytest.mark.parametrize("connections", [1, 4])
def test_events_that_are_refused_for_ever_hold_up_nobody(most: int, connections: int) -> None:
    async def test() -> None:
        events = [receipt(n) for n in range(1, 301)]
        house = House(events, most, connections=connections)
        house.service.refused = {FIRST + n for n in (1, 2, 3, 4, 150, 300)}
        async with calling(house):
            await eventually(lambda: len(house.store.waiting) == 6)
            assert set(house.store.waiting) == house.service.refused
            assert len(house.taken) == len(set(house.taken)) == 294
            house.add(receipt(400))
            await eventually(lambda: 400 in house.taken)
            house.service.refused = set()
            await eventually(lambda: not house.store.waiting)
            assert len(house.taken) == len(set(house.taken)) == 301

    run(test())


def test_what_follows_a_refused_event_of_its_message_waits_behind_it() -> None:
    async def test() -> None:
        house = House([receipt(1), reply(2, message=1), receipt(3)])
        house.service.refused = {FIRST + 1}
        async with calling(house):
            await eventually(lambda: len(house.service.tried) > 10)
            assert house.taken == [3]
            house.service.refused = set()
            await eventually(lambda: not house.store.waiting)
            assert house.taken == [3, 1, 2]

    run(test())


@pytest.mark.parametrize("away", [False, True])
def test_while_nobody_takes_anything_little_is_tried_and_all_comes_afterwards(away: bool) -> None:
    async def test() -> None:
        house = House((receipt(n) for n in range(1, 5_001)), 10)
        house.service.down, house.service.away = not away, away
        async with calling(house):
            await eventually(lambda: house.callback.down)
            tried = len(house.service.tried)
            assert tried <= 8
            await eventually(lambda: len(house.service.tried) > tried + 60)
            # Only single events ask whether somebody is back.
            assert {len(ids) for ids in house.service.tried[tried:]} == {1}
            assert len(house.store.waiting) == 5_000
            assert house.store.most < 3_000
            house.service.down = house.service.away = False
            await eventually(lambda: not house.store.waiting)
            assert len(house.taken) == len(set(house.taken)) == 5_000
            assert not house.callback.down

    run(test())


def test_a_service_that_answers_500_for_a_day_gets_everything_afterwards() -> None:
    async def test() -> None:
        async with calling(House([receipt(n) for n in range(1, 201)])) as house:
            house.service.down = True
            for _hour in range(24):
                house.service.tried.clear()
                await eventually(lambda: len(house.service.tried) > 3)
                house.clock.pass_by(3_600)
            assert len(house.store.waiting) == 200
            house.service.down = False
            await eventually(lambda: not house.store.waiting)
            assert not house.store.dead
            assert sorted(house.taken) == list(range(1, 201))

    run(test())


def test_what_is_older_than_the_limit_dies_and_what_is_younger_lives() -> None:
    async def test() -> None:
        async with calling(House([receipt(n) for n in range(1, 2_001)])) as house:
            house.service.down = True
            await eventually(lambda: house.callback.down)
            house.clock.pass_by(2 * DAY)
            later = house.clock.at
            house.add(*(receipt(n, n, later) for n in range(3_000, 3_010)))
            house.clock.pass_by(DAY + 1)
            await eventually(lambda: house.watch.buried == 2_000)
            assert len(house.store.dead) == 2_000
            assert set(house.store.dead.values()) == {"HTTP 500"}
            assert len(house.store.waiting) == 10
            house.service.down = False
            await eventually(lambda: not house.store.waiting)
            assert len(house.service.taken) == 10
            assert not set(house.service.taken) & set(house.store.dead)

    run(test())


def test_a_refused_event_dies_alone_and_what_waited_behind_it_goes_on() -> None:
    async def test() -> None:
        house = House([receipt(1), reply(2, message=1), receipt(3)])
        house.service.refused = {FIRST + 1}
        async with calling(house):
            await eventually(lambda: house.callback.refused == 1)
            house.clock.pass_by(3 * DAY + 1)
            await eventually(lambda: FIRST + 1 in house.store.dead)
            await eventually(lambda: not house.store.waiting)
            assert house.taken == [3, 2]

    run(test())


def test_a_node_that_stood_still_for_days_brings_what_waited() -> None:
    """Nothing dies before it was tried for a while."""

    async def test() -> None:
        house = House([receipt(n) for n in range(1, 101)])
        house.clock.pass_by(10 * DAY)
        house.service.down = True
        async with calling(house):
            await eventually(lambda: len(house.service.tried) > 30)
            assert not house.store.dead
            house.service.down = False
            await eventually(lambda: not house.store.waiting)
            assert sorted(house.taken) == list(range(1, 101))

    run(test())


def test_a_replayed_event_has_its_time_again() -> None:
    async def test() -> None:
        house = House([receipt(1)])
        house.clock.pass_by(10 * DAY)
        house.store.replayed = {FIRST + 1: house.clock.at}
        house.service.down = True
        async with calling(house):
            await eventually(lambda: house.callback.refused == 1)
            house.clock.pass_by(2 * DAY)
            tried = len(house.service.tried)
            await eventually(lambda: len(house.service.tried) > tried + 3)
            assert not house.store.dead
            house.clock.pass_by(DAY + 1)
            await eventually(lambda: FIRST + 1 in house.store.dead)

    run(test())


def test_a_service_that_hangs_does_not_keep_the_node_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.01)

    async def test() -> None:
        house = House([receipt(n) for n in range(1, 11)])
        house.service.slow = asyncio.Event()
        async with calling(house):
            await eventually(lambda: house.service.at_once == 4)
        assert len(house.store.waiting) == 10
        assert not house.taken
        # The next life brings them.
        house.service.slow = None
        async with calling(house):
            await eventually(lambda: not house.store.waiting)
        assert sorted(house.taken) == list(range(1, 11))

    run(test())


def test_what_arrived_while_the_store_is_away_is_not_brought_again() -> None:
    async def test() -> None:
        async with calling(House([receipt(n) for n in range(1, 11)])) as house:
            house.service.slow = asyncio.Event()
            await eventually(lambda: house.service.at_once == 4)
            house.store.away = True
            house.service.slow.set()
            await eventually(lambda: len(house.taken) == 10)
            house.feed.look_again()
            house.store.away = False
            await eventually(lambda: not house.store.waiting)
            assert sorted(house.taken) == list(range(1, 11))

    run(test())


def test_a_store_that_is_away_at_the_burial_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_BURY_AGAIN_S", 0.01)

    async def test() -> None:
        async with calling(House([receipt(n) for n in range(1, 6)])) as house:
            house.service.down = True
            await eventually(lambda: house.callback.down)
            house.store.away = True
            house.clock.pass_by(4 * DAY)
            tried = len(house.service.tried)
            await eventually(lambda: len(house.service.tried) > tried + 5)
            assert len(house.store.waiting) == 5
            house.store.away = False
            await eventually(lambda: len(house.store.dead) == 5)
            assert not house.store.waiting

    run(test())
