"""SQL Server.

Rows that others hold are passed over with READPAST; UPDLOCK and ROWLOCK keep what was read
ours until it is marked. Not by OUTPUT: a table with a trigger refuses it (error 334). A
DATETIME keeps 1/300 s and takes no more than three digits of a fraction.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from sqlalchemy import VARBINARY, ColumnElement, Engine, Select, cast, event, text
from sqlalchemy.types import TypeEngine

from dbpoll.dialects.base import CONNECT_TIMEOUT_S, Tongue
from dbpoll.settings import Settings

# A text that is no number or no date; the message of 245 tells the text.
_NO_VALUE = frozenset({241, 245, 8114})
_NULL, _CHECK, _TRUNCATED, _RAISED = 515, 547, 8152, 50000
_TRUNCATED_2019 = 2628
_LOCK_WAIT, _DEADLOCK = 1222, 1205
_HINT = "WITH (UPDLOCK, READPAST, ROWLOCK)"


class SqlServer(Tongue):
    octets: ClassVar[bool] = True
    fault_numbers: ClassVar[frozenset[int]] = frozenset(
        {_NULL, _CHECK, _TRUNCATED, _TRUNCATED_2019, _RAISED, *_NO_VALUE}
    )
    lock_numbers: ClassVar[frozenset[int]] = frozenset({_LOCK_WAIT, _DEADLOCK})

    def arguments(self, settings: Settings) -> dict[str, Any]:
        if self.dialect.driver == "pyodbc":
            return {"timeout": CONNECT_TIMEOUT_S}
        return {"login_timeout": CONNECT_TIMEOUT_S, "timeout": int(settings.statement_timeout_s)}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        event.listen(engine, "connect", partial(_limit, settings))

    def first(self, query: Select[Any], most: str = "most") -> Select[Any]:
        # SQLAlchemy would number the rows, and the hints lock every row that is numbered.
        return query.prefix_with(text(f"TOP (:{most})"))

    def held(self, query: Select[Any]) -> Select[Any]:
        for table in query.get_final_froms():
            query = query.with_hint(table, _HINT, "mssql")
        return query

    def raw(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(column, VARBINARY(8000))

    def unraw(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return value

    def bind_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
        return None


def _limit(settings: Settings, connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET LOCK_TIMEOUT {int(settings.lock_timeout_s * 1000)}")
    cursor.close()
    if hasattr(connection, "timeout") and isinstance(connection.timeout, int):
        connection.timeout = int(settings.statement_timeout_s)
