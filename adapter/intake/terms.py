"""What a request asks for besides its texts and numbers, checked once for all its recipients."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from msgspec import Struct

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Lane
from adapter.domain.values import Request

MOST_RECIPIENTS = 10_000
"""Recipients of one request. More come as an upload (`adapter.intake.uploads`)."""

LONGEST_REF = 64
_FURTHEST = timedelta(days=90)

# What XML cannot carry back to the client; NUL and halves of surrogate pairs would besides fail
# the commit that many requests share, since PostgreSQL takes neither.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DIGITS = re.compile(r"[0-9]*")

_TEXTS = (
    ("client_ref", LONGEST_REF, "clientRef"),
    ("business", 32, "business"),
    ("pass_through", 200, "passThrough"),
    ("business_key", 64, "businessKey"),
)
"""Each text of a request, its characters at most, its name in the contract."""

_texts_of = attrgetter(*[name for name, _, _ in _TEXTS])


class Terms(Struct, frozen=True, gc=False):
    """`extension_digits` counts the client's and the request's extension together."""

    business: str
    lane: Lane
    extension_digits: int
    due_at: datetime
    expire_at: datetime


class Granted:
    """What a client may ask for at one moment; the same for all its requests of a call."""

    def __init__(self, client: Client, now: datetime) -> None:
        self._client = client
        self._now = now
        self._most = min(client.max_recipients, MOST_RECIPIENTS)
        self._times = now, now + timedelta(seconds=client.validity_s)

    def terms(self, request: Request) -> Terms:
        """The terms of a request, the client's where it names none. Raises Refusal."""
        if not 1 <= len(request.entries) <= self._most:
            told = f"1 to {self._most} recipients, not {len(request.entries)}"
            raise _bad(told, "recipients")
        return self.common_terms(request)

    def common_terms(self, request: Request) -> Terms:
        """The same without a look at the recipients. Raises Refusal."""
        client = self._client
        _check_entry(client, request)
        _check_texts(request)
        if request.extension and not _DIGITS.fullmatch(request.extension):
            raise _bad("an extension consists of digits", "extension")
        if request.replace and not request.business_key:
            raise _bad("replace needs a businessKey", "replace")
        due_at, expire_at = self._times
        if request.schedule_at is not None or request.expire_at is not None:
            due_at, expire_at = _times(client, request, self._now)
        return Terms(
            _business(client, request),
            _lane(client, request),
            len(client.extension) + len(request.extension),
            due_at,
            expire_at,
        )


def is_storable(text: str, longest: int) -> bool:
    """Whether databases and XML documents can carry this text, and it is short enough."""
    # What is printable is storable, and told faster.
    return len(text) <= longest and (text.isprintable() or not _UNSTORABLE.search(text))


def _check_entry(client: Client, request: Request) -> None:
    """Is the client allowed in here?"""
    if not client.enabled:
        raise Refusal(Code.AUTH_FAILED, "the account is disabled")
    if client.doors and request.door not in client.doors:
        raise Refusal(Code.AUTH_FAILED, f"the account may not use the door {request.door}")


def _check_texts(request: Request) -> None:
    for text, (_, longest, field) in zip(_texts_of(request), _TEXTS):
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
