"""Load by the database: rows into SMS_OUTBOUND, done when each has its final STATUS."""

from __future__ import annotations

import time

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from adapter.bench.load import CONTENT, Pace, mobile
from dbpoll.ddl import ddl
from dbpoll.dialects import with_driver

CHUNK = 1_000
# Made in the database, so that the hospital's own work is not what is measured.
_INSERT = text(
    "INSERT INTO SMS_OUTBOUND (ID, MOBILE, CONTENT, BUSINESS, STATUS) "
    "WITH RECURSIVE made (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM made WHERE n < :last) "
    "SELECT n + :first, CAST(n + :phone AS CHAR(11)), :content, 'bench', 0 FROM made"
)
_STATUSES = text('SELECT MOBILE AS "MOBILE", STATUS AS "STATUS" FROM SMS_OUTBOUND')
_DONE = text("SELECT count(*) FROM SMS_OUTBOUND WHERE STATUS >= 3")


class Table:
    """A HIS that inserts rows and waits for their results. `visible`: by number, when its row was
    committed, in milliseconds since 1970."""

    def __init__(self, url: str) -> None:
        parsed = with_driver(make_url(url))
        self.visible: dict[str, float] = {}
        self._engine = create_engine(parsed)
        if parsed.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _write_ahead)
        _create(self._engine)

    def feed(self, messages: int, pace: Pace, after: int = 0) -> None:
        """Insert all rows, numbered from `after`, in transactions of at most `CHUNK` rows."""
        made, end = after, after + messages
        while made < end:
            due = pace.wait(min(CHUNK, end - made))
            with self._engine.begin() as connection:
                connection.execute(
                    _INSERT,
                    {
                        # From 1 on: MySQL takes 0 for "the next number".
                        "first": made + 1,
                        "last": due - 1,
                        "phone": int(mobile(made)),
                        "content": CONTENT,
                    },
                )
            at = time.time() * 1000
            self.visible.update((mobile(number), at) for number in range(made, made + due))
            made += due

    def finished(self) -> int:
        """How many rows have their final status."""
        with self._engine.connect() as connection:
            return int(connection.execute(_DONE).scalar_one())

    def statuses(self) -> dict[str, int]:
        """The STATUS of each number's row."""
        with self._engine.connect() as connection:
            rows = connection.execute(_STATUSES)
            return {row.MOBILE: row.STATUS for row in rows}

    def close(self) -> None:
        self._engine.dispose()


def _write_ahead(connection: object, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA busy_timeout=30000")  # type: ignore[attr-defined]


def _create(engine: Engine) -> None:
    statements = ddl(engine.dialect.name)
    with engine.begin() as connection:
        for statement in statements.split(";\n"):
            if any(line and not line.startswith("--") for line in statement.splitlines()):
                connection.exec_driver_sql(statement)
