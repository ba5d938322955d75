"""Bad input in each field of each request, made from the published models: every door refuses it
with BAD_REQUEST and names the same field."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from adapter.contract import SmsExchange
from adapter.doors.shapes import Member, Shape, Shapes
from adapter.spyne_compat import Boolean, DateTime, Integer32
from tests.contract.conftest import House, who

GOOD: dict[str, dict[str, Any]] = {
    "Send": {"content": "x", "recipients": [{"mobile": "13900139000"}]},
    "SendBatch": {"entries": [{"mobile": "13900139000", "content": "x"}]},
    "Query": {"clientRef": "x"},
    "FetchReceipts": {},
    "AckReceipts": {"receiptIds": ["1"]},
    "FetchInbound": {},
    "AckInbound": {"inboundIds": ["1"]},
    "Cancel": {"businessKey": "x"},
}
"""A good request of each operation that takes one; a bad one differs in one field."""
STRUCTURE = {"inner": "x"}
"""Members where a text is expected."""


class Case(NamedTuple):
    """`request` is `operation`'s with `field` at fault."""

    operation: str
    fault: str
    field: str
    request: dict[str, Any]


def wrong_texts(member: Member) -> Iterator[tuple[str, Any]]:
    """What this simple member may not hold."""
    kind = member.kind
    if issubclass(kind, Boolean):
        yield from (("no flag", "maybe"), ("other case", "TRUE"))
    elif issubclass(kind, DateTime):
        yield from (("no time", "tomorrow"), ("a day", "2026-03-01"))
        yield "no such day", "2026-02-30T08:00:00"
        yield "out of range", "0001-01-01T00:00:00+14:00"
    elif issubclass(kind, Integer32):
        yield from (("too small", "0"), ("too large", "1001"), ("no number", "ten"))
        yield from (("other digits", "１０"), ("huge", "9" * 30))
    elif kind.Attributes.values:
        yield from (("unknown word", "fast"), ("other case", "URGENT"))
    elif kind.Attributes.max_len < 10_000:
        yield "too long", "字" * (int(kind.Attributes.max_len) + 1)
    yield "members", STRUCTURE


def cases_of(operation: str, shape: Shape, path: tuple[Any, ...] = ()) -> Iterator[Case]:
    """Each member of a shape, and all beneath it; `path` leads to it."""
    for member in shape.members:
        at = (*path, member.name)
        if member.inner is None:
            for fault, value in wrong_texts(member):
                yield case(operation, fault, at, value)
        elif member.many:
            (item,) = member.inner.members
            yield case(operation, "text for a list", at, "text")
            if item.inner is None:
                yield case(operation, "members for an item", (*at, 1), STRUCTURE)
            else:
                yield case(operation, "text for an item", (*at, 1), "text")
                yield from cases_of(operation, item.inner, (*at, 1))
        if member.required:
            yield case(operation, "missing", at, None)
    yield case(operation, "unknown", (*path, "colour"), "red")


def case(operation: str, fault: str, path: tuple[Any, ...], value: Any) -> Case:
    request = copy.deepcopy(GOOD[operation])
    put(request, path, value)
    return Case(operation, fault, written(path), request)


def put(holder: Any, path: tuple[Any, ...], value: Any) -> None:
    """Into a request, whatever stood there; None takes it out. Items are counted from 1."""
    step, *rest = path
    if isinstance(step, int):
        step -= 1
    if rest:
        if isinstance(holder, dict):
            holder.setdefault(step, [{"name": "a"}])
        put(holder[step], tuple(rest), value)
    elif value is None:
        holder.pop(step, None)
    elif isinstance(holder, list):
        holder[step : step + 1] = [value]
    else:
        holder[step] = value


def written(path: tuple[Any, ...]) -> str:
    """As a client reads it: recipients[1].mobile."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def cases() -> Iterator[Case]:
    shapes = Shapes()
    for operation in GOOD:
        (argument,) = shapes[SmsExchange.public_methods[operation].in_message].members
        assert argument.inner is not None
        yield from cases_of(operation, argument.inner)


CASES = list(cases())


@pytest.mark.parametrize("operation", GOOD)
def test_the_good_ones_are_good(house: House, operation: str) -> None:
    assert not house.same(operation, GOOD[operation], "all").refused


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{each.operation}-{each.field}-{each.fault}" for each in CASES]
)
def test_a_field_at_fault_is_named_at_every_door(house: House, case: Case) -> None:
    answers = house.each(case.operation, case.request, "all")
    told = {(heard.code, heard.field) for heard in answers.values()}
    assert told == {("BAD_REQUEST", case.field)}
    described = {heard.description for heard in answers.values()}
    assert all(described)


def test_every_member_of_every_request_was_tried() -> None:
    """The list is made from the models; this counts them another way."""
    model = SmsExchange.public_methods["Send"].in_message._type_info["request"]
    tried = {each.field for each in CASES if each.operation == "Send"}
    assert set(model.get_flat_type_info(model)) <= tried
    assert {"recipients[1].ref", "values[1].name", "colour"} <= tried


def test_a_member_given_twice(house: House) -> None:
    """Which of the two was meant nobody knows. JSON names it in words alone."""
    for door in house.doors.values():
        octets = door.octets_of("Send", GOOD["Send"])
        if door.name == "json":
            doubled = octets[:-1] + b"," + octets[1:]
        else:
            held = octets.split(b"<request>")[1].split(b"</request>")[0]
            doubled = octets.replace(held, held + held)
        heard = door.post(who("all"), "Send", doubled)
        assert heard.code == "BAD_REQUEST"
        assert "given twice" in heard.description


def test_too_many_items(house: House) -> None:
    many = {
        "Send": ("recipients", [{"mobile": "1"}] * 10_001),
        "SendBatch": ("entries", [{"mobile": "1"}] * 10_001),
        "Query": ("messageIds", ["1"] * 10_001),
        "Cancel": ("messageIds", ["1"] * 10_001),
        "AckReceipts": ("receiptIds", ["1"] * 10_001),
        "AckInbound": ("inboundIds", ["1"] * 10_001),
    }
    for operation, (field, items) in many.items():
        answers = house.each(operation, {**GOOD[operation], field: items}, "all")
        told = {(heard.code, heard.field) for heard in answers.values()}
        assert told == {("BAD_REQUEST", field)}
