"""Traps of databases that cannot be run here, at the border where their values pass."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text, types
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, registry
from sqlalchemy.exc import DatabaseError
from sqlalchemy.types import TypeEngine

from dbpoll.binding import cut, key_binder, moment_binder, text_binder, word_binder
from dbpoll.checkup import examine
from dbpoll.database import open_engine
from dbpoll.dialects import oracle as oracle_tongue
from dbpoll.dialects import tongue_of
from dbpoll.reading import READ, Reader
from dbpoll.settings import WORDS, Claim, Settings, Sql, Strategy
from dbpoll.source import Source
from dbpoll.tables import holds_id
from dbpoll.values import StateChange, Status, at_once
from tests.dbpoll.conftest import ZONE, Book, His, eventually
from tests.nodes import free_port

DATETIME2 = mssql.DATETIME2(3)  # type: ignore[no-untyped-call]
AT = datetime(2026, 3, 1, 6, 30, 15, 987654, tzinfo=UTC)


def wall(microsecond: int) -> datetime:
    return datetime(2026, 3, 1, 14, 30, 15, microsecond)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("kind", "microsecond"),
    [
        (oracle.DATE(), 0),
        (oracle.TIMESTAMP(), 987654),
        (DATETIME2, 987000),
        (types.DATETIME(), 987000),
        (mssql.SMALLDATETIME(), 0),
        (mysql.DATETIME(fsp=3), 987000),
        (mysql.DATETIME(), 0),
    ],
)
def test_a_moment_is_cut_to_what_its_column_keeps(kind: TypeEngine[Any], microsecond: int) -> None:
    assert moment_binder(kind, ZONE, as_text=False)(AT) == wall(microsecond)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (types.DATETIME(), "2026-03-01 14:30:15.987"),
        (mysql.DATETIME(), "2026-03-01 14:30:15"),
        (mysql.DATETIME(fsp=2), "2026-03-01 14:30:15.98"),
        (postgresql.TIMESTAMP(), "2026-03-01 14:30:15.987654"),
        (postgresql.TIMESTAMP(precision=0), "2026-03-01 14:30:15"),
        (postgresql.TIMESTAMP(timezone=True), "2026-03-01 06:30:15.987654+00:00"),
        (postgresql.DATE(), "2026-03-01"),
    ],
)
def test_a_moment_is_written_as_a_text(kind: TypeEngine[Any], written: str) -> None:
    write = moment_binder(kind, ZONE, as_text=True)
    assert [write(AT), write(AT), write(None)] == [written, written, None]


def test_a_moment_before_1970_and_one_of_another_zone_are_written_as_a_text() -> None:
    write = moment_binder(postgresql.TIMESTAMP(), ZONE, as_text=True)
    assert write(datetime(1969, 7, 20, 20, 17, 39, 500_000, UTC)) == "1969-07-21 04:17:39.500000"
    assert write(AT.astimezone(timezone(timedelta(hours=-3)))) == "2026-03-01 14:30:15.987654"


@pytest.mark.parametrize(
    ("given", "kept"), [(0, 0), (2_999, 0), (3_334, 3_000), (6_667, 7_000), (999_999, 997_000)]
)
def test_sql_server_is_given_no_moment_that_it_would_round(given: int, kept: int) -> None:
    moment = moment_binder(types.DATETIME(), ZONE, as_text=False)(AT.replace(microsecond=given))
    assert moment == wall(kept)
    # Never a time still to come, and on one of its 300 ticks a second.
    assert kept <= given + 334
    assert round(round(kept * 300 / 1_000_000) * 1_000 / 300) * 1_000 == kept


def test_a_text_is_cut_by_bytes_where_the_column_counts_them() -> None:
    assert text_binder(oracle.VARCHAR2(7), octets=True)("您好吗") == "您好"
    assert text_binder(types.Unicode(2), octets=True)("您好吗") == "您好"
    assert text_binder(types.String(3), encoding="gbk")("您好") == "您".encode("gbk")
    assert cut("您好", 4, "gbk") == "您好"


def test_an_empty_text_is_null() -> None:
    assert text_binder(oracle.VARCHAR2(7))("") is None
    assert word_binder(types.String(1), {**WORDS, Status.NEW: ""})(Status.NEW) is None


def test_utf8mb3_keeps_no_character_beyond_its_plane() -> None:
    assert text_binder(mysql.VARCHAR(9, charset="utf8mb3"))("好😀") == "好?"
    assert text_binder(mysql.VARCHAR(9, collation="utf8_general_ci"))("好😀") == "好?"
    assert text_binder(mysql.VARCHAR(9, collation="utf8mb4_bin"))("好😀") == "好😀"


def test_words_must_fit_the_column() -> None:
    assert word_binder(types.Integer(), WORDS)(Status.TAKEN) == 1
    with pytest.raises(TypeError, match="holds no 'N'"):
        word_binder(types.Integer(), {**WORDS, Status.NEW: "N"})


def read(settings: Settings, **values: Any) -> Any:
    [row] = Reader(settings).rows([[values.get(name) for name in READ]])
    return row


def test_lobs_and_raw_bytes_are_texts() -> None:
    row = read(Settings("his", "", encoding="gbk"), ID=1, CONTENT="您好".encode("gbk"))
    assert (row.content, row.fault) == ("您好", "")
    row = read(Settings("his", ""), ID=1, CONTENT=io.StringIO("您好"))
    assert row.content == "您好"
    row = read(Settings("his", "", encoding="gbk"), ID=1, CONTENT=b"\xff\xff")
    assert row.fault == "CONTENT is not valid GBK"


def test_defaults_stand_for_blanks_and_constants_for_columns() -> None:
    settings = Settings("his", "", constants={"LANE": "bulk"}, defaults={"BUSINESS": "lab"})
    row = read(settings, ID=1, BUSINESS="  ", LANE="urgent")
    assert (row.business, row.lane) == ("lab", "bulk")
    assert read(settings, ID=1, BUSINESS="x").business == "x"


NUMBER: Any = oracle.NUMBER


@pytest.mark.parametrize(
    ("name", "kind", "holds"),
    [
        ("oracle", NUMBER(), True),
        ("oracle", NUMBER(19, 0), True),
        ("oracle", NUMBER(10, 0), False),
        ("oracle", NUMBER(20, 4), False),
        ("oracle", types.INTEGER(), True),
        ("sqlite", types.INTEGER(), True),
        ("postgresql", types.INTEGER(), False),
        ("postgresql", types.BIGINT(), True),
        ("mysql", types.DECIMAL(20), True),
        ("mysql", types.DOUBLE(), False),
        ("mssql", types.VARCHAR(19), True),
        ("mssql", types.VARCHAR(18), False),
        ("mssql", types.TEXT(), True),
    ],
)
def test_which_columns_hold_an_id(name: str, kind: TypeEngine[Any], holds: bool) -> None:
    assert holds_id(kind, tongue_of(registry.load(name)())) is holds


def test_oracle_lives_in_the_zone_of_the_hospital() -> None:
    told: list[str] = []

    class Session:
        call_timeout = 0

        def cursor(self) -> Session:
            return self

        def execute(self, statement: str) -> None:
            told.append(statement)

        def close(self) -> None:
            """Nothing is open."""

    connection = Session()
    oracle_tongue._limit(Settings("his", "", zone=ZONE), connection, None)
    assert told == ["ALTER SESSION SET TIME_ZONE = 'Asia/Shanghai'"]
    assert connection.call_timeout == 15_000
    assert oracle_tongue.zone_of(timezone(-timedelta(hours=3, minutes=30))) == "-03:30"


def test_oracle_11g_is_reached_by_the_libraries_of_its_client() -> None:
    dialect = registry.load("oracle")()
    tongue = tongue_of(dialect)
    for thick, mode in (("system", True), ("/opt/oracle", {"lib_dir": "/opt/oracle"})):
        settings = Settings("his", "oracle://sms@127.0.0.1/his", thick=thick)
        assert tongue.options(settings) == {"thick_mode": mode}
        [finding] = examine(settings)
        assert finding.fault
        assert "the libraries of Oracle's client are not where thick says" in finding.what
    assert tongue.options(Settings("his", "")) == {}


def test_moments_with_a_zone() -> None:
    """The driver of Oracle drops the zone, so that wall clocks come and go; others get UTC."""
    zoned = oracle.TIMESTAMP(timezone=True)
    here = AT.astimezone(ZONE)
    assert moment_binder(zoned, ZONE, as_text=False, aware=False)(here) == wall(987654)
    bound = moment_binder(zoned, ZONE, as_text=False)(here)
    assert (bound, bound.utcoffset()) == (AT, timedelta())
    tongue = tongue_of(registry.load("oracle")())
    assert not tongue.binds_zones
    assert tongue.bind_type(zoned).timezone is False  # type: ignore[union-attr]
    row = read(Settings("his", "", zone=ZONE), ID=1, SCHEDULE_AT=wall(0))
    assert row.schedule_at == AT.replace(microsecond=0)


def test_a_key_may_be_a_blank_text_and_a_reference_to_none_is_null() -> None:
    assert key_binder(types.String(9), blank=True)("") == ""
    assert key_binder(types.String(9))("") is None


class OracleError:
    def __init__(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize(
    ("name", "argument", "row", "lock"),
    [
        ("oracle", OracleError(12899), True, False),
        ("oracle", OracleError(20001), True, False),
        ("oracle", OracleError(54), False, True),
        ("oracle", OracleError(3113), False, False),
        ("oracle", OracleError(1722), True, False),
        ("mssql", 8152, True, False),
        ("mssql", 245, True, False),
        ("mssql", 1222, False, True),
        ("mysql", 1644, True, False),
        ("mysql", 1213, False, True),
        ("mysql", 2013, False, False),
    ],
)
def test_whose_fault_an_error_is(name: str, argument: object, row: bool, lock: bool) -> None:
    tongue = tongue_of(registry.load(name)())
    fault = DatabaseError("", {}, Exception(argument))
    assert (tongue.blames_row(fault), tongue.blames_lock(fault)) == (row, lock)


def test_kingbase_is_taken_for_postgresql(postgres_his: His) -> None:
    his = postgres_his
    his.insert(1)
    url = his.url.replace("postgresql+psycopg:", "kingbase:")
    source = Source(his.settings(url=url), at_once(Book().take))
    try:
        assert [row.key for row in source.peek(5)] == ["1"]
        source.write([StateChange("1", "5", Status.DELIVERED)])
    finally:
        source.close()
    assert his.count("STATUS = 3") == 1


def test_kingbase_tells_a_version_that_is_none() -> None:
    from dbpoll.dialects.kingbase import KingbaseDialect

    class Told:
        def exec_driver_sql(self, _statement: str) -> Told:
            return self

        def scalar(self) -> str:
            return "KingbaseES V008R006C008B0014 on x86_64"

    dialect: Any = KingbaseDialect
    assert dialect()._get_server_version_info(Told()) == (12, 0)


def test_drivers_that_are_not_installed_are_told_of() -> None:
    [finding] = examine(Settings("his", "dm://sms@127.0.0.1:5236"))
    assert finding.fault
    assert "its driver is not installed here" in finding.what


def test_a_checkup_names_missing_rights(postgres_his: His) -> None:
    his = postgres_his
    his.run("CREATE ROLE reader LOGIN")
    his.run("GRANT SELECT ON SMS_OUTBOUND, SMS_RECEIPT TO reader")
    url = open_engine(his.settings()).url.set(username="reader")
    settings = his.settings(
        url=url.render_as_string(hide_password=False), receipt_table="SMS_RECEIPT"
    )
    told = [finding.what for finding in examine(settings) if finding.fault]
    his.run("DROP OWNED BY reader")
    his.run("DROP ROLE reader")
    assert [each.split(":")[0] for each in told] == [
        "UPDATE on SMS_OUTBOUND",
        "INSERT on SMS_RECEIPT",
    ]


def test_a_checkup_of_a_good_source_finds_nothing(his: His) -> None:
    settings = his.settings(receipt_table="SMS_RECEIPT", inbound_table="SMS_INBOUND")
    assert examine(settings) == []
    if his.dialect != "mysql":
        his.run("DROP INDEX SMS_OUTBOUND_STATUS")
        assert any("no index on" in finding.what for finding in examine(settings))


def test_a_checkup_knows_keys_that_cannot_work(his: His) -> None:
    his.run("CREATE TABLE WORDS (ID VARCHAR(20) PRIMARY KEY, MOBILE VARCHAR(20),"
            " CONTENT VARCHAR(20), MESSAGE_ID VARCHAR(10))")  # fmt: skip
    strategy = {"strategy": Strategy.WATERMARK, "row_written": False}
    found = examine(his.settings(table="WORDS", receipt_table="SMS_RECEIPT", **strategy))
    faults = [each.what for each in found if each.fault]
    assert any("no order in time" in each for each in faults)
    assert any("OUTBOUND_ID is" in each for each in faults)
    assert len([each for each in found if "has no column" in each.what]) == 1
    mapped = his.settings(table="WORDS", columns={"MESSAGE_ID": "MESSAGE_ID"}, **strategy)
    faults = [each.what for each in examine(mapped) if each.fault]
    assert any("cannot hold its 19 digits" in each for each in faults)


@pytest.mark.parametrize(
    "wrong", [{"where": "nosuch = 1"}, {"sql": Sql(fetch="SELEC")}, {"where": "MOBILE = "}]
)
def test_a_checkup_tries_conditions_and_own_statements(his: His, wrong: dict[str, Any]) -> None:
    faults = [each.what for each in examine(his.settings(**wrong)) if each.fault]
    assert any("a look for new rows" in each for each in faults)


OWN = Sql(
    fetch="SELECT * FROM SMS_OUTBOUND WHERE STATUS = 0 ORDER BY ID",
    claim="UPDATE SMS_OUTBOUND SET STATUS = 1 WHERE ID = :ID AND STATUS = 0",
    recover="SELECT * FROM SMS_OUTBOUND WHERE STATUS = 1 AND MESSAGE_ID IS NULL",
    result="UPDATE SMS_OUTBOUND SET STATUS = :STATUS, MESSAGE_ID = :MESSAGE_ID,"
    " DONE_AT = :DONE_AT WHERE ID = :ID",
    receipt="INSERT INTO SMS_RECEIPT (OUTBOUND_ID, MESSAGE_ID, STATE)"
    " VALUES (:OUTBOUND_ID, :MESSAGE_ID, :STATE)",
    inbound="INSERT INTO SMS_INBOUND (ID, CONTENT, OUTBOUND_ID)"
    " VALUES (:ID, :CONTENT, :OUTBOUND_ID)",
)


def test_a_checkup_of_good_own_statements_finds_nothing_and_leaves_nothing(his: His) -> None:
    his.insert(1)
    assert examine(his.settings(sql=OWN)) == []
    assert his.count("STATUS = 0") == 1
    assert his.ask("SELECT COUNT(*) FROM SMS_RECEIPT") == [(0,)]
    assert his.ask("SELECT COUNT(*) FROM SMS_INBOUND") == [(0,)]


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("claim", "UPDATE SMS_OUTBOUND SET STATE = 1 WHERE ID = :ID"),
        ("recover", "SELECT ID FROM SMS_OUTBOUND WHERE STATUS = 1"),
        ("remove", "DELETE SMS_OUTBOUND WHERE ID = :ID"),
        ("result", "UPDATE SMS_OUTBOUND SET STATUS = :STATUS WHERE NO = :ID"),
        ("receipt", "INSERT INTO SMS_RECEIPTS (OUTBOUND_ID) VALUES (:OUTBOUND_ID)"),
        ("inbound", "CALL SMS_NOSUCH(:ID, :CONTENT)"),
    ],
)
def test_a_checkup_tries_every_own_statement(his: His, name: str, statement: str) -> None:
    faults = [each.what for each in examine(his.settings(sql=replace(OWN, **{name: statement})))]
    assert faults
    assert all(each.startswith(f"<{name}> on a row that is not there: ") for each in faults)


def test_a_constraint_that_dislikes_the_row_that_is_tried_is_no_fault(postgres_his: His) -> None:
    his = postgres_his
    his.run("ALTER TABLE SMS_RECEIPT ADD FOREIGN KEY (OUTBOUND_ID) REFERENCES SMS_OUTBOUND")
    [finding] = examine(his.settings(sql=OWN))
    assert not finding.fault
    assert finding.what.startswith("<receipt> on a row that is not there: ForeignKeyViolation")


def test_a_colon_in_a_condition_is_a_colon(his: His, running: Callable[..., Source]) -> None:
    his.insert(2)
    his.run("UPDATE SMS_OUTBOUND SET BUSINESS = '::a:b' WHERE ID = 2")
    book = Book()
    settings = his.settings(where="BUSINESS = '::a:b' AND MOBILE <> ':off'")
    assert not [each for each in examine(settings) if each.fault]
    running(settings, book.take)
    book.wait_for(lambda: book.messages.keys() == {"2"})


def test_a_trigger_wakes_an_idle_source(postgres_his: His, running: Callable[..., Source]) -> None:
    his = postgres_his
    book = Book()
    source = running(his.settings(poll_min_s=3600.0, poll_max_s=3600.0, connections=3), book.take)
    eventually(lambda: source.health().polled_at)
    eventually(
        lambda: his.ask("SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN \"sms_outbound\"'")
    )
    his.insert(1)
    book.wait_for(lambda: book.messages)


def test_with_one_connection_reading_and_writing_take_turns(
    served: His, running: Callable[..., Source]
) -> None:
    served.insert(200)
    book = Book()
    running(served.settings(connections=1, batch=20), book.take)
    eventually(lambda: served.count("MESSAGE_ID IS NOT NULL") == 200)


def test_the_circuit_opens_and_closes(his: His, running: Callable[..., Source]) -> None:
    his.run("ALTER TABLE SMS_OUTBOUND RENAME TO SMS_AWAY")
    source = running(his.settings(retry_max_s=0.05), at_once(Book().take))
    eventually(lambda: source.health().broken)
    his.run("ALTER TABLE SMS_AWAY RENAME TO SMS_OUTBOUND")
    eventually(lambda: source.health().up and not source.health().broken)


def test_a_statement_ends_after_its_time(served: His) -> None:
    slow = "SELECT pg_sleep(30)" if served.dialect == "postgresql" else "SELECT SLEEP(30)"
    engine = open_engine(served.settings(statement_timeout_s=0.2))
    with engine.connect() as connection, pytest.raises(DatabaseError, match=r"(?i)time|cancel"):
        connection.execute(text(slow)).all()
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "oracle://u:secret@127.0.0.1:{port}/?service_name=his",
        "mssql://u:secret@127.0.0.1:{port}/his",
        "mysql://u:secret@127.0.0.1:{port}/his",
        "kingbase://u:secret@127.0.0.1:{port}/his",
    ],
)
def test_each_driver_takes_our_limits_and_tells_of_a_server_that_is_away(url: str) -> None:
    [finding] = examine(Settings("his", url.format(port=free_port())))
    assert finding.fault
    assert "OperationalError" in finding.what
    assert "secret" not in finding.what


@pytest.mark.parametrize("claim", [Claim.AUTO, Claim.COMPARE_AND_SET])
def test_a_key_that_stands_there_twice_is_accepted_once(
    his: His, running: Callable[..., Source], claim: Claim
) -> None:
    his.run("CREATE TABLE TWICE (ID INTEGER, MOBILE VARCHAR(20), CONTENT VARCHAR(20),"
            " STATUS INTEGER DEFAULT 0, MESSAGE_ID VARCHAR(20))")  # fmt: skip
    his.run("INSERT INTO TWICE (ID, MOBILE, CONTENT) VALUES (1, '1', 'x'), (1, '1', 'x')")
    book = Book()
    running(his.settings(table="TWICE", claim=claim, grace_s=3600.0), book.take)

    def answered() -> bool:
        return his.ask("SELECT COUNT(*) FROM TWICE WHERE MESSAGE_ID IS NOT NULL") == [(2,)]

    eventually(answered)
    assert len(book.messages) == 1


def test_texts_in_another_encoding_than_the_database_believes(his: His) -> None:
    """GBK bytes in a column declared Latin-1, read and written as they are."""
    encoding = "utf-8" if his.dialect == "postgresql" else "gbk"
    written = "您好".encode(encoding).hex()
    stored = {
        "sqlite": f"CAST(x'{written}' AS TEXT)",
        "mysql": f"_binary x'{written}'",
        "postgresql": "'您好'",
    }
    if his.dialect == "mysql":
        his.run("ALTER TABLE SMS_OUTBOUND CONVERT TO CHARACTER SET latin1")
    his.run(
        "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT)"
        f" VALUES (1, '13800138000', {stored[his.dialect]})"
    )
    source = Source(his.settings(encoding=encoding), at_once(Book().take))
    try:
        [row] = source.peek(5)
        assert (row.mobile, row.content, row.fault) == ("13800138000", "您好", "")
        source.write([StateChange("1", "5", Status.FAILED, "MK:0001", "关机")])
    finally:
        source.close()
    hexed = {"postgresql": "encode(convert_to(RESULT_TEXT, 'UTF8'), 'hex')"}
    asked = hexed.get(his.dialect, "HEX(RESULT_TEXT)")
    [(found, code)] = his.ask(f"SELECT {asked}, RESULT_CODE FROM SMS_OUTBOUND WHERE STATUS = 4")
    told = code.decode() if isinstance(code, bytes) else code
    assert (found.lower(), told) == ("关机".encode(encoding).hex(), "MK:0001")
