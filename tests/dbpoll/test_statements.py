"""Every statement for databases that cannot be run here: compiled by SQLAlchemy's real dialect,
parsed by sqlglot, and as reviewed.

After a change on purpose: `python -m tests.dbpoll.test_statements` writes the reviewed files anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import sqlglot
from sqlalchemy import Column, Dialect, MetaData, Table, types
from sqlalchemy.dialects import mssql, oracle, registry
from sqlalchemy.types import TypeEngine

from dbpoll import binding
from dbpoll.bulk import Insert, Removal, Update
from dbpoll.ddl import tables
from dbpoll.dialects import tongue_of
from dbpoll.feeds.shelf import TableShelf
from dbpoll.feeds.status import Claims
from dbpoll.parameters import INBOUND, RECEIPT, ROW
from dbpoll.settings import WORDS, Claim, Settings
from dbpoll.tables import OUTBOUND, Found, Target

REVIEWED = Path(__file__).parent.parent / "data" / "statements"
GRAMMAR = {"oracle": "oracle", "mssql": "tsql", "dm": "oracle"}
SCHEMA = {"dm": "oracle"}
ONE_RECEIPT = ("OUTBOUND_ID", "MESSAGE_ID", "STATE")


def dialect_of(name: str) -> Dialect:
    dialect: Dialect = registry.load(name)()
    return dialect


ZONED = {
    "oracle": oracle.TIMESTAMP(timezone=True),
    "dm": oracle.TIMESTAMP(timezone=True),
    "mssql": mssql.DATETIMEOFFSET(3),  # type: ignore[no-untyped-call]
}
"""A moment with a zone."""


def found(name: str, table: str, words: tuple[str, ...], **others: Any) -> Found:
    """A table of the contract as it would be found there; `others`: types of its columns."""
    kinds: dict[str, TypeEngine[Any]] = {
        word: tables(SCHEMA.get(name, name)).tables[table].c[word].type for word in words
    }
    kinds.update(others)
    columns: dict[str, Column[Any]] = {word: Column(word.lower(), key=word) for word in words}
    binders = dict.fromkeys(kinds, lambda value: value)
    binders["STATUS"] = binding.word_binder(kinds.get("STATUS", kinds[words[0]]), WORDS)
    return Found(
        Table(table.lower(), MetaData(), *columns.values()),
        columns,
        MappingProxyType(binders),
        kinds,
        {},
    )


def statements(name: str) -> Iterator[tuple[str, Any]]:
    dialect = dialect_of(name)
    tongue = tongue_of(dialect)
    outbound = found(name, "SMS_OUTBOUND", OUTBOUND)
    settings = Settings("his", "")
    shelf = TableShelf(settings, outbound, tongue)
    claims = Claims(settings, shelf)
    yield "look", tongue.first(claims._new_keys)
    yield "lock", claims._free
    yield "mark", claims._mark
    yield "mark a run", claims._mark_run
    compared = Claims(Settings("his", "", claim=Claim.COMPARE_AND_SET), shelf)
    yield "compare and set", compared._mark_new
    yield "compare and set one", compared._mark_one
    yield "left over", claims.taken(after=True)
    yield "by keys", shelf._by_keys
    yield "greatest key", shelf._last
    update = Update(outbound, tongue, ROW)
    yield "write back", update.filling().statement
    yield "write back, few columns", update.filling(["STATUS", "MESSAGE_ID"]).statement
    yield "who holds it", update._free
    yield (
        "receipt",
        Insert(found(name, "SMS_RECEIPT", RECEIPT), tongue, RECEIPT, ONE_RECEIPT)._statement,
    )
    yield (
        "inbound",
        Insert(found(name, "SMS_INBOUND", INBOUND), tongue, INBOUND, ("ID",))._statement,
    )
    target = Target(Table("sms_old", MetaData(), Column("id"), Column("mobile")), ("id", "mobile"))
    removal = Removal(outbound, target)
    yield "move", removal._copy
    yield "delete", removal._delete
    yield "no key", claims.keyless
    again = Settings("his", "", resend=True)
    yield "mark, to be sent again", Claims(again, TableShelf(again, outbound, tongue))._mark
    yield (
        "write back, of the last sending",
        Update(outbound, tongue, ROW, resend=True).filling().statement,
    )
    moments = dict.fromkeys(("SCHEDULE_AT", "TAKEN_AT", "DONE_AT"), ZONED[name])
    zoned = found(name, "SMS_OUTBOUND", OUTBOUND, **moments)
    zoned_claims = Claims(again, TableShelf(again, zoned, tongue))
    yield "lock, moments with a zone", zoned_claims._free
    yield "mark, moments with a zone", zoned_claims._mark
    yield (
        "write back, moments with a zone",
        Update(zoned, tongue, ROW, resend=True).filling().statement,
    )
    long = Update(found(name, "SMS_OUTBOUND", OUTBOUND, RESULT_TEXT=types.CLOB()), tongue, ROW)
    yield "write back, a CLOB", long.filling(["STATUS", "RESULT_TEXT"]).statement
    raw = replace(outbound, raw=frozenset({"CONTENT", "RESULT_TEXT"}))
    yield (
        "look, bytes of another encoding",
        Claims(settings, TableShelf(settings, raw, tongue))._new,
    )
    yield "write back, bytes of another encoding", Update(raw, tongue, ROW).filling().statement


def script(name: str) -> str:
    dialect = dialect_of(name)
    parts = []
    for what, statement in statements(name):
        options = {"render_postcompile": False}
        compiled = str(statement.compile(dialect=dialect, compile_kwargs=options))
        # The list of keys gets its real length when it is executed.
        compiled = re.sub(r"\(__\[POSTCOMPILE_keys[^\]]*\]\)", "(1, 2)", compiled)
        compiled = re.sub(r"__\[POSTCOMPILE_most[^\]]*\]", "500", compiled)
        parts.append(f"-- {what}\n{_lines(compiled)};\n")
    return "\n".join(parts)


def _lines(sql: str) -> str:
    return "\n".join(line.rstrip() for line in sql.strip().splitlines())


@pytest.mark.parametrize("name", GRAMMAR)
def test_statements_are_as_reviewed(name: str) -> None:
    assert script(name) == (REVIEWED / f"{name}.sql").read_text("utf-8")


@pytest.mark.parametrize("name", GRAMMAR)
def test_statements_are_of_the_language(name: str) -> None:
    for statement in script(name).split(";\n"):
        if statement.strip():
            # Of a driver's marks the grammar knows `?` alone.
            plain = re.sub(r"%\(\w+\)s|(?<!:):\w+|%s", "?", statement)
            assert sqlglot.parse_one(plain, read=GRAMMAR[name]) is not None


def test_oracle_locks_without_an_order_and_asks_for_few_by_rownum() -> None:
    for name in ("oracle", "dm"):
        lock = script(name).split("-- mark")[0].split("-- lock")[1]
        outer = re.sub(r"\((?:[^()]|\([^()]*\))*\)", "", lock)
        assert "FOR UPDATE SKIP LOCKED" in lock
        assert "ORDER BY" not in outer
        assert "FETCH FIRST" not in script(name)
        assert "ROWNUM" in lock


def test_sql_server_passes_over_locked_rows_and_claims_without_output() -> None:
    told = script("mssql")
    assert "WITH (UPDLOCK, READPAST, ROWLOCK)" in told
    assert "OUTPUT" not in told
    # Numbered rows would all be locked.
    assert "ROW_NUMBER" not in told
    assert "SELECT TOP (:most)" in told


@pytest.mark.parametrize("name", GRAMMAR)
def test_names_fit_old_oracles(name: str) -> None:
    words = re.findall(r"[A-Za-z_][A-Za-z_0-9$#]+", script(name))
    assert max(map(len, words)) <= 30


if __name__ == "__main__":
    REVIEWED.mkdir(exist_ok=True)
    for each in GRAMMAR:
        (REVIEWED / f"{each}.sql").write_text(script(each), "utf-8")
