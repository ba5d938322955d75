"""Rate and quota of a client, over a real store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from adapter.domain.errors import Code, SpoolFull
from adapter.domain.hours import Span
from adapter.domain.states import Door
from adapter.domain.values import Entry, Request
from adapter.store.statistics import fold
from tests.intake.conftest import CONFIG, ZONE, House

EVENING = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)
"""A minute before midnight in the hospital."""


def request(recipients: int = 1, **settings: object) -> Request:
    entries = [Entry(f"138{number:08}") for number in range(recipients)]
    return structs.replace(Request(entries, "hello"), **settings)


def codes(house: House, *requests: Request, **client: object) -> list[Code]:
    return [reply.code for reply in house.accept(*requests, **client)]


def test_a_minutes_worth_may_come_at_once_and_no_more(house: House) -> None:
    assert codes(house, *[request()] * 3, rate_per_minute=3) == [Code.OK] * 3
    (reply,) = house.accept(request(), rate_per_minute=3)
    assert (reply.code, reply.submission_id) == (Code.RATE_LIMITED, None)
    assert "try again in 20 s" in reply.description
    house.now += timedelta(seconds=20)
    assert codes(house, *[request()] * 2, rate_per_minute=3) == [Code.OK, Code.RATE_LIMITED]
    assert house.count() == 4


def test_each_client_has_its_own_rate(house: House) -> None:
    assert codes(house, request(), rate_per_minute=1) == [Code.OK]
    assert codes(house, request(), rate_per_minute=1, account="lis") == [Code.OK]
    assert codes(house, request(), rate_per_minute=1) == [Code.RATE_LIMITED]


def test_a_submission_counts_whatever_its_recipients(house: House) -> None:
    assert codes(house, request(500), request(1), rate_per_minute=1) == [
        Code.OK,
        Code.RATE_LIMITED,
    ]


def test_rows_of_a_table_know_no_rate(house: House) -> None:
    rows = [request(door=Door.DBPOLL, source="his", client_ref=str(at)) for at in range(5)]
    assert codes(house, *rows, rate_per_minute=1) == [Code.OK] * 5


def test_a_repeated_request_gets_its_first_answer_beyond_any_limit(house: House) -> None:
    limits = {"rate_per_minute": 1, "daily_quota": 1}
    first = house.accept(request(client_ref="a"), **limits)
    assert house.accept(request(client_ref="a"), **limits) == first
    house.now += timedelta(minutes=1)
    assert house.accept(request(client_ref="a"), **limits) == first
    assert house.count() == 1


def test_the_quota_is_of_messages_and_a_request_fits_or_not(house: House) -> None:
    (reply,) = house.accept(request(11), daily_quota=10)
    assert (reply.code, reply.submission_id) == (Code.QUOTA_EXCEEDED, None)
    assert "10 of the daily quota of 10 are left" in reply.description
    assert codes(house, request(8), request(3), request(2), daily_quota=10) == [
        Code.OK,
        Code.QUOTA_EXCEEDED,
        Code.OK,
    ]


def test_the_quota_holds_for_rows_too(house: House) -> None:
    rows = [request(door=Door.DBPOLL, source="his", client_ref=str(at)) for at in range(2)]
    assert codes(house, *rows, daily_quota=1) == [Code.OK, Code.QUOTA_EXCEEDED]


def test_refused_recipients_and_repeats_use_no_quota(house: House) -> None:
    bad = Request([Entry("12"), Entry("13800000001")], "hello", client_ref="a")
    assert codes(house, bad, daily_quota=2) == [Code.PARTIAL]
    assert codes(house, bad, daily_quota=2) == [Code.PARTIAL]
    assert codes(house, request(), request(), daily_quota=2) == [Code.OK, Code.QUOTA_EXCEEDED]


def test_what_was_not_stored_uses_no_quota(small_house: House) -> None:
    for _ in range(2):
        with pytest.raises(SpoolFull):
            small_house.accept(request(4), daily_quota=4)
    assert codes(small_house, request(3), daily_quota=4) == [Code.OK]


@pytest.mark.parametrize("folded", [False, True])
def test_a_restart_forgets_nothing(house: House, folded: bool) -> None:
    assert codes(house, request(6), daily_quota=10) == [Code.OK]
    if folded:
        fold(house.engine, ZONE)
    house.use(CONFIG)
    assert codes(house, request(5), request(4), daily_quota=10) == [
        Code.QUOTA_EXCEEDED,
        Code.OK,
    ]


def test_the_day_is_the_hospitals(house: House) -> None:
    house.now = EVENING
    assert codes(house, request(), request(), daily_quota=1) == [Code.OK, Code.QUOTA_EXCEEDED]
    house.now += timedelta(minutes=1)
    assert codes(house, request(), request(), daily_quota=1) == [Code.OK, Code.QUOTA_EXCEEDED]
    house.use(CONFIG)
    assert codes(house, request(), daily_quota=1) == [Code.QUOTA_EXCEEDED]


def test_the_month_has_its_own_quota(house: House) -> None:
    house.now = datetime(2026, 3, 31, 15, 59, tzinfo=UTC)
    limits = {"daily_quota": 3, "monthly_quota": 5}
    assert codes(house, request(3), **limits) == [Code.OK]
    house.use(CONFIG)
    (reply,) = house.accept(request(3), daily_quota=10, monthly_quota=5)
    assert reply.code is Code.QUOTA_EXCEEDED
    assert "2 of the monthly quota of 5 are left" in reply.description
    assert codes(house, request(2), request(1), daily_quota=10, monthly_quota=5) == [
        Code.OK,
        Code.QUOTA_EXCEEDED,
    ]
    house.now += timedelta(minutes=1)
    assert codes(house, request(3), **limits) == [Code.OK], "April has begun in the hospital"


def test_who_fits_into_one_quota_only_uses_neither(house: House) -> None:
    limits = {"daily_quota": 10, "monthly_quota": 5}
    assert codes(house, request(6), request(5), **limits) == [Code.QUOTA_EXCEEDED, Code.OK]


def test_a_used_up_quota_tells_when_it_begins_anew(house: House) -> None:
    house.now = EVENING
    house.accept(request(), daily_quota=1)
    (day,) = house.accept(request(), daily_quota=1)
    assert day.retry_after_s == 60
    (month,) = house.accept(request(), monthly_quota=1)
    assert month.retry_after_s == 30 * 86_400 + 60


def test_outside_of_its_hours_a_client_is_told_when_to_come(house: House) -> None:
    hours = (Span.read("07:30-12:00"), Span.read("13:30-17:30"))
    house.now = datetime(2026, 3, 1, 4, 29, 30, tzinfo=UTC)  # 12:29:30 in the hospital
    (reply,) = house.accept(request(), hours=hours)
    assert (reply.code, reply.retry_after_s) == (Code.RATE_LIMITED, 60 * 60 + 30)
    assert "07:30-12:00, 13:30-17:30" in reply.description
    house.now += timedelta(seconds=reply.retry_after_s)
    assert codes(house, request(), hours=hours) == [Code.OK]
    row = request(door=Door.DBPOLL, source="his", client_ref="1")
    house.now += timedelta(hours=9)
    assert codes(house, row, hours=hours) == [Code.OK]


@pytest.mark.parametrize(
    ("text", "minute", "inside", "wait"),
    [
        ("22:00-06:00", 21 * 60 + 59, False, 1),
        ("22:00-06:00", 22 * 60, True, 0),
        ("22:00-06:00", 6 * 60 - 1, True, 16 * 60 + 1),
        ("22:00-06:00", 6 * 60, False, 16 * 60),
        ("08:00-24:00", 24 * 60 - 1, True, 8 * 60 + 1),
        ("08:00-24:00", 0, False, 8 * 60),
        ("00:00-00:00", 5, True, 24 * 60 - 5),
    ],
)
def test_spans(text: str, minute: int, inside: bool, wait: int) -> None:
    span = Span.read(text)
    assert (span.holds(minute), span.wait(minute), str(span)) == (inside, wait, text)
