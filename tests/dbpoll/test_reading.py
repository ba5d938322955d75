"""Values as drivers hand them out, read into rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import types

from dbpoll import reading
from dbpoll.binding import key_binder, key_text
from dbpoll.pacing import Pace
from dbpoll.settings import Settings
from dbpoll.values import Row
from tests.dbpoll.conftest import ZONE

READER = reading.Reader(Settings("his", "", zone=ZONE))
HALF_PAST_TWO = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


def record(**values: Any) -> list[Any]:
    return [values.get(name) for name in reading.READ]


def read(**values: Any) -> Row:
    [row] = READER.rows([record(**values)])
    return row


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 3, 1, 14, 30),  # noqa: DTZ001
        datetime(2026, 3, 1, 15, 30, tzinfo=timezone(timedelta(hours=9))),
        "2026-03-01 14:30:00",
        "2026-03-01T14:30",
        "2026-03-01 14:30:00.000",
        "2026-03-01T06:30:00Z",
        "2026-03-01T15:30:00+09:00",
        "2026/3/1 14:30",
        "2026/03/01 14:30:00",
        "20260301143000",
        "202603011430",
        20260301143000,
        " 2026-03-01 14:30:00   ",
        b"2026-03-01 14:30:00",
    ],
)
def test_a_moment_is_read_in_every_form(value: Any) -> None:
    assert reading.moment(value, ZONE) == HALF_PAST_TWO


@pytest.mark.parametrize("value", [date(2026, 3, 1), "2026-03-01", "2026/3/1", "20260301"])
def test_a_day_is_its_beginning(value: Any) -> None:
    assert reading.moment(value, ZONE) == HALF_PAST_TWO - timedelta(hours=14, minutes=30)


@pytest.mark.parametrize("value", [None, "", "   ", b""])
def test_blanks_are_no_moment(value: Any) -> None:
    assert reading.moment(value, ZONE) is None


@pytest.mark.parametrize(
    "value", ["next tuesday", "2026-13-01", "2026-03-01 25:00", 7, 1.5, "9999-12-31", "0001-01-01"]
)
def test_what_is_no_moment_is_the_fault_of_its_row(value: Any) -> None:
    row = read(ID=1, MOBILE="1", SCHEDULE_AT=value)
    assert row.fault == "SCHEDULE_AT is no date and time"
    assert row.schedule_at is None


@given(st.text() | st.binary() | st.integers() | st.floats())
def test_no_value_raises_more_than_value_error(value: Any) -> None:
    READER.rows([record(ID=value, MOBILE=value, CONTENT=value, EXPIRE_AT=value)])


def test_numbers_in_text_columns_are_texts() -> None:
    row = read(ID=1, MOBILE=13800138000, CONTENT=Decimal(1234), EXTENSION=7.0)
    assert row[:3] == ("1", "13800138000", "1234")
    assert row.extension == "7"


def test_bytes_are_utf_8() -> None:
    assert read(ID=b"k", CONTENT="您好".encode())[:3] == ("k", None, "您好")


@pytest.mark.parametrize("content", ["您好".encode("gbk"), "\udcc4\udce3"])
def test_bytes_that_are_no_utf_8(content: Any) -> None:
    assert read(ID=1, CONTENT=content).fault == "CONTENT is not valid UTF-8"


def test_nul() -> None:
    assert read(ID=1, PARAMS="a\x00").fault == "PARAMS holds a NUL character"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (7, "7"),
        (Decimal(7), "7"),
        (Decimal("7.0"), "7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("7.50"), "7.5"),
        (7.0, "7"),
        ("007", "007"),
    ],
)
def test_keys_as_text(key: Any, shown: str) -> None:
    assert key_text(key) == shown


@given(st.integers(-(2**63), 2**63))
def test_a_number_key_comes_back(key: int) -> None:
    assert key_binder(types.BigInteger())(key_text(key)) == key
    assert key_binder(types.Numeric(20))(key_text(Decimal(key))) == key


def test_a_key_that_is_no_number_is_none_in_a_number_column() -> None:
    for key in ("OP-1", "", "1e999999999", "NaN", "１２", "9" * 5000):
        assert key_binder(types.Integer())(key) is None


def test_delays_grow_and_begin_anew() -> None:
    pace = Pace(0.1, 0.3)
    assert [round(pace.next(), 3) for _ in range(5)] == [0.1, 0.15, 0.225, 0.3, 0.3]
    pace.reset()
    assert pace.next() == 0.1


def test_age() -> None:
    now = HALF_PAST_TWO
    assert READER.age_s(record(CREATED_AT="2026-03-01 14:29:50"), now) == 10
    assert READER.age_s(record(CREATED_AT="2026-03-01 14:31:00"), now) == 0
    assert READER.age_s(record(CREATED_AT="?"), now) == 0
    assert READER.age_s(record(), now) == 0


@given(
    st.lists(
        st.tuples(
            st.integers() | st.text(max_size=3),
            st.none() | st.text(st.characters(codec=None), max_size=3) | st.binary(max_size=3),
            st.sampled_from([None, None, None, "2026-03-01 14:30:00", "tomorrow"]),
        ),
        max_size=4,
    )
)
def test_rows_read_together_are_what_each_is_alone(values: list[tuple[Any, Any, Any]]) -> None:
    records = [
        record(ID=key, MOBILE="13800138000", CONTENT=content, SCHEDULE_AT=at)
        for key, content, at in values
    ]
    assert READER.rows(records) == [READER._row(each) for each in records]
