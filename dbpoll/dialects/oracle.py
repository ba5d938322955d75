"""Oracle 11g to 23ai, and Dameng DM8, which speaks Oracle's language.

Traps that end here: FOR UPDATE takes neither ORDER BY nor FETCH FIRST (ORA-02014), so the
first keys are chosen by ROWNUM in a subquery; '' is NULL; lengths of VARCHAR2 count bytes
mostly; a NULL has a type; DATE has no fraction of a second; a database declared US7ASCII may
hold GBK bytes, which are read and written as RAW; IN takes 1,000 values at most. The driver
drops the zone of a TIMESTAMP WITH TIME ZONE, and refuses one that has a name (DPY-3022): so our
sessions live in the hospital's zone, where the server turns every moment into the wall clock and
back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    cast,
    event,
    func,
    literal_column,
    select,
    types,
)
from sqlalchemy.dialects import oracle
from sqlalchemy.types import TypeEngine

from dbpoll.dialects.base import CONNECT_TIMEOUT_S, Tongue
from dbpoll.dialects.given import Given, PerRow
from dbpoll.settings import Settings

# A text that is no number or no date.
_NO_VALUE = frozenset({1722, 1843, 1858, 1861, 6502})
_NULL, _TOO_LARGE, _CHECK = 1400, 12899, 2290
_NOT_NULL, _NUMBER = 1407, 1438
_RAISED = range(20000, 21000)
_BUSY, _WAITED, _DEADLOCK = 54, 30006, 60


_CHARACTERS = (types.String, types.LargeBinary)


class Oracle(Tongue):
    octets: ClassVar[bool] = True
    wide_integers: ClassVar[bool] = True
    binds_zones: ClassVar[bool] = False
    dual: ClassVar[str] = "DUAL"
    fault_numbers: ClassVar[frozenset[int]] = frozenset(
        {_NULL, _NOT_NULL, _NUMBER, _TOO_LARGE, _CHECK, *_NO_VALUE, *_RAISED}
    )
    lock_numbers: ClassVar[frozenset[int]] = frozenset({_BUSY, _WAITED, _DEADLOCK})

    def arguments(self, settings: Settings) -> dict[str, Any]:
        return {"tcp_connect_timeout": CONNECT_TIMEOUT_S}

    def options(self, settings: Settings) -> dict[str, Any]:
        if not settings.thick:
            return {}
        # Where the client's libraries lie; "system" where the loader finds them. Old databases
        # (11g) and old password forms need them: thin mode says DPY-3010 or DPY-3015.
        return {"thick_mode": True if settings.thick == "system" else {"lib_dir": settings.thick}}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        event.listen(engine, "connect", partial(_limit, settings))

    def first(self, query: Select[Any], most: str = "most") -> Select[Any]:
        inner = query.subquery("chosen")
        number = bindparam(most, type_=types.Integer())
        return select(*inner.c).where(literal_column("ROWNUM") <= number)

    def free(self, query: Select[Any], key: ColumnElement[Any], keys: Select[Any]) -> Select[Any]:
        return self.held(query.where(key.in_(self.first(keys))))

    def raw(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.UTL_RAW.CAST_TO_RAW(column)

    def unraw(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.UTL_RAW.CAST_TO_VARCHAR2(value)

    def moment(self, column: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
        if not getattr(kind, "timezone", False) and not getattr(kind, "local_timezone", False):
            return column
        return cast(cast(column, oracle.TIMESTAMP(local_timezone=True)), oracle.TIMESTAMP())

    def given(self, kinds: Mapping[str, TypeEngine[Any]], *, raw: bool = False) -> Given:
        # A NULL that is bound has the type of a text, and COALESCE takes no mixture (ORA-00932).
        given = PerRow({name: self.bind_type(kind) for name, kind in kinds.items()})
        texts = [name for name, kind in kinds.items() if isinstance(kind, _CHARACTERS)]
        for name in kinds.keys() - {*texts, "final"}:
            given.columns[name] = cast(given.columns[name], kinds[name])
        for name, kind in kinds.items():
            if isinstance(kind, types.CLOB | oracle.NCLOB):
                given.columns[name] = self._long(given.columns[name], kind)
        return given

    def _long(self, value: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
        """A text for a CLOB."""
        return func.TO_NCLOB(value) if isinstance(kind, oracle.NCLOB) else func.TO_CLOB(value)

    def bind_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
        # A TIMESTAMP bound as DATE loses its fraction; a DATE bound as TIMESTAMP loses its index.
        if getattr(kind, "timezone", False) or getattr(kind, "local_timezone", False):
            return oracle.TIMESTAMP()
        return kind if isinstance(kind, types.DateTime | types.TIMESTAMP) else None

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str] | None:
        connection.exec_driver_sql(f"EXPLAIN PLAN FOR {sql}", parameters)
        lines = connection.exec_driver_sql("SELECT * FROM TABLE(DBMS_XPLAN.DISPLAY)")
        return [str(line[0]) for line in lines]

    def scans(self, plan: list[str], table: str) -> bool:
        return any("TABLE ACCESS FULL" in line and table.upper() in line for line in plan)


class Dameng(Oracle):
    binds_zones: ClassVar[bool] = True

    def _long(self, value: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
        return value

    def moment(self, column: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
        return column

    def options(self, settings: Settings) -> dict[str, Any]:
        return {}

    def arguments(self, settings: Settings) -> dict[str, Any]:
        return {"connection_timeout": CONNECT_TIMEOUT_S, "login_timeout": CONNECT_TIMEOUT_S}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        """Its driver has no limit for a statement; the server's own holds."""

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str] | None:
        return [str(line[-1]) for line in connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)]

    def scans(self, plan: list[str], table: str) -> bool:
        return any("CSCN" in line and table.upper() in line.upper() for line in plan)


def _limit(settings: Settings, connection: Any, _record: Any) -> None:
    connection.call_timeout = int(settings.statement_timeout_s * 1000)
    cursor = connection.cursor()
    cursor.execute(f"ALTER SESSION SET TIME_ZONE = '{zone_of(settings.zone)}'")
    cursor.close()


def zone_of(zone: tzinfo, now: datetime | None = None) -> str:
    """A time zone as Oracle knows it: by its name, else by what it is off UTC now."""
    if isinstance(zone, ZoneInfo):
        return str(zone)
    minutes = int((zone.utcoffset(now or datetime.now(UTC)) or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
