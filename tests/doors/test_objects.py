"""JSON texts made to cost more than they are worth: none takes longer than to be read once.

Each of these took minutes or hours where a text was looked at again and again; the tests' time
limit says so."""

from __future__ import annotations

import json

import pytest

from adapter.domain.errors import Code, Refusal
from adapter.doors.objects import MAX_DEPTH, MAX_VALUES, parse


def refused(text: str) -> str:
    with pytest.raises(Refusal) as caught:
        parse(text)
    assert caught.value.code is Code.BAD_REQUEST
    return caught.value.description


def test_an_unclosed_string_full_of_escaped_quotes() -> None:
    opened = "[" * (MAX_DEPTH - 1)
    assert "no JSON" in refused(opened + '{"a":"' + '\\"' * 1_000_000 + "[" * 30)


def test_a_member_given_twice_among_very_many() -> None:
    members = ",".join(f'"k{number}":1' for number in range(300_000))
    assert "given twice" in refused("{" + members + ',"k299999":1}')


def test_many_values_in_few_octets() -> None:
    assert "too many values" in refused("[" + "[]," * (MAX_VALUES + 1) + "[]]")
    assert "too many values" in refused("[" + "1," * (MAX_VALUES + 1) + "1]")


def test_commas_in_texts_are_no_values() -> None:
    text = '","' * 10 + "," * (MAX_VALUES + 1)
    assert parse(json.dumps([text])) == [text]


@pytest.mark.parametrize("nest", ["[", '{"a":', '[{"a":'])
def test_depth(nest: str) -> None:
    assert "nested deeper" in refused(nest * 400_000)


def test_brackets_without_number() -> None:
    assert "too many values" in refused("[" * (MAX_VALUES + 1))


def test_brackets_in_texts_are_no_depth() -> None:
    assert parse(json.dumps({"a": "[" * 100 + '"{' * 100})) == {"a": "[" * 100 + '"{' * 100}
