"""Polling a real table: nothing lost, nothing doubled, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from dbpoll.bulk import Update
from dbpoll.database import open_engine
from dbpoll.ddl import ddl
from dbpoll.dialects import tongue_of
from dbpoll.feeds.shelf import TableShelf
from dbpoll.feeds.status import Claims
from dbpoll.settings import Claim, Sql
from dbpoll.source import Source
from dbpoll.tables import find
from dbpoll.values import NotNow, Row, StateChange, Status, Taken
from tests.dbpoll.conftest import Book, His, OwnPostgres, eventually

Run = Callable[..., Source]


def test_rows_are_taken_once_and_answered(his: His, running: Run) -> None:
    his.insert(1200)
    book = Book()
    running(his.settings(batch=500), book.take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1200)
    assert len(book.messages) == 1200
    assert sum(book.batches) == 1200
    assert his.count("STATUS = 1 AND TAKEN_AT IS NOT NULL AND SEGMENTS = 1") == 1200
    [(number,)] = his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND WHERE ID = 7")
    assert number == book.messages["7"]


def test_rows_that_come_later_are_seen(his: His, running: Run) -> None:
    book = Book()
    source = running(his.settings(poll_max_s=60.0), book.take)
    eventually(lambda: source.health().polled_at)
    his.insert(1)
    source.wake()
    book.wait_for(lambda: book.messages)


def test_a_refused_row_gets_status_5_with_a_reason(his: His, running: Run) -> None:
    his.insert(3)
    running(his.settings(), Book(refuse=["2"]).take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2 and his.count("STATUS = 5") == 1)
    assert his.ask("SELECT ID, RESULT_CODE, RESULT_TEXT FROM SMS_OUTBOUND WHERE STATUS = 5") == [
        (2, "BAD_REQUEST", "not wanted")
    ]


def test_what_a_row_says_arrives(his: His, running: Run) -> None:
    his.run(
        "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT, TEMPLATE, PARAMS, BUSINESS, LANE,"
        " EXTENSION, PASS_THROUGH, BUSINESS_KEY, SCHEDULE_AT, EXPIRE_AT)"
        " VALUES (1, '13800138000', '您好',"
        " 't', 'a=b', 'lab', 'urgent', '12', 'through', 'key', '2026-03-01 14:30:00',"
        " '2026-03-02 00:00:00')"
    )
    book = Book()
    running(his.settings(), book.take)
    book.wait_for(lambda: book.messages)
    row = book.rows["1"]
    assert row[:10] == (
        "1", "13800138000", "您好", "t", "a=b", "lab", "urgent", "12", "through", "key",
    )  # fmt: skip
    assert row.schedule_at == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    assert row.expire_at == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)


def test_an_answer_rides_with_the_first_change_of_state(his: His, running: Run) -> None:
    his.insert(10)
    book = Book()
    source = running(his.settings(answer_delay_s=3600.0), book.take)
    book.wait_for(lambda: len(book.messages) == 10)
    now = datetime.now(UTC)
    source.write(
        [StateChange(k, m, Status.SUBMITTED, "", "", 1, now) for k, m in book.messages.items()]
    )
    assert his.count("STATUS = 2 AND MESSAGE_ID IS NOT NULL AND SUBMITTED_AT IS NOT NULL") == 10


def test_answers_not_yet_written_are_written_at_the_stop(his: His, running: Run) -> None:
    his.insert(10)
    book = Book()
    source = running(his.settings(answer_delay_s=3600.0), book.take)
    eventually(lambda: source.health().unanswered == 10 and len(book.messages) == 10)
    assert source.stop()
    assert his.count("MESSAGE_ID IS NOT NULL") == 10


def test_rows_wait_while_nothing_can_be_accepted(his: His, running: Run) -> None:
    his.insert(900)
    book = Book()

    def full(_rows: Sequence[Row]) -> None:
        raise NotNow("1000000 messages are waiting")

    book.fault = full
    source = running(his.settings(batch=100), book.take)
    book.wait_for(lambda: len(book.batches) >= 3)
    assert set(book.batches) == {100}
    health = source.health()
    assert not health.up
    assert "1000000 messages are waiting" in health.reason
    # Claims stop too: what is claimed is bounded, the other rows stay new.
    assert his.count("STATUS = 1") <= 500
    book.fault = None
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 900)
    assert len(book.messages) == 900
    assert source.health().up


def test_whatever_is_offered_is_awaited(his: His) -> None:
    """Also what is offered while a row that nobody can process waits for company."""
    his.insert(1, first=13)
    book = Book()
    offered: list[int] = []
    awaited: list[int] = []

    def take(rows: Sequence[Row]) -> Callable[[], Sequence[Taken]]:
        number = len(offered)
        offered.append(number)

        def answered() -> Sequence[Taken]:
            awaited.append(number)
            if any(row.key == "13" for row in rows):
                raise ZeroDivisionError
            return book.take(rows)

        return answered

    source = Source(his.settings(batch=5), take)
    source.start()
    eventually(lambda: len(awaited) >= 3)
    his.insert(20, first=101)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 20 and his.count("STATUS = 5") == 1)
    assert source.stop()
    assert sorted(awaited) == offered


def test_one_row_that_cannot_be_processed_does_not_stop_the_others(his: His, running: Run) -> None:
    his.insert(20)
    book = Book()

    def stumble(rows: Sequence[Row]) -> None:
        if any(row.key == "13" for row in rows):
            raise ZeroDivisionError

    book.fault = stumble
    running(his.settings(), book.take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 19 and his.count("STATUS = 5") == 1)
    assert his.ask("SELECT ID, RESULT_CODE FROM SMS_OUTBOUND WHERE STATUS = 5") == [
        (13, "INTERNAL")
    ]


def test_rows_are_not_blamed_for_a_failure_of_all(his: His, running: Run) -> None:
    his.insert(8)
    book = Book()

    def broken(_rows: Sequence[Row]) -> None:
        raise ZeroDivisionError

    book.fault = broken
    running(his.settings(), book.take)
    book.wait_for(lambda: book.batches.count(1) >= 24)
    book.fault = None
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL OR STATUS = 5") == 8)
    assert his.count("STATUS = 5") == 0


def test_a_row_taken_again_tells_nothing_of_the_sending_before(his: His, running: Run) -> None:
    his.insert(1)
    his.run("UPDATE SMS_OUTBOUND SET RESULT_CODE = 'EXPIRED', RESULT_TEXT = 'phone off'")
    running(his.settings(resend=True), Book().take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    assert his.count("RESULT_CODE IS NULL AND RESULT_TEXT IS NULL") == 1


def test_news_hurry_no_try_after_a_failure(his: His, running: Run) -> None:
    his.run("ALTER TABLE SMS_OUTBOUND RENAME TO SMS_AWAY")
    source = running(his.settings(retry_min_s=3600.0, retry_max_s=3600.0), Book().take)
    eventually(lambda: not source.health().up)
    his.run("ALTER TABLE SMS_AWAY RENAME TO SMS_OUTBOUND")
    for _ in range(20):
        source.wake()
        threading.Event().wait(0.02)
    assert not source.health().up


def test_a_trigger_that_forbids_the_claim_is_told_of(postgres_his: His, running: Run) -> None:
    his = postgres_his
    his.script(FORBIDDEN)
    his.insert(3)
    book = Book()
    source = running(his.settings(), book.take)
    eventually(lambda: "RaiseException" in source.health().reason)
    eventually(lambda: source.health().broken)
    his.run("DROP TRIGGER forbid ON SMS_OUTBOUND")
    book.wait_for(lambda: len(book.messages) == 3)


FORBIDDEN = """CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN RAISE EXCEPTION ''not today''; END';
CREATE TRIGGER forbid BEFORE UPDATE ON SMS_OUTBOUND FOR EACH ROW EXECUTE FUNCTION forbid();
"""


def test_fewer_rows_are_taken_where_time_runs_out(postgres_his: His, running: Run) -> None:
    his = postgres_his
    his.script(SLOW)
    his.insert(100)
    book = Book()
    running(his.settings(statement_timeout_s=1.0), book.take)
    book.wait_for(lambda: len(book.messages) == 100)


SLOW = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN IF NEW.STATUS = 1 THEN PERFORM pg_sleep(0.02); END IF; RETURN NEW; END';
CREATE TRIGGER slow BEFORE UPDATE ON SMS_OUTBOUND FOR EACH ROW EXECUTE FUNCTION slow();
"""


def test_an_idle_look_is_a_single_statement(mariadb_url: str, running: Run) -> None:
    his = His(mariadb_url)
    his.script(ddl("mysql"))
    asked: list[str] = []
    source = running(his.settings(poll_min_s=0.02, warm_s=3600.0), Book().take)
    eventually(lambda: source.health().polled_at)
    event.listen(source._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    def commits() -> int:
        [(_, count)] = his.ask("SHOW GLOBAL STATUS LIKE 'Com_commit'")
        return int(count)

    before = commits()
    eventually(lambda: len(asked) >= 30)
    assert {each.split()[0] for each in asked} == {"SELECT"}
    # One for a look at what was left over, perhaps; none for the looks at new rows.
    assert commits() - before < 5
    his.insert(3)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 3)
    his.engine.dispose()


def test_two_pollers_never_share_a_row(his: His, running: Run) -> None:
    books = [Book(), Book()]
    # On a busy machine a lock may take long; who gives up waiting hands in the other's rows,
    # which only a common store would keep single.
    sources = [running(his.settings(batch=50, lock_timeout_s=60.0), book.take) for book in books]
    # Both have looked for unanswered rows, as every source does first.
    eventually(lambda: all(source.health().polled_at for source in sources))
    his.insert(3000)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 3000)
    first, second = (set(book.messages) for book in books)
    assert not first & second
    assert len(first | second) == 3000


def test_rows_of_another_node_are_taken_over_after_the_grace(his: His, running: Run) -> None:
    book = Book()
    source = running(his.settings(grace_s=0.2), book.take)
    eventually(lambda: source.health().polled_at)
    his.insert(2)
    long_ago = (datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=9)).replace(tzinfo=None)
    his.insert(2, first=101)
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 1, TAKEN_AT = :t WHERE ID > 100", {"t": long_ago})
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 4)
    assert len(book.messages) == 4


@pytest.mark.parametrize("point", ["claimed", "taken", "refused"])
def test_a_crash_neither_loses_nor_doubles_a_row(
    his: His, running: Run, tmp_path: Path, point: str
) -> None:
    """A process of its own dies between claim and acceptance, or before the write-back."""
    his.insert(700)
    ledger = tmp_path / "ledger"
    code = CRASHER.format(url=his.url, ledger=str(ledger), point=point)
    died = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert died.returncode == 9
    assert his.count("STATUS = 1 AND MESSAGE_ID IS NULL") > 0
    book = Book(refuse=["5"])
    if ledger.exists():
        for line in ledger.read_text().split():
            book.messages[line] = "accepted before the crash"
    before = set(book.messages)
    assert bool(before) == (point != "claimed")
    running(his.settings(batch=100), book.take)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL OR STATUS = 5") == 700)
    assert his.count("STATUS = 5") == 1
    assert his.count("MESSAGE_ID = 'accepted before the crash'") == len(before)


CRASHER = """
import os
from zoneinfo import ZoneInfo
from dbpoll.home import Home
from dbpoll.source import Source
from dbpoll.settings import Settings
from dbpoll.values import Taken, at_once
import threading

def take(rows):
    if {point!r} == "claimed":
        os._exit(9)
    with open({ledger!r}, "a") as ledger:
        ledger.writelines(row.key + "\\n" for row in rows if row.key != "5")
        ledger.flush()
        os.fsync(ledger.fileno())
    if {point!r} == "taken":
        os._exit(9)
    return [Taken(row.key, "" if row.key == "5" else "1", 1, "BAD") for row in rows]

Home.write = lambda home, work: os._exit(9)
settings = Settings("his", {url!r}, batch=100, zone=ZoneInfo("Asia/Shanghai"))
Source(settings, at_once(take)).start()
threading.Event().wait(50)
"""


def test_bad_rows_get_their_reason_and_the_others_go_on(his: His, running: Run) -> None:
    his.insert(4)
    his.run("INSERT INTO SMS_OUTBOUND (ID) VALUES (10)")
    if his.dialect == "mysql":
        his.run("SET GLOBAL sql_mode = ''")
        his.engine.dispose()
    his.run("UPDATE SMS_OUTBOUND SET EXPIRE_AT = :t WHERE ID = 2", {"t": _unreadable(his)})
    if his.dialect == "sqlite":
        his.run("UPDATE SMS_OUTBOUND SET CONTENT = CAST(x'B4FEC4' AS TEXT) WHERE ID = 3")
        his.run("UPDATE SMS_OUTBOUND SET CONTENT = x'00FF' WHERE ID = 4")
    book = Book()
    running(his.settings(), book.take)
    bad = 3 if his.dialect == "sqlite" else 1
    eventually(lambda: his.count("STATUS = 5") == bad)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 5 - bad)
    reasons = dict(his.ask("SELECT ID, RESULT_TEXT FROM SMS_OUTBOUND WHERE STATUS = 5"))
    if his.dialect == "sqlite":
        assert reasons == {
            2: "EXPIRE_AT is no date and time",
            3: "CONTENT is not valid UTF-8",
            4: "CONTENT holds a NUL character",
        }
    elif his.dialect == "mysql":
        assert reasons == {2: "EXPIRE_AT is no date and time"}
    else:
        assert reasons == {2: "the row cannot be read (DataError)"}
    assert book.rows["10"].mobile is None


def _unreadable(his: His) -> str:
    # The driver has no value for a PostgreSQL time that never comes: a whole result fails.
    return {"postgresql": "infinity", "mysql": "0000-00-00"}.get(his.dialect, "next tuesday")


def test_rows_that_the_hospital_holds_are_passed_over(served: His, running: Run) -> None:
    his = served
    his.insert(5)
    book = Book()
    with his.engine.begin() as clerk:
        clerk.execute(text("UPDATE SMS_OUTBOUND SET CONTENT = 'edited' WHERE ID = 2"))
        running(his.settings(), book.take)
        book.wait_for(lambda: len(book.messages) == 4)
        assert "2" not in book.messages
    book.wait_for(lambda: len(book.messages) == 5)
    assert book.rows["2"].content == "edited"


def test_an_altered_table_is_looked_at_again(his: His, running: Run) -> None:
    his.insert(1)
    book = Book()
    source = running(his.settings(), book.take)
    book.wait_for(lambda: len(book.messages) == 1)
    his.run("ALTER TABLE SMS_OUTBOUND RENAME TO SMS_OLD")
    eventually(lambda: not source.health().up)
    his.run("ALTER TABLE SMS_OLD RENAME TO SMS_OUTBOUND")
    his.run("ALTER TABLE SMS_OUTBOUND DROP COLUMN PASS_THROUGH")
    his.insert(1, first=2)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    assert source.health().up


def test_a_table_that_cannot_work_is_told_of(his: His, running: Run) -> None:
    source = running(his.settings(table="NO_SUCH_TABLE"), Book().take)
    eventually(lambda: "there is no table NO_SUCH_TABLE" in source.health().reason)


def test_a_database_that_is_not_there_is_told_of(running: Run, tmp_path: Path) -> None:
    his = His(f"sqlite:///{tmp_path / 'no such folder' / 'his.db'}")
    source = running(his.settings(), Book().take)
    eventually(lambda: not source.health().up)


def test_a_locked_database_is_told_of_and_does_not_hinder_a_stop(
    tmp_path: Path, running: Run
) -> None:
    his = His(f"sqlite:///{tmp_path / 'his.db'}")
    his.script(ddl("sqlite"))
    his.insert(1)
    with his.engine.connect() as clerk:
        clerk.exec_driver_sql("BEGIN EXCLUSIVE")
        source = running(his.settings(), Book().take)
        eventually(lambda: "locked" in source.health().reason)
        assert source.stop()
    his.engine.dispose()


def test_a_stop_ends_a_statement_that_hangs(postgres_his: His, running: Run) -> None:
    his = postgres_his
    source = running(his.settings(lock_timeout_s=3600.0, statement_timeout_s=3600.0), Book().take)
    eventually(lambda: source.health().polled_at)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with his.engine.begin() as clerk:
        clerk.execute(text("LOCK TABLE SMS_OUTBOUND"))
        eventually(lambda: his.ask(waiting))
        assert source.stop()


def test_the_hospital_restarts_its_database(own_postgres: OwnPostgres, running: Run) -> None:
    his = His(own_postgres.url)
    his.script(ddl("postgresql"))
    his.insert(2000)
    book = Book()
    source = running(his.settings(batch=50), book.take)
    book.wait_for(lambda: book.messages)
    own_postgres.stop()
    eventually(lambda: not source.health().up)
    with pytest.raises(DBAPIError):
        source.write([StateChange("1", "1", Status.DELIVERED)])
    own_postgres.start()
    his.engine.dispose()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2000)
    source.write([StateChange("1", book.messages["1"], Status.DELIVERED)])
    assert his.count("STATUS = 3") == 1
    assert len(book.messages) == 2000
    assert source.health().up
    his.engine.dispose()


def test_stopping_while_the_database_is_gone(own_postgres: OwnPostgres, running: Run) -> None:
    his = His(own_postgres.url)
    his.script(ddl("postgresql"))
    his.engine.dispose()
    source = running(his.settings(), Book().take)
    eventually(lambda: source.health().polled_at)
    own_postgres.stop()
    eventually(lambda: not source.health().up)
    assert source.stop()


def test_old_rows_cost_nothing(his: His) -> None:
    """Every statement of a poll finds its rows by the index on (STATUS, ID)."""
    rows = "ID, MOBILE, CONTENT"
    numbers = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " SELECT i, '1', '2' FROM n",
        "postgresql": "SELECT i, '1', '2' FROM generate_series(1, 50000) AS n(i)",
        "mysql": "SELECT seq, '1', '2' FROM seq_1_to_50000",
    }
    his.run(f"INSERT INTO SMS_OUTBOUND ({rows}) {numbers[his.dialect]}")
    # Statistics that mislead: they are taken while every row is new.
    his.run("ANALYZE TABLE SMS_OUTBOUND" if his.dialect == "mysql" else "ANALYZE")
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 3 WHERE ID < 50000")
    engine = open_engine(his.settings())
    with engine.begin() as connection:
        tongue = tongue_of(connection.dialect)
        outbound = find(connection, his.settings()).outbound
        assert outbound is not None
        claims = Claims(his.settings(), TableShelf(his.settings(), outbound, tongue))
        asked: list[tuple[str, Any]] = []
        event.listen(
            engine,
            "before_cursor_execute",
            lambda _c, _cu, statement, parameters, *_: asked.append((statement, parameters)),
        )
        update = Update(outbound, tongue, ["RESULT_CODE"])
        asked.clear()
        claims.any_new(connection)
        update.execute(connection, update.rows([("50000", "code", 1)]))
        assert len(claims.claim(connection, 500, datetime.now(UTC))) == 1
        claims.unanswered(connection, None, 1000)
        claims.unanswered(connection, 5, 1000)
        plans = [tongue.plan(connection, s, p) or [] for s, p in list(asked)]
    engine.dispose()
    assert len(plans) >= 5
    assert not [plan for plan in plans if "filesort" in str(plan)]
    for plan in plans:
        words = "\n".join(plan)
        assert any(way in words for way in ("SMS_OUTBOUND_", "sms_outbound_", "PRIMARY")), plan
        assert not tongue.scans(plan, outbound.table.name), plan


@pytest.mark.parametrize("claim", [Claim.AUTO, Claim.COMPARE_AND_SET])
def test_rows_without_a_key_are_told_so_and_the_others_go_on(
    his: His, running: Run, claim: Claim
) -> None:
    his.run(KEYLESS)
    his.run("CREATE INDEX KEYLESS_STATUS ON KEYLESS (STATUS, ID)")
    his.run("INSERT INTO KEYLESS (ID, MOBILE, CONTENT) VALUES (NULL, '1', 'x'), (NULL, '1', 'x'),"
            " ('', '1', 'x'), ('A', '1', 'x')")  # fmt: skip
    his.run("INSERT INTO KEYLESS (ID, MOBILE, CONTENT, LAB) VALUES (NULL, '1', 'x', 1)")
    book = Book(refuse=[""])
    source = running(his.settings(table="KEYLESS", claim=claim, where="LAB = 0"), book.take)

    def ended() -> set[tuple[Any, ...]]:
        return set(his.ask("SELECT STATUS, ID, RESULT_CODE, RESULT_TEXT FROM KEYLESS"))

    wanted = {
        (1, "A", None, None),
        (5, None, "BAD_REQUEST", "ID is NULL"),
        (5, "", "BAD_REQUEST", "not wanted"),
        (0, None, None, None),
    }
    eventually(lambda: ended() == wanted)
    assert book.messages.keys() == {"A"}
    assert source.health().refused == 3


KEYLESS = (
    "CREATE TABLE KEYLESS (ID VARCHAR(20), MOBILE VARCHAR(20), CONTENT VARCHAR(20),"
    " STATUS INTEGER DEFAULT 0, MESSAGE_ID VARCHAR(20), RESULT_CODE VARCHAR(20),"
    " RESULT_TEXT VARCHAR(20), LAB INTEGER DEFAULT 0)"
)


def test_own_statements_pass_over_rows_without_a_key(his: His, running: Run) -> None:
    his.run(KEYLESS)
    his.run("INSERT INTO KEYLESS (ID, MOBILE, CONTENT) VALUES (NULL, '1', 'x'), ('A', '1', 'x')")
    own = Sql(
        fetch="SELECT * FROM KEYLESS WHERE STATUS = 0",
        claim="UPDATE KEYLESS SET STATUS = 1 WHERE ID = :ID AND STATUS = 0",
        recover="SELECT * FROM KEYLESS WHERE STATUS = 1 AND MESSAGE_ID IS NULL",
        result="UPDATE KEYLESS SET STATUS = :STATUS, MESSAGE_ID = :MESSAGE_ID WHERE ID = :ID",
    )
    book = Book()
    source = running(his.settings(sql=own, grace_s=0.1), book.take)
    eventually(lambda: source.health().refused)
    eventually(lambda: book.messages)
    assert book.messages.keys() == {"A"}


def test_an_id_that_its_column_cannot_hold_is_not_written(his: His, running: Run) -> None:
    his.run("CREATE TABLE SHORT (ID VARCHAR(20) PRIMARY KEY, MOBILE VARCHAR(20), CONTENT"
            " VARCHAR(20), STATUS INTEGER DEFAULT 0, MESSAGE_ID VARCHAR(10))")  # fmt: skip
    his.run("INSERT INTO SHORT (ID, MOBILE, CONTENT) VALUES ('A', '1', 'x')")
    book = Book()
    source = running(his.settings(table="SHORT"), book.take)
    book.wait_for(lambda: book.messages)
    source.write([StateChange("A", book.messages["A"], Status.DELIVERED)])
    assert his.ask("SELECT STATUS, MESSAGE_ID FROM SHORT") == [(3, None)]
    mapped = running(his.settings(table="SHORT", columns={"MESSAGE_ID": "MESSAGE_ID"}), book.take)
    eventually(lambda: "cannot hold its 19 digits" in mapped.health().reason)
