"""Writes that are kept for a common journey are there when somebody reads, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from adapter.store import bulk
from adapter.store.engine import write_connection
from adapter.store.journeys import Question, ask, expect
from adapter.store.schema import channel_setting, dead_letter
from tests.store.making import writing

LETTERS = Question(
    lambda among: (
        select(dead_letter.c.id, dead_letter.c.reason)
        .where(among(dead_letter.c.reason))
        .order_by(dead_letter.c.id)
    )
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def letter(made: int, reason: str | None = "why") -> bulk.Row:
    return (made, "client:his", None, None, None, None, None, None, None, 1, reason, None)


def kept(engine: Engine) -> list[tuple[int, str | None]]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(dead_letter.c.id, dead_letter.c.reason).order_by(dead_letter.c.id)
        )
        return [(made, reason) for made, reason in rows]


def test_a_read_sees_what_was_written_before_it(store: Engine) -> None:
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(1), letter(2)])
        bulk.update(connection, dead_letter, ("id",), ("reason",), [(2, "changed")])
        assert connection.execute(select(dead_letter.c.id)).scalars().all() == [1, 2]
        bulk.remove(connection, dead_letter, [1])
        (found,) = ask(connection, (LETTERS, ["why", "changed"]))
        assert [tuple(row) for row in found] == [(2, "changed")]
    assert kept(store) == [(2, "changed")]


def test_writes_alone_are_committed(store: Engine) -> None:
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(1)])
    with writing(store) as connection:
        bulk.remove(connection, dead_letter, [1])
        bulk.insert(connection, dead_letter, [letter(2)])
    assert kept(store) == [(2, "why")]


def test_a_rollback_forgets_what_was_kept(store: Engine) -> None:
    with write_connection(store) as connection, connection.begin() as transaction:
        bulk.insert(connection, dead_letter, [letter(1)])
        transaction.rollback()
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(2)])
    assert kept(store) == [(2, "why")]


@pytest.mark.parametrize("read", [True, False])
def test_a_fault_of_one_write_leaves_nothing_of_the_others(store: Engine, read: bool) -> None:
    def write() -> None:
        with writing(store) as connection:
            connection.execute(select(dead_letter.c.id)).all()
            bulk.insert(connection, dead_letter, [letter(1)])
            bulk.insert(connection, dead_letter, [letter(1)])
            bulk.insert(connection, channel_setting, [("main", "name", "value", 1)])
            if read:
                ask(connection, (LETTERS, ["why"]))

    with pytest.raises(DBAPIError):
        write()
    assert kept(store) == []
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(3)])
    assert kept(store) == [(3, "why")]


def test_questions_get_their_answers_in_their_order(store: Engine) -> None:
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(n, f"{n % 3}") for n in range(9)])
        asked: Any = [(LETTERS, ["2"]), (LETTERS, []), (LETTERS, ["0", "1"]), (LETTERS, ["3"])]
        found = [[row[0] for row in rows] for rows in ask(connection, *asked)]
    assert found == [[2, 5, 8], [], [0, 1, 3, 4, 6, 7], []]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.none() | TEXT, min_size=1, max_size=6), st.sampled_from([1, bulk.COPY_FROM]))
def test_any_text_comes_back_as_it_went(store: Engine, texts: list[str | None], times: int) -> None:
    """By arrays, and by COPY."""
    rows = [letter(n, texts[n % len(texts)]) for n in range(len(texts) * times)]
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, rows)
        named = sorted({text for text in texts if text is not None})
        (found,) = ask(connection, (LETTERS, named))
        assert [row[0] for row in found] == [row[0] for row in rows if row[10] is not None]
        ordered = select(dead_letter.c.reason).order_by(dead_letter.c.id)
        assert connection.execute(ordered).scalars().all() == [row[10] for row in rows]
        bulk.remove(connection, dead_letter, [row[0] for row in rows])


@pytest.mark.parametrize("work", ["nothing", "writes", "reads", "asks"])
def test_what_must_be_judged_is_judged_before_the_commit(store: Engine, work: str) -> None:
    """A transaction that has lost the right to write commits nothing, whatever it does."""

    def forbid(rows: object) -> None:
        assert rows == []
        raise PermissionError

    def transaction() -> None:
        with writing(store) as connection:
            expect(connection, LETTERS, ["none"], forbid)
            if work != "nothing":
                bulk.insert(connection, dead_letter, [letter(1)])
            if work == "reads":
                connection.execute(select(dead_letter.c.id)).all()
            if work == "asks":
                ask(connection, (LETTERS, ["why"]))

    with pytest.raises(PermissionError):
        transaction()
    assert kept(store) == []


def test_what_was_judged_well_goes_on(store: Engine) -> None:
    told: list[Any] = []
    with writing(store) as connection:
        bulk.insert(connection, dead_letter, [letter(1)])
    with writing(store) as connection:
        expect(connection, LETTERS, ["why"], lambda rows: told.extend(map(tuple, rows)))
        bulk.insert(connection, dead_letter, [letter(2)])
    assert told == [(1, "why")]
    assert kept(store) == [(1, "why"), (2, "why")]
