"""Notices on their way home: a destination that is slow, gone or particular, and a store that
keeps what has not arrived."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.domain.states import State
from adapter.domain.values import Home, InboundNotice, Notice
from adapter.notify import courier as module
from adapter.notify.courier import Courier, newest
from tests.nodes import until

READY = 10**6
WAIT_S = 20.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_MIN_S", 0.001)
    monkeypatch.setattr(module, "PAUSE_MAX_S", 0.01)
    monkeypatch.setattr(module, "LINGER_S", 0.02)


def notice(made: int, message: int = 0, state: State = State.DELIVERED) -> Notice:
    return Notice(
        id=made,
        destination="source:his",
        message_id=message or made,
        submission_id=1,
        client_ref="1",
        ref="",
        mobile="13800138000",
        state=state,
        code="",
        text="",
        segments=1,
        channel="main",
        submitted_at=None,
        done_at=None,
    )


def inbound(made: int) -> InboundNotice:
    at = datetime.now(UTC)
    return InboundNotice(made, "source:his", made, "138", "好", "1069", "", at, None, "")


class House:
    """A store that keeps notices, and a destination that takes them."""

    def __init__(self) -> None:
        self.kept: dict[int, Home] = {}
        self.landed: list[list[int]] = []
        self.tried: list[list[int]] = []
        self.refused: set[int] = set()
        self.down = False
        self.falls_after = 0
        self.store_away = False
        self.reads = 0
        self._lock = threading.RLock()

    def read(self, most: int, after: int) -> Sequence[Home]:
        with self._lock:
            self.reads += 1
            if self.store_away:
                raise OSError("the store is away")
            return [self.kept[made] for made in sorted(self.kept) if made > after][:most]

    def deliver(self, notices: Sequence[Home]) -> None:
        ids = [each.id for each in notices]
        with self._lock:
            self.tried.append(ids)
            if self.falls_after and len(ids) == 1:
                # Single ones get through for a moment.
                self.falls_after -= 1
                self.landed.append(ids)
                return
            if self.down or self.refused.intersection(ids):
                raise OSError("not this one")
            self.landed.append(ids)

    def forget(self, ids: Sequence[int]) -> None:
        with self._lock:
            for made in ids:
                self.kept.pop(made, None)

    def keep(self, *notices: Home) -> list[Home]:
        with self._lock:
            self.kept.update((each.id, each) for each in notices)
        return list(notices)

    def wait(self, condition: Callable[[], object]) -> None:
        def holds() -> object:
            with self._lock:
                return condition()

        until(holds)

    @property
    def arrived(self) -> list[int]:
        """In order, without the first one of `ready`."""
        return [made for batch in self.landed for made in batch if made != READY]


@pytest.fixture
def home() -> House:
    return House()


@pytest.fixture
def build(home: House) -> Iterator[Callable[..., Courier]]:
    made: list[Courier] = []

    def build(**options: Any) -> Courier:
        courier = Courier("source:his", home.deliver, home.read, home.forget, **options)
        made.append(courier)
        courier.start()
        return courier

    yield build
    for courier in made:
        courier.ask_to_stop()
        assert courier.join(WAIT_S)


def ready(home: House, courier: Courier) -> None:
    """It has read the store once, and takes what comes fresh."""
    home.wait(lambda: home.reads)
    home.keep(notice(READY))
    while READY in home.kept:
        courier.offer([notice(READY)])


def test_what_is_offered_lands_in_order_and_is_forgotten(
    home: House, build: Callable[..., Courier]
) -> None:
    courier = build(batch=10)
    ready(home, courier)
    for first in range(10, 110, 10):
        courier.offer(home.keep(*(notice(made) for made in range(first, first + 10))))
    home.wait(lambda: not home.kept)
    assert home.arrived == list(range(10, 110))
    assert courier.failing_since is None


def test_what_the_store_kept_lands_after_a_start(
    home: House, build: Callable[..., Courier]
) -> None:
    home.keep(*(notice(made) for made in range(1, 1001)))
    build(batch=64)
    home.wait(lambda: not home.kept)
    assert home.arrived == list(range(1, 1001))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_final_state_is_told_whichever_came_first(order: tuple[int, int]) -> None:
    both = [notice(5, 7, State.SUBMITTED), notice(6, 7, State.DELIVERED)]
    assert newest([both[place] for place in order]) == [both[1]]
    later = [notice(9, 7, State.SUBMITTED), notice(6, 7, State.DELIVERED)]
    assert newest([later[place] for place in order]) == [later[1]]


def test_texts_and_states_of_one_number_are_different_things() -> None:
    both: list[Home] = [notice(5, 7), inbound(7)]
    assert newest(both) == both


def test_more_than_memory_may_hold_is_read_from_the_store(
    home: House, build: Callable[..., Courier]
) -> None:
    courier = build(batch=10, most=25)
    ready(home, courier)
    home.down = True
    for made in range(10, 210):
        courier.offer(home.keep(notice(made)))
        assert courier.waiting <= 25
    home.down = False
    home.wait(lambda: not home.kept)
    assert set(home.arrived) == set(range(10, 210))


def test_a_delivery_is_repeated_until_it_lands(home: House, build: Callable[..., Courier]) -> None:
    home.down = True
    home.keep(*(notice(made) for made in range(1, 6)))
    courier = build()
    home.wait(lambda: len(home.tried) >= 30)
    assert courier.failing_since is not None
    assert sorted(home.kept) == [1, 2, 3, 4, 5]
    home.down = False
    home.wait(lambda: not home.kept)
    assert home.arrived == [1, 2, 3, 4, 5]


def test_one_that_is_refused_for_ever_holds_up_nobody(
    home: House, build: Callable[..., Courier]
) -> None:
    home.refused = {3, 47}
    home.keep(*(notice(made) for made in range(1, 101)))
    courier = build(batch=20)
    home.wait(lambda: sorted(home.kept) == [3, 47])
    assert len(home.arrived) == len(set(home.arrived)) == 98
    home.wait(lambda: courier.set_aside == 2)
    courier.offer(home.keep(notice(200)))
    home.wait(lambda: 200 not in home.kept)


def test_a_destination_that_goes_away_in_the_middle_sets_nothing_aside(
    home: House, build: Callable[..., Courier]
) -> None:
    home.down = True
    home.falls_after = 5
    home.keep(*(notice(made) for made in range(1, 21)))
    courier = build()
    home.wait(lambda: home.falls_after == 0)
    home.down = False
    home.wait(lambda: not home.kept)
    assert courier.set_aside == 0


def test_one_that_is_refused_alone_in_the_store_holds_up_nobody_either(
    home: House, build: Callable[..., Courier]
) -> None:
    home.refused = {1}
    home.keep(notice(1))
    courier = build()
    home.wait(lambda: len(home.tried) >= 10)
    courier.offer(home.keep(notice(2), notice(3)))
    home.wait(lambda: sorted(home.kept) == [1])


def test_what_was_refused_is_tried_again_and_lands_once_it_is_taken(
    home: House, build: Callable[..., Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASIDE_S", 0.01)
    monkeypatch.setattr(module, "READ_AGAIN_S", 0.01)
    home.refused = {2}
    home.keep(*(notice(made) for made in range(1, 10)))
    courier = build()
    home.wait(lambda: sorted(home.kept) == [2])
    home.refused.clear()
    home.wait(lambda: not home.kept)
    home.wait(lambda: courier.set_aside == 0)
    assert home.arrived.count(2) == 1


def test_what_nobody_offered_is_found_while_others_come(
    home: House, build: Callable[..., Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_AGAIN_S", 0.05)
    courier = build()
    ready(home, courier)
    home.keep(notice(10))
    made = 100
    while 10 in home.kept:
        made += 1
        courier.offer(home.keep(notice(made)))
    home.wait(lambda: not home.kept)


def test_what_nobody_offered_is_found_when_it_is_told_to_look(
    home: House, build: Callable[..., Courier]
) -> None:
    courier = build()
    ready(home, courier)
    home.keep(notice(10))
    courier.look_again()
    home.wait(lambda: not home.kept)


def test_a_store_that_is_away_is_asked_again(home: House, build: Callable[..., Courier]) -> None:
    home.store_away = True
    home.keep(notice(1))
    build()
    home.wait(lambda: home.reads >= 3)
    home.store_away = False
    home.wait(lambda: not home.kept)


def test_a_stop_does_not_wait_for_a_destination_that_is_away(
    home: House, build: Callable[..., Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_MIN_S", 3600.0)
    monkeypatch.setattr(module, "PAUSE_MAX_S", 3600.0)
    home.down = True
    home.keep(notice(1))
    courier = build()
    home.wait(lambda: home.tried)
    courier.ask_to_stop()
    assert courier.join(WAIT_S)
    assert list(home.kept) == [1]
    # The next start brings it.
    home.down = False
    build()
    home.wait(lambda: not home.kept)
