"""A whole node with a source for every strategy, on one hospital database: rows come all the
while, the node dies twice and the database twice, once both together; no row is lost, none is sent
twice without the mark, and each gets its final state.

`python -m tests.node.test_every_strategy ROWS [DATABASE ...]` does it with so many rows for each
strategy, on PostgreSQL, MariaDB and SQLite, on servers of its own.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import quoteattr

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from adapter.drill.evidence import Evidence
from adapter.store.schema import attempt, spool
from connectors.behaviour import Behaviour, Span
from dbpoll.ddl import ddl
from tests.dbpoll.conftest import His, OwnPostgres
from tests.dbpoll.test_scenario import OwnMariaDb
from tests.nodes import Carrier, Node, Setup, until

ROWS = 60
DATABASES = ("postgresql", "mysql", "sqlite")
PORTION = 500
BAD = 900_000
"""The ID of a row in each table that nobody can send."""
DOUBTS_SOON = '<policies><lane name="normal" doubt="resend" doubt-wait="500ms"/></policies>'

_OWN = """
<fetch>SELECT * FROM OUT_OWN WHERE STATUS = 0 ORDER BY ID LIMIT :MOST</fetch>
<claim>UPDATE OUT_OWN SET STATUS = 1 WHERE ID = :ID AND STATUS = 0</claim>
<recover>SELECT * FROM OUT_OWN WHERE STATUS = 1 AND MESSAGE_ID IS NULL</recover>
<result>UPDATE OUT_OWN SET STATUS = :STATUS, DONE_AT = :DONE_AT,
  MESSAGE_ID = COALESCE(:MESSAGE_ID, MESSAGE_ID), RESULT_TEXT = :RESULT_TEXT
  WHERE ID = :ID AND (STATUS &lt; 2 OR (STATUS = 2 AND :FINAL = 1))</result>
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A strategy as it is configured. `name` ends the names of its tables."""

    name: str
    attributes: str
    inside: str = ""
    table: str = ""
    in_row: bool = False

    def source(self, url: str) -> str:
        table = self.table or f"OUT_{self.name}"
        receipts = "" if self.in_row else f'receipt-table="RCPT_{self.name}"'
        return (
            f'<source name="{self.name.lower()}" client="his" url={quoteattr(url)}'
            f' table="{table}" {receipts} {self.attributes}>{self.inside}</source>'
        )


WAYS = (
    Way("SKIP", 'claim-by="auto"', in_row=True),
    Way("SET", 'claim-by="compare-and-set"', in_row=True),
    Way("OWN", "", _OWN, in_row=True),
    Way("MARK", 'strategy="watermark" begin="start" late="2s"'),
    Way("GONE", 'strategy="remove"'),
    Way("MOVED", 'strategy="remove" move-to="OLD_MOVED"'),
    Way("SEEN", 'strategy="ledger"', table="V_SEEN"),
)


def number(way: int, row: int) -> str:
    """Each row has a number of its own."""
    return f"138{way}{row:07}"


class Server(Protocol):
    """A hospital's database that may fail and come back."""

    url: Any

    def stop(self) -> None: ...
    def start(self) -> None: ...
    def remove(self) -> None: ...


class HeldFile:
    """An SQLite file. Its failure is that somebody holds it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="his-")
        self.url = f"sqlite:///{Path(self._folder.name) / 'his.db'}"
        self._engine = create_engine(self.url)
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        self._holder: Any = None

    def stop(self) -> None:
        self._holder = self._engine.raw_connection()
        self._holder.driver_connection.isolation_level = None
        self._holder.cursor().execute("PRAGMA busy_timeout=30000")
        self._holder.cursor().execute("BEGIN EXCLUSIVE")

    def start(self) -> None:
        # As long as a wait for a lock, so that it is felt.
        time.sleep(2.5)
        self._holder.cursor().execute("ROLLBACK")
        self._holder.close()

    def remove(self) -> None:
        self._engine.dispose()
        self._folder.cleanup()


_MAKERS = {"postgresql": OwnPostgres, "mysql": OwnMariaDb, "sqlite": HeldFile}


@contextmanager
def hospital(database: str) -> Iterator[tuple[Server, His]]:
    """A server with the tables of every way."""
    server: Server = _MAKERS[database]()  # type: ignore[assignment]
    his = His(server.url)
    try:
        for way in WAYS:
            script = ddl(database).replace("SMS_OUTBOUND", f"OUT_{way.name}")
            his.script(
                script.replace("SMS_RECEIPT", f"RCPT_{way.name}").replace(
                    "SMS_INBOUND", f"INB_{way.name}"
                )
            )
        his.run("CREATE TABLE OLD_MOVED AS SELECT ID, MOBILE FROM OUT_MOVED WHERE 1 = 0")
        his.run("CREATE VIEW V_SEEN AS SELECT ID, MOBILE, CONTENT FROM OUT_SEEN")
        yield server, his
    finally:
        his.engine.dispose()
        server.remove()


class Clerk(threading.Thread):
    """Inserts rows into every table, whoever dies meanwhile."""

    def __init__(self, his: His, rows: int) -> None:
        super().__init__(daemon=True)
        self._his = his
        self._rows = rows

    def run(self) -> None:
        for first in range(1, self._rows + 1, PORTION):
            for place, way in enumerate(WAYS):
                rows = range(first, min(first + PORTION, self._rows + 1))
                self._insert(way.name, [(row, number(place, row)) for row in rows])
        for way in WAYS:
            self._insert(way.name, [(BAD, "020-1")])

    def _insert(self, table: str, rows: list[tuple[int, str]]) -> None:
        values = [{"i": row, "m": mobile} for row, mobile in rows]
        statement = f"INSERT INTO OUT_{table} (ID, MOBILE, CONTENT) VALUES (:i, :m, '请准时')"
        while True:
            try:
                self._his.run(statement, values)
            except IntegrityError:
                # The commit's answer was lost, not the commit.
                return
            except DBAPIError:
                time.sleep(0.1)
            else:
                return


@dataclass
class Scene:
    """A node, what it works on, and what became of it."""

    his: His
    server: Server
    carrier: Carrier
    node: Node
    store: str
    rows: int
    wait_s: float

    @property
    def total(self) -> int:
        return self.rows * len(WAYS)

    def play(self) -> None:
        clerk = Clerk(self.his, self.rows)
        clerk.start()
        self._after(0.2)
        self._kill_node()
        self._after(0.5)
        self._fail()
        self._after(0.75)
        self._fail(self._kill_node)
        clerk.join(self.wait_s)
        for way in WAYS:
            until(partial(self._ended, way), f"{way.name} ended", self.wait_s)
        until(self.node.at_rest, "nothing waits, is on the wire or in doubt", self.wait_s)
        assert self.node.stop() == 0

    def judge(self) -> int:
        """How many were sent twice, each with the mark. Fails where a promise did not hold."""
        numbers = [
            number(place, row) for place in range(len(WAYS)) for row in range(1, self.rows + 1)
        ]
        stored = Evidence(self.store).messages()
        assert sorted(each.mobile for each in stored) == sorted(numbers), "each accepted once"
        assert {each.state for each in stored} == {"DELIVERED"}
        assert {each["destination"] for each in self.carrier.taken()} == set(numbers), "none lost"
        repeated = self.carrier.repeated()
        assert repeated.keys() <= {each.mobile for each in stored if each.in_doubt}
        engine = create_engine(self.store)
        with engine.connect() as connection:
            for table in (spool, attempt):
                assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
        engine.dispose()
        return len(repeated)

    def _after(self, share: float) -> None:
        wanted = int(self.total * share)
        until(lambda: self.carrier.count("submit") >= wanted, f"{wanted} submits", self.wait_s)

    def _fail(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.server.stop()
        meanwhile()
        self.server.start()
        # Connections from before are of no use.
        self.his.engine.dispose()

    def _kill_node(self) -> None:
        self.node.kill()
        self.node.start()

    def _ended(self, way: Way) -> bool:
        """Whether every row has its final state where it is to be, and the bad one its reason."""
        table, rows = f"OUT_{way.name}", self.rows
        if way.in_row:
            return (
                self._count(table, "STATUS = 3") == rows and self._count(table, "STATUS = 5") == 1
            )
        receipts = "SELECT STATE, COUNT(DISTINCT OUTBOUND_ID), COUNT(*) FROM"
        told = set(self.his.ask(f"{receipts} RCPT_{way.name} GROUP BY STATE"))
        if told != {("DELIVERED", rows, rows), ("REFUSED", 1, 1)}:
            return False
        if way.name == "MOVED":
            moved = self.his.ask("SELECT COUNT(*), COUNT(DISTINCT ID) FROM OLD_MOVED")
            assert moved[0][0] == moved[0][1]
            return moved == [(rows + 1, rows + 1)] and not self._count(table, "1 = 1")
        left = 0 if way.name == "GONE" else rows + 1
        return self._count(table, "1 = 1") == left

    def _count(self, table: str, condition: str) -> int:
        [(found,)] = self.his.ask(f"SELECT COUNT(*) FROM {table} WHERE {condition}")
        return int(found)


def run(folder: Path, database: str, rows: int, wait_s: float) -> int:
    """The whole play; how many messages were sent twice, with the mark."""
    behaviour = Behaviour(answer_delay=Span(1, 10), receipt_delay=Span(1, 300), seed=1)
    with hospital(database) as (server, his), Carrier(behaviour) as carrier:
        sources = "".join(way.source(his.url) for way in WAYS)
        setup = Setup(
            folder,
            f"sqlite:///{folder / 'store.db'}",
            carrier.port,
            sources=sources,
            policies=DOUBTS_SOON,
        )
        with Node(setup.write(), setup.web_port).start() as node:
            scene = Scene(his, server, carrier, node, setup.store, rows, wait_s)
            scene.play()
            return scene.judge()


@pytest.mark.crash
@pytest.mark.parametrize("database", DATABASES)
def test_nothing_is_lost_whoever_dies(tmp_path: Path, database: str) -> None:
    run(tmp_path, database, ROWS, 60.0)


def main(rows: int, databases: list[str]) -> None:
    for database in databases:
        with tempfile.TemporaryDirectory(prefix="node-") as folder:
            began = time.monotonic()
            twice = run(Path(folder), database, rows, 1_800.0)
            took_s = time.monotonic() - began
        print(
            f"{database:10} {len(WAYS)} strategies, {rows:,} rows each, node and HIS killed"
            f" twice: 0 lost, 0 double, {twice} sent again in doubt; {took_s:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or list(DATABASES))
