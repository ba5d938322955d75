"""Sources over a real store, a real intake and a real HIS table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from adapter.commands.source import replay
from adapter.config.model import Channel, Config, Route, Store, Template
from adapter.config.model import Source as Configured
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ids import IdMaker
from adapter.domain.ports import MessageView
from adapter.domain.states import Carrier, Lane, State
from adapter.domain.values import Entry, InboundNotice, Notice, Reply
from adapter.intake.intake import Intake
from adapter.intake.limits import Limits
from adapter.sources import Sources
from adapter.sources.answers import STATUS, change_of, change_of_all, taken_of
from adapter.sources.references import References
from adapter.sources.rows import entries_of, lane_of, request_of, values_of
from adapter.sources.settings import settings_of
from adapter.store.acceptance import Acceptance
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer
from adapter.store.desk import Desk
from adapter.store.engine import open_engine
from adapter.store.schema import metadata
from adapter.store.watermarks import Watermark
from dbpoll.apart.calls import Elsewhere
from dbpoll.ddl import ddl
from dbpoll.values import Row, Status, Taken
from tests.dbpoll.conftest import ZONE, His, eventually, in_file

AT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


def config_of(url: str, **source: Any) -> Config:
    values: dict[str, Any] = {"poll_min_s": 0.01, "poll_max_s": 0.05}
    channel = Channel("c", "cmpp", "3.0", "127.0.0.1", 7890, "account", "secret", "10690001")
    return Config(
        path=Path("adapter.xml"),
        channels=(channel,),
        routes=tuple(Route(carrier, ("c",)) for carrier in Carrier),
        clients=(Client("his", signature="某某医院"),),
        sources=(Configured("outbound", "his", url, **(values | source)),),
        templates=(Template("visit", "${name}，请于${time}就诊"),),
    )


@dataclass
class House:
    """A node without doors and links; `told` are the notices that it would carry home."""

    his: His
    store: Engine
    capacity: int = 100_000
    source: dict[str, Any] = field(default_factory=dict)
    others: list[Configured] = field(default_factory=list)
    enough: Callable[[], bool] = lambda: False
    told: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = IdMaker()
        self.committer = Committer(self.store, "test")
        self.committer.start()
        capacity = Capacity(self.capacity)
        tell = self.told.extend
        acceptance = Acceptance(self.committer, ids, capacity, lambda waiting: None, tell)
        self.desk = Desk(self.store, self.committer, ids, capacity, lambda *_: "", tell)
        config = config_of(self.his.url, **self.source)
        config = replace(config, sources=(*config.sources, *self.others))
        limits = Limits(ZONE, lambda account, day: 0)
        intake = Intake(acceptance, ids, config, limits)
        self.sources = Sources(
            config,
            intake,
            self.desk,
            memory=partial(References, acceptance),
            marks=partial(Watermark, self.store, self.committer),
            enough=self.enough,
            answer_delay_s=0.05,
        )
        self.sources.start()

    def stop(self) -> None:
        self.sources.stop()
        self.committer.stop()


@pytest.fixture
def his(tmp_path: Path) -> Iterator[His]:
    with in_file(tmp_path / "his.db") as made:
        yield made


@pytest.fixture
def build(his: His, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds houses on one HIS table and one store, as restarts of a node would."""
    store = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    metadata.create_all(store)
    built: list[House] = []

    def make(**changes: Any) -> House:
        built.append(House(his, store, **changes))
        return built[-1]

    yield make
    for house in built:
        house.stop()
    store.dispose()


def insert(his: His, number: int, **columns: Any) -> None:
    values = {"ID": number, "MOBILE": "13800138000", "CONTENT": "请按时就诊"} | columns
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    his.run(f"INSERT INTO SMS_OUTBOUND ({names}) VALUES ({marks})", values)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"MOBILE": None}, "BAD_NUMBER"),
    ({"MOBILE": "1380013800a"}, "BAD_NUMBER"),
    ({"MOBILE": " ,； "}, "BAD_NUMBER"),
    ({"MOBILE": "+1 202 555 0100"}, "BAD_NUMBER"),
    ({"CONTENT": None}, "BAD_CONTENT"),
    ({"CONTENT": "  \t "}, "BAD_CONTENT"),
    ({"CONTENT": "长" * 1500}, "TOO_LONG"),
    ({"CONTENT": "a\x01b"}, "BAD_CONTENT"),
    ({"CONTENT": b"\xc4\xe3\xba\xc3"}, "BAD_REQUEST"),
    ({"CONTENT": "a\x00b"}, "BAD_REQUEST"),
    ({"LANE": "fast"}, "BAD_REQUEST"),
    ({"EXTENSION": "x"}, "BAD_REQUEST"),
    ({"SCHEDULE_AT": "tomorrow"}, "BAD_REQUEST"),
    ({"EXPIRE_AT": "2020-01-01 00:00:00"}, "BAD_REQUEST"),
    ({"BUSINESS_KEY": "k" * 65}, "BAD_REQUEST"),
    ({"PASS_THROUGH": "p" * 201}, "BAD_REQUEST"),
    ({"CONTENT": None, "TEMPLATE": "none"}, "TEMPLATE_UNKNOWN"),
    ({"CONTENT": None, "TEMPLATE": "visit", "PARAMS": "name=王"}, "BAD_CONTENT"),
    ({"CONTENT": None, "TEMPLATE": "visit", "PARAMS": "{"}, "BAD_REQUEST"),
    ({"MOBILE": "12345;abc"}, "BAD_NUMBER"),
]


def test_bad_rows_are_refused_with_a_reason_and_good_ones_go_on(
    his: His, build: Callable[..., House]
) -> None:
    insert(his, 1)
    for number, (columns, _) in enumerate(REFUSED, 100):
        insert(his, number, **columns)
    insert(his, 999, CONTENT=" ", TEMPLATE="visit", PARAMS="name=王;time=周一")
    build()
    eventually(lambda: his.count("STATUS = 5") == len(REFUSED))
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    found = dict(his.ask("SELECT ID, RESULT_CODE FROM SMS_OUTBOUND WHERE STATUS = 5"))
    wanted = {number: code for number, (_, code) in enumerate(REFUSED, 100)}
    assert found == wanted
    assert his.count("STATUS = 5 AND RESULT_TEXT IS NULL") == 0


def test_a_row_seen_again_gets_its_first_answer(his: His, build: Callable[..., House]) -> None:
    insert(his, 1)
    insert(his, 2, MOBILE="13800138000,1390013900x;13900139000")
    first = build()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    first.stop()
    answers = his.ask("SELECT ID, MESSAGE_ID, SEGMENTS, RESULT_TEXT FROM SMS_OUTBOUND ORDER BY ID")
    assert answers[1][2:] == (2, "1 of 3 refused: BAD_NUMBER 1")
    # As a crash before the write-back would leave them.
    his.run("UPDATE SMS_OUTBOUND SET MESSAGE_ID = NULL, SEGMENTS = NULL, RESULT_TEXT = NULL")
    build()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    query = "SELECT ID, MESSAGE_ID, SEGMENTS, RESULT_TEXT FROM SMS_OUTBOUND ORDER BY ID"
    assert his.ask(query) == answers


def test_withdrawn_messages_are_told(his: His, build: Callable[..., House]) -> None:
    insert(his, 1, BUSINESS_KEY="visit-1", SCHEDULE_AT="2099-01-01")
    insert(his, 2, BUSINESS_KEY="visit-1")
    insert(his, 3, BUSINESS_KEY="visit-1", MOBILE="13800138000；13900139000")
    house = build(source={"receipt_table": "SMS_RECEIPT"})
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL OR STATUS = 5") == 3)
    house.desk.cancel("his", business_key="visit-1")
    notices = [each for each in house.told if each.destination == "source:outbound"]
    assert len(notices) == 3
    for _ in range(2):
        house.sources.homes()["source:outbound"](notices)
    assert his.count("STATUS = 6") == 2
    assert his.ask("SELECT STATE, COUNT(*) FROM SMS_RECEIPT GROUP BY STATE") == [("CANCELLED", 3)]


def test_inbound_texts_arrive(his: His, build: Callable[..., House]) -> None:
    house = build(source={"inbound_table": "SMS_INBOUND"})
    notice = InboundNotice(
        1, "source:outbound", 7, "13800138000", "好", "10690001", "01", AT, None, "42"
    )
    for _ in range(2):
        house.sources.homes()["source:outbound"]([notice])
    assert his.ask("SELECT ID, MOBILE, CONTENT, OUTBOUND_ID, RECEIVED_AT FROM SMS_INBOUND") == [
        (7, "13800138000", "好", 42, "2026-03-01 14:30:00.000")
    ]


def test_rows_wait_while_the_spool_is_full(his: His, build: Callable[..., House]) -> None:
    for number in range(1, 6):
        insert(his, number)
    house = build(capacity=3)
    eventually(lambda: "SPOOL_FULL" in house.sources.status()[0].reason)
    assert not house.sources.status()[0].up
    assert his.count("STATUS IN (0, 1) AND MESSAGE_ID IS NULL") == 5
    house.stop()
    build()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 5)


def test_rows_go_on_while_enough_waits(his: His, build: Callable[..., House]) -> None:
    asked: list[bool] = []

    def enough() -> bool:
        asked.append(True)
        return True

    build(enough=enough)
    for number in range(1, 6):
        insert(his, number)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 5)
    assert asked


@pytest.mark.parametrize("separator", [",", ";", "，", "；", "、", " , ", "\r\n"])
def test_several_numbers(separator: str) -> None:
    assert entries_of(separator.join(["13800138000", "13900139000"])) == [
        Entry("13800138000", ref="1/2"),
        Entry("13900139000", ref="2/2"),
    ]


@pytest.mark.parametrize(
    ("mobiles", "entry"),
    [
        ("13800138000", "13800138000"),
        (" 13800138000 ", "13800138000"),
        ("13800138000;", "13800138000"),
        ("+86 138 0013 8000", "+86 138 0013 8000"),
        ("", ""),
    ],
)
def test_one_number(mobiles: str, entry: str) -> None:
    assert entries_of(mobiles) == [Entry(entry)]


@pytest.mark.parametrize(
    ("params", "values"),
    [
        ("", None),
        ("  ", None),
        ('{"name": "王", "floor": 3, "price": 1.5}', {"name": "王", "floor": "3", "price": "1.5"}),
        ("name=王;time=a=b；", {"name": "王", "time": "a=b"}),
        (" name = 王 ; time= ", {"name": "王", "time": ""}),
    ],
)
def test_params(params: str, values: dict[str, str] | None) -> None:
    assert values_of(params) == values


@pytest.mark.parametrize("params", ["{", '{"a": [1]}', '{"a": null}', "name", "=x", "{" * 100_000])
def test_params_that_cannot_be_read(params: str) -> None:
    with pytest.raises(Refusal) as told:
        values_of(params)
    assert told.value.code is Code.BAD_REQUEST


def test_lanes() -> None:
    assert lane_of(" Urgent ") is Lane.URGENT
    assert lane_of("  ") is None
    with pytest.raises(Refusal, match="urgent, realtime, normal, bulk"):
        lane_of("fast")


def test_a_row_becomes_a_request() -> None:
    row = Row("7", "1", "x", None, None, " lab ", "bulk", "12 ", "p ", "k ", AT, None)
    request = request_of(row, "outbound", "7")
    assert (request.client_ref, request.source, request.door) == ("7", "outbound", "dbpoll")
    assert (request.business, request.lane, request.extension) == ("lab", Lane.BULK, "12")
    assert (request.pass_through, request.business_key, request.schedule_at) == ("p ", "k", AT)


def test_a_whole_refusal() -> None:
    reply = Reply(Code.AUTH_FAILED, "the account is disabled", None, 0, 1)
    assert taken_of("7", reply) == Taken("7", "", 0, "AUTH_FAILED", "the account is disabled")


def view(state: State, **values: Any) -> MessageView:
    known: dict[str, Any] = {
        "message_id": 1,
        "submission_id": 9,
        "client_ref": "7",
        "ref": "",
        "mobile": "1",
        "carrier_code": "",
        "description": "",
        "segments": 2,
        "channel": "c",
        "in_doubt": False,
        "accepted_at": AT,
        "submitted_at": AT,
        "done_at": AT if state in STATUS else None,
        "pass_through": "",
    }
    return MessageView(state=state, **(known | values))


@pytest.mark.parametrize(
    ("states", "total", "status", "text"),
    [
        ([], 3, None, ""),
        ([State.SUBMITTED, State.QUEUED], 2, None, ""),
        ([State.DELIVERED, State.IN_DOUBT], 2, None, ""),
        ([State.SUBMITTED, State.DELIVERED], 2, Status.SUBMITTED, ""),
        ([State.DELIVERED, State.DELIVERED], 2, Status.DELIVERED, "DELIVERED 2"),
        ([State.DELIVERED], 2, Status.FAILED, "DELIVERED 1, refused 1"),
        ([State.DELIVERED, State.EXPIRED], 2, Status.FAILED, "DELIVERED 1, EXPIRED 1"),
        ([State.CANCELLED, State.CANCELLED], 2, Status.CANCELLED, "CANCELLED 2"),
        ([State.CANCELLED, State.DELIVERED], 2, Status.FAILED, "CANCELLED 1, DELIVERED 1"),
    ],
)
def test_a_row_with_several_recipients(
    states: list[State], total: int, status: Status | None, text: str
) -> None:
    change = change_of_all("7", 9, total, [view(state) for state in states])
    assert (change and change.status) == status
    if change is not None:
        assert (change.key, change.message_id, change.text) == ("7", "9", text)
        assert change.segments == 2 * len(states)


def test_the_code_of_several() -> None:
    def code(*codes: str) -> str:
        change = change_of_all(
            "7", 9, len(codes), [view(State.UNDELIVERED, carrier_code=each) for each in codes]
        )
        assert change is not None
        return change.code

    assert code("MK:0001", "MK:0001") == "MK:0001"
    assert code("MK:0001", "") == "PARTIAL"
    assert code("", "") == "UNDELIVERED"


@pytest.mark.parametrize("state", STATUS)
def test_every_state_that_is_told_has_its_status(state: State) -> None:
    notice = Notice(1, "source:outbound", 5, 9, "7", "", "1", state, "", "", 1, "c", AT, AT)
    change = change_of(notice)
    assert (change.key, change.message_id, change.status) == ("7", "5", STATUS[state])
    assert change.code == ("" if state is State.SUBMITTED else state)


def test_settings_are_the_configured_ones() -> None:
    source = Configured("n", "c", "sqlite://", table="T", columns={"ID": "no"}, batch=7)
    settings = settings_of(source, ZONE, 0.5)
    assert (settings.name, settings.table, settings.batch, settings.zone) == ("n", "T", 7, ZONE)
    assert settings.columns == {"ID": "no"}


def test_submitted_is_not_reported_where_it_is_not_wanted(
    his: His, build: Callable[..., House]
) -> None:
    insert(his, 1)
    house = build(source={"report_submitted": False})
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    submitted = Notice(
        1, "source:outbound", 5, 9, "1", "", "1", State.SUBMITTED, "", "", 1, "c", AT, None
    )
    house.sources.homes()["source:outbound"]([submitted])
    assert his.count("STATUS = 1") == 1


def test_stopped_threads_are_gone(his: His, build: Callable[..., House]) -> None:
    house = build()
    house.stop()
    # They were told to end, and have nothing more to wait for.
    eventually(lambda: not [t for t in threading.enumerate() if t.name.endswith("-outbound")])


def test_a_row_set_back_to_new_is_sent_again_where_that_is_allowed(
    his: His, build: Callable[..., House]
) -> None:
    insert(his, 1)
    house = build(source={"resend": "allowed"})
    numbers: list[str] = []
    for _ in range(3):
        eventually(lambda: his.count("MESSAGE_ID IS NOT NULL AND STATUS = 1") == 1)
        [(number,)] = his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND")
        numbers.append(number)
        notice = Notice(
            1, "source:outbound", int(number), 9, f"1~{len(numbers)}" if numbers[1:] else "1",
            "", "1", State.DELIVERED, "DELIVRD", "", 1, "c", AT, AT,
        )  # fmt: skip
        house.sources.homes()["source:outbound"]([notice])
        assert his.count("STATUS = 3") == 1
        his.run("UPDATE SMS_OUTBOUND SET STATUS = 0")
    assert len(set(numbers)) == 3


def test_a_second_sending_survives_a_crash(his: His, build: Callable[..., House]) -> None:
    """The process dies after it took the row again, before or after its acceptance."""
    insert(his, 1)
    source = {"resend": "allowed"}
    house = build(source=source)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    [(first,)] = his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND")
    house.stop()
    later = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+8 hours')"
    # Taken again, never accepted.
    his.run(f"UPDATE SMS_OUTBOUND SET STATUS = 1, MESSAGE_ID = NULL, TAKEN_AT = {later}")
    house = build(source=source)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    [(second,)] = his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND")
    assert second != first
    house.stop()
    # Accepted, and the answer was lost.
    his.run("UPDATE SMS_OUTBOUND SET MESSAGE_ID = NULL")
    build(source=source)
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    assert his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND") == [(second,)]


def test_a_row_set_back_to_new_gets_its_first_result(his: His, build: Callable[..., House]) -> None:
    insert(his, 1, BUSINESS_KEY="visit-1")
    house = build()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    house.desk.cancel("his", business_key="visit-1")
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 0, MESSAGE_ID = NULL")
    eventually(lambda: his.count("STATUS = 6 AND MESSAGE_ID IS NOT NULL") == 1)


def test_news_of_an_earlier_sending_leave_the_row_alone(
    his: His, build: Callable[..., House]
) -> None:
    insert(his, 1)
    house = build(source={"resend": "allowed"})
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    first = _accepted(his, house)
    write = house.sources.homes()["source:outbound"]
    house.sources.claim_no_more()
    # Set back and not yet taken: a receipt that comes late must not hide it.
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 0")
    write([_delivered(*first, "1")])
    assert his.count("STATUS = 0") == 1
    # Taken again, not yet answered.
    later = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+8 hours')"
    his.run(f"UPDATE SMS_OUTBOUND SET STATUS = 1, MESSAGE_ID = NULL, TAKEN_AT = {later}")
    write([_delivered(*first, "1")])
    assert his.count("STATUS = 1") == 1
    house.stop()
    house = build(source={"resend": "allowed"})
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    second = _accepted(his, house)
    assert second[0] != first[0]
    write = house.sources.homes()["source:outbound"]
    write([_delivered(*first, "1")])
    assert his.count("STATUS = 1") == 1
    write([_delivered(*second, "1~2"), _delivered(*first, "1")])
    [found] = his.ask("SELECT STATUS, MESSAGE_ID FROM SMS_OUTBOUND")
    assert found == (3, str(second[0]))


def _accepted(his: His, house: House) -> tuple[int, int]:
    """The message and the submission that the row shows."""
    [(number,)] = his.ask("SELECT MESSAGE_ID FROM SMS_OUTBOUND")
    [view] = house.desk.query("his", message_ids=[int(number)])
    return view.message_id, view.submission_id


def _delivered(message: int, submission: int, reference: str) -> Notice:
    return Notice(
        1, "source:outbound", message, submission, reference, "", "1", State.DELIVERED,
        "DELIVRD", "", 1, "c", AT, AT,
    )  # fmt: skip


def test_keys_that_cannot_be_references_are_refused(his: His, build: Callable[..., House]) -> None:
    his.run("DROP TABLE SMS_OUTBOUND")
    his.script(ddl("sqlite").split("CREATE TABLE SMS_RECEIPT")[0].replace("ID INTEGER", "ID TEXT"))
    insert(his, 1, ID="k" * 65)
    insert(his, 2, ID="a~2")
    insert(his, 3, ID="a")
    build(source={"resend": "allowed"})
    eventually(lambda: his.count("STATUS = 5") == 2 and his.count("MESSAGE_ID IS NOT NULL") == 1)
    told = dict(his.ask("SELECT ID, RESULT_TEXT FROM SMS_OUTBOUND WHERE STATUS = 5"))
    assert "a key has 1 to 64" in told["k" * 65]


def test_template_values_have_columns_of_their_own(his: His, build: Callable[..., House]) -> None:
    insert(his, 1, CONTENT=None, BUSINESS="王", PASS_THROUGH="周一")
    build(
        source={
            "constants": {"TEMPLATE": "visit"},
            "parameters": {"name": "BUSINESS", "time": "PASS_THROUGH"},
            "columns": {"BUSINESS": "", "PASS_THROUGH": ""},
        }
    )
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)


def test_a_column_missing_after_an_upgrade_stops_one_source_alone(
    his: His, build: Callable[..., House], tmp_path: Path
) -> None:
    house = build(source={"columns": {"MOBILE": "PHONE"}})
    eventually(lambda: "has no column PHONE" in house.sources.status()[0].reason)
    his.run("ALTER TABLE SMS_OUTBOUND RENAME COLUMN MOBILE TO PHONE")
    his.run("INSERT INTO SMS_OUTBOUND (ID, PHONE, CONTENT) VALUES (1, '13800138000', 'x')")
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    eventually(lambda: house.sources.status()[0].up)


def test_a_source_without_its_driver_stops_no_other(his: His, build: Callable[..., House]) -> None:
    insert(his, 1, BUSINESS_KEY="visit-1")
    house = build(others=[Configured("dameng", "his", "dm://sms@127.0.0.1:5236")])
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 1)
    eventually(lambda: house.sources.status()[1].broken)
    able, unable = house.sources.status()
    assert able.up
    assert (unable.name, unable.up) == ("dameng", False)
    assert "its driver is not installed here" in unable.reason
    house.desk.cancel("his", business_key="visit-1")
    eventually(lambda: house.told)
    with pytest.raises(Elsewhere, match="driver"):
        house.sources.homes()["source:dameng"](house.told)


def test_results_are_written_again_after_the_hospital_lost_them(
    his: His, build: Callable[..., House], tmp_path: Path
) -> None:
    insert(his, 1, BUSINESS_KEY="visit-1")
    insert(his, 2, BUSINESS_KEY="visit-1", MOBILE="13800138000,13900139000")
    house = build()
    eventually(lambda: his.count("MESSAGE_ID IS NOT NULL") == 2)
    house.desk.cancel("his", business_key="visit-1")
    house.stop()
    # The HIS was restored from a backup of the minute before.
    his.run("UPDATE SMS_OUTBOUND SET STATUS = 1, MESSAGE_ID = NULL, DONE_AT = NULL")
    config = replace(
        config_of(his.url, receipt_table="SMS_RECEIPT"),
        store=Store(f"sqlite:///{tmp_path / 'store.db'}"),
    )
    now = datetime.now(UTC)
    for _ in range(2):
        assert replay(config, "outbound", now - timedelta(hours=1), now + timedelta(hours=1)) == 3
    assert his.count("STATUS = 6 AND MESSAGE_ID IS NOT NULL AND DONE_AT IS NOT NULL") == 2
    assert his.ask("SELECT COUNT(*) FROM SMS_RECEIPT") == [(3,)]
    assert replay(config, "outbound", now + timedelta(hours=1), now + timedelta(hours=2)) == 0
