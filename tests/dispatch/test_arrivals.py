"""What carriers send fits the store, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column

from adapter.dispatch import arrivals
from adapter.domain.outcomes import Received, Reported
from adapter.store.schema import inbound, receipt, segment
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
