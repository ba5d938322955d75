"""Rows as text: what is written is read again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, String

from adapter.backup.rows import decode, encode

COLUMNS: list[Column[Any]] = [
    Column("number", BigInteger),
    Column("flag", Boolean),
    Column("text", String),
]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
AWKWARD = st.sampled_from(["\\N", "\\", "\t", "\\t", "\x0b", "\u2028"])
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | TEXT | AWKWARD,
)


@given(st.lists(ROW))
def test_rows_come_back(rows: list[tuple[Any, ...]]) -> None:
    lines = encode(COLUMNS, rows)
    assert lines.count(b"\n") == len(rows)
    assert list(decode(COLUMNS, lines)) == rows


def test_a_row_reads_as_postgresql_writes_it() -> None:
    assert (
        encode(COLUMNS, [(7, True, "a\tb\\"), (None, False, None)])
        == b"7\tt\ta\\tb\\\\\n\\N\tf\t\\N\n"
    )
