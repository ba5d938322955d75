"""A hospital's database that is gone, slow, locked, altered, or has a new password: callers of
the service notice nothing, and the rows go on by themselves when it is well again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from connectors.behaviour import Behaviour, Span
from dbpoll.ddl import ddl
from tests.dbpoll.conftest import His, OwnPostgres, own_postgres
from tests.faults.conftest import Build
from tests.faults.house import House, his_number
from tests.nodes import until

__all__ = ["own_postgres"]

pytestmark = pytest.mark.slow

PROMPT = Behaviour(answer_delay=Span(5, 30), receipt_delay=Span(10, 50), seed=4)


@pytest.fixture
def own_his(own_postgres: OwnPostgres) -> Iterator[His]:
    """The hospital's tables on a server that a test may stop."""
    database = His(own_postgres.url)
    database.script(ddl("postgresql"))
    yield database
    database.engine.dispose()


def source(house: House) -> bool:
    """Whether the node thinks that the source is well."""
    (found,) = house.node.status()["sources"]
    well: bool = found["up"]
    return well


def polling_ended(house: House, times: int) -> bool:
    """Whether the node has told so often that the process that polls is away."""
    return house.node.log.read_text("utf-8").count("poller_ended") == times


def test_a_hospital_that_is_gone_for_a_while(
    build: Build, own_postgres: OwnPostgres, own_his: His
) -> None:
    house = build(PROMPT, his=own_his)
    house.insert(300)
    house.carrier.wait_for("submit", 50)
    own_postgres.stop()
    until(lambda: not source(house), "it is told")
    with house.callers(50) as callers:
        callers.end()
    assert callers.refusals == []
    own_postgres.start()
    own_his.engine.dispose()
    house.insert(50)
    house.settle()
    assert house.carrier.repeated() == {}


def test_the_process_that_polls_is_killed_again_and_again(build: Build, his: His) -> None:
    house = build(PROMPT, his=his)
    node = psutil.Process(house.node.pid)
    with house.callers(100) as callers:
        for kill in range(1, 4):
            house.insert(300)
            house.carrier.wait_for("submit", 100 * kill)
            until(node.children, "it is started anew")
            node.children()[0].kill()
            until(partial(polling_ended, house, kill), "it is told")
        callers.end()
    assert callers.refusals == []
    house.settle()
    assert house.carrier.repeated() == {}


def test_a_hospital_that_takes_a_second_for_each_statement(build: Build, his: His) -> None:
    house = build(PROMPT, his=his)
    his.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$"
    )
    his.run(
        "CREATE TRIGGER slow BEFORE UPDATE ON SMS_OUTBOUND "
        "FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    )
    house.insert(100)
    with house.callers(100) as callers:
        callers.end()
    house.settle()
    assert callers.slowest_s < 1
    assert callers.refusals == []


def test_a_deadlock_whose_victim_we_are(build: Build, his: His) -> None:
    house = build(Behaviour(receipts=False, seed=4), his=his)
    house.insert(2)
    until(lambda: his.count("STATUS = 2") == 2, "both are submitted")
    with his.engine.connect() as first:
        # It never looks for a deadlock itself, so it is the other that must give way.
        first.execute(text("SET deadlock_timeout = '10min'"))
        first.execute(text("SELECT ID FROM SMS_OUTBOUND WHERE ID = 2 FOR UPDATE"))
        house.carrier.send_receipts(house.carrier.taken())
        until(lambda: waits_for_a_lock(his), "we wait for the second row")
        asking = threading.Thread(
            target=first.execute,
            args=(text("SELECT ID FROM SMS_OUTBOUND WHERE ID = 1 FOR UPDATE"),),
        )
        asking.start()
        asking.join()
        first.rollback()
    house.settle()


def waits_for_a_lock(his: His) -> bool:
    return bool(
        his.ask(
            "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'sms-adapter%' "
            "AND wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


def test_a_row_that_the_hospital_holds_keeps_no_other_waiting(build: Build, his: His) -> None:
    house = build(Behaviour(receipts=False, seed=4), his=his)
    house.insert(50)
    until(lambda: his.count("STATUS = 2") == 50, "all are submitted")
    with his.engine.connect() as hospital:
        hospital.execute(text("SELECT ID FROM SMS_OUTBOUND WHERE ID = 7 FOR UPDATE"))
        house.carrier.send_receipts(house.carrier.taken())
        until(lambda: his.count("STATUS = 3") == 49, "all the others are written")
        hospital.rollback()
    house.settle()


def test_a_table_that_is_dropped_and_comes_back(build: Build, his: His) -> None:
    house = build(PROMPT, his=his)
    house.insert(200)
    house.carrier.wait_for("submit", 30)
    his.run("ALTER TABLE SMS_OUTBOUND RENAME TO SMS_AWAY")
    until(lambda: not source(house), "it is told")
    house.send(50)
    his.run("ALTER TABLE SMS_AWAY RENAME TO SMS_OUTBOUND")
    house.settle()
    assert house.carrier.repeated() == {}


def test_a_password_that_was_changed_and_changed_back(
    build: Build, own_postgres: OwnPostgres, own_his: His, tmp_path: Path
) -> None:
    admin = psycopg.connect(
        own_postgres.url.replace("postgresql+psycopg", "postgresql"), autocommit=True
    )
    with admin:
        admin.execute("CREATE ROLE sms LOGIN SUPERUSER PASSWORD 'first'")
        (rules,) = admin.execute("SHOW hba_file").fetchone() or ("",)
        path = Path(rules)
        path.write_text("local all sms scram-sha-256\n" + path.read_text(encoding="utf-8"))
        admin.execute("SELECT pg_reload_conf()")
        url = make_url(own_postgres.url).set(username="sms", password="first")
        theirs = His(url.render_as_string(hide_password=False))
        house = build(PROMPT, his=theirs)
        house.his = own_his
        theirs.engine.dispose()
        house.insert(200)
        house.carrier.wait_for("submit", 30)
        admin.execute("ALTER ROLE sms PASSWORD 'second'")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='sms'")
        until(lambda: not source(house), "it is told")
        house.send(50)
        admin.execute("ALTER ROLE sms PASSWORD 'first'")
        house.settle()
    assert house.carrier.repeated() == {}
    log = house.node.log.read_text(encoding="utf-8")
    assert "source_down" in log
    assert "first" not in log
    assert his_number(1) not in log
