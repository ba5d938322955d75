"""A feed over a store in memory: nothing is lost, nothing forgotten unanswered, memory bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from adapter.domain.errors import StoreUnavailable
from adapter.domain.values import Home, InboundNotice
from adapter.notify import feeds
from adapter.notify.feeds import Feed
from tests.connectors.recorder import eventually, run


def notice(made: int) -> Home:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return InboundNotice(made, "client:his", made, "13800138000", "", "1", "", at, None, "")


class Store:
    """What waits; away on request."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = {made: notice(made) for made in range(1, waiting + 1)}
        self.away = False
        self.most = 0

    def read(self, most: int) -> Sequence[Home]:
        self._look()
        self.most = max(self.most, most)
        return [self.waiting[made] for made in sorted(self.waiting)][:most]

    def forget(self, ids: Sequence[int]) -> None:
        self._look()
        for made in ids:
            self.waiting.pop(made, None)

    def _look(self) -> None:
        if self.away:
            raise StoreUnavailable


class Ear:
    """A listener; `answers` at once, or keeps what it is pushed."""

    def __init__(self, window: int = 10, *, answers: bool = True) -> None:
        self.window = window
        self.answers = answers
        self.heard: list[int] = []
        self.held: list[Home] = []

    @property
    def room(self) -> int:
        return self.window - len(self.held)

    def push(self, feed: Feed, notices: Sequence[Home]) -> None:
        assert len(notices) <= self.room
        self.heard += [each.id for each in notices]
        self.held += notices
        if self.answers:
            self.answer(feed)

    def answer(self, feed: Feed) -> None:
        ids = [each.id for each in self.held]
        self.held.clear()
        feed.answered(ids)


@asynccontextmanager
async def feeding(store: Store) -> AsyncIterator[Feed]:
    with ThreadPoolExecutor(2) as pool:
        yield Feed("his/inbound", store.read, store.forget, pool)


def test_all_that_waits_is_pushed_in_order_and_forgotten() -> None:
    async def test() -> None:
        store, ear = Store(2_000), Ear()
        async with feeding(store) as feed:
            feed.join(ear)
            await eventually(lambda: not store.waiting)
            assert ear.heard == list(range(1, 2_001))
            assert store.most <= feeds.PAGE + feeds.MOST_UNFORGOTTEN

    run(test())


def test_what_is_not_answered_is_not_forgotten_and_goes_first_to_the_next() -> None:
    async def test() -> None:
        store, deaf, ear = Store(30), Ear(answers=False), Ear()
        async with feeding(store) as feed:
            feed.join(deaf)
            await eventually(lambda: len(deaf.heard) == 10)
            feed.leave(deaf, deaf.held)
            feed.join(ear)
            await eventually(lambda: not store.waiting)
            assert ear.heard == list(range(1, 31))

    run(test())


def test_several_listeners_share_and_none_gets_what_another_has() -> None:
    async def test() -> None:
        store, ears = Store(40), [Ear(answers=False) for _ in range(3)]
        async with feeding(store) as feed:
            for ear in ears:
                feed.join(ear)
            await eventually(lambda: sum(len(ear.heard) for ear in ears) == 30)
            heard = [made for ear in ears for made in ear.heard]
            assert len(set(heard)) == 30
            for ear in ears:
                ear.answers = True
                ear.answer(feed)
            await eventually(lambda: not store.waiting)

    run(test())


def test_news_is_pushed_and_what_came_late_with_an_earlier_id_too() -> None:
    async def test() -> None:
        store, ear = Store(), Ear()
        async with feeding(store) as feed:
            feed.join(ear)
            store.waiting[7] = notice(7)
            feed.told()
            await eventually(lambda: ear.heard == [7])
            store.waiting[3] = notice(3)
            feed.told()
            await eventually(lambda: ear.heard == [7, 3] and not store.waiting)

    run(test())


def test_a_store_that_was_away_forgets_afterwards_and_nothing_is_pushed_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "PAUSE_S", 0.01)

    async def test() -> None:
        store, ear = Store(20), Ear(window=5, answers=False)
        async with feeding(store) as feed:
            feed.join(ear)
            await eventually(lambda: len(ear.heard) == 5)
            store.away = True
            ear.answers = True
            ear.answer(feed)
            await asyncio.sleep(0.05)
            store.away = False
            await eventually(lambda: not store.waiting)
            assert sorted(ear.heard) == list(range(1, 21))

    run(test())


def test_what_is_gone_while_a_page_is_read_is_not_pushed_again() -> None:
    """Somebody else took it out of the store, between our reading and our hearing of it."""

    class Slow(Store):
        def __init__(self) -> None:
            super().__init__(3)
            self.reading, self.read_on = threading.Event(), threading.Event()
            self.read_on.set()
            self.forgotten: list[int] = []

        def read(self, most: int) -> Sequence[Home]:
            page = super().read(most)
            self.reading.set()
            assert self.read_on.wait(20)
            return page

        def forget(self, ids: Sequence[int]) -> None:
            self.forgotten += ids
            super().forget(ids)

    async def test() -> None:
        store, ear = Slow(), Ear(answers=False)
        async with feeding(store) as feed:
            feed.join(ear)
            await eventually(lambda: ear.heard == [1, 2, 3])
            store.reading.clear()
            store.read_on.clear()
            feed.look_again()
            await eventually(store.reading.is_set)
            del store.waiting[2]
            ear.held = [each for each in ear.held if each.id != 2]
            feed.gone([2])
            store.read_on.set()
            await eventually(lambda: feed.tending is None)
            ear.answers = True
            ear.answer(feed)
            await eventually(lambda: not store.waiting)
            assert ear.heard == [1, 2, 3]
            assert sorted(store.forgotten) == [1, 3]
            # Replayed, say: it is another notice's life.
            store.waiting[2] = notice(2)
            feed.told()
            await eventually(lambda: not store.waiting)
            assert ear.heard == [1, 2, 3, 2]

    run(test())


def test_a_refused_notice_holds_up_nobody_and_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "ASIDE_S", 0.05)

    async def test() -> None:
        store, ear = Store(3), Ear(answers=False)
        async with feeding(store) as feed:
            feed.join(ear)
            await eventually(lambda: len(ear.heard) == 3)
            ear.held.clear()
            feed.refused([1])
            feed.answered([2, 3])
            await eventually(lambda: list(store.waiting) == [1])
            ear.answers = True

            def heard_again() -> bool:
                feed.look_again()
                return ear.heard[3:] == [1]

            await eventually(heard_again)
            await eventually(lambda: not store.waiting)

    run(test())
