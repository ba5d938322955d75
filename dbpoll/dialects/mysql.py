"""MySQL and MariaDB.

READ COMMITTED, because under REPEATABLE READ a locking read also locks the gaps between the
rows it passed, and the hospital's inserts would wait for us. An old database in utf8mb3 keeps
no character beyond U+FFFF: `binding` writes '?' for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Connection, Engine, event, func
from sqlalchemy.dialects.mysql.base import MySQLCompiler
from sqlalchemy.types import TypeEngine

from dbpoll.dialects.base import CONNECT_TIMEOUT_S, Tongue
from dbpoll.dialects.given import Document, Given
from dbpoll.settings import Settings

_SIGNAL, _CHECK_MARIADB, _CHECK_MYSQL = 1644, 4025, 3819
_LOCK_WAIT, _DEADLOCK = 1205, 1213


# Of the protocol: TIMESTAMP, DATE, DATETIME.
_MOMENTS = {7, 10, 12}


def _conversions() -> dict[Any, Any]:
    """PyMySQL's, but moments stay texts until somebody asks (`reading.moment`): a datetime costs
    more than the rest of a row, and most are of no use (CREATED_AT)."""
    from pymysql.converters import conversions

    return {kind: way for kind, way in conversions.items() if kind not in _MOMENTS}


class MySql(Tongue):
    # A range it would sort, and lock every row that it sorts.
    by_range: ClassVar[bool] = False
    moments_as_text: ClassVar[bool] = True
    dual: ClassVar[str] = "DUAL"
    fault_numbers: ClassVar[frozenset[int]] = frozenset({_SIGNAL, _CHECK_MARIADB, _CHECK_MYSQL})
    lock_numbers: ClassVar[frozenset[int]] = frozenset({_LOCK_WAIT, _DEADLOCK})

    @property
    def skips_locked(self) -> bool:
        version = self.dialect.server_version_info or ()
        return version >= ((10, 6) if getattr(self.dialect, "is_mariadb", False) else (8, 0, 1))

    @property
    def _has_json_table(self) -> bool:
        version = self.dialect.server_version_info or ()
        return version >= ((10, 6) if getattr(self.dialect, "is_mariadb", False) else (8, 0, 4))

    def arguments(self, settings: Settings) -> dict[str, Any]:
        # One second more than the server's own limit, which leaves the connection usable.
        wait = settings.statement_timeout_s + 1
        told = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": wait,
            "write_timeout": wait,
            "charset": "utf8mb4",
        }
        return told | {"conv": _conversions()} if self.dialect.driver == "pymysql" else told

    def options(self, settings: Settings) -> dict[str, Any]:
        return {"isolation_level": "READ COMMITTED"}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        engine.dialect.statement_compiler = _StraightCompiler
        dialect: Any = engine.dialect
        dialect.do_commit = partial(_end, dialect.do_commit)
        dialect.do_rollback = partial(_end, dialect.do_rollback)
        event.listen(engine, "connect", partial(_limit, settings))

    def single(self, connection: Connection, alone: bool) -> None:
        driver: Any = connection.connection.driver_connection
        if driver.get_autocommit() != alone:
            driver.autocommit(alone)

    def interrupt(self, driver: Any) -> None:
        # PyMySQL has no cancel; a closed socket ends the wait.
        driver._force_close()

    def given(self, kinds: Mapping[str, TypeEngine[Any]], *, raw: bool = False) -> Given:
        if raw or not self._has_json_table:
            return super().given(kinds)
        return Document(kinds, self.dialect)

    def refine(
        self, connection: Connection, schema: str | None, table: str, there: dict[str, Any]
    ) -> None:
        # SHOW CREATE TABLE, which SQLAlchemy reads, leaves out a collation that is the table's.
        quote = self.dialect.identifier_preparer.quote
        name = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
        for found in connection.exec_driver_sql(f"SHOW FULL COLUMNS FROM {name}").mappings():
            if found["Collation"] and hasattr(there[found["Field"]], "collation"):
                there[found["Field"]].collation = found["Collation"]

    def unsought(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # By the index on STATUS it would pass, and lock, every row on its way to ours.
        return func.coalesce(column)

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str]:
        lines = connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).mappings()
        return [f"{line['table']} {line['type']} {line['key']} {line['Extra']}" for line in lines]

    def scans(self, plan: list[str], table: str) -> bool:
        return any(line.lower().startswith(f"{table.lower()} all") for line in plan)


class _StraightCompiler(MySQLCompiler):
    """Writes an UPDATE from given values so that each of them finds its row by the key, and
    never the other way round, by way of rows that others may hold."""

    def update_tables_clause(
        self, update_stmt: Any, from_table: Any, extra_froms: Any, **kw: Any
    ) -> str:
        tables = [*extra_froms, from_table]
        return " STRAIGHT_JOIN ".join(
            str(table._compiler_dispatch(self, asfrom=True, **kw)) for table in tables
        )


def _end(finish: Callable[[Any], None], connection: Any) -> None:
    """End a transaction, if there is one: an idle look is then a single statement."""
    if not connection.get_autocommit():
        finish(connection)


def _limit(settings: Settings, connection: Any, _record: Any) -> None:
    # A wait of a whole number of seconds, at least 1.
    wait = max(1, round(settings.lock_timeout_s))
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {wait}")
        # We touch few rows, each by an index; a scan would wait for rows that aren't ours.
        cursor.execute("SET SESSION max_seeks_for_key = 1")
        if "mariadb" in str(connection.get_server_info()).lower():
            cursor.execute("SET SESSION join_cache_level = 0")
            cursor.execute(f"SET SESSION max_statement_time = {settings.statement_timeout_s:f}")
        else:
            cursor.execute("SET SESSION optimizer_switch = 'block_nested_loop=off'")
            # Of SELECTs only: MySQL knows no limit for the others.
            wait_ms = int(settings.statement_timeout_s * 1000)
            cursor.execute(f"SET SESSION max_execution_time = {wait_ms}")
