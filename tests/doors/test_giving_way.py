"""Long loops let others run, short ones do not stop."""

from __future__ import annotations

import time

import pytest

from adapter.doors.giving_way import giving_way


@pytest.mark.parametrize(("items", "sleeps"), [(0, 0), (1, 0), (64, 0), (65, 1), (200, 3)])
def test_it_sleeps_between_portions(
    monkeypatch: pytest.MonkeyPatch, items: int, sleeps: int
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert list(giving_way(range(items))) == list(range(items))
    assert len(slept) == sleeps
