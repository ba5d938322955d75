"""Answers written as text at once are, octet for octet, those that lxml writes of a tree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.contract import SmsExchange
from adapter.doors.documents import Documents
from adapter.doors.elements import Elements
from adapter.doors.markup import Markup, document
from adapter.doors.shapes import Member, Shape, Shapes
from adapter.doors.soap import SoapDoor
from adapter.doors.socket import written
from adapter.spyne_compat import Boolean, DateTime, Integer32, MethodContext

SHAPES = Shapes()
ELEMENTS = Elements(SHAPES)
DOCUMENTS = Documents(ELEMENTS)
TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("<>&\"'\r\n\t \x00\x0b\x7f\ud800\ufffe中é]")),
    max_size=12,
)
MOMENTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - as Hypothesis wants them
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(timezone(timedelta(hours=8))),
) | st.just(datetime(2026, 3, 1, tzinfo=UTC))


def values_of(member: Member) -> st.SearchStrategy[Any]:
    if member.inner is None:
        if issubclass(member.kind, Boolean):
            return st.booleans()
        if issubclass(member.kind, DateTime):
            return MOMENTS
        if issubclass(member.kind, Integer32):
            return st.integers(-5, 10)
        return TEXTS
    if member.many:
        return st.lists(values_of(member.inner.members[0]), max_size=2)
    return models(member.inner)


def models(shape: Shape) -> st.SearchStrategy[Any]:
    def made(held: dict[str, Any]) -> Any:
        model = shape.make.__new__(shape.make)
        model.__dict__.update(held)
        return model

    members = {each.name: st.none() | values_of(each) for each in shape.members}
    return st.fixed_dictionaries(members).map(made)


def result_of(operation: str) -> st.SearchStrategy[Any]:
    (member,) = SHAPES[SmsExchange.public_methods[operation].out_message].members
    return values_of(member) if member.inner is None else models(member.inner)


OPERATIONS = sorted(SmsExchange.public_methods)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_document_is_the_one_of_a_tree(operation: str) -> None:
    model = SmsExchange.public_methods[operation].out_message
    marks = st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=5
    ) | st.sampled_from(["", 'a"b', "<&>", "\t\n", "'"])

    @settings(max_examples=25, deadline=None)
    @given(result_of(operation), marks)
    def compare(result: Any, mark: str) -> None:
        tree = DOCUMENTS.write(operation, result)
        if mark:
            tree.set("id", mark)
        assert document(Markup(SHAPES), operation, model, result, mark) == written(tree)

    compare()


@pytest.mark.parametrize("version", ["_soap11", "_soap12"])
@pytest.mark.parametrize("operation", ["Send", "SendBatch"])
def test_an_envelope_is_the_one_of_spyne(operation: str, version: str) -> None:
    door = SoapDoor(None, "http://x")  # type: ignore[arg-type]
    spoken = getattr(door, version)

    @settings(max_examples=40, deadline=None)
    @given(result_of(operation))
    def compare(result: Any) -> None:
        context = MethodContext(spoken.server, MethodContext.SERVER)
        context.method_request_string = f"{{urn:his-sms:exchange:1}}{operation}"
        context.in_document = None
        (method,) = spoken.application.interface.service_method_map[context.method_request_string]
        context.descriptor = method
        context.out_object = [result]
        spoken.server.get_out_string(context)
        assert spoken.script.response(operation, result) == b"".join(context.out_string)

    compare()
