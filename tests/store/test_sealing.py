"""Contents and numbers in the store: not to be found, not to be moved, found by their number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec import structs
from sqlalchemy import Engine, Table, select, text, update

from adapter.dispatch.store_spool import StoreSpool
from adapter.domain.errors import Code
from adapter.domain.outcomes import Begin, Part, QueueKey, Received, Reported, Verdict
from adapter.domain.states import DoubtRule
from adapter.domain.values import Result, Waiting
from adapter.jobs.reseal import Reseal
from adapter.store import inbound, migrate, notices, recording, settlement, spooling
from adapter.store.capacity import Capacity
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine, write_connection
from adapter.store.schema import (
    inbound as inbound_table,
)
from adapter.store.schema import (
    inbound_part,
    message,
    metadata,
    receipt,
    store_key,
    submission,
    submit_part,
)
from adapter.store.sealing import PLAIN, UNREADABLE, Seal, attach, seal_of
from adapter.store.search import Search, search
from adapter.store.store_keys import SealError, make, open_seal, prepare
from adapter.store.submit_parts import Part as SubmitPart
from adapter.store.submit_parts import SubmitParts
from tests.store.conftest import MASTERS
from tests.store.making import IDS, Intake, outcome, pair, writing

NUMBERS = [f"1380001{each:04}" for each in range(50)]
TEXT = "张女士，您的检查报告已出"
REPLY = "我会准时到达医院的"
KEY = QueueKey("mobile", "normal", "his")


class House:
    """A store with something of everything that is secret in it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.intake = Intake(engine)
        self.intake.committer.start()
        self.seal = seal_of(engine.connect())

    def fill(self) -> list[Waiting]:
        its, own = pair(
            10, ref="a", refusals=[(3, Result("13899990000", "", None, 0, Code.BAD_NUMBER, ""))]
        )
        own = [
            structs.replace(each, mobile=number, content=f"{TEXT}{number}")
            for each, number in zip(own, NUMBERS)
        ]
        made = self.intake.accept((its, own))
        parts = SubmitParts(self.engine, self.intake.committer)
        parts.keep([SubmitPart(IDS.next(), "his", "key", 1, 2, f"{TEXT}{NUMBERS[0]}")])
        with writing(self.engine) as connection:
            phone = Received("main", NUMBERS[1], REPLY, "10690", "", 9_000)
            half = Received("main", NUMBERS[2], REPLY, "10690", "", 9_000, part=Part(7, 2, 1))
            inbound.take(connection, IDS, [phone, half], {}, {}, 0)
            stray = Reported("main", "stray", "DELIVRD", True, NUMBERS[3], "", "", 9_000)
            recording.record(connection, IDS, (), [stray])
        return made

    def rows(self, *tables: Table) -> list[str]:
        with self.engine.connect() as connection:
            return [
                repr(tuple(row))
                for table in tables or metadata.sorted_tables
                for row in connection.execute(select(table))
            ]

    def numbers(self) -> list[str]:
        with self.engine.connect() as connection:
            return [
                self.seal.opened(b"message.mobile/", row.id, row.mobile)
                for row in connection.execute(select(message).order_by(message.c.id))
            ]

    def found(self, number: str) -> int:
        with self.engine.connect() as connection:
            return len(search(connection, Search(mobile=number), 100))

    def job(self) -> Reseal:
        return Reseal(self.engine, [self.intake.committer], self.seal, MASTERS, page=7, bite=3)

    def end(self) -> None:
        self.intake.committer.stop()


@pytest.fixture
def house(store: Engine) -> Iterator[House]:
    its = House(store)
    yield its
    its.end()


def secrets() -> list[str]:
    return [*NUMBERS[:10], "13899990000", TEXT, REPLY, repr(TEXT)[1:-1], REPLY[2:6]]


def test_nothing_secret_stands_in_a_row(house: House) -> None:
    house.fill()
    rows = house.rows()
    assert len(rows) > 25
    assert [secret for secret in secrets() if any(secret in row for row in rows)] == []
    keyed = house.rows(message, receipt, inbound_table, inbound_part)
    assert len(keyed) == 13
    assert not [row for row in keyed if row.endswith("None)")]
    assert len(house.rows(submit_part)) == 1


def test_everything_secret_is_read_again(house: House) -> None:
    made = house.fill()
    found, _ = spooling.read_due(house.engine, KEY, 100, now_ms() + 1_000, ())
    assert [(each.message, each.submission.content) for each in found] == [
        (each.message, each.submission.content) for each in made
    ]
    assert house.found(NUMBERS[4]) == 1
    assert house.found("13800009999") == 0
    answers = house.intake.acceptance.first_answers([("his", "", "a")])
    (answer,) = answers
    assert answer is not None
    assert [each.mobile for each in answer.results] == [*NUMBERS[:3], "13899990000", *NUMBERS[3:10]]


def test_a_file_of_the_store_does_not_hold_them(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    prepare(engine, MASTERS)
    open_seal(engine, MASTERS)
    house = House(engine)
    house.fill()
    files = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert len(files["store.db-wal"]) > 10_000
    for name, octets in files.items():
        for secret in secrets():
            assert secret.encode() not in octets, (name, secret)
    house.end()


def test_a_value_in_another_row_does_not_open_and_the_others_do(house: House) -> None:
    made = house.fill()
    first, second = (each.message.id for each in made[:2])
    with writing(house.engine) as connection:
        stolen = select(message.c.mobile).where(message.c.id == first).scalar_subquery()
        connection.execute(update(message).where(message.c.id == second).values(mobile=stolen))
    with structlog.testing.capture_logs() as logs:
        assert house.numbers() == [NUMBERS[0], UNREADABLE, *NUMBERS[2:10]]
    (told,) = logs
    assert (told["event"], told["place"], told["row"]) == (
        "store.unreadable",
        "message.mobile",
        second,
    )
    assert not [word for word in map(str, told.values()) if "1380001" in word]


@pytest.mark.parametrize("broken", ["\x021:AAAA", "\x029:AAAA", "\x02", "\x02x:", "\x021:"])
def test_what_was_tampered_with_is_told_apart_from_what_can_be_sent(
    house: House, broken: str
) -> None:
    made = house.fill()
    with writing(house.engine) as connection:
        hit = made[2].message.id
        connection.execute(update(message).where(message.c.id == hit).values(content=broken))
    found, _ = spooling.read_due(house.engine, KEY, 100, now_ms() + 1_000, ())
    assert [each.message.id for each in found if spooling.is_unreadable(each)] == [hit]
    assert len(found) == 10


def test_what_does_not_open_is_not_sent_and_its_sender_is_told(house: House) -> None:
    made = house.fill()
    hit = made[2].message.id
    with writing(house.engine) as connection:
        moved = select(message.c.content).where(message.c.id == made[3].message.id)
        connection.execute(
            update(message).where(message.c.id == hit).values(content=moved.scalar_subquery())
        )
    told: list[Any] = []
    committer, capacity = house.intake.committer, Capacity(100, 10)
    nobody: Any = None
    spool = StoreSpool(
        house.engine, committer, committer, IDS, capacity, nobody, told.extend, nobody
    )
    found, _ = asyncio.run(spool.take(KEY, 100, now_ms() + 1_000, ()))
    assert [each.message.mobile for each in found] == [*NUMBERS[:2], *NUMBERS[3:10]]
    assert [(each.message_id, each.state, each.code) for each in told] == [
        (hit, "REJECTED", "UNREADABLE")
    ]
    assert capacity.waiting == 9


def test_a_plain_text_that_looks_sealed_is_a_text(tmp_path: Path) -> None:
    for value in ("\x021:AAAA", "\x020:x", "\x02", "x\x02"):
        assert PLAIN.opened(b"p", 1, PLAIN.sealed(b"p", 1, value)) == value
    assert PLAIN.sealed(b"p", 1, "x") == "x"
    assert PLAIN.text(b"p", 1, None) is None
    assert PLAIN.key_of("13800138000") is None


def test_a_new_key_seals_at_once_and_the_old_one_goes(house: House) -> None:
    made = house.fill()
    make(house.engine, MASTERS)
    job = house.job()
    job._look()
    assert (house.seal.number, house.seal.older, house.seal.is_mixed) == (2, [1], True)
    late = house.intake.accept(pair(mobile=NUMBERS[0]))
    marks = {row.split("'\\x02", 1)[1][0] for row in house.rows(message)}
    assert marks == {"1", "2"}
    # Numbers are found under both keys, also by what compares them.
    assert house.found(NUMBERS[0]) == 2
    with writing(house.engine) as connection:
        phone = Received("main", NUMBERS[4], "yes", "10690", "", 9_000)
        inbound.take(connection, IDS, [phone], {}, {})
    with house.engine.connect() as connection:
        answered = connection.execute(
            select(inbound_table.c.message_id).order_by(inbound_table.c.id.desc()).limit(1)
        ).scalar_one()
    assert answered == made[4].message.id
    job.run(threading.Event())
    assert (house.seal.number, house.seal.older, house.seal.is_mixed) == (2, [], False)
    rows = house.rows()
    assert not [row for row in rows if "\\x021:" in row]
    assert len([row for row in rows if "\\x022:" in row]) >= 16
    assert house.numbers() == [*NUMBERS[:10], NUMBERS[0]]
    assert (house.found(NUMBERS[0]), house.found(NUMBERS[5])) == (2, 1)
    with house.engine.connect() as connection:
        assert list(connection.execute(select(store_key.c.id)).scalars()) == [2]
    assert late[0].message.mobile == NUMBERS[0]
    # Whoever opens the store now needs nothing else.
    again = Seal({}, (0,))
    attach(house.engine, again)
    assert open_seal(house.engine, MASTERS).number == 2


def test_a_receipt_finds_a_message_in_doubt_that_another_key_sealed(house: House) -> None:
    """One of them was written before `rekey`, the other after it."""
    old, other = house.intake.accept(pair(mobile=NUMBERS[0]), pair(mobile=NUMBERS[1]))
    early = Reported("main", "e", "DELIVRD", True, NUMBERS[1], "", "", now_ms() + 1)
    with writing(house.engine) as connection:
        spooling.begin(connection, [Begin(each, "main", 1_000) for each in (old, other)])
        recording.record(
            connection, IDS, [outcome(each, Verdict.DOUBT) for each in (old, other)], [early]
        )
    make(house.engine, MASTERS)
    house.job()._look()
    with writing(house.engine) as connection:
        late = Reported("main", "l", "DELIVRD", True, NUMBERS[0], "", "", now_ms() + 1)
        recording.record(connection, IDS, (), [late])
        settled = settlement.settle_doubts(connection, IDS, 5_000, lambda *_of: DoubtRule.WAIT)
    assert settled.matched == 2
    told = {each.message_id: each.mobile for each in settled.notices if each.state == "DELIVERED"}
    assert told == {old.message.id: NUMBERS[0], other.message.id: NUMBERS[1]}


def test_a_row_that_does_not_open_keeps_its_key_and_holds_up_nobody(house: House) -> None:
    made = house.fill()
    with writing(house.engine) as connection:
        hit = made[2].message.id
        connection.execute(update(message).where(message.c.id == hit).values(mobile="\x021:AAAA"))
    make(house.engine, MASTERS)
    with structlog.testing.capture_logs() as logs:
        house.job().run(threading.Event())
    assert [each["rows"] for each in logs if each["event"] == "reseal.unreadable"] == [1]
    assert (house.seal.number, house.seal.older) == (2, [1])
    assert house.numbers() == [*NUMBERS[:2], UNREADABLE, *NUMBERS[3:10]]
    assert len([row for row in house.rows() if "\\x021:" in row]) == 1


def test_a_sealed_store_refuses_without_its_key(house: House) -> None:
    house.fill()
    stranger = (b"x" * 32,)
    for masters in ((), stranger):
        with pytest.raises(
            SealError,
            match=r"the store is sealed: its data key 1 opens with the store key named [0-9a-f]{8}",
        ):
            open_seal(house.engine, masters)
        with pytest.raises(SealError):
            make(house.engine, masters)
    with pytest.raises(SealError):
        prepare(house.engine, stranger)
    assert open_seal(house.engine, [*stranger, *MASTERS]).number == 1


def test_a_new_master_key_wraps_anew_and_touches_no_row(house: House) -> None:
    house.fill()
    before = house.rows(message, submission)
    newer = (b"n" * 32, *MASTERS)
    prepare(house.engine, newer)
    assert house.rows(message, submission) == before
    assert open_seal(house.engine, newer[:1]).number == 1
    assert house.numbers() == NUMBERS[:10]
    with pytest.raises(SealError):
        open_seal(house.engine, MASTERS)


def test_a_store_in_clear_stays_readable_and_is_sealed_while_it_works(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str
) -> None:
    for url in (f"sqlite:///{tmp_path / 'store.db'}", postgres_url):
        engine = open_engine(url)
        with write_connection(engine) as connection, connection.begin():
            migrate.raise_to(connection, "v10")
            _fill_v10(connection)
        migrate.upgrade(engine)
        open_seal(engine, ())
        house = House(engine)
        assert not house.seal.is_sealed
        assert house.numbers() == NUMBERS
        assert house.found(NUMBERS[7]) == 1
        house.end()
        prepare(engine, MASTERS)
        open_seal(engine, MASTERS)
        house = House(engine)
        assert house.seal.is_sealed
        assert house.seal.has_plain
        assert house.numbers() == NUMBERS
        house.fill()
        assert (house.found(NUMBERS[7]), house.found(NUMBERS[20])) == (2, 1)
        house.job().run(threading.Event())
        assert (house.seal.older, house.seal.has_plain) == ([], False)
        assert house.numbers() == [*NUMBERS, *NUMBERS[:10]]
        assert (house.found(NUMBERS[7]), house.found(NUMBERS[20])) == (2, 1)
        rows = house.rows()
        assert [each for each in [*secrets(), *NUMBERS] if any(each in row for row in rows)] == []
        with engine.connect() as connection:
            told = notices.read_inbound(connection, "client:his", 9)
        assert [(each.mobile, each.content) for each in told] == [
            (NUMBERS[9], "\x02yes"),
            (NUMBERS[1], REPLY),
        ]
        house.end()
        engine.dispose()
    octets = (tmp_path / "store.db").read_bytes()
    assert [each for each in [*secrets(), *NUMBERS] if each.encode() in octets] == []


def _fill_v10(connection: Any) -> None:
    connection.execute(
        text(
            "INSERT INTO submission (id, client, door, business, lane, content, receipt, "
            "accepted_at, due_at, expire_at) VALUES (1, 'his', 'soap', 'x', 'normal', :content, "
            "true, 1, 1, 9000000000000)"
        ),
        {"content": TEXT},
    )
    for place, number in enumerate(NUMBERS):
        connection.execute(
            text(
                "INSERT INTO message (id, submission_id, mobile, carrier, segments, state, "
                "in_doubt) VALUES (:id, 1, :mobile, 'mobile', 1, 'DELIVERED', false)"
            ),
            {"id": place + 2, "mobile": number},
        )
    connection.execute(
        text(
            "INSERT INTO inbound (id, channel, mobile, content, access_number, client, received_at)"
            " VALUES (100, 'main', :mobile, :content, '1', 'his', 1)"
        ),
        {"mobile": NUMBERS[9], "content": "\x02yes"},
    )
    connection.execute(
        text("INSERT INTO notification (id, destination, inbound_id) VALUES (9, 'client:his', 100)")
    )
