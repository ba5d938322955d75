"""What many stored messages cost: those that come, and those that are looked for.

The store is filled with messages of the last hundred days, one a submission, all ended: what is
sealed from here, the rest by the database itself. Secondary indexes are built afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, text

from adapter.bench.databases import Databases
from adapter.bench.load import CONTENT
from adapter.bench.rig import STORE_KEY, Line
from adapter.bench.run import Wanted, bench
from adapter.domain.ids import id_at
from adapter.domain.states import State
from adapter.store import bulk
from adapter.store.engine import open_engine, write_connection
from adapter.store.migrate import upgrade
from adapter.store.reading import reading
from adapter.store.schema import message, not_delivered, segment, submission
from adapter.store.sealing import MESSAGE_MOBILE, SUBMISSION_CONTENT, seal_of
from adapter.store.search import Search, search
from adapter.store.store_keys import open_seal, prepare
from adapter.store.upkeep import tend

DAYS = 100
FEW = 10_000
SENT = 20_000
PAGE = 50
TRIES = 20
CHUNK = 50_000
_CLOCK_BITS = 22

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
    prepare(engine, [STORE_KEY])
    open_seal(engine, [STORE_KEY])
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
    at = int(oldest.timestamp() * 1000)
    _add_sealed(
        connection,
        (
            (i, id_at(oldest) + (i * step_ms << _CLOCK_BITS), at + i * step_ms)
            for i in range(first, end)
        ),
    )
    words = {
        "id": f"({id_at(oldest)} + i * {step_ms} * {1 << _CLOCK_BITS})",
        "at": f"({at} + i * {step_ms})",
        "state": _STATE,
    }
    if connection.dialect.name == "sqlite":
        words |= {
            "numbers": f"(WITH RECURSIVE n(i) AS (VALUES ({first}) UNION ALL "  # noqa: S608
            f"SELECT i + 1 FROM n WHERE i < {end - 1}) SELECT i FROM n)"
        }
    else:
        words |= {
            "numbers": f"generate_series({first}::bigint, {end - 1}) AS n(i)",
        }
    for statement in (_SEGMENT, _NOT_DELIVERED):
        connection.execute(text(statement.format(**words).replace("::", r"\:\:")))


def _add_sealed(connection: Connection, made: Iterable[tuple[int, int, int]]) -> None:
    """Submissions and messages, by their number, id and moment."""
    seal = seal_of(connection)
    submissions: list[bulk.Row] = []
    messages: list[bulk.Row] = []
    for i, own, at in made:
        client, ref = f"client-{i % 10}", f"ref-{i}"
        content = seal.sealed(SUBMISSION_CONTENT, own, CONTENT)
        submissions.append(
            (own, client, "soap", None, ref, f"{client}//{ref}", "bench", "normal", content,
             None, None, None, True, at, at, at + 86_400_000, None)
        )  # fmt: skip
        mobile = mobile_of(i * 7919)
        state = _state(i)
        messages.append(
            (own + 1, own, None, seal.sealed(MESSAGE_MOBILE, own + 1, mobile), "mobile", None, 1,
             state, None, "bench-1", False, at, at + 3_000, seal.key_of(mobile))
        )  # fmt: skip
    bulk.insert(connection, submission, submissions)
    bulk.insert(connection, message, messages)


def mobile_of(number: int) -> str:
    return f"138{number % 100_000_000:08d}"


def _state(i: int) -> str:
    """As `_STATE` says it."""
    if i % 53:
        return State.DELIVERED
    return State.REJECTED if i % 1007 == 0 else State.UNDELIVERED


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
    open_seal(engine, [STORE_KEY])
    now = datetime.now(UTC)

    def days(number: int) -> timedelta:
        return timedelta(days=DAYS * number / TRIES)

    asked: dict[str, Callable[[int], Search]] = {
        "number": lambda n: Search(mobile=mobile_of(n * 7919 * 7919)),
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
