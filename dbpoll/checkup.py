"""Proves, before a source goes live, that it can do what it will have to do.

Connects, finds the tables, tries each kind of write on no row at all (a database checks rights
all the same), and asks for the indexes. The hospital's own statements are run for a row that is
not there, and undone. Nothing is changed, unless a procedure of the hospital commits by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, false, insert, inspect, select, text, types, update
from sqlalchemy.exc import SQLAlchemyError

from dbpoll.database import Line, open_engine, reason
from dbpoll.dialects.base import Tongue
from dbpoll.feeds.shelf import QueryShelf, TableShelf, fetched, used
from dbpoll.feeds.status import Claims
from dbpoll.parameters import ROW
from dbpoll.settings import Settings, Strategy
from dbpoll.tables import Found, Tables, find, find_outbound, find_results
from dbpoll.values import TableFault
from dbpoll.writeback import NO_ROW, probes

# What our values are long at most; a shorter column cuts them.
_LENGTHS = {"MOBILE": 11, "RESULT_CODE": 20, "STATE": 11, "ACCESS_NUMBER": 21}
_HINTS = {
    "DPY-3010": "this Oracle is too old for thin mode: install its client and set thick",
    "DPY-3015": "the account has only an old password form: the DBA sets its password anew,"
    " or set thick",
    "DPI-1047": "the libraries of Oracle's client are not where thick says",
    "ModuleNotFoundError": "its driver is not installed here",
}


class Finding(NamedTuple):
    """`fault`: the source cannot work; else it will, but somebody should know."""

    fault: bool
    what: str


def examine(settings: Settings) -> list[Finding]:
    """What is wrong with a source, as its database tells."""
    return list(_examine(settings))


def _examine(settings: Settings) -> Iterator[Finding]:
    try:
        line = Line(open_engine(settings))
    except Exception as fault:
        # Each driver has its own way of missing its libraries.
        yield Finding(True, explained(fault))
        return
    try:
        yield from line.run(lambda connection: list(_outbound(connection, line, settings)))
    except (SQLAlchemyError, OSError, TableFault) as fault:
        yield Finding(True, explained(fault))
    finally:
        line.close()
    if settings.results_url:
        yield from _elsewhere(settings)


def _elsewhere(settings: Settings) -> Iterator[Finding]:
    line = Line(open_engine(settings, settings.results_url))
    try:
        receipt, inbound = line.run(lambda connection: find_results(connection, settings))
        tables = Tables(None, receipt, inbound, None, ())
        yield from line.run(lambda connection: list(_rights(connection, settings, tables)))
        yield from line.run(lambda connection: list(_ways_home(connection, line, settings)))
    except (SQLAlchemyError, OSError, TableFault) as fault:
        yield Finding(True, f"results: {explained(fault)}")
    finally:
        line.close()


def _outbound(connection: Connection, line: Line, settings: Settings) -> Iterator[Finding]:
    tongue = line.tongue
    if settings.results_url:
        outbound = find_outbound(connection, settings)
        tables = Tables(outbound, None, None, None, ())
    else:
        tables = find(connection, settings)
    if tables.missing:
        names = ", ".join(tables.missing)
        yield Finding(False, f"{settings.table} has no column {names}: done without")
    yield from _rights(connection, settings, tables)
    yield from _look(connection, tongue, settings, tables.outbound)
    yield from _own_statements(connection, line, settings)
    if tables.outbound is not None:
        yield from _types(settings.table, tables.outbound)
        yield from _key(settings, tables.outbound)
        yield from _same_keys(settings, tables)
        yield from _index(connection, settings, tables.outbound)
        yield from _plan(connection, tongue, settings, tables.outbound)


def _rights(connection: Connection, settings: Settings, tables: Tables) -> Iterator[Finding]:
    for what, statement in _attempts(settings, tables):
        try:
            with connection.begin_nested():
                connection.execute(statement)
        except SQLAlchemyError as fault:
            yield Finding(True, f"{what}: {explained(fault)}")


def _attempts(settings: Settings, tables: Tables) -> Iterator[tuple[str, Any]]:
    outbound = tables.outbound
    if outbound is not None:
        everything = list(outbound.columns.values())
        yield f"SELECT on {settings.table}", select(*everything).where(false())
        if settings.row_written or settings.strategy is Strategy.STATUS:
            ours = {
                column: column
                for name, column in outbound.columns.items()
                if name in (*ROW, "TAKEN_AT")
            }
            changed = update(outbound.table).values(ours).where(false())
            yield f"UPDATE on {settings.table}", changed
        if settings.strategy is Strategy.REMOVE:
            yield f"DELETE on {settings.table}", delete(outbound.table).where(false())
        if tables.target is not None:
            yield f"INSERT on {settings.move_to}", _nothing_into(tables.target.table)
    for name, found in (
        (settings.receipt_table, tables.receipt),
        (settings.inbound_table, tables.inbound),
    ):
        if found is not None:
            yield f"SELECT on {name}", select(*found.columns.values()).where(false())
            yield f"INSERT on {name}", _nothing_into(found.table)


def _look(
    connection: Connection, tongue: Tongue, settings: Settings, found: Found | None
) -> Iterator[Finding]:
    """Look for one new row, and undo what an own statement does."""
    attempt = connection.begin_nested()
    try:
        if found is None:
            QueryShelf(settings).after(connection, None, 1)
        elif settings.strategy is Strategy.STATUS:
            Claims(settings, TableShelf(settings, found, tongue)).look(connection, 1)
        else:
            TableShelf(settings, found, tongue).after(connection, None, 1)
    except (SQLAlchemyError, TableFault) as fault:
        if not tongue.blames_row(fault):
            yield Finding(True, f"a look for new rows: {explained(fault)}")
    finally:
        attempt.rollback()


def _own_statements(connection: Connection, line: Line, settings: Settings) -> Iterator[Finding]:
    """Each statement of the hospital's own but <fetch>, on a row that is not there."""
    sql, tongue = settings.sql, line.tongue
    for name in ("claim", "remove"):
        if statement := getattr(sql, name):
            given = used(statement, {"ID": NO_ROW})
            run = partial(_execute, statement, given)
            yield from _tried(connection, tongue, name, run)
    if sql.recover:
        given = used(sql.recover, {"MOST": 1})
        query = text(sql.recover)
        yield from _tried(
            connection, tongue, "recover", lambda c: fetched(c, query, given, settings)
        )
    if not settings.results_url:
        yield from _ways_home(connection, line, settings)


def _ways_home(connection: Connection, line: Line, settings: Settings) -> Iterator[Finding]:
    for name, run in probes(settings, line):
        yield from _tried(connection, line.tongue, name, run)


def _execute(statement: str, given: Mapping[str, Any], connection: Connection) -> None:
    connection.execute(text(statement), given)


def _tried(
    connection: Connection, tongue: Tongue, name: str, run: Callable[[Connection], object]
) -> Iterator[Finding]:
    attempt = connection.begin_nested()
    try:
        run(connection)
    except (SQLAlchemyError, TableFault, UnicodeError) as fault:
        # A constraint or procedure may dislike a row that nobody inserted.
        blamed = tongue.blames_row(fault)
        told = reason(fault, tongue) if blamed else explained(fault)
        yield Finding(not blamed, f"<{name}> on a row that is not there: {told}")
    try:
        attempt.rollback()
    except SQLAlchemyError:
        told = "a transaction is its caller's, so what it does may be done by halves"
        yield Finding(False, f"<{name}> commits by itself: {told}")


def _nothing_into(table: Any) -> Any:
    columns = list(table.c)
    return insert(table).from_select(columns, select(*columns).where(false()))


def _types(table: str, found: Found) -> Iterator[Finding]:
    for name, needed in _LENGTHS.items():
        kind = found.kinds.get(name)
        length = getattr(kind, "length", None)
        if isinstance(kind, types.String) and length is not None and length < needed:
            told = f"{table}: the column for {name} keeps {length} characters of {needed}"
            yield Finding(False, told)
    for name in ("CONTENT", "RESULT_TEXT"):
        kind = found.kinds.get(name)
        named = f"{getattr(kind, 'charset', '')} {getattr(kind, 'collation', '')}"
        if "utf8_" in named or "utf8mb3" in named:
            told = f"{table}: the column for {name} is utf8mb3: other characters become '?'"
            yield Finding(False, told)


def _key(settings: Settings, found: Found) -> Iterator[Finding]:
    table, key = settings.table, found.kinds["ID"]
    if isinstance(key, types.Float | types.DateTime):
        yield Finding(True, f"{table}: the column for ID is {key}, which is no key")
    if settings.strategy is Strategy.WATERMARK and not _is_number(key):
        told = f"{table}: the column for ID is {key}: a text has no order in time ('9' > '10'),"
        yield Finding(True, f"{told} use another strategy than watermark")


def _same_keys(settings: Settings, tables: Tables) -> Iterator[Finding]:
    """Whether the keys fit where they are told."""
    assert tables.outbound is not None
    for name, found in (
        (settings.receipt_table, tables.receipt),
        (settings.inbound_table, tables.inbound),
    ):
        kind = None if found is None else found.kinds.get("OUTBOUND_ID")
        if kind is not None and _is_number(kind) and not _is_number(tables.outbound.kinds["ID"]):
            told = f"{name}: OUTBOUND_ID is {kind}, which holds no ID of {settings.table}"
            yield Finding(True, f"{told}, a {tables.outbound.kinds['ID']}")


def _is_number(kind: types.TypeEngine[Any]) -> bool:
    return isinstance(kind, types.Integer | types.Numeric)


def _index(connection: Connection, settings: Settings, found: Found) -> Iterator[Finding]:
    """Whether there is an index that begins with what each look begins with."""
    first = "STATUS" if settings.strategy is Strategy.STATUS else "ID"
    wanted = [found.columns[first].name]
    if first == "STATUS":
        wanted.append(found.columns["ID"].name)
    seen = inspect(connection)
    if found.table.name in seen.get_view_names(found.table.schema):
        return
    primary = seen.get_pk_constraint(found.table.name, found.table.schema)
    indexes = [list(primary.get("constrained_columns") or [])]
    for index in seen.get_indexes(found.table.name, found.table.schema):
        indexes.append([str(name) for name in index["column_names"]])
    if not any(each[: len(wanted)] == wanted for each in indexes):
        names = ", ".join(wanted)
        told = f"{settings.table} has no index on ({names}): each look reads the whole table"
        yield Finding(False, told)


def _plan(
    connection: Connection, tongue: Tongue, settings: Settings, found: Found
) -> Iterator[Finding]:
    shelf = TableShelf(settings, found, tongue)
    query: Any = shelf.narrowed(select(shelf.key)).order_by(shelf.key)
    if settings.strategy is Strategy.STATUS:
        query = Claims(settings, shelf).newest([shelf.key])
    compiled = (
        tongue.first(query)
        .params(most=1)
        .compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    )
    try:
        with connection.begin_nested():
            plan = tongue.plan(connection, str(compiled), ())
    except SQLAlchemyError:
        # A right to explain is not needed for the work itself.
        return
    if plan is not None and tongue.scans(plan, found.table.name):
        yield Finding(False, f"{settings.table}: a look reads the whole table: {plan[0].strip()}")


def explained(fault: BaseException) -> str:
    """What a database or its driver said, and what helps where we know."""
    cause = getattr(fault, "orig", None) or fault
    words = f"{type(cause).__name__}: {(str(cause).strip().splitlines() or [''])[0]}"
    hints: list[str] = [hint for sign, hint in _HINTS.items() if sign in words]
    return f"{words} ({hints[0]})" if hints else words
