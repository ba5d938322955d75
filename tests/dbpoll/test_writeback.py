"""Results into rows, receipts and inbound texts into their tables, on every database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import column, event, text, types
from sqlalchemy.dialects import oracle, registry

from dbpoll.answers import Answers
from dbpoll.bulk import Among, Update
from dbpoll.database import open_engine
from dbpoll.dialects import tongue_of
from dbpoll.dialects.given import array
from dbpoll.feeds.shelf import TableShelf
from dbpoll.feeds.status import Claims
from dbpoll.parameters import ROW
from dbpoll.settings import Claim
from dbpoll.source import Source
from dbpoll.tables import find
from dbpoll.values import InboundRow, Locked, StateChange, Status, TableFault, Taken, at_once
from dbpoll.writeback import newest
from tests.dbpoll.conftest import His

AT = datetime(2026, 3, 1, 6, 30, 15, 250000, tzinfo=UTC)
FINAL = {Status.DELIVERED, Status.FAILED, Status.REFUSED, Status.CANCELLED}

Home = Callable[..., Source]
NUMBER: Any = oracle.NUMBER


@pytest.fixture
def home() -> Iterator[Home]:
    """A source that only writes."""
    made: list[Source] = []

    def make(his: His, **changes: Any) -> Source:
        source = Source(his.settings(**changes), at_once(lambda rows: []))
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


def change(key: str, status: Status, message_id: str = "100", **values: Any) -> StateChange:
    return StateChange(key, message_id, status, **values)


def test_a_change_fills_its_columns(his: His, home: Home) -> None:
    his.insert(2)
    source = home(his)
    source.write([change("1", Status.SUBMITTED, segments=2, submitted_at=AT)])
    later = AT + timedelta(seconds=4)
    source.write([change("1", Status.DELIVERED, code="DELIVRD", text="ok", done_at=later)])
    found = his.ask(
        "SELECT ID, STATUS, MESSAGE_ID, RESULT_CODE, RESULT_TEXT, SEGMENTS, SUBMITTED_AT, DONE_AT"
        " FROM SMS_OUTBOUND ORDER BY ID"
    )
    local = [datetime(2026, 3, 1, 14, 30, second, 250000) for second in (15, 19)]  # noqa: DTZ001
    times: list[Any] = list(local)
    if his.dialect == "sqlite":
        times = [each.isoformat(" ", "milliseconds") for each in local]
    assert found == [
        (1, 3, "100", "DELIVRD", "ok", 2, *times),
        (2, 0, None, None, None, None, None, None),
    ]


def test_a_row_only_moves_forward(his: His, home: Home) -> None:
    pairs = list(product(list(Status), list(Status)[1:]))
    his.insert(len(pairs))
    source = home(his)
    for number, (old, _) in enumerate(pairs, 1):
        his.run("UPDATE SMS_OUTBOUND SET STATUS = :s WHERE ID = :i", {"s": int(old), "i": number})
    source.write([change(str(n), new) for n, (_, new) in enumerate(pairs, 1)])
    found = dict(his.ask("SELECT ID, STATUS FROM SMS_OUTBOUND"))
    for number, (old, new) in enumerate(pairs, 1):
        forward = old not in FINAL and new > old
        if new is Status.REFUSED and old is Status.SUBMITTED:
            forward = False
        assert found[number] == (new if forward else old), (old, new)


def test_a_row_shows_its_last_sending(his: His, home: Home) -> None:
    his.insert(5)
    source = home(his, resend=True)
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 1, TAKEN_AT = '2026-03-01 14:30:15.250'")
    his.run("UPDATE SMS_OUTBOUND SET MESSAGE_ID = '200' WHERE ID < 3")
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 0, MESSAGE_ID = '200' WHERE ID = 5")
    before = AT - timedelta(milliseconds=1)
    source.write(
        [
            change("1", Status.DELIVERED, "100", accepted_at=before),
            change("2", Status.DELIVERED, "200", accepted_at=AT),
            change("3", Status.DELIVERED, "100", accepted_at=before),
            change("4", Status.SUBMITTED, "200", accepted_at=AT),
            change("4", Status.DELIVERED, "100", accepted_at=before),
            change("5", Status.DELIVERED, "200", accepted_at=before),
        ]
    )
    found = his.ask("SELECT STATUS, MESSAGE_ID FROM SMS_OUTBOUND ORDER BY ID")
    assert found == [(1, "200"), (3, "200"), (1, None), (2, "200"), (0, "200")]


def test_a_locked_refusal_is_left_for_a_while() -> None:
    answers = Answers(0.0, written=True)
    answers.hold(["1", "2"])
    answers.keep([Taken("1", "", 0, "BAD_NUMBER"), Taken("2", "100")])
    answers.postpone(["1"], float("inf"))
    assert [each.key for each in answers.due(1e12, 10)] == ["2"]


def test_a_refusal_is_not_written_for_a_row_that_was_taken_again() -> None:
    answers = Answers(0.0, written=True)
    answers.hold(["1"])
    answers.keep([Taken("1", "", 0, "NO_ROUTE")])
    answers.hold(["1"])
    assert answers.due(1e12, 10) == []
    answers.keep([Taken("1", "100")])
    assert [(each.status, each.message_id) for each in answers.due(1e12, 10)] == [
        (Status.TAKEN, "100")
    ]


def test_of_several_changes_of_a_row_the_furthest_counts() -> None:
    changes = [
        change("a", Status.SUBMITTED),
        change("a", Status.DELIVERED),
        change("a", Status.SUBMITTED),
        change("b", Status.TAKEN, "1"),
        change("b", Status.TAKEN, "2"),
    ]
    assert newest(changes) == [changes[1], changes[4]]


def test_more_rows_than_one_transaction_takes(his: His, home: Home) -> None:
    his.insert(2500)
    home(his).write([change(str(n), Status.FAILED) for n in range(1, 2501)])
    assert his.count("STATUS = 4") == 2500


def test_what_no_column_can_hold_is_made_to_fit(his: His, home: Home) -> None:
    his.insert(3)
    home(his).write(
        [
            change("1", Status.FAILED, code="x" * 99, text="错" * 999),
            change("2", Status.FAILED, text='a\x00b "quoted" \\ {} \ud83d NULL'),
            change("no number", Status.FAILED),
            change("3", Status.FAILED, text="NULL"),
        ]
    )
    assert his.count("STATUS = 4") == 3
    [(code, words)] = his.ask("SELECT RESULT_CODE, RESULT_TEXT FROM SMS_OUTBOUND WHERE ID = 1")
    assert (code, words) == ("x" * 32, "错" * 200)
    assert his.ask("SELECT RESULT_TEXT FROM SMS_OUTBOUND WHERE ID > 1 ORDER BY ID") == [
        ('ab "quoted" \\ {} ? NULL',),
        ("NULL",),
    ]


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(his: His, home: Home) -> None:
    his.insert(9)
    if his.dialect == "sqlite":
        his.run(
            "CREATE TRIGGER t BEFORE UPDATE ON SMS_OUTBOUND WHEN NEW.ID = 4"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    else:
        his.run("UPDATE SMS_OUTBOUND SET MOBILE = 'x' WHERE ID = 4")
        his.run("ALTER TABLE SMS_OUTBOUND ADD CHECK (MOBILE <> 'x' OR STATUS = 0)")
    source = home(his)
    source.write([change(str(n), Status.DELIVERED) for n in range(1, 10)])
    assert his.count("STATUS = 3") == 8
    health = source.health()
    assert (health.refused_writes, health.refusal[:1].isupper()) == (1, True)


def test_receipts_are_added_once(his: His, home: Home) -> None:
    source = home(his, receipt_table="SMS_RECEIPT")
    receipts = [
        change(
            "1",
            Status.DELIVERED,
            number,
            code="DELIVRD",
            segments=1,
            done_at=AT,
            mobile="13800138000",
            state="DELIVERED",
            channel="cmpp",
        )
        for number in ("100", "101")
    ]
    source.write_receipts(receipts[:1])
    source.write_receipts([*receipts, receipts[1]])
    assert his.ask(
        "SELECT OUTBOUND_ID, MESSAGE_ID, MOBILE, STATE, CARRIER_CODE, SEGMENTS, CHANNEL"
        " FROM SMS_RECEIPT ORDER BY MESSAGE_ID"
    ) == [(1, n, "13800138000", "DELIVERED", "DELIVRD", 1, "cmpp") for n in ("100", "101")]


def test_inbound_texts_are_added_once(his: His, home: Home) -> None:
    source = home(his, inbound_table="SMS_INBOUND")
    texts = [
        InboundRow("9007199254740993", "13800138000", "好的", "10690001", "01", "7", AT),
        InboundRow("9007199254740994", "13800138000", "\x00", "10690001", "", "OP-1", AT),
    ]
    source.write_inbound(texts)
    source.write_inbound(texts)
    assert his.ask("SELECT ID, CONTENT, EXTENSION, OUTBOUND_ID FROM SMS_INBOUND ORDER BY ID") == [
        (9007199254740993, "好的", "01", 7),
        (9007199254740994, None, None, None),
    ]


def test_without_these_tables_nothing_is_written(his: His, home: Home) -> None:
    source = home(his)
    source.write_receipts([change("1", Status.DELIVERED)])
    source.write_inbound([InboundRow("1", "1", "x", "1", "", "", AT)])
    assert his.ask("SELECT COUNT(*) FROM SMS_RECEIPT") == [(0,)]
    assert his.ask("SELECT COUNT(*) FROM SMS_INBOUND") == [(0,)]


LEGACY = """
CREATE TABLE "Texts To Send" (
    "Number" {key} PRIMARY KEY,
    phone {text},
    "text" {text},
    state {text} DEFAULT '0',
    answer {number},
    result {text},
    "When" {moment}
);
CREATE INDEX legacy_state ON "Texts To Send" (state, "Number")
"""
COLUMNS = {
    "ID": "number",
    "MOBILE": "PHONE",
    "CONTENT": "text",
    "STATUS": "state",
    "MESSAGE_ID": "answer",
    "RESULT_TEXT": "result",
    "RESULT_CODE": "",
    "TAKEN_AT": "",
    "DONE_AT": "When",
}


@pytest.mark.parametrize(
    ("key_type", "key"),
    [
        ("VARCHAR(20)", "A-7"),
        ("CHAR(20)", "A-7"),
        ("NUMERIC(20,0)", "18446744073709551615"),
        ("UUID", "0b7c8f1e-6a40-4c39-9d5c-0d9a3f7f1a11"),
        ("INTEGER", "7"),
    ],
)
@pytest.mark.parametrize(
    ("moment", "done"),
    [
        ("TIMESTAMP", datetime(2026, 3, 1, 14, 30, 15, 250000)),  # noqa: DTZ001
        ("TIMESTAMPTZ", AT),
        ("DATE", date(2026, 3, 1)),
        ("VARCHAR(30)", "2026-03-01 14:30:15"),
    ],
)
def test_a_legacy_table_with_its_own_names_and_types(
    postgres_url: str, home: Home, key_type: str, key: str, moment: str, done: Any
) -> None:
    his = His(postgres_url)
    his.script(LEGACY.format(key=key_type, text="VARCHAR(100)", number="BIGINT", moment=moment))
    his.run(f"""INSERT INTO "Texts To Send" VALUES ('{key}', '13800138000', 'x')""")
    source = home(his, table="public.Texts To Send", columns=COLUMNS)
    [row] = source.peek(10)
    assert (row.key.strip(), row.mobile, row.content) == (key, "13800138000", "x")
    source.write([change(row.key, Status.DELIVERED, text="ok", done_at=AT)])
    assert his.ask('SELECT state, answer, result, "When" FROM "Texts To Send"') == [
        ("3", 100, "ok", done)
    ]
    his.engine.dispose()


def test_a_mapped_column_must_be_there(his: His, home: Home) -> None:
    with pytest.raises(TableFault, match="SMS_OUTBOUND has no column TELEPHONE"):
        home(his, columns={"MOBILE": "TELEPHONE"}).write([change("1", Status.FAILED)])
    with pytest.raises(TableFault, match="does not have: MOBIL"):
        home(his, columns={"MOBIL": "MOBILE"}).write([change("1", Status.FAILED)])
    with pytest.raises(TableFault, match="no column for STATUS"):
        home(his, columns={"STATUS": ""}).write([change("1", Status.FAILED)])


def test_rows_that_the_hospital_holds_are_named_and_the_others_written(
    served: His, home: Home
) -> None:
    his = served
    his.insert(5)
    source = home(his)
    changes = [change(str(n), Status.DELIVERED) for n in range(1, 6)]
    with his.engine.begin() as clerk:
        clerk.execute(text("UPDATE SMS_OUTBOUND SET CONTENT = 'edited' WHERE ID = 2"))
        with pytest.raises(Locked) as told:
            source.write(changes)
        assert told.value.keys == {"2"}
        assert his.count("STATUS = 3") == 4
    source.write(changes)
    assert his.count("STATUS = 3") == 5


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"))))
def test_arrays_read_back_as_they_were(postgres_server: str, values: list[str | None]) -> None:
    with psycopg.connect(postgres_server.format("postgres")) as connection:
        found = connection.execute("SELECT CAST(%s AS TEXT[])", (array(values),)).fetchone()
    assert found == (values,)


def test_a_batch_names_no_column_that_none_of_its_rows_fills(his: His) -> None:
    his.insert(2)
    engine = open_engine(his.settings())
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2].lower()))
    with engine.begin() as connection:
        outbound = find(connection, his.settings()).outbound
        assert outbound is not None
        update = Update(outbound, tongue_of(connection.dialect), ROW)
        row = ("1", Status.SUBMITTED, "100", "", "", None, AT, None, 0, None)
        done = ("2", Status.FAILED, "101", "MK:0001", "", None, None, AT, 1, None)
        asked.clear()
        update.execute(connection, update.rows([row]))
        update.execute(connection, update.rows([row, done]))
    engine.dispose()
    assert "message_id" in asked[0]
    assert not {"result_code", "result_text", "done_at"} & set(re.findall(r"\w+", asked[0]))
    assert "result_code" in asked[-1]
    assert "result_text" not in asked[-1]
    found = his.ask("SELECT STATUS, MESSAGE_ID, RESULT_CODE FROM SMS_OUTBOUND ORDER BY ID")
    assert found == [(2, "100", None), (4, "101", "MK:0001")]


@pytest.mark.parametrize(
    ("kind", "keys", "ends"),
    [
        (types.BigInteger(), [3, 4, 5], (3, 5)),
        (types.BigInteger(), [5, 3, 4], (3, 5)),
        (types.BigInteger(), [3], (3, 3)),
        (types.BigInteger(), [3, 5], None),
        (types.BigInteger(), [1, 7, 3], None),
        (types.BigInteger(), [3, 3, 5], None),
        (types.BigInteger(), [3, Decimal("3.5"), 4], None),
        (NUMBER(10, 0), [3, 4], (3, 4)),
        (NUMBER(), [3, 4], None),
        (types.String(9), ["3", "4"], None),
    ],
)
def test_keys_without_a_gap_are_a_run(kind: Any, keys: list[Any], ends: Any) -> None:
    among = Among(column("id"), kind, tongue_of(registry.load("oracle")()))
    wanted = None if ends is None else dict(zip(("first", "last"), ends))
    assert among.ends(keys) == wanted


def test_a_run_read_in_any_order_is_marked_and_nothing_else(served: His) -> None:
    served.insert(9)
    settings = served.settings(claim=Claim.SKIP_LOCKED)
    engine = open_engine(settings)
    with engine.begin() as connection:
        outbound = find(connection, settings).outbound
        assert outbound is not None
        claims = Claims(settings, TableShelf(settings, outbound, tongue_of(connection.dialect)))
        claims._keep(connection, [5, 3, 4], datetime.now(UTC))
        claims._keep(connection, [1, 9, 7], datetime.now(UTC))
    engine.dispose()
    taken = served.ask("SELECT ID FROM SMS_OUTBOUND WHERE STATUS = 1 ORDER BY ID")
    assert taken == [(1,), (3,), (4,), (5,), (7,), (9,)]


def test_numbers_go_into_arrays() -> None:
    assert array([1, Decimal("2.5"), None, "x"]) == '{"1","2.5",NULL,"x"}'
    assert array([1, -2]) == "{1,-2}"
