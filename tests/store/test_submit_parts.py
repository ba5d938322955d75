"""Parts of long texts: kept once, whole in any order, apart under one reference, overdue."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count as counting

import pytest
from sqlalchemy import Engine

from adapter.store.clock import now_ms
from adapter.store.committer import Committer
from adapter.store.schema import submit_part
from adapter.store.submit_parts import Part, SubmitParts
from tests.store.making import count, held


@dataclass
class Shelf:
    engine: Engine
    committer: Committer
    parts: SubmitParts


@pytest.fixture
def shelf(store: Engine) -> Iterator[Shelf]:
    committer = Committer(store, "test")
    committer.start()
    yield Shelf(store, committer, SubmitParts(store, committer))
    committer.stop()


_ids = counting(1)


def part(number: int, total: int = 3, key: str = "k", content: str = "") -> Part:
    return Part(next(_ids), "his", key, number, total, content or f'"{number}"')


def numbers(parts: object) -> list[int]:
    assert isinstance(parts, list)
    return [each.number for each in parts]


def test_the_last_one_brings_all_in_order(shelf: Shelf) -> None:
    asked = [part(3), part(1), part(2)]
    kept = [shelf.parts.keep([each])[0] for each in asked]
    assert [each.id for each in kept] == [each.id for each in asked]
    assert [numbers(list(each.whole)) for each in kept] == [[], [], [1, 2, 3]]
    assert count(shelf.engine, submit_part) == 3
    shelf.parts.drop(kept[-1].whole)
    assert count(shelf.engine, submit_part) == 0


def test_parts_of_one_call_and_of_one_commit_find_each_other(shelf: Shelf) -> None:
    kept = shelf.parts.keep([part(1, 2, "a"), part(2, 2, "a"), part(1, 2, "b")])
    assert [len(each.whole) for each in kept] == [0, 2, 0]
    with ThreadPoolExecutor(2) as threads, held(shelf.committer):
        asked = [threads.submit(shelf.parts.keep, [part(n, 2, "c")]) for n in (1, 2)]
    assert sorted(len(each.result()[0].whole) for each in asked) == [0, 2]


def test_one_that_comes_twice_is_the_same(shelf: Shelf) -> None:
    first, second = part(1, 2), part(1, 2)
    (kept,), (again,) = shelf.parts.keep([first]), shelf.parts.keep([second])
    assert again.id == kept.id == first.id
    (last,) = shelf.parts.keep([part(2, 2)])
    (repeated,) = shelf.parts.keep([part(2, 2)])
    # The answer to the last one got lost before its text was taken.
    assert last == repeated
    assert count(shelf.engine, submit_part) == 2


@pytest.mark.parametrize("together", [False, True])
def test_another_text_under_the_same_key_leaves_the_first_one_apart(
    shelf: Shelf, together: bool
) -> None:
    asked = [part(1, 2, content='"a"'), part(1, 2, content='"b"'), part(2, 2)]
    calls = [asked] if together else [[each] for each in asked]
    kept = [one for call in calls for one in shelf.parts.keep(call)]
    assert [each.content for each in kept[2].whole] == ['"b"', '"2"']
    shelf.parts.drop(kept[2].whole)
    ((left,),) = shelf.parts.overdue(now_ms() + 1_000)
    assert (left.id, left.content) == (asked[0].id, '"a"')


def test_overdue_is_what_nothing_came_for(shelf: Shelf) -> None:
    before = now_ms()
    shelf.parts.keep([part(1, key="a"), part(1, key="b"), part(2, key="b")])
    assert shelf.parts.overdue(before) == []
    found = shelf.parts.overdue(now_ms() + 1_000)
    assert sorted(numbers(group) for group in found) == [[1], [1, 2]]
    assert len(shelf.parts.overdue(now_ms() + 1_000, most=1)) == 1
