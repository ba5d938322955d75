"""One scenario on every live database, with every strategy: rows come while sources end and start
again; nothing is lost, nothing is doubled, every row ends as it should.

`python -m tests.dbpoll.test_scenario ROWS [STRATEGY ...]` runs it with many rows, and with
restarts of the database in the middle, on servers of its own.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pytest
from sqlalchemy import text

from dbpoll.ddl import ddl
from dbpoll.settings import Claim, Sql, Strategy
from dbpoll.source import Source
from dbpoll.values import Row, StateChange, Status, Taken, at_once
from tests.dbpoll.conftest import His, OwnPostgres, eventually
from tests.mariadb import MariaDb

ROWS = 600
LATE_S = 2.0


class Shop:
    """A store and a notifier, as honest as they are small: accepts each key once, however often
    it is asked, and counts the sendings."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}
        self.mark: str | None = None
        self._lock = threading.Lock()

    def take(self, rows: Sequence[Row]) -> list[Taken]:
        with self._lock:
            return [self._answer(row) for row in rows]

    def _answer(self, row: Row) -> Taken:
        if row.fault or row.mobile == "bad":
            return Taken(row.key, "", 0, "BAD_NUMBER", row.fault or "no number")
        number = self.sent.setdefault(row.key, 10**17 + len(self.sent))
        return Taken(row.key, str(number), 1)

    def read(self) -> str | None:
        return self.mark

    def write(self, mark: str) -> None:
        self.mark = mark


STRATEGIES: dict[str, dict[str, Any]] = {
    "skip-locked": {},
    "compare-and-set": {"claim": Claim.COMPARE_AND_SET},
    "watermark": {
        "strategy": Strategy.WATERMARK,
        "row_written": False,
        "receipt_table": "SMS_RECEIPT",
        "late_s": LATE_S,
    },
    "remove": {
        "strategy": Strategy.REMOVE,
        "row_written": False,
        "receipt_table": "SMS_RECEIPT",
    },
    "move": {
        "strategy": Strategy.REMOVE,
        "move_to": "SMS_OLD",
        "row_written": False,
        "receipt_table": "SMS_RECEIPT",
    },
    "ledger": {
        "strategy": Strategy.LEDGER,
        "table": "SMS_VIEW",
        "row_written": False,
        "receipt_table": "SMS_RECEIPT",
    },
    "own": {
        "sql": Sql(
            fetch="SELECT * FROM SMS_OUTBOUND WHERE STATUS = 0 ORDER BY ID LIMIT :MOST",
            claim="UPDATE SMS_OUTBOUND SET STATUS = 1 WHERE ID = :ID AND STATUS = 0",
            recover="SELECT * FROM SMS_OUTBOUND WHERE STATUS = 1 AND MESSAGE_ID IS NULL",
            result="UPDATE SMS_OUTBOUND SET STATUS = :STATUS, DONE_AT = :DONE_AT,"
            " MESSAGE_ID = COALESCE(:MESSAGE_ID, MESSAGE_ID), RESULT_TEXT = :RESULT_TEXT"
            " WHERE ID = :ID AND (STATUS < 2 OR (STATUS = 2 AND :FINAL = 1))",
        )
    },
}


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def prepare(his: His) -> None:
    his.run("CREATE VIEW SMS_VIEW AS SELECT ID, MOBILE, CONTENT FROM SMS_OUTBOUND")
    his.run("CREATE TABLE SMS_OLD AS SELECT ID, MOBILE, CONTENT FROM SMS_OUTBOUND WHERE 1 = 0")


def test_every_row_is_accepted_once_and_ends(his: His, strategy: str) -> None:
    prepare(his)
    scene = Scene(his, strategy)
    scene.start(2)
    for first in range(1, ROWS, ROWS // 3):
        his.insert(ROWS // 3, first)
        scene.restart()
    his.run("INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (9999, 'bad', 'x')")
    scene.finish(ROWS)


class Scene:
    """Pollers of one table that share a store, and what becomes of their rows."""

    def __init__(self, his: His, strategy: str) -> None:
        self.his = his
        self.shop = Shop()
        self._changes = STRATEGIES[strategy]
        self._strategy = strategy
        self._sources: list[Source] = []

    def start(self, pollers: int) -> None:
        for _ in range(pollers):
            settings = self.his.settings(batch=50, **self._changes)
            source = Source(settings, at_once(self.shop.take), marks=self.shop)
            source.start()
            self._sources.append(source)
        eventually(lambda: all(each.health().polled_at for each in self._sources))

    def restart(self) -> None:
        """One poller ends in the middle of its work, another one starts."""
        assert self._sources.pop(0).stop()
        self.start(1)

    def finish(self, rows: int) -> None:
        eventually(lambda: len(self.shop.sent) == rows)
        self.tell(Status.SUBMITTED)
        self.tell(Status.DELIVERED)
        self.tell(Status.SUBMITTED)
        try:
            self._judge(rows)
        finally:
            for source in self._sources:
                assert source.stop()

    def tell(self, status: Status) -> None:
        """The carrier's news, in the words of the notifier."""
        source = self._sources[-1]
        changes = [
            StateChange(key, str(number), status, mobile="1", state=status.name)
            for key, number in self.shop.sent.items()
        ]
        if status is Status.DELIVERED:
            source.write_receipts(changes)
        source.write(changes)

    def _judge(self, rows: int) -> None:
        his = self.his
        if self._changes.get("row_written", True):
            assert his.count("STATUS = 3") == rows
            eventually(lambda: his.count("STATUS = 5") == 1)
            return
        eventually(lambda: self._receipts("REFUSED") == 1)
        assert self._receipts("DELIVERED") == rows
        if self._strategy in ("remove", "move"):
            eventually(lambda: his.count("1 = 1") == 0)
        if self._strategy == "move":
            assert his.ask("SELECT COUNT(*), COUNT(DISTINCT ID) FROM SMS_OLD") == [
                (rows + 1, rows + 1)
            ]

    def _receipts(self, state: str) -> int:
        query = "SELECT COUNT(DISTINCT OUTBOUND_ID) FROM SMS_RECEIPT WHERE STATE = :s"
        [(found,)] = self.his.ask(query, s=state)
        return int(found)


def test_a_late_commit_is_not_passed_over(served: His, running: Callable[..., Source]) -> None:
    """A transaction that drew a small key commits after greater ones were read."""
    shop = Shop()
    changes = STRATEGIES["watermark"]
    source = Source(served.settings(**changes), at_once(shop.take), marks=shop)
    source.start()
    eventually(lambda: source.health().polled_at)
    with served.engine.begin() as clerk:
        clerk.execute(
            text("INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (1, '13800138000', 'x')")
        )
        served.insert(5, first=2)
        eventually(lambda: len(shop.sent) == 5)
    eventually(lambda: len(shop.sent) == 6)
    eventually(lambda: shop.mark == "6")
    assert source.stop()


def test_a_watermark_begins_at_the_end_unless_told_otherwise(his: His) -> None:
    his.insert(3)
    shop = Shop()
    for from_start, known in ((False, set()), (True, {"1", "2", "3"})):
        shop.mark = None
        changes = STRATEGIES["watermark"] | {"from_start": from_start}
        source = Source(his.settings(**changes), at_once(shop.take), marks=shop)
        source.start()
        eventually(lambda source=source: source.health().polled_at)  # type: ignore[misc]
        eventually(lambda known=known: known == shop.sent.keys())  # type: ignore[misc]
        assert source.stop()
    # The mark was kept when nothing had been read: what comes while nobody polls is new.
    shop = Shop()
    his.run("DELETE FROM SMS_OUTBOUND")
    for known in (set(), {"50"}):
        source = Source(his.settings(**STRATEGIES["watermark"]), at_once(shop.take), marks=shop)
        source.start()
        eventually(lambda source=source: source.health().polled_at)  # type: ignore[misc]
        eventually(lambda known=known: known == shop.sent.keys())  # type: ignore[misc]
        assert source.stop()
        his.run("DELETE FROM SMS_OUTBOUND")
        his.insert(1, first=50)


class Restarted(Protocol):
    """A server that may be killed."""

    def stop(self) -> None: ...
    def start(self) -> None: ...
    def remove(self) -> None: ...


def long_run(his: His, server: Restarted, strategy: str, rows: int) -> None:
    """The same with a server that is killed three times while rows come."""
    prepare(his)
    scene = Scene(his, strategy)
    scene.start(2)
    began = time.monotonic()
    for first in range(1, rows, rows // 4):
        his.insert(rows // 4, first)
        server.stop()
        his.engine.dispose()
        server.start()
        scene.restart()
    his.run("INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT) VALUES (999999, 'bad', 'x')")
    scene.finish(rows)
    took_s = time.monotonic() - began
    print(f"{his.dialect:10} {strategy:16} {rows} rows, 4 kills: {took_s:.0f} s", flush=True)


def main(rows: int, strategies: Sequence[str]) -> None:
    for strategy in strategies:
        for make, database in ((OwnPostgres, "postgresql"), (OwnMariaDb, "mysql")):
            server = make()
            his = His(server.url)
            try:
                his.script(ddl(database))
                long_run(his, server, strategy, rows)
            finally:
                his.engine.dispose()
                server.remove()


class OwnMariaDb(MariaDb):
    """With one database."""

    def __init__(self) -> None:
        super().__init__()
        self.run("CREATE DATABASE his CHARACTER SET utf8mb4")

    @property
    def url(self) -> str:
        return self.url_of("his")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or list(STRATEGIES))
