"""What goes in and comes out: the contract's values under Python's names.

A member `clientRef` of the contract is the field `client_ref` here. Codes and states are texts,
not enumerations: new ones may be added, and none may break an old client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

FINAL_STATES = frozenset(
    {"DELIVERED", "UNDELIVERED", "REJECTED", "EXPIRED", "CANCELLED", "UNKNOWN"}
)

T = TypeVar("T")


@dataclass(frozen=True)
class Recipient:
    """One recipient of a text that goes to all alike; `ref` comes back with it."""

    mobile: str
    ref: str | None = None


@dataclass(frozen=True)
class Entry:
    """One message of a batch, with a text or template values of its own."""

    mobile: str
    content: str | None = None
    values: Mapping[str, str] | None = None
    ref: str | None = None


@dataclass(frozen=True)
class Options:
    """What a sending may say beside its texts; absent means as the client is configured.

    Times without a zone are the hospital's.
    """

    business: str | None = None
    extension: str | None = None
    lane: str | None = None
    schedule_at: datetime | None = None
    expire_at: datetime | None = None
    receipt: bool | None = None
    pass_through: str | None = None
    business_key: str | None = None
    replace: bool | None = None


@dataclass(frozen=True)
class Result:
    """What became of one recipient; `message_id` only where it was accepted."""

    code: str
    mobile: str | None = None
    ref: str | None = None
    message_id: str | None = None
    segments: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class SendReply:
    """Accepted, in whole or (`code` is PARTIAL) in part."""

    code: str
    accepted: int
    refused: int
    description: str | None = None
    submission_id: str | None = None
    pass_through: str | None = None
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Segment:
    """One billed part of a message."""

    number: int
    state: str
    carrier_code: str | None = None
    submitted_at: datetime | None = None
    done_at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """A message and where it stands."""

    message_id: str
    submission_id: str
    mobile: str = field(repr=False)
    state: str
    accepted_at: datetime
    segment_count: int
    client_ref: str | None = None
    ref: str | None = None
    carrier_code: str | None = None
    description: str | None = None
    channel: str | None = None
    in_doubt: bool = False
    submitted_at: datetime | None = None
    done_at: datetime | None = None
    pass_through: str | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


@dataclass(frozen=True)
class Receipt:
    """The state that a message reached. It may come twice; `receipt_id` tells."""

    receipt_id: str
    message_id: str
    submission_id: str
    mobile: str = field(repr=False)
    state: str
    segment_count: int
    client_ref: str | None = None
    ref: str | None = None
    carrier_code: str | None = None
    description: str | None = None
    channel: str | None = None
    submitted_at: datetime | None = None
    done_at: datetime | None = None
    pass_through: str | None = None


@dataclass(frozen=True)
class ReceiptPage:
    """Receipts not yet acknowledged, oldest first."""

    cursor: str
    more: bool
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Inbound:
    """A text from a phone. It may come twice; `inbound_id` tells."""

    inbound_id: str
    mobile: str = field(repr=False)
    access_number: str
    received_at: datetime
    content: str = field(default="", repr=False)
    extension: str | None = None
    message_id: str | None = None
    client_ref: str | None = None
    pass_through: str | None = None


@dataclass(frozen=True)
class InboundPage:
    """Inbound texts not yet acknowledged, oldest first."""

    cursor: str
    more: bool
    inbound: tuple[Inbound, ...] = ()


@dataclass(frozen=True)
class Account:
    """The client as it is configured; an absent limit is none."""

    account: str
    max_segments: int
    validity_seconds: int
    title: str | None = None
    signature: str | None = None
    extension: str | None = None
    business: str | None = None
    lane: str | None = None
    lanes: tuple[str, ...] = ()
    rate_per_minute: int | None = None
    daily_quota: int | None = None
    quota_left: int | None = None
    monthly_quota: int | None = None
    max_recipients: int | None = None
    businesses: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pong:
    """A sign of life; `state` is running or stopping."""

    time: datetime
    version: str
    state: str


def from_json(kind: type[T], members: object) -> T:
    """A value from its JSON object; unknown members are left out, as new ones may be added.
    Raises ValueError where the object is none of its kind."""
    if not isinstance(members, Mapping):
        raise ValueError(f"{kind.__name__}: is no object")
    given = {}
    for name, written, hint in _members(kind):
        if (value := members.get(written)) is not None:
            given[name] = _value(hint, value)
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


def to_json(value: Any) -> dict[str, Any]:
    """A value's JSON object; what is None is left out."""
    held = {written: getattr(value, name) for name, written, _ in _members(type(value))}
    return {name: _written(each) for name, each in held.items() if each is not None}


def named_values(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Template values as the contract writes them."""
    return [{"name": name, "value": value} for name, value in values.items()]


_MEMBERS: dict[type, tuple[tuple[str, str, Any], ...]] = {}


def _members(kind: type[Any]) -> tuple[tuple[str, str, Any], ...]:
    """Of each field: its name, the contract's, its type without None."""
    if kind not in _MEMBERS:
        hints = get_type_hints(kind)
        _MEMBERS[kind] = tuple(
            (each.name, _camel(each.name), _certain(hints[each.name])) for each in fields(kind)
        )
    return _MEMBERS[kind]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _certain(hint: Any) -> Any:
    kinds = [each for each in get_args(hint) if each is not type(None)]
    return kinds[0] if len(kinds) == 1 and get_origin(hint) is not tuple else hint


def _value(hint: Any, value: object) -> object:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ValueError("a list is no array")
        return tuple(_value(get_args(hint)[0], each) for each in value)
    if hint is datetime:
        return datetime.fromisoformat(str(value))
    if hint in (str, int, bool):
        if type(value) is not hint:
            raise ValueError(f"a member is no {hint.__name__}")
        return value
    return from_json(hint, value)


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return named_values(value) if isinstance(value, Mapping) else value
