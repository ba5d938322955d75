"""The commands about a callback, against a real store; a running node: tests/node."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from adapter.cli import main
from adapter.store import bulk
from adapter.store.dead_letters import Burial, bury
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade
from adapter.store.schema import dead_letter, notification
from tests.store.making import IDS, Intake, count, pair, writing

CONFIG = """<adapter xmlns="urn:his-sms:config:1">
<store url="sqlite:///store.db"/><web port="1"/>
<clients><client account="his"><callback url="http://127.0.0.1:9/e"/></client>
<client account="lis"/></clients>
</adapter>"""
NOW = datetime.now(UTC)


@pytest.fixture
def dead(tmp_path: Path) -> list[int]:
    """Three dead letters of `his`; their ids."""
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine)
    intake = Intake(engine)
    intake.committer.start()
    made = intake.accept(pair(3, mobile="13800138000"))
    intake.committer.stop()
    ids = IDS.take(3)
    with writing(engine) as connection:
        rows = [
            (each, "client:his", its.message.id, None, "UNDELIVERED", "MK:1", "main", 1, 2)
            for each, its in zip(ids, made, strict=True)
        ]
        bulk.insert(connection, notification, rows)
        bury(connection, Burial("client:his", ids, NOW - timedelta(days=1), NOW, "HTTP 500"))
    engine.dispose()
    return ids


def call(tmp_path: Path, *words: str) -> tuple[int, str]:
    file = tmp_path / "adapter.xml"
    file.write_text(CONFIG, "utf-8")
    group, name, *rest = words
    result = CliRunner().invoke(main, ["callback", group, name, str(file), *rest])
    return result.exit_code, result.output


def store(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path / 'store.db'}")


def test_dead_letters_are_shown_without_whole_numbers(tmp_path: Path, dead: list[int]) -> None:
    status, told = call(tmp_path, "dead", "his")
    assert status == 0
    lines = told.splitlines()
    assert [int(line.split()[0]) for line in lines] == dead
    assert "138****8000" in lines[0]
    assert "UNDELIVERED" in lines[0]
    assert lines[0].endswith("HTTP 500")
    assert "13800138000" not in told
    status, told = call(tmp_path, "dead", "his", "--json", "--most", "1")
    (letter,) = map(json.loads, told.splitlines())
    assert (letter["id"], letter["kind"]) == (str(dead[0]), "receipt")


def test_a_replay_says_how_many(tmp_path: Path, dead: list[int]) -> None:
    assert call(tmp_path, "replay", "his", "--id", str(dead[1]), "--id", "5") == (
        1,
        "1 events are on their way again\n",
    )
    assert call(tmp_path, "replay", "his") == (0, "2 events are on their way again\n")
    assert call(tmp_path, "replay", "his") == (0, "0 events are on their way again\n")
    assert call(tmp_path, "dead", "his") == (0, "")
    engine = store(tmp_path)
    assert (count(engine, notification), count(engine, dead_letter)) == (3, 3)
    engine.dispose()


@pytest.mark.usefixtures("dead")
def test_a_client_without_a_callback_may_have_had_one(tmp_path: Path) -> None:
    assert call(tmp_path, "dead", "lis") == (0, "")
    status, told = call(tmp_path, "dead", "nobody")
    assert status == 1
    assert "there is no client nobody; callbacks: his" in told


def test_without_a_node_there_is_no_status(tmp_path: Path) -> None:
    status, told = call(tmp_path, "status", "his")
    assert status == 1
    assert "no node answers" in told
