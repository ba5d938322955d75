"""A load in portions."""

from __future__ import annotations

import threading

import pytest

from adapter.drill.portions import Portions, shares


def test_nothing_passes_before_it_is_released() -> None:
    portions = Portions()
    passed: list[int] = []
    waiting = threading.Thread(target=lambda: passed.append(portions.wait(10)))
    waiting.start()
    assert passed == []
    portions.release(7)
    waiting.join()
    portions.release(20)
    assert passed == [7]
    assert [portions.wait(10), portions.wait(15)] == [10, 10]


@pytest.mark.parametrize(("total", "parts"), [(10, 3), (2, 5), (50_000, 51), (0, 1)])
def test_shares_are_equal_and_whole(total: int, parts: int) -> None:
    found = shares(total, parts)
    assert sum(found) == total
    assert len(found) == parts
    assert max(found) - min(found) <= 1
