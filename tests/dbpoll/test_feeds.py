"""What single strategies do where tables or statements are odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbpoll.ddl import ddl
from dbpoll.feeds.base import NoMarks
from dbpoll.feeds.removal import RemovalFeed
from dbpoll.feeds.shelf import QueryShelf
from dbpoll.feeds.watermark import WatermarkFeed
from dbpoll.settings import Sql, Strategy
from dbpoll.source import Source
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


def test_a_backlog_is_not_taken_for_late_rows(own: His) -> None:
    own.insert(20)
    fetch = "SELECT * FROM SMS_OUTBOUND WHERE :MARK IS NULL OR ID > :MARK ORDER BY ID LIMIT :MOST"
    settings = own.settings(sql=Sql(fetch=fetch), from_start=True, row_written=False)
    feed = WatermarkFeed(settings, QueryShelf(settings), NoMarks())
    with own.engine.connect() as connection:
        now = datetime.now(UTC)
        assert feed.left_over(connection, now).rows == []
        assert len(feed.take(connection, 10, now).rows) == 10
        assert feed.left_over(connection, now).rows == []
        assert len(feed.take(connection, 10, now).rows) == 10
