"""PostgreSQL, and what speaks its protocol (Kingbase).

Limits: the settings are made per session; a pooler in transaction mode between us and the
server forgets them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from sqlalchemy import CTE, ColumnElement, Connection, Engine, Select, event, func
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from dbpoll.dialects.base import CONNECT_TIMEOUT_S, Tongue
from dbpoll.dialects.given import Arrays, Given
from dbpoll.settings import Settings
from dbpoll.wakeup import Ear, Listener

CANCEL_TIMEOUT_S = 2.0
_RAISED = "P0001"
_LOCKED = ("55P03", "40P01")

# Dead peers are noticed within half a minute, also while we wait for an answer.
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

# We touch few rows, each by an index. Where the server's statistics are stale (every row was
# new when they were taken), its planner would rather read the whole table.
_BY_INDEX = dict.fromkeys(
    (
        "enable_seqscan",
        "enable_bitmapscan",
        "enable_hashjoin",
        "enable_mergejoin",
        "jit",
    ),
    "off",
)


class PostgreSql(Tongue):
    returning: ClassVar[bool] = True
    moments_as_text: ClassVar[bool] = True

    def arguments(self, settings: Settings) -> dict[str, Any]:
        # Statements prepared by the client do not survive a pooler in between.
        return {"connect_timeout": CONNECT_TIMEOUT_S, "prepare_threshold": None, **_KEEPALIVE}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        event.listen(engine, "connect", partial(_limit, settings))

    def relax(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET synchronous_commit TO off")
        connection.commit()

    def single(self, connection: Connection, alone: bool) -> None:
        driver: Any = connection.connection.driver_connection
        if driver.autocommit != alone:
            driver.autocommit = alone

    def ear(self, engine: Engine, settings: Settings, wake: Callable[[], None]) -> Ear | None:
        return Listener(engine, settings.channel, wake)

    def interrupt(self, driver: Any) -> None:
        driver.cancel_safe(timeout=CANCEL_TIMEOUT_S)

    def given(self, kinds: Mapping[str, TypeEngine[Any]], *, raw: bool = False) -> Given:
        return Arrays(kinds)

    def returned(self, keys: Select[Any]) -> CTE:
        return keys.with_for_update(skip_locked=True).cte("free")

    def raw(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.convert_to(column, func.getdatabaseencoding())

    def unraw(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.convert_from(value, func.getdatabaseencoding())

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str]:
        lines = connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)
        return [str(line[0]) for line in lines]

    def scans(self, plan: list[str], table: str) -> bool:
        return any("Seq Scan on" in line and table.lower() in line.lower() for line in plan)

    def blames_row(self, fault: BaseException) -> bool:
        return super().blames_row(fault) or sqlstate(fault) == _RAISED

    def blames_lock(self, fault: BaseException) -> bool:
        return isinstance(fault, DBAPIError) and sqlstate(fault) in _LOCKED


def sqlstate(fault: BaseException) -> str:
    """PostgreSQL's five characters, or ""."""
    return str(getattr(getattr(fault, "orig", None), "sqlstate", None) or "")


def _limit(settings: Settings, connection: Any, _record: Any) -> None:
    limits = {
        "application_name": f"sms-adapter {settings.name}",
        "statement_timeout": str(int(settings.statement_timeout_s * 1000)),
        "lock_timeout": str(int(settings.lock_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(settings.statement_timeout_s * 2000)),
        **_BY_INDEX,
    }
    with connection.cursor() as cursor:
        for name, value in limits.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()
