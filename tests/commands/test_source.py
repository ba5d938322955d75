"""The commands about a source, against a real table and a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapter.cli import main
from dbpoll.ddl import ddl
from tests.dbpoll.conftest import His

CONFIG = """<adapter xmlns="urn:his-sms:config:1">
<store url="sqlite:///store.db"/>
<channels><channel name="c" protocol="cmpp" version="3.0" access-number="10690001">
<connection host="127.0.0.1" port="7890" account="900001" password="x"/></channel></channels>
<routes><route carrier="mobile" channels="c"/><route carrier="unicom" channels="c"/>
<route carrier="telecom" channels="c"/><route carrier="broadnet" channels="c"/></routes>
<clients><client account="a" signature="院"/></clients>
<sources><source name="s" client="a" url="sqlite:///his.db" {more}/></sources>
<templates><template name="t">您好</template></templates>
</adapter>"""


@pytest.fixture
def his(tmp_path: Path) -> His:
    found = His(f"sqlite:///{tmp_path / 'his.db'}")
    found.script(ddl("sqlite"))
    return found


def call(tmp_path: Path, *words: str, more: str = "") -> tuple[int, str]:
    file = tmp_path / "adapter.xml"
    file.write_text(CONFIG.format(more=more), "utf-8")
    result = CliRunner().invoke(main, [*words, str(file)])
    return result.exit_code, result.output + (
        repr(result.exception)
        if result.exception and not isinstance(result.exception, SystemExit)
        else ""
    )


def test_try_shows_rows_as_they_would_be_sent(his: His, tmp_path: Path) -> None:
    his.insert(2)
    his.run("INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (3, 'x', 'y')")
    his.engine.dispose()
    status, told = call(tmp_path, "source", "try", "s", "--json")
    assert status == 0, told
    rows = [json.loads(line) for line in told.splitlines()]
    assert [(row["key"], row["code"]) for row in rows] == [
        ("1", "OK"),
        ("2", "OK"),
        ("3", "BAD_NUMBER"),
    ]
    [message] = rows[0]["messages"]
    assert (message["mobile"], message["content"]) == ("138****8000", "【院】请准时")
    assert his.count("STATUS = 0") == 3


def test_a_source_that_is_not_there(his: His, tmp_path: Path) -> None:
    status, told = call(tmp_path, "source", "try", "x")
    assert (status, "there is no source x; sources: s" in told) == (1, True)


def test_check_asks_the_database(his: His, tmp_path: Path) -> None:
    assert call(tmp_path, "check", "--connect") == (0, f"{tmp_path / 'adapter.xml'}: good\n")
    his.run("DROP INDEX SMS_OUTBOUND_STATUS")
    status, told = call(tmp_path, "check", "--connect")
    assert (status, "no index on (STATUS, ID)" in told) == (0, True)
    status, told = call(tmp_path, "check", "--connect", more='table="NOWHERE"')
    assert (status, "there is no table NOWHERE" in told) == (1, True)
    status, told = call(tmp_path, "check", "--connect", "--json", more='receipt-table="NO"')
    assert json.loads(told)[-1]["message"].endswith("there is no table NO, or it may not be seen")


def test_replay_of_nothing(his: His, tmp_path: Path) -> None:
    since = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    from adapter.store.engine import open_engine
    from adapter.store.schema import metadata

    store = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(store)
    store.dispose()
    assert call(tmp_path, "source", "replay", "s", "--from", since) == (0, "0 states written\n")
