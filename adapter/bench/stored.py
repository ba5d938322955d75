"""What many stored messages cost: those that come, and those that are looked for.

The store is filled by the database itself with messages of the last hundred days, one a
submission, all ended; secondary indexes are built afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, text

from adapter.bench.databases import Databases
from adapter.bench.rig import Line
from adapter.bench.run import Wanted, bench
from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.store.engine import open_engine, write_connection
from adapter.store.migrate import upgrade
from adapter.store.reading import reading
from adapter.store.schema import message, not_delivered, segment, submission
from adapter.store.search import Search, search
from adapter.store.upkeep import tend

DAYS = 100
FEW = 10_000
SENT = 20_000
PAGE = 50
TRIES = 20
CHUNK = 500_000

_SUBMISSION = """
INSERT INTO submission (id, client, door, client_ref, ref_key, business, lane, content, receipt,
  accepted_at, due_at, expire_at)
SELECT {id}, 'client-' || (i % 10), 'soap', 'ref-' || i, 'client-' || (i % 10) || '//ref-' || i,
  'bench', 'normal', 'Your appointment is at 14:30 tomorrow.', {true}, {at}, {at}, {at} + 86400000
FROM {numbers}"""
_MESSAGE = """
INSERT INTO message (id, submission_id, mobile, carrier, segments, state, channel, in_doubt,
  submitted_at, done_at)
SELECT {id} + 1, {id}, '138' || {digits}, 'mobile', 1, {state}, 'bench-1', {false}, {at},
  {at} + 3000
FROM {numbers}"""
_SEGMENT = """
INSERT INTO segment (message_id, attempt, number, channel, carrier_id, state, submitted_at,
  receipt_code, receipt_at)
SELECT {id} + 1, 1, 1, 'bench-1', 'f' || i, {state}, {at}, 'DELIVRD', {at} + 3000
FROM {numbers}"""
_NOT_DELIVERED = """
INSERT INTO not_delivered (message_id, client, state)
SELECT {id} + 1, 'client-' || (i % 10), {state} FROM {numbers} WHERE i % 53 = 0"""
_STATE = """CASE WHEN i % 53 <> 0 THEN 'DELIVERED' WHEN i % 1007 = 0 THEN 'REJECTED'
  ELSE 'UNDELIVERED' END"""


def measure_stored(store: str, messages: int, line: Line) -> dict[str, Any]:
    """Messages a second and CPU of the node for each, over few stored messages and over so
    many; and the milliseconds of the searches. Raises RuntimeError when the node fails."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sms-bench-")))
        databases = Databases(folder, stack)
        few = _cost(databases.url(store, "few"), FEW, line)
        many_url = databases.url(store, "many")
        started = time.monotonic()
        many = _cost(many_url, messages, line)
        return {
            "store": store,
            "stored": messages,
            "few": few,
            "many": many,
            "costlier": round(many["us_each"] / few["us_each"] - 1, 3),
            "search_ms": _searches(many_url),
            "seconds": round(time.monotonic() - started, 1),
        }


def _cost(url: str, stored: int, line: Line) -> dict[str, Any]:
    fill(url, stored)
    found = bench(Wanted("soap", url, "", SENT, line=line))
    return {
        "stored": stored,
        "rate": found["rate"],
        "us_each": round(1e6 / found["rate"], 1),
        "cpu_us_each": round(found["cpu_seconds"] * 1e6 / SENT, 1),
        "lost": found["lost"],
    }


def fill(url: str, messages: int) -> None:
    """Make so many messages that ended, in an empty database."""
    engine = open_engine(url)
    upgrade(engine)
    with _without_indexes(engine, (submission, message, segment, not_delivered)):
        for first in range(0, messages, CHUNK):
            with write_connection(engine) as connection, connection.begin():
                _add(connection, first, min(messages, first + CHUNK), messages)
    tend(engine)
    if engine.dialect.name == "postgresql":
        # As the server does it by itself a minute later, in the middle of what is measured.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))
    engine.dispose()


def _add(connection: Connection, first: int, end: int, messages: int) -> None:
    oldest = datetime.now(UTC) - timedelta(days=DAYS)
    step_ms = max(1, DAYS * 86_400_000 // messages)
    words = {
        "id": f"({id_at(oldest)} + i * {step_ms} * 4194304)",
        "at": f"({int(oldest.timestamp() * 1000)} + i * {step_ms})",
        "state": _STATE,
    }
    if connection.dialect.name == "sqlite":
        words |= {
            "numbers": f"(WITH RECURSIVE n(i) AS (VALUES ({first}) UNION ALL "  # noqa: S608
            f"SELECT i + 1 FROM n WHERE i < {end - 1}) SELECT i FROM n)",
            "digits": "printf('%08d', i * 7919 % 100000000)",
            "true": "1",
            "false": "0",
        }
    else:
        words |= {
            "numbers": f"generate_series({first}::bigint, {end - 1}) AS n(i)",
            "digits": "lpad((i * 7919 % 100000000)::text, 8, '0')",
            "true": "true",
            "false": "false",
        }
    for statement in (_SUBMISSION, _MESSAGE, _SEGMENT, _NOT_DELIVERED):
        connection.execute(text(statement.format(**words).replace("::", r"\:\:")))


@contextmanager
def _without_indexes(engine: Engine, tables: tuple[Table, ...]) -> Iterator[None]:
    indexes = [index for table in tables for index in table.indexes]
    with write_connection(engine) as connection, connection.begin():
        for index in indexes:
            index.drop(connection)
    yield
    for index in indexes:
        with write_connection(engine) as connection, connection.begin():
            index.create(connection)


def _searches(url: str) -> dict[str, float]:
    """The longest of some tries, in milliseconds."""
    engine = open_engine(url)
    now = datetime.now(UTC)

    def days(number: int) -> timedelta:
        return timedelta(days=DAYS * number / TRIES)

    asked: dict[str, Callable[[int], Search]] = {
        "number": lambda n: Search(mobile=f"138{n * 7919 * 7919 % 100_000_000:08d}"),
        "client": lambda n: Search(client=f"client-{n % 10}"),
        "client_day": lambda n: Search(
            client=f"client-{n % 10}", since=now - days(n + 1), until=now - days(n)
        ),
        "day": lambda n: Search(since=now - days(n + 1), until=now - days(n)),
        "delivered": lambda n: Search(state=State.DELIVERED, until=now - days(n)),
        "undelivered": lambda n: Search(state=State.UNDELIVERED, until=now - days(n)),
        "rejected_of_client": lambda n: Search(state=State.REJECTED, client=f"client-{n % 10}"),
        "expired": lambda n: Search(state=State.EXPIRED),
        "queued": lambda n: Search(state=State.QUEUED),
        "submitted_3_days": lambda n: Search(state=State.SUBMITTED, since=now - timedelta(days=3)),
    }
    found = {}
    for name, ask in asked.items():
        took = []
        for number in range(TRIES):
            wanted = ask(number)
            with reading(engine) as connection:
                started = time.monotonic()
                search(connection, wanted, PAGE)
                took.append(time.monotonic() - started)
        found[name] = round(max(took) * 1000, 1)
    engine.dispose()
    return found
