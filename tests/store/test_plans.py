"""PostgreSQL reaches every row by an index, with statistics and without."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Engine, event, text

from adapter.domain.outcomes import Begin, QueueKey, Received, Verdict
from adapter.domain.states import DoubtRule
from adapter.security.data_keys import DataKey
from adapter.store import inbound, notices, recording, settlement, spooling
from adapter.store.desk import Desk
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.sealing import PLAIN_KEY, Seal, attach
from adapter.store.search import Search, search
from adapter.store.withdrawal import withdraw_by_key
from tests.store.making import IDS, Intake, outcome, pair, reported, writing

ROWS = 3_000
BATCH = 1_000
WALK = r"Index (?:Only )?Scan (?:Backward )?using \w+ on (\w+) .*\n(?!\s+Index Cond)"
BIG = {"submission", "message", "spool", "segment", "notification", "inbound"}


@pytest.fixture
def plans(postgres_url: str) -> Iterator[tuple[Engine, list[str]]]:
    """A store, and the plans of all statements run on it."""
    engine = open_engine(postgres_url)
    upgrade(engine)
    told: list[str] = []

    @event.listens_for(engine, "connect")
    def explain(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
        connection.execute("LOAD 'auto_explain'")
        connection.execute("SET auto_explain.log_min_duration = 0")
        connection.execute("SET auto_explain.log_level = notice")
        connection.commit()

    engine.dispose()
    yield engine, told
    engine.dispose()


@pytest.mark.parametrize("analyzed", [False, True])
def test_no_statement_reads_a_whole_table(plans: tuple[Engine, list[str]], analyzed: bool) -> None:
    engine, told = plans
    intake = Intake(engine)
    intake.committer.start()
    made = intake.accept(*[pair(source="a", business_key=str(each)) for each in range(ROWS)])
    with writing(engine) as connection:
        spooling.begin(connection, [Begin(each, "main", 1_000) for each in made[1_000:]])
        recording.record(connection, IDS, [outcome(each) for each in made[2_000:]], ())
        recording.record(connection, IDS, (), [reported(each) for each in made[2_500:]])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if analyzed:
            connection.execute(text("ANALYZE"))
    told.clear()
    for start in range(0, 500, 50):
        # More often than the driver and the server need to settle on prepared plans.
        with writing(engine) as connection:
            waiting, going = made[start : start + 20], made[1_000 + start : 1_050 + start]
            spooling.begin(connection, [Begin(each, "main", 1_000) for each in waiting])
            recording.record(connection, IDS, [outcome(each) for each in going], ())
            recording.record(connection, IDS, [outcome(waiting[0], Verdict.DOUBT)], ())
            recording.record(connection, IDS, (), [reported(each) for each in going])
            phone = Received("main", going[0].message.mobile, "yes", "1", "", 9_000)
            inbound.take(connection, IDS, [phone], {}, {})
            withdraw_by_key(connection, IDS, "his", str(start + 30))
            settlement.settle_doubts(connection, IDS, 5_000, lambda *_of: DoubtRule.WAIT)
            expired = settlement.find_expired(connection, 5_000, 0).messages
            settlement.end_expired(connection, IDS, expired)
            notices.forget_of(connection, "source:a", [each.message.id for each in going])
        intake.accept(pair(ref=str(start), business_key="new"), replace=True)
        held = [each.message.id for each in made[2_000:3_000]]
        spooling.read_due(engine, QueueKey("mobile", "normal", "his"), 100, 2**50, held)
        with engine.connect() as connection:
            notices.read_states(connection, "source:a", 100)
            settlement.find_silent(connection, 2**41, 0, 100)
    # The largest batches that a window of many links makes, and questions about as much at once.
    desk = Desk(engine, intake.committer, IDS, intake.capacity, lambda *_of: "", lambda _told: None)
    for start in range(6):
        many = [pair(client="many", ref=f"{start} {each}") for each in range(BATCH)]
        made = intake.accept(*many)
        repeated = intake.acceptance.offer(many, [False] * BATCH)()
        assert None not in repeated
        ids = [each.message.id for each in made]
        assert len(desk.query("many", message_ids=ids)) == BATCH
        assert len(desk.query("many", client_ref=f"{start} 7")) == 1
        assert len(desk.query("many", submission_id=many[8][0].id)) == 1
        cancelled = [
            desk.cancel("many", message_ids=ids[:400]),
            desk.cancel("many", submission_id=many[400][0].id),
        ]
        assert sum(cancelled) == 401
        with writing(engine) as connection:
            spooling.begin(connection, [Begin(each, "main", 1_000) for each in made])
            recording.record(connection, IDS, [outcome(each) for each in made], ())
            recording.record(connection, IDS, (), [reported(each) for each in made])
    intake.committer.stop()
    assert len(told) > 100
    assert_indexed(told)


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_number_is_found_in_clear_and_by_its_digest(
    plans: tuple[Engine, list[str]], analyzed: bool
) -> None:
    """As long as a store is being sealed."""
    engine, told = plans
    intake = Intake(engine)
    intake.committer.start()
    old = intake.accept(*[pair() for _ in range(ROWS)])
    attach(engine, Seal({1: DataKey(bytes(32))}, (PLAIN_KEY, 1)))
    new = intake.accept(*[pair() for _ in range(ROWS)])
    intake.committer.stop()
    if analyzed:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    told.clear()
    for each in (old[7], new[7]):
        its = each.message
        with writing(engine) as connection:
            found = search(connection, Search(mobile=its.mobile), 50)
            assert [hit.message_id for hit in found] == [its.id]
            inbound.take(connection, IDS, [Received("main", its.mobile, "yes", "1", "", 9)], {}, {})
    assert_indexed(told)


def assert_indexed(told: Sequence[str]) -> None:
    """These plans read no table from end to end."""
    whole = {
        (re.findall(r"Seq Scan on (\w+)", plan)[0], plan)
        for plan in told
        if set(re.findall(r"Seq Scan on (\w+)", plan)) & BIG
    }
    assert not whole
    # Nor does it walk along all of an index, for the order that a statement asks for.
    assert not [plan for plan in told if set(re.findall(WALK, plan)) & BIG]
    # Rows in the order of an index are read from there: with a bitmap all of the rest is sorted
    # for each bite of a walk.
    assert not [plan for plan in told if "Bitmap" in plan]
