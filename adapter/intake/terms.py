"""What a request asks for besides its texts and numbers, checked once for all its recipients."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Lane
from adapter.domain.values import Request

MOST_RECIPIENTS = 10_000
"""Recipients of one request. More come as an upload (`adapter.intake.uploads`)."""

LONGEST_REF = 64
_LONGEST_BUSINESS = 32
_LONGEST_PASS_THROUGH = 200
_LONGEST_BUSINESS_KEY = 64
_FURTHEST = timedelta(days=90)

# What XML cannot carry back to the client; NUL and halves of surrogate pairs would besides fail
# the commit that many requests share, since PostgreSQL takes neither.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DIGITS = re.compile(r"[0-9]*")


class Terms(Struct, frozen=True):
    """`extension_digits` counts the client's and the request's extension together."""

    business: str
    lane: Lane
    extension_digits: int
    due_at: datetime
    expire_at: datetime


def terms_of(client: Client, request: Request, now: datetime) -> Terms:
    """The terms of a request, the client's where it names none. Raises Refusal."""
    most = min(client.max_recipients, MOST_RECIPIENTS)
    if not 1 <= len(request.entries) <= most:
        raise _bad(f"1 to {most} recipients, not {len(request.entries)}", "recipients")
    return common_terms(client, request, now)


def common_terms(client: Client, request: Request, now: datetime) -> Terms:
    """The same without a look at the recipients. Raises Refusal."""
    _check_entry(client, request)
    _check_texts(request)
    if not _DIGITS.fullmatch(request.extension):
        raise _bad("an extension consists of digits", "extension")
    if request.replace and not request.business_key:
        raise _bad("replace needs a businessKey", "replace")
    due_at, expire_at = _times(client, request, now)
    return Terms(
        business=_business(client, request),
        lane=_lane(client, request),
        extension_digits=len(client.extension) + len(request.extension),
        due_at=due_at,
        expire_at=expire_at,
    )


def is_storable(text: str, longest: int) -> bool:
    """Whether databases and XML documents can carry this text, and it is short enough."""
    return len(text) <= longest and not _UNSTORABLE.search(text)


def _check_entry(client: Client, request: Request) -> None:
    """Is the client allowed in here?"""
    if not client.enabled:
        raise Refusal(Code.AUTH_FAILED, "the account is disabled")
    if client.doors and request.door not in client.doors:
        raise Refusal(Code.AUTH_FAILED, f"the account may not use the door {request.door}")


def _check_texts(request: Request) -> None:
    for text, longest, field in (
        (request.client_ref, LONGEST_REF, "clientRef"),
        (request.business, _LONGEST_BUSINESS, "business"),
        (request.pass_through, _LONGEST_PASS_THROUGH, "passThrough"),
        (request.business_key, _LONGEST_BUSINESS_KEY, "businessKey"),
    ):
        if text and not is_storable(text, longest):
            raise _bad(f"at most {longest} characters, no control characters", field)


def _business(client: Client, request: Request) -> str:
    business = request.business or client.business
    if client.businesses and business not in client.businesses:
        raise _bad("the account may not send this kind", "business")
    return business


def _lane(client: Client, request: Request) -> Lane:
    lane = request.lane
    if lane is None or lane is client.lane:
        return client.lane
    if client.lanes and lane not in client.lanes:
        raise _bad(f"the account may not use the lane {lane}", "lane")
    return lane


def _times(client: Client, request: Request, now: datetime) -> tuple[datetime, datetime]:
    """When to send from, and until. A time to send that has passed means now."""
    due_at = now
    if request.schedule_at is not None:
        _check_zone(request.schedule_at, "scheduleAt")
        if request.schedule_at > now + _FURTHEST:
            raise _bad(f"at most {_FURTHEST.days} days ahead", "scheduleAt")
        if request.schedule_at > now:
            due_at = request.schedule_at.astimezone(UTC)
    if request.expire_at is None:
        return due_at, due_at + timedelta(seconds=client.validity_s)
    _check_zone(request.expire_at, "expireAt")
    if request.expire_at <= due_at:
        raise _bad("the message would expire before it is sent", "expireAt")
    try:
        return due_at, request.expire_at.astimezone(UTC)
    except OverflowError:
        raise _bad("no such time in UTC", "expireAt") from None


def _check_zone(moment: datetime, field: str) -> None:
    if moment.tzinfo is None:
        raise _bad("a time needs a zone", field)


def _bad(description: str, field: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"{field}: {description}", field)
