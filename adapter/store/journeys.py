"""Fewer journeys to the database.

A statement that is waited for costs its thread a journey: to the server and back, and then to the
interpreter, which others use meanwhile. Under load that is milliseconds, many times what the
statement itself takes. So on PostgreSQL writes whose answer nobody reads stay here until the next
statement that is read, or the commit, and go in one journey with it (libpq's pipeline mode);
questions that do not wait for each other's answers are asked in one. SQLite has no journeys.

A fault of a write shows at the journey that carries it: later than where it was written, and
before the commit. A rollback forgets what is here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from psycopg import Pipeline
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Select,
    Text,
    bindparam,
    cast,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningDelete

Row = tuple[Any, ...]
Statement = Select[Any] | ReturningDelete[Any]
Among = Callable[[ColumnElement[Any]], ColumnElement[bool]]

_KEEPS = "keeps_writes"
_KEPT = "writes"
_EXPECTED = "expected"


def keep_writes(engine: Engine) -> None:
    """Let the connections of this engine, to a PostgreSQL, keep writes for a common journey."""
    engine.update_execution_options(**{_KEEPS: True})
    event.listen(engine, "before_cursor_execute", lambda connection, *_: _send(connection))
    event.listen(engine, "commit", _send_and_commit)
    event.listen(engine, "rollback", _forget)


def write(connection: Connection, statement: str, parameters: Sequence[Any]) -> None:
    """Execute a statement of which nobody reads an answer; `parameters` in the driver's form."""
    if connection.get_execution_options().get(_KEEPS):
        connection.info.setdefault(_KEPT, []).append((statement, parameters))
    else:
        connection.exec_driver_sql(statement, tuple(parameters))


class Question:
    """A statement about those rows whose column is among some keys, the same for any number of
    them. `build` makes it, given what puts a column among the keys."""

    def __init__(self, build: Callable[[Among], Statement]) -> None:
        self._build = build
        self._made: dict[str, tuple[str, dict[str, Any]]] = {}

    def text(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """The statement in the driver's form, with the keys in the parameter `keys`, as `_given`
        writes them; and its constants."""
        made = self._made.get(dialect.name)
        if made is None:
            forms = _FORMS[dialect.name]
            compiled = self._build(forms.among).compile(dialect=forms.dialect)
            made = self._made[dialect.name] = str(compiled), dict(compiled.params)
        return made


def expect(
    connection: Connection,
    question: Question,
    keys: Sequence[Any],
    judge: Callable[[Sequence[Row]], None],
) -> None:
    """Ask a question with the next journey; `judge` hears the answer before anything else, the
    commit too, and may raise. One at a time."""
    if connection.get_execution_options().get(_KEEPS):
        connection.info[_EXPECTED] = question, keys, judge
    else:
        judge(*ask(connection, (question, keys)))


def ask(connection: Connection, *asked: tuple[Question, Sequence[Any]]) -> list[Sequence[Row]]:
    """The answers to questions about keys, in one journey; none is asked about no keys. Rows are
    as the driver has them: with SQLite, a truth is 0 or 1."""
    dialect = connection.dialect
    if connection.get_execution_options().get(_KEEPS):
        with _one_journey(connection) as driver:
            cursors = [
                _asked(driver, dialect, question, keys) if keys else None
                for question, keys in asked
            ]
        return [cursor.fetchall() if cursor is not None else [] for cursor in cursors]
    with driver_of(connection) as driver:
        return [
            _asked(driver, dialect, question, keys).fetchall() if keys else []
            for question, keys in asked
        ]


def _asked(driver: Any, dialect: Dialect, question: Question, keys: Sequence[Any]) -> Any:
    """A cursor that will have the answer."""
    text, constants = question.text(dialect)
    return driver.execute(text, {**constants, "keys": _FORMS[dialect.name].given(keys)})


def _send(connection: Connection) -> None:
    """Send what is kept."""
    if connection.info.get(_KEPT) or connection.info.get(_EXPECTED):
        with _one_journey(connection):
            pass


def _forget(connection: Connection) -> None:
    # One that broke has lost them already.
    if not connection.invalidated:
        connection.info.pop(_KEPT, None)
        connection.info.pop(_EXPECTED, None)


def _send_and_commit(connection: Connection) -> None:
    """Send what is kept, and the commit with it; the driver has nothing left to commit then. Not
    the commit where an answer has to be judged first."""
    if connection.info.get(_EXPECTED):
        _send(connection)
    elif connection.info.get(_KEPT):
        with _one_journey(connection) as driver:
            driver.commit()


@contextmanager
def _one_journey(connection: Connection) -> Iterator[Any]:
    """What is kept, and what is executed inside, in one journey."""
    kept = connection.info.pop(_KEPT, ())
    expected = connection.info.pop(_EXPECTED, None)
    judged: Any = None
    with driver_of(connection) as driver:
        with driver.pipeline() if Pipeline.is_supported() else nullcontext():
            if expected is not None:
                judged = _asked(driver, connection.dialect, *expected[:2])
            for statement, parameters in kept:
                driver.execute(statement, parameters)
            yield driver
        if expected is not None:
            expected[2](judged.fetchall())


@contextmanager
def driver_of(connection: Connection) -> Iterator[Any]:
    """The driver's own connection, in a transaction that is open: past SQLAlchemy, which costs
    more than many a statement. Callers tell faults apart by its classes, though."""
    error_class = connection.dialect.loaded_dbapi.Error
    try:
        yield connection.connection.driver_connection
    except error_class as error:
        raise DBAPIError.instance(
            "statements past SQLAlchemy",
            None,
            error,
            error_class,
            hide_parameters=True,
            dialect=connection.dialect,
        ) from error


def array(values: Sequence[Any]) -> str:
    """An array in PostgreSQL's text form (8.15.2): several times as fast as the driver's."""
    if None in values:
        return "{" + ",".join(map(_element, values)) + "}"
    if not isinstance(values[0] if values else 0, str):
        return "{" + ",".join(map(str, values)) + "}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return "{" + ",".join(map(_element, values)) + "}"
    return '{"' + joined + '"}'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unnested(column: ColumnElement[Any]) -> ColumnElement[bool]:
    # Not "= ANY": of an array that it does not see yet PostgreSQL expects ten keys, to be compared
    # with one row after another; a thousand were.
    return column.in_(select(func.unnest(cast(bindparam("keys", type_=Text), ARRAY(column.type)))))


def _in_json(column: ColumnElement[Any]) -> ColumnElement[bool]:
    listed = func.json_each(bindparam("keys", type_=Text)).table_valued("value")
    return column.in_(select(listed.c.value))


class _Forms(NamedTuple):
    """How a database is asked about keys: the condition, the keys as the one parameter that they
    are, and the dialect that writes parameters by name."""

    among: Among
    given: Callable[[Sequence[Any]], str]
    dialect: Dialect


_FORMS = {
    "postgresql": _Forms(_unnested, array, PGDialect_psycopg()),  # type: ignore[no-untyped-call]
    "sqlite": _Forms(_in_json, json.dumps, SQLiteDialect(paramstyle="named")),
}
