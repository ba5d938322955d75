"""How long the statements of a poll take over an empty table, and over one with many old rows.

    python -m tests.dbpoll.old_rows 10000000 [postgresql mysql sqlite]

Each database gets the contract's table as `sms-adapter ddl` makes it, first without rows, then with
that many that were delivered long ago, and a source at default settings: it meets nothing new for a
while, then a new row every tenth of a second. Printed, in milliseconds: the median and the slowest
of the statements that look for new rows and claim them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from dbpoll.ddl import ddl
from dbpoll.settings import Settings
from dbpoll.source import Source
from dbpoll.values import at_once
from tests.conftest import start_postgres
from tests.dbpoll.conftest import ZONE, Book, His
from tests.mariadb import MariaDb

IDLE_S = 10.0
ROWS = 100
NUMBERS: Mapping[str, str] = {
    "postgresql": "(SELECT generate_series(1, {n}) AS i) AS s",
    "mysql": "(SELECT seq AS i FROM seq_1_to_{n}) AS s",
    "sqlite": (
        "(WITH RECURSIVE up(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM up WHERE i < {n}) "
        "SELECT i FROM up) AS s"
    ),
}
"""A table of the numbers from 1 to n."""
AFTERWARDS: Mapping[str, str] = {
    "postgresql": "VACUUM ANALYZE sms_outbound",
    "mysql": "ANALYZE TABLE SMS_OUTBOUND",
    "sqlite": "ANALYZE",
}


def fill(his: His, rows: int) -> None:
    """Rows that were taken, sent and delivered."""
    his.run(
        "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT, STATUS, MESSAGE_ID, RESULT_CODE) "
        "SELECT i, '13800138000', '请准时', 3, '1', 'DELIVRD' FROM "
        + NUMBERS[his.dialect].format(n=rows)
    )
    with his.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(AFTERWARDS[his.dialect])


class Clock:
    """How long each statement of the claimer's thread took."""

    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self._began = 0.0

    def before(self, *_: Any) -> None:
        if _claims():
            self._began = time.perf_counter()

    def after(self, *_: Any) -> None:
        if _claims():
            self.took_ms.append(1000 * (time.perf_counter() - self._began))

    def told(self) -> dict[str, float]:
        took, self.took_ms = self.took_ms, []
        return {
            "statements": len(took),
            "median": round(statistics.median(took), 2),
            "slowest": round(max(took), 2),
        }


def _claims() -> bool:
    return threading.current_thread().name.startswith("claim-")


@contextmanager
def timed() -> Iterator[Clock]:
    clock = Clock()
    event.listen(Engine, "before_cursor_execute", clock.before)
    event.listen(Engine, "after_cursor_execute", clock.after)
    yield clock
    event.remove(Engine, "before_cursor_execute", clock.before)
    event.remove(Engine, "after_cursor_execute", clock.after)


def poll(his: His, first: int) -> dict[str, dict[str, float]]:
    """Both figures of one source; `first` is the id of the first new row."""
    book = Book()
    source = Source(Settings(name="his", url=his.url, zone=ZONE), at_once(book.take))
    with timed() as clock:
        source.start()
        time.sleep(IDLE_S / 5)
        # What a start looks for is not what a poll looks for.
        clock.took_ms.clear()
        time.sleep(IDLE_S)
        idle = clock.told()
        for number in range(first, first + ROWS):
            his.insert(1, number)
            time.sleep(0.1)
        book.wait_for(lambda: len(book.messages) == ROWS)
        busy = clock.told()
    assert source.stop()
    return {"idle": idle, "new rows": busy}


def measure(url: str, rows: int) -> None:
    his = His(url)
    his.script(ddl(his.dialect))
    empty = poll(his, 1)
    his.run("DELETE FROM SMS_OUTBOUND")
    fill(his, rows)
    full = poll(his, rows + 1)
    his.engine.dispose()
    print(json.dumps({"database": his.dialect, "empty": empty, f"{rows} old": full}), flush=True)


def on_postgresql(rows: int) -> None:
    server = start_postgres()
    measure(server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1), rows)
    server.cleanup()


def on_mysql(rows: int) -> None:
    server = MariaDb()
    with server.database() as url:
        measure(url, rows)
    server.remove()


def on_sqlite(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(f"sqlite:///{Path(folder) / 'his.db'}", rows)


DATABASES: Mapping[str, Callable[[int], None]] = {
    "postgresql": on_postgresql,
    "mysql": on_mysql,
    "sqlite": on_sqlite,
}


if __name__ == "__main__":
    for name in sys.argv[2:] or list(DATABASES):
        DATABASES[name](int(sys.argv[1]))
