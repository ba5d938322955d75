"""Ids rise, never repeat, and tell when they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import EPOCH_MS, MAX_NODE, IdMaker, id_at

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def moment_of(made: int) -> datetime:
    """When an id was made: the layout's first 41 bits."""
    return datetime.fromtimestamp(((made >> 22) + EPOCH_MS) / 1000, UTC)


class Clock:
    """Stands still in the middle of a millisecond until it is set; seconds since 1970."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.now = (moment + timedelta(microseconds=500)).timestamp()

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(0, 9_000)), max_size=20))
def test_ids_rise_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    maker = IdMaker(7, clock=clock)
    made: list[int] = []
    for milliseconds, n in steps:
        clock.now += milliseconds / 1000
        made += maker.take(n)
    assert made == sorted(set(made))
    assert len(made) == sum(n for _, n in steps)


def test_an_id_is_positive_in_a_signed_64_bit_column_until_2089() -> None:
    last = IdMaker(MAX_NODE, clock=Clock(datetime(2089, 1, 1, tzinfo=UTC))).take(4_096)[-1]
    assert 0 < last < 2**63


def test_an_id_tells_its_moment_to_the_millisecond() -> None:
    moment = NOON + timedelta(milliseconds=123)
    assert moment_of(IdMaker(5, clock=Clock(moment)).next()) == moment


@given(st.datetimes(datetime(2020, 1, 2), datetime(2088, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_id_at_parts_what_was_made_before_from_what_was_made_after(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    border = id_at(moment)
    assert IdMaker(clock=Clock(moment - timedelta(milliseconds=1))).take(4_096)[-1] < border
    assert IdMaker(clock=Clock(moment)).next() >= border
    assert moment_of(border) == moment


def test_no_millisecond_is_lost_after_2038() -> None:
    moment = datetime(2038, 2, 1, 0, 0, 0, 3_000, tzinfo=UTC)
    assert moment_of(id_at(moment)) == moment


def test_a_moment_before_the_epoch_is_before_every_id() -> None:
    assert id_at(datetime(1999, 1, 1, tzinfo=UTC)) == 0
    assert moment_of(0) == datetime.fromtimestamp(EPOCH_MS / 1000, UTC)


def test_beyond_4096_ids_a_millisecond_the_maker_runs_ahead_and_is_caught_up() -> None:
    clock = Clock()
    maker = IdMaker(clock=clock)
    ahead = maker.take(3 * 4_096)[-1]
    assert moment_of(ahead) == NOON + timedelta(milliseconds=2)
    clock.now += 1
    assert moment_of(maker.next()) == NOON + timedelta(seconds=1)


def test_after_a_restart_with_a_clock_set_back_ids_go_on_above_the_floor() -> None:
    floor = IdMaker(clock=Clock()).take(10)[-1]
    assert IdMaker(floor=floor, clock=Clock(NOON - timedelta(hours=1))).next() > floor
    assert IdMaker(floor=floor, clock=Clock()).next() > floor


def test_two_nodes_never_make_the_same_id() -> None:
    one, two = (set(IdMaker(node, clock=Clock()).take(10_000)) for node in (1, 2))
    assert not one & two


def test_threads_share_a_maker() -> None:
    maker = IdMaker()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: maker.take(1_000), range(32)))
    assert len({made for some in taken for made in some}) == 32_000
    assert all(some == sorted(some) for some in taken)


@pytest.mark.parametrize("node", [-1, MAX_NODE + 1])
def test_a_node_number_out_of_range(node: int) -> None:
    with pytest.raises(ValueError, match="node must be"):
        IdMaker(node)
