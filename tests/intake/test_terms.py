"""What a request asks for besides texts and numbers: each limit, and what stands in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec import structs

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, Request
from adapter.intake.terms import Granted, Terms

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CLIENT = Client("his", business="general", lane=Lane.NORMAL, validity_s=3_600, extension="12")
REQUEST = Request([Entry("13800138000")], content="x")
HOSPITAL = timezone(timedelta(hours=8))


def terms(client: Client = CLIENT, /, **changed: Any) -> Terms:
    return Granted(client, NOW).terms(structs.replace(REQUEST, **changed))


def refusal(client: Client = CLIENT, /, **changed: Any) -> tuple[Code, str, str]:
    with pytest.raises(Refusal) as caught:
        terms(client, **changed)
    return caught.value.code, caught.value.field, caught.value.description


def test_what_the_request_leaves_open_is_the_clients() -> None:
    made = terms()
    assert (made.business, made.lane, made.extension_digits) == ("general", Lane.NORMAL, 2)
    assert (made.due_at, made.expire_at) == (NOW, NOW + timedelta(hours=1))


def test_what_the_request_says_counts() -> None:
    request = structs.replace(REQUEST, business="lab", lane=Lane.URGENT, extension="34")
    made = Granted(CLIENT, NOW).terms(request)
    assert (made.business, made.lane, made.extension_digits) == ("lab", Lane.URGENT, 4)


@pytest.mark.parametrize(
    ("field", "wire", "longest"),
    [
        ("client_ref", "clientRef", 64),
        ("business", "business", 32),
        ("pass_through", "passThrough", 200),
        ("business_key", "businessKey", 64),
    ],
)
def test_lengths_are_counted_in_characters(field: str, wire: str, longest: int) -> None:
    terms(**{field: "院" * longest})
    code, found, reason = refusal(**{field: "院" * (longest + 1)})
    assert (code, found) == (Code.BAD_REQUEST, wire)
    assert reason == f"{wire}: at most {longest} characters, no control characters"


@pytest.mark.parametrize("character", ["\x00", "\x1f", "\ud800", "\uffff"])
@pytest.mark.parametrize("field", ["client_ref", "business", "pass_through", "business_key"])
def test_what_no_store_and_no_document_can_carry(field: str, character: str) -> None:
    assert refusal(**{field: f"a{character}"})[0] is Code.BAD_REQUEST


@pytest.mark.parametrize("extension", ["12a", "１２", "-1", " ", "1 2"])
def test_an_extension_is_digits(extension: str) -> None:
    assert refusal(extension=extension)[:2] == (Code.BAD_REQUEST, "extension")


def test_replace_needs_a_business_key() -> None:
    assert refusal(replace=True)[:2] == (Code.BAD_REQUEST, "replace")
    terms(replace=True, business_key="A1")


def test_lanes() -> None:
    client = replace(CLIENT, lanes=(Lane.BULK,))
    assert terms(client, lane=Lane.BULK).lane is Lane.BULK
    assert terms(client, lane=Lane.NORMAL).lane is Lane.NORMAL
    assert refusal(client, lane=Lane.URGENT) == (
        Code.BAD_REQUEST,
        "lane",
        "lane: the account may not use the lane urgent",
    )


def test_doors_and_closed_accounts() -> None:
    client = replace(CLIENT, doors=(Door.DBPOLL,))
    terms(client, door=Door.DBPOLL)
    assert refusal(client, door=Door.SOAP)[0] is Code.AUTH_FAILED
    assert refusal(replace(CLIENT, enabled=False))[0] is Code.AUTH_FAILED


@pytest.mark.parametrize(
    ("door", "recipients", "welcome"),
    [
        (Door.SOAP, 0, False),
        (Door.SOAP, 10_000, True),
        (Door.SOAP, 10_001, False),
        (Door.CONSOLE, 10_001, False),
    ],
)
def test_how_many_recipients(door: Door, recipients: int, welcome: bool) -> None:
    entries = [Entry("13800138000")] * recipients
    if welcome:
        terms(door=door, entries=entries)
    else:
        assert refusal(door=door, entries=entries)[:2] == (Code.BAD_REQUEST, "recipients")


def test_a_time_to_send_is_kept_in_utc_and_moves_the_expiry() -> None:
    at = datetime(2026, 3, 1, 18, 0, tzinfo=HOSPITAL)
    made = terms(schedule_at=at)
    assert made.due_at == at
    assert made.due_at.tzinfo is UTC
    assert made.expire_at == at + timedelta(hours=1)


def test_a_time_to_send_that_has_passed_means_now() -> None:
    made = terms(schedule_at=NOW - timedelta(days=3))
    assert (made.due_at, made.expire_at) == (NOW, NOW + timedelta(hours=1))


def test_ninety_days_ahead_and_no_more() -> None:
    furthest = NOW + timedelta(days=90)
    assert terms(schedule_at=furthest).due_at == furthest
    assert refusal(schedule_at=furthest + timedelta(seconds=1))[:2] == (
        Code.BAD_REQUEST,
        "scheduleAt",
    )


def test_expiry_lies_after_now_and_after_the_time_to_send() -> None:
    at = NOW + timedelta(minutes=1)
    assert terms(expire_at=at).expire_at == at
    assert refusal(expire_at=NOW)[:2] == (Code.BAD_REQUEST, "expireAt")
    assert refusal(expire_at=NOW - timedelta(1))[:2] == (Code.BAD_REQUEST, "expireAt")
    assert refusal(expire_at=at, schedule_at=at)[:2] == (Code.BAD_REQUEST, "expireAt")


def test_the_ends_of_the_calendar() -> None:
    west, east = timezone(timedelta(hours=-14)), timezone(timedelta(hours=14))
    last, first = datetime.max.replace(tzinfo=west), datetime.min.replace(tzinfo=east)
    assert refusal(expire_at=last)[:2] == (Code.BAD_REQUEST, "expireAt")
    assert refusal(schedule_at=last)[:2] == (Code.BAD_REQUEST, "scheduleAt")
    assert terms(schedule_at=first).due_at == NOW
    far = datetime(2099, 12, 31, tzinfo=HOSPITAL)
    assert terms(expire_at=far).expire_at == far


@pytest.mark.parametrize("field", ["schedule_at", "expire_at"])
def test_a_time_without_zone_is_refused_not_guessed(field: str) -> None:
    code, _, reason = refusal(**{field: datetime(2026, 3, 2)})  # noqa: DTZ001
    assert code is Code.BAD_REQUEST
    assert reason.endswith("a time needs a zone")


def test_recipients_and_businesses_have_limits_of_the_client() -> None:
    few = replace(CLIENT, max_recipients=2, businesses=("general", "lab"))
    three = [Entry(f"1380013800{at}") for at in range(3)]
    assert refusal(few, entries=three)[:2] == (Code.BAD_REQUEST, "recipients")
    assert terms(few, entries=three[:2], business="lab").business == "lab"
    assert refusal(few, business="marketing")[:2] == (Code.BAD_REQUEST, "business")
