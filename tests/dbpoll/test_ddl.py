"""The DDL of every dialect: as reviewed, and run where we have the database.

After a change on purpose: `python -m tests.dbpoll.test_ddl` writes the reviewed files anew.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy import inspect

from dbpoll.checkup import examine
from dbpoll.database import open_engine
from dbpoll.ddl import DIALECTS, ddl
from dbpoll.parameters import INBOUND, RECEIPT
from dbpoll.tables import OUTBOUND, find
from tests.dbpoll.conftest import ZONE, His

REVIEWED = Path(__file__).parent.parent / "data" / "ddl"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ddl_is_as_reviewed(dialect: str) -> None:
    assert ddl(dialect) == (REVIEWED / f"{dialect}.sql").read_text("utf-8")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_fit_old_oracles(dialect: str) -> None:
    names = re.findall(r"[A-Z][A-Z_]+", ddl(dialect))
    assert max(len(name) for name in names) <= 30


def test_an_unknown_dialect() -> None:
    with pytest.raises(ValueError, match="no such dialect: db2; there are oracle, mssql, mysql"):
        ddl("db2")


def test_the_tables_are_those_of_the_contract(his: His) -> None:
    settings = his.settings(receipt_table="SMS_RECEIPT", inbound_table="SMS_INBOUND")
    with his.engine.connect() as connection:
        found = find(connection, settings)
        assert found.missing == ()
        assert found.outbound is not None
        assert found.receipt is not None
        assert found.inbound is not None
        assert tuple(found.outbound.columns) == OUTBOUND
        assert tuple(found.receipt.columns) == RECEIPT
        assert tuple(found.inbound.columns) == INBOUND
        table = found.outbound.table.name
        indexes = inspect(connection).get_indexes(table)
    columns = [[str(name).upper() for name in index["column_names"]] for index in indexes]
    assert ["STATUS", "ID"] in columns


def test_a_row_needs_only_a_number_and_a_text(his: His) -> None:
    his.run("INSERT INTO SMS_OUTBOUND (MOBILE, CONTENT) VALUES ('13800138000', 'x')")
    assert his.count("ID = 1 AND STATUS = 0 AND CREATED_AT IS NOT NULL") == 1


def remarked(dialect: str, word: str) -> list[str]:
    """The statements that stand in remarks and begin with this word."""
    lines = [line.removeprefix("-- ") for line in ddl(dialect).splitlines()]
    return [line.rstrip(";") for line in lines if line.startswith(word)]


@pytest.mark.parametrize(
    ("dialect", "grammar"), [("oracle", "oracle"), ("mssql", "tsql"), ("dm", "oracle")]
)
def test_ddl_is_of_the_language(dialect: str, grammar: str) -> None:
    script = "\n".join(line for line in ddl(dialect).splitlines() if not line.startswith("--"))
    statements = [each for each in script.split(";\n") if each.strip()]
    statements += [each.replace("$ACCOUNT", "sms") for each in remarked(dialect, "GRANT")]
    statements += remarked(dialect, "DELETE")
    assert len(statements) >= 8
    for statement in statements:
        assert sqlglot.parse_one(statement, read=grammar) is not None


def test_the_purge_takes_what_ended_long_ago(his: His) -> None:
    his.insert(4)
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 3, DONE_AT = '2020-03-01 10:00:00' WHERE ID = 1")
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 2, DONE_AT = '2020-03-01 10:00:00' WHERE ID = 2")
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 4, DONE_AT = :now WHERE ID = 3",
            {"now": datetime.now(ZONE).replace(tzinfo=None).isoformat(" ", "seconds")})  # fmt: skip
    [purge] = remarked(his.dialect, "DELETE")
    his.run(purge)
    assert his.ask("SELECT ID FROM SMS_OUTBOUND ORDER BY ID") == [(2,), (3,), (4,)]


def test_the_grants_are_enough_for_a_source(postgres_his: His) -> None:
    his = postgres_his
    his.run("CREATE ROLE sms_account LOGIN")
    for grant in remarked("postgresql", "GRANT"):
        his.run(grant.replace("$ACCOUNT", "sms_account"))
    url = open_engine(his.settings()).url.set(username="sms_account")
    settings = his.settings(
        url=url.render_as_string(hide_password=False),
        receipt_table="SMS_RECEIPT",
        inbound_table="SMS_INBOUND",
    )
    found = examine(settings)
    his.run("DROP OWNED BY sms_account")
    his.run("DROP ROLE sms_account")
    assert found == []


if __name__ == "__main__":
    for each in DIALECTS:
        (REVIEWED / f"{each}.sql").write_text(ddl(each), "utf-8")
