"""The DDL of every dialect: as reviewed, and run where we have the database.

After a change on purpose: `python -m tests.dbpoll.test_ddl` writes the reviewed files anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import inspect

from dbpoll.ddl import DIALECTS, ddl
from dbpoll.parameters import INBOUND, RECEIPT
from dbpoll.tables import OUTBOUND, find
from tests.dbpoll.conftest import His

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


if __name__ == "__main__":
    for each in DIALECTS:
        (REVIEWED / f"{each}.sql").write_text(ddl(each), "utf-8")
