"""Many rows at once, on each database: as many as there are, each as it was given."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from adapter.store import bulk
from adapter.store.schema import segment
from tests.store.making import writing

ODD = ('a"b\\c,{}', "tab\tline\n\r", "", None, "\\N", "null", "短信")


def _row(number: int) -> bulk.Row:
    odd = ODD[number % len(ODD)]
    return (2**53 + number, 1, number % 3, "main", odd, odd, "SUBMITTED", 7, None, None)


def _stored(store: Engine) -> list[bulk.Row]:
    with store.connect() as connection:
        rows = connection.execute(select(segment).order_by(segment.c.message_id))
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 129, 255, 256, 300])
def test_any_number_of_rows_is_written(store: Engine, number: int) -> None:
    rows = [_row(each) for each in range(number)]
    with writing(store) as connection:
        bulk.insert(connection, segment, rows)
    assert _stored(store) == rows


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300])
def test_each_row_is_updated_with_its_own_values(store: Engine, number: int) -> None:
    rows = [_row(each) for each in range(301)]
    changed = [(*row[:3], f"is {row[0]}", None if row[2] else row[0]) for row in rows[:number]]
    with writing(store) as connection:
        bulk.insert(connection, segment, rows)
        key = ("message_id", "attempt", "number")
        bulk.update(connection, segment, key, ("receipt_code", "receipt_at"), changed)
    now = [(*row[:8], *new[3:]) for row, new in zip(rows, changed, strict=False)]
    assert _stored(store) == now + rows[number:]


def test_what_is_not_there_is_not_updated(store: Engine) -> None:
    rows = [_row(each) for each in range(3)]
    with writing(store) as connection:
        bulk.insert(connection, segment, rows)
        key = ("message_id", "attempt", "number")
        bulk.update(connection, segment, key, ("receipt_code",), [(rows[0][0], 2, 0, "x")])
    assert _stored(store) == rows
