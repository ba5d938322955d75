"""What carriers send fits the store, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import Column

from adapter.dispatch import arrivals
from adapter.domain.outcomes import Part, Received, Reported
from adapter.store.schema import arrival, inbound, receipt, segment
from connectors.values import Action, Answer, Inbound, Report

ANY = st.text(st.characters(codec=None), max_size=200)  # lone surrogates and NUL, too
ANY_TEXT = ANY | st.integers(0xD7F0, 0xE010).map(lambda code: chr(code) * 3)


def text(destination: str, content: str = "好", source: str = "8613800138000") -> Inbound:
    return Inbound(source, destination, content, 8, b"", 0, 1, 1)


def report(its_id: str, stat: str = "DELIVRD") -> Report:
    return Report(its_id, stat, True, True, "8613800138000", "1069", "2611221200", "", b"")


@pytest.mark.parametrize(
    ("access_number", "destination", "number", "extension"),
    [
        ("1069", "106901", "1069", "01"),
        ("1069", "1069", "1069", ""),
        ("1069", "10010", "10010", ""),
        ("", "106901", "106901", ""),
        ("", "", "", ""),
        ("1069", "9" * 40, "9" * 31 + "…", ""),
        ("1069", "1069" + "8" * 40, "1069", "8" * 19 + "…"),
    ],
)
def test_the_extension_is_what_follows_the_access_number(
    access_number: str, destination: str, number: str, extension: str
) -> None:
    made = arrivals.received("main", access_number, text(destination), 5)
    assert (made.access_number, made.extension) == (number, extension)
    assert (made.channel, made.mobile, made.content, made.at) == ("main", "13800138000", "好", 5)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a\0b", "ab"), ("a\ud83db", "a\ufffdb"), ("\ude00", "\ufffd"), ("😀", "😀"), ("", "")],
)
def test_what_no_database_keeps(sent: str, kept: str) -> None:
    assert arrivals.storable(sent) == kept


def fits(value: str, column: Column[Any]) -> bool:
    value.encode("utf-8")
    return "\0" not in value and len(value) <= (getattr(column.type, "length", None) or len(value))


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_field_of_a_text_fits(source: str, destination: str, content: str) -> None:
    made: Received = arrivals.received("main", "1069", text(destination, content, source), 5)
    for name in ("mobile", "access_number", "extension"):
        assert fits(getattr(made, name), inbound.c[name])
    assert fits(made.content, inbound.c.content)
    for key in made.keys:
        assert fits(key, arrival.c.arrival_key)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_field_of_a_report_fits(its_id: str, stat: str, number: str) -> None:
    item = Report(its_id, stat, False, True, number, number, number, number, b"")
    made: Reported = arrivals.reported("main", item, 5)
    for name in ("carrier_id", "mobile", "code", "submitted", "done"):
        assert fits(getattr(made, name), receipt.c[name])


@given(ANY_TEXT, ANY_TEXT)
def test_every_answer_fits(its_id: str, code: str) -> None:
    made = arrivals.answered(Answer(True, its_id, code, Action.NONE))
    assert fits(made.id, segment.c.carrier_id)
    assert fits(made.code, segment.c.code)


def test_an_overlong_id_is_the_same_in_answer_and_report() -> None:
    first, second = "x" * 100 + "1", "x" * 100 + "2"
    answer = arrivals.answered(Answer(True, first, "0", Action.NONE))
    assert answer.id == arrivals.reported("main", report(first), 5).carrier_id
    assert answer.id != arrivals.reported("main", report(second), 5).carrier_id
    assert answer.id.startswith("xxx")


def test_an_answer_that_fits_is_not_copied() -> None:
    answer = Answer(True, "0a" * 10, "0", Action.NONE)
    assert arrivals.answered(answer) is answer


def taken(item: Inbound, at: int = 1_000_000) -> Received:
    return arrivals.received("main", "1069", item, at)


def again(first: Inbound, second: Inbound, after_ms: int = 0) -> bool:
    """Whether the second is a repetition of the first."""
    return taken(first).keys[0] in taken(second, 1_000_000 + after_ms).keys


def test_a_text_with_the_carriers_id_is_known_for_ever() -> None:
    first = structs.replace(text("1069"), id="0a", payload=b"1")
    assert again(first, first, after_ms=10**9)
    assert len(taken(first).keys) == 1
    for second in (
        structs.replace(first, id="0b"),
        structs.replace(first, source="x"),
        structs.replace(first, destination="x"),
        structs.replace(first, text="x"),
        structs.replace(first, payload=b"2"),
        structs.replace(first, number=2),
        structs.replace(first, total=2),
        structs.replace(first, reference=2),
    ):
        assert not again(first, second)


@pytest.mark.parametrize(
    ("after_ms", "known"), [(0, True), (60_000, True), (120_000, False), (10**9, False)]
)
def test_a_text_without_an_id_is_known_for_a_minute(after_ms: int, known: bool) -> None:
    assert again(text("1069"), text("1069"), after_ms) is known
    assert not again(text("1069"), text("1069", "other"), after_ms)


def test_a_part_keeps_the_half_of_a_pair() -> None:
    made = taken(Inbound("1", "1069", "a\0\ud83d", 8, b"", 5, 3, 2))
    assert (made.content, made.part) == ("a\ud83d", Part(5, 3, 2))
    assert taken(text("1069", "a\ud83d")).part is None
