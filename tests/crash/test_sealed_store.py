"""A node seals a store that stood in clear, gets another key, and is killed in the middle of both,
while messages come and go (R-2.1, R-2.3)."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, make_url, select, text

from adapter.backup.archive import read_archive
from adapter.backup.faults import RefusedError
from adapter.backup.loading import restore
from adapter.backup.making import backup
from adapter.commands.rekey import keys, rekey
from adapter.config.load import load
from adapter.domain.ids import id_at
from adapter.security.secrets import new_key, read_key, write_key
from adapter.store import bulk, migrate
from adapter.store.engine import open_engine, write_connection
from adapter.store.schema import message, submission
from adapter.store.sealing import mark_of
from connectors.behaviour import Behaviour, Span
from tests.nodes import Carrier, Node, Setup, Soap, until

pytestmark = pytest.mark.crash

OLD = 3_000
"""Messages from before the store had a key."""
OLD_TEXT = "旧系统留下的短信内容"
TEXT = "张女士您的检查报告已出"
REPLY = "收到，我明天一早就来"


def old_number(number: int) -> str:
    return f"13776{number:06}"


def new_number(number: int) -> str:
    return f"13986{number:06}"


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """Of a store in clear, with messages that ended."""
    opened = open_engine(store_url)
    migrate.upgrade(opened)
    made = id_at(datetime.now(UTC) - timedelta(days=1))
    with write_connection(opened) as connection, connection.begin():
        its = (made, "web", "soap", None, None, None, "x", "normal", OLD_TEXT, None, None, None)
        bulk.insert(connection, submission, [(*its, False, 1, 1, 1, None)])
        bulk.insert(
            connection,
            message,
            [
                (made + 1 + each, made, None, old_number(each), "mobile", None, 1, "DELIVERED",
                 None, "main", False, 1, 1, None)
                for each in range(OLD)
            ],
        )  # fmt: skip
    yield opened
    opened.dispose()


class Load:
    """Messages that come all the while, each asked for until it is accepted."""

    def __init__(self, node: Node) -> None:
        self.accepted: dict[str, int] = {}
        self._node = node
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def end(self) -> None:
        self._enough.set()
        self._thread.join()

    def _send(self) -> None:
        soap = Soap(self._node.url)
        while not self._enough.is_set():
            number = new_number(len(self.accepted))
            self.accepted[number] = soap.send(number, TEXT + number, f"ref-{len(self.accepted)}")


def under(engine: Engine, key: int) -> int:
    """Messages whose number is under a key."""
    mark = mark_of(key)
    counted = select(func.count()).where(func.substr(message.c.mobile, 1, len(mark)) == mark)
    with engine.connect() as connection:
        return connection.execute(counted).scalar_one()


def kill_within(node: Node, begun: Callable[[], bool]) -> None:
    until(begun, "rows are sealed")
    node.kill()
    node.start()


def test_keys_come_and_go_while_a_node_works_and_dies(
    engine: Engine, store_url: str, tmp_path: Path
) -> None:
    write_key(tmp_path / "adapter.key", new_key())
    store_key = b64encode(new_key()).decode()
    security = f'<security key-file="adapter.key"><store-key key="{store_key}"/></security>'
    with Carrier(Behaviour(receipt_delay=Span(5, 50))) as carrier:
        setup = Setup(tmp_path, store_url, carrier.port, security=security, policies=POLICIES)
        with Node(setup.write(), setup.web_port) as node:
            config = load(node.config)
            load_ = Load(node.start())
            try:
                kill_within(node, lambda: under(engine, 1) > OLD // 4)
                until(lambda: [each["id"] for each in keys(config)] == [1], "nothing is in clear")
                assert rekey(config)[-1]["use"] == "seals"
                kill_within(node, lambda: under(engine, 2) > OLD // 4)
                until(lambda: [each["id"] for each in keys(config)] == [2], "the old key is gone")
                before = len(load_.accepted)
                until(lambda: len(load_.accepted) > before, "messages come")
            finally:
                load_.end()
            until(node.at_rest)
            told = home(node)
            assert told == set(load_.accepted)
            numbers = {each["destination"] for each in carrier.taken()}
            assert numbers == set(load_.accepted)
            answer(node, carrier, load_.accepted)
            assert under(engine, 2) == OLD + len(load_.accepted)
            assert node.stop() == 0
            assert "unreadable" not in node.log.read_text(encoding="utf-8")
        never_in_clear = [TEXT, REPLY, *load_.accepted]
        nowhere(never_in_clear, files(engine, tmp_path))
        if engine.dialect.name == "sqlite":
            nowhere([OLD_TEXT, *map(old_number, range(OLD))], files(engine, tmp_path))
        kept_wrapped(node.config, [*never_in_clear, OLD_TEXT, old_number(7)], store_key, tmp_path)


POLICIES = '<policies><lane name="normal" doubt="resend" doubt-wait="100ms"/></policies>'


def home(node: Node) -> set[str]:
    """Numbers whose receipt came, when all have."""
    found = Soap(node.url).fetch_all("Receipts")
    assert {each.state for each in found} <= {"DELIVERED"}
    return {each.mobile for each in found}


def answer(node: Node, carrier: Carrier, accepted: dict[str, int]) -> None:
    """A reply finds the message that it answers, whichever keys were in between."""
    number = new_number(1)
    carrier.send_inbound(number, "10690000123402", REPLY)
    soap = Soap(node.url)
    found: list[Any] = []

    def came() -> bool:
        found.extend(soap.fetch_all("Inbound"))
        return bool(found)

    until(came, "the reply comes home")
    (reply,) = found
    assert (reply.mobile, reply.content) == (number, REPLY)
    assert int(reply.messageId) == accepted[number]


def files(engine: Engine, folder: Path) -> list[Path]:
    """What the database keeps, and the node's log."""
    kept = [folder / "adapter.log"]
    if engine.dialect.name == "sqlite":
        engine.dispose()
        found = Path(make_url(engine.url).database or "")
        return [*kept, *found.parent.glob(f"{found.name}*")]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        data = Path(connection.execute(text("SHOW data_directory")).scalar_one())
        here = connection.execute(
            text("SELECT oid FROM pg_database WHERE datname = current_database()")
        ).scalar_one()
    return [
        *kept,
        *(data / "base" / str(here)).iterdir(),
        *(each for each in (data / "pg_wal").iterdir() if each.is_file()),
        *data.glob("*log*"),
    ]


def nowhere(secrets: list[str], places: list[Path]) -> None:
    looked = 0
    for place in places:
        if not place.is_file():
            continue
        octets = place.read_bytes()
        looked += len(octets)
        # Numbers are told apart from ids, which are longer, by what they begin with.
        found = [each for each in secrets if each.encode() in octets]
        assert found == [], place
    assert looked > 1_000_000


def kept_wrapped(config: Path, secrets: list[str], store_key: str, folder: Path) -> None:
    """A backup, opened with its key, holds the data keys wrapped and nothing in clear; a store
    without the master key does not take it."""
    made = backup(load(config), folder / "backups", 3)
    with made.path.open("rb") as file:
        parts = list(read_archive(file, read_key(folder / "adapter.key")))
    blocks = b"".join(each for each in parts if isinstance(each, bytes))
    assert [each for each in secrets if each.encode() in blocks] == []
    assert made.rows["store_key"] == 1
    elsewhere = load(config)
    elsewhere = replace(
        elsewhere,
        store=replace(elsewhere.store, url=f"sqlite:///{folder / 'other.db'}"),
        security=replace(elsewhere.security, store_keys=()),
    )
    with pytest.raises(RefusedError, match="the store is sealed"):
        restore(elsewhere, made.path)
