"""What single strategies do where tables or statements are odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest
from msgspec import structs
from sqlalchemy import Connection

from dbpoll.checkup import examine
from dbpoll.ddl import ddl
from dbpoll.dialects import tongue_of
from dbpoll.feeds.base import NoMarks
from dbpoll.feeds.removal import RemovalFeed
from dbpoll.feeds.shelf import QueryShelf, TableShelf
from dbpoll.feeds.watermark import WatermarkFeed
from dbpoll.settings import Sql, Strategy
from dbpoll.source import Source
from dbpoll.tables import find_outbound
from dbpoll.values import InboundRow, StateChange, Status
from tests.dbpoll.conftest import Book, His, eventually

Run = Callable[..., Source]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[His]:
    """Empty tables, on SQLite."""
    database = His(f"sqlite:///{tmp_path / 'his.db'}")
    database.script(ddl("sqlite"))
    yield database
    database.engine.dispose()


def test_a_ledger_over_an_own_query_gives_every_page(own: His, running: Run) -> None:
    own.insert(12_000)
    fetch = "SELECT * FROM SMS_OUTBOUND WHERE :MARK IS NULL OR ID > :MARK ORDER BY ID LIMIT :MOST"
    book = Book()
    settings = own.settings(strategy=Strategy.LEDGER, sql=Sql(fetch=fetch), row_written=False)
    running(settings, book.take)
    book.wait_for(lambda: len(book.messages) == 12_000)


def test_rows_that_all_are_held_are_not_looked_at_without_a_pause(own: His) -> None:
    own.insert(10)
    fetch = "SELECT * FROM SMS_OUTBOUND ORDER BY ID LIMIT :MOST"
    settings = own.settings(strategy=Strategy.REMOVE, sql=Sql(fetch=fetch), row_written=False)
    feed = RemovalFeed(settings, QueryShelf(settings), {str(n) for n in range(1, 11)})
    with own.engine.connect() as connection:
        looks = [feed.take(connection, 10, datetime.now(UTC)).more for _ in range(6)]
    assert looks.count(True) <= 3


def test_names_may_have_blanks_and_hyphens(own: His, running: Run) -> None:
    own.run('ALTER TABLE SMS_OUTBOUND RENAME TO "HIS MSG-1"')
    own.run('ALTER TABLE "HIS MSG-1" RENAME COLUMN MOBILE TO "phone no-1"')
    own.run(
        """INSERT INTO "HIS MSG-1" (ID, "phone no-1", CONTENT) VALUES (1, '13800138000', 'x')"""
    )
    book = Book()
    running(own.settings(table="HIS MSG-1", columns={"MOBILE": "phone no-1"}), book.take)
    eventually(lambda: own.ask('SELECT STATUS FROM "HIS MSG-1" WHERE MESSAGE_ID IS NOT NULL'))
    assert book.rows["1"].mobile == "13800138000"


PROCEDURES = {
    "postgresql": [
        "CREATE FUNCTION SMS_FETCH(most INT) RETURNS SETOF SMS_OUTBOUND LANGUAGE sql AS"
        " 'UPDATE SMS_OUTBOUND SET STATUS = 1 WHERE ID IN (SELECT ID FROM SMS_OUTBOUND"
        " WHERE STATUS = 0 ORDER BY ID LIMIT most FOR UPDATE SKIP LOCKED) RETURNING *'",
        "CREATE PROCEDURE SMS_RESULT(key BIGINT, state INT, number TEXT, final INT) LANGUAGE sql AS"
        " 'UPDATE SMS_OUTBOUND SET STATUS = state, MESSAGE_ID = number WHERE ID = key"
        " AND (STATUS < 2 OR (STATUS = 2 AND final = 1))'",
        "CREATE PROCEDURE SMS_REPLY(key BIGINT, words TEXT) LANGUAGE sql AS"
        " 'INSERT INTO SMS_INBOUND (ID, CONTENT) VALUES (key, words) ON CONFLICT DO NOTHING'",
    ],
    "mysql": [
        "CREATE PROCEDURE SMS_FETCH(most INT) BEGIN"
        " CREATE TEMPORARY TABLE IF NOT EXISTS CHOSEN (ID BIGINT); DELETE FROM CHOSEN;"
        " INSERT INTO CHOSEN SELECT ID FROM SMS_OUTBOUND WHERE STATUS = 0 ORDER BY ID LIMIT most;"
        " UPDATE SMS_OUTBOUND SET STATUS = 1 WHERE ID IN (SELECT ID FROM CHOSEN);"
        " SELECT o.* FROM SMS_OUTBOUND o JOIN CHOSEN c ON o.ID = c.ID; END",
        "CREATE PROCEDURE SMS_RESULT(k BIGINT, state INT, number VARCHAR(32), final INT)"
        " UPDATE SMS_OUTBOUND SET STATUS = state, MESSAGE_ID = number WHERE ID = k"
        " AND (STATUS < 2 OR (STATUS = 2 AND final = 1))",
        "CREATE PROCEDURE SMS_REPLY(k BIGINT, words VARCHAR(200))"
        " INSERT IGNORE INTO SMS_INBOUND (ID, CONTENT) VALUES (k, words)",
    ],
}


def test_a_hospital_that_lets_nobody_but_its_procedures_in(served: His, running: Run) -> None:
    his = served
    for procedure in PROCEDURES[his.dialect]:
        his.run(procedure.replace(":", r"\:"))
    typed = "CAST(:STATUS AS INT)" if his.dialect == "postgresql" else ":STATUS"
    call = (
        "SELECT * FROM SMS_FETCH(:MOST)" if his.dialect == "postgresql" else "CALL SMS_FETCH(:MOST)"
    )
    settings = his.settings(
        batch=7,
        sql=Sql(
            fetch=call,
            recover="SELECT * FROM SMS_OUTBOUND WHERE STATUS = 1 AND MESSAGE_ID IS NULL",
            result=f"CALL SMS_RESULT(:ID, {typed}, :MESSAGE_ID, :FINAL)",
            inbound="CALL SMS_REPLY(:ID, :CONTENT)",
        ),
    )
    assert [each.what for each in examine(settings)] == []
    his.insert(20)
    book = Book()
    source = running(settings, book.take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 20)
    told = [StateChange(key, number, Status.DELIVERED) for key, number in book.messages.items()]
    late = [structs.replace(each, status=Status.SUBMITTED) for each in told]
    source.write(told)
    source.write(late)
    assert his.count("STATUS = 3") == 20
    reply = InboundRow("5", "13800138000", "好的", "1069", "", "7", datetime.now(UTC))
    for _ in range(2):
        source.write_inbound([reply])
    assert his.ask("SELECT ID, CONTENT FROM SMS_INBOUND") == [(5, "好的")]


def test_a_backlog_is_not_taken_for_late_rows(own: His) -> None:
    own.insert(20)
    fetch = "SELECT * FROM SMS_OUTBOUND WHERE :MARK IS NULL OR ID > :MARK ORDER BY ID LIMIT :MOST"
    settings = own.settings(sql=Sql(fetch=fetch), from_start=True, row_written=False)
    feed = WatermarkFeed(settings, QueryShelf(settings), set(), NoMarks())
    with own.engine.connect() as connection:
        now = datetime.now(UTC)
        assert feed.left_over(connection, now).rows == []
        assert len(feed.take(connection, 10, now).rows) == 10
        assert feed.left_over(connection, now).rows == []
        assert len(feed.take(connection, 10, now).rows) == 10


class Mark:
    """Where a watermark is kept."""

    def __init__(self) -> None:
        self.written: str | None = None

    def read(self) -> str | None:
        return self.written

    def write(self, mark: str) -> None:
        self.written = mark


def watermark(own: His, connection: Connection, held: set[str], mark: Mark) -> WatermarkFeed:
    """From the first row on; rows tell nothing of what became of them."""
    settings = own.settings(strategy=Strategy.WATERMARK, from_start=True, row_written=False)
    found = find_outbound(connection, settings)
    assert found is not None
    shelf = TableShelf(settings, found, tongue_of(own.engine.dialect))
    return WatermarkFeed(settings, shelf, held, mark)


def test_a_mark_stays_before_a_row_whose_refusal_is_not_written(own: His) -> None:
    own.insert(6)
    mark, held = Mark(), {"4"}
    with own.engine.connect() as connection:
        feed = watermark(own, connection, held, mark)
        for _ in range(3):
            rows = feed.take(connection, 2, datetime.now(UTC)).rows
            feed.accepted([row.key for row in rows])
        later = monotonic() + 3_600
        feed.turned(later)
        assert mark.written == "2"
        # It is behind the mark that is read from: nothing is read twice for its sake.
        assert feed.left_over(connection, datetime.now(UTC)).rows == []
        held.clear()
        feed.turned(later)
    assert mark.written == "6"


def test_a_mark_stays_before_a_late_row_whose_refusal_is_not_written(own: His) -> None:
    own.insert(6)
    own.run("DELETE FROM SMS_OUTBOUND WHERE ID = 4")
    mark, held = Mark(), {"4"}
    with own.engine.connect() as connection:
        feed = watermark(own, connection, held, mark)
        for most in (3, 3):
            rows = feed.take(connection, most, datetime.now(UTC)).rows
            feed.accepted([row.key for row in rows])
        connection.rollback()
        own.insert(1, first=4)
        assert [row.key for row in feed.left_over(connection, datetime.now(UTC)).rows] == ["4"]
        later = monotonic() + 3_600
        feed.turned(later)
        assert mark.written == "", "it is not answered"
        feed.accepted(["4"])
        feed.turned(later)
        assert mark.written == "", "its answer is not written"
        held.clear()
        feed.turned(later)
    assert mark.written == "6"
