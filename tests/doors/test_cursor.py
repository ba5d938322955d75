"""A cursor stands for exactly the notices of its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import Refusal
from adapter.doors.cursor import Cursor

ids = st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=20).map(sorted)


@given(ids)
def test_text_and_back(row: list[int]) -> None:
    cursor = Cursor.over(0, row)
    assert Cursor.parse(str(cursor)) == cursor
    assert cursor.covers(row)
    assert len(str(cursor)) <= 80


@given(ids, st.integers(1, 2**63 - 1))
def test_a_latecomer_is_noticed(row: list[int], late: int) -> None:
    cursor = Cursor.over(0, row)
    if late not in row:
        assert not cursor.covers(sorted([*row, late]))
        if row:
            assert not cursor.covers(sorted([*row[1:], late]))


def test_none_is_the_beginning() -> None:
    assert Cursor.parse(None).last == 0


@pytest.mark.parametrize(
    "text", ["", "1", "a-b-c-d", "1-2-3-zzzzzzzz", f"{2**63}-1-1-00000000", "１-2-3-00000000"]
)
def test_a_made_up_one_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="cursor"):
        Cursor.parse(text)
