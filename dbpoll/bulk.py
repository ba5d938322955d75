"""Statements that write many rows: forward, added once, or taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.types import Integer, LargeBinary, Numeric, String, TypeEngine

from dbpoll.binding import Binder, key_text
from dbpoll.dialects.base import Tongue
from dbpoll.dialects.given import Given, Values
from dbpoll.tables import Found, Target
from dbpoll.values import Status

AT_ONCE = 500
"""Keys in one IN: Oracle takes 1,000, SQL Server 2,100 parameters."""


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """No more than AT_ONCE each."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _as_it_is(value: Any) -> Any:
    return value


def _filled(value: Any) -> Any:
    # '' is NULL, as Oracle has it, and no number.
    return None if value == "" else value


def _kinds(found: Found, names: Sequence[str]) -> dict[str, TypeEngine[Any]]:
    """The types of what is given for these columns."""
    return {name: LargeBinary() if name in found.raw else found.kinds[name] for name in names}


class Among:
    """Which keys a statement is for: in one document or array where the database takes one, since
    a list of so many parameters costs more than all the rest of a claim. `run`: from `:first` to
    `:last`, for whole numbers without a gap, in whatever order they were read."""

    def __init__(self, key: ColumnElement[Any], kind: TypeEngine[Any], tongue: Tongue) -> None:
        plain = isinstance(kind, Integer | Numeric | String) and not isinstance(kind, LargeBinary)
        given = tongue.given({"key": kind}) if plain else None
        self._given = None if given is None or given.source is None else given
        self.condition: ColumnElement[bool] = (
            key.in_(bindparam("keys", expanding=True))
            if self._given is None
            else key == self._given.columns["key"]
        )

        self.run: ColumnElement[bool] = key.between(bindparam("first"), bindparam("last"))
        # In a column that may hold 1.5 there is something between 1 and 2.
        self._whole = isinstance(kind, Integer) and getattr(kind, "scale", 0) == 0

    def ends(self, keys: Sequence[Any]) -> dict[str, Any] | None:
        """The parameters of `run`, None where there is a gap between these keys."""
        if not self._whole or not all(isinstance(key, int) for key in keys):
            return None
        first, last = min(keys), max(keys)
        if len(set(keys)) == len(keys) == last - first + 1:
            return {"first": first, "last": last}
        return None

    def parameters(self, keys: Sequence[Any]) -> dict[str, Any]:
        if self._given is None:
            return {"keys": keys}
        found: dict[str, Any] = self._given.parameters([(key,) for key in keys])
        return found


class _Filling(NamedTuple):
    """A statement that fills some columns; `chosen` takes what it needs out of a row."""

    statement: Any
    given: Given
    chosen: Callable[[Values], Values]

    def parameters(self, rows: Iterable[Values]) -> Any:
        return self.given.parameters([self.chosen(row) for row in rows])


class Update:
    """Moves rows forward: sets what is given, keeps what is None, never goes back.

    A row is changed where it is new or taken, and by a final state also where it is submitted.
    `resend`: only by news of the sending that the row shows; a new one waits for its next.

    A batch names no column that none of its rows fills: less to send, and less to take apart.
    """

    def __init__(
        self, found: Found, tongue: Tongue, names: Sequence[str], *, resend: bool = False
    ) -> None:
        self._found = found
        self._tongue = tongue
        self._resend = resend
        self._names = tuple(name for name in names if name in found.columns)
        self._binders: list[Binder | None] = [found.binders[n] for n in ("ID", *self._names)]
        self._binders.append(None)
        self._positions = [0, *(1 + names.index(name) for name in self._names), 1 + len(names)]
        if resend:
            self._binders.append(found.binders["TAKEN_AT"])
            self._positions.append(2 + len(names))
        self._fillings: dict[tuple[str, ...], _Filling] = {}
        self.single = self.filling().given.source is not None
        columns = found.columns
        self._there = select(columns["ID"]).where(
            columns["ID"].in_(bindparam("keys", expanding=True))
        )
        self._free = tongue.held(self._there)

    def rows(self, values: Iterable[Values]) -> list[Values]:
        """Values (key, each name, final, when the sending was accepted) as the database takes
        them; those whose key cannot be one of the table's are left out."""
        columns = list(zip(*values))
        if not columns:
            return []
        made = [
            columns[place] if bind is None else map(bind, columns[place])
            for bind, place in zip(self._binders, self._positions)
        ]
        return [row for row in zip(*made) if row[0] is not None]

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        filled = tuple(
            name
            for name, column in zip(self._names, list(zip(*rows))[1:])
            if name in self._always or any(value is not None for value in column)
        )
        filling = self.filling(filled)
        connection.execute(filling.statement, filling.parameters(rows))

    def filling(self, names: Sequence[str] | None = None) -> _Filling:
        """The statement that fills these columns; all that we have."""
        chosen = self._names if names is None else tuple(names)
        if chosen not in self._fillings:
            self._fillings[chosen] = self._made(chosen)
        return self._fillings[chosen]

    @property
    def _always(self) -> frozenset[str]:
        return frozenset({"STATUS", "MESSAGE_ID"} if self._resend else {"STATUS"})

    def _made(self, names: tuple[str, ...]) -> _Filling:
        found, tongue, columns = self._found, self._tongue, self._found.columns
        kinds = {"key": found.kinds["ID"], **_kinds(found, names)}
        kinds["final"] = Integer()
        if self._resend:
            kinds["accepted"] = found.kinds["TAKEN_AT"]
        given = tongue.given(kinds, raw=bool(found.raw.intersection(names)))
        marks = given.columns
        values = {
            columns[name]: func.coalesce(
                tongue.unraw(marks[name]) if name in found.raw else marks[name], columns[name]
            )
            for name in names
        }
        statement = (
            update(found.table)
            .values(values)
            .where(columns["ID"] == marks["key"], _may_follow(found, tongue, marks["final"]))
        )
        if self._resend:
            statement = statement.where(
                ~found.has(Status.NEW, tongue.unsought(columns["STATUS"])), _shows(columns, marks)
            )
        places = [1 + self._names.index(name) for name in names]
        ends = range(1 + len(self._names), len(self._positions))
        return _Filling(statement, given, itemgetter(0, *places, *ends))

    def divide(
        self, connection: Connection, rows: Sequence[Values]
    ) -> tuple[list[Values], list[Values]]:
        """Rows that someone else holds, and the others, which are locked for us now."""
        theirs: set[str] = set()
        free: set[str] = set()
        for some in chunks(rows):
            keys = {"keys": [row[0] for row in some]}
            theirs.update(map(key_text, connection.execute(self._there, keys).scalars()))
            free.update(map(key_text, connection.execute(self._free, keys).scalars()))
        held = theirs - free
        return (
            [row for row in rows if key_text(row[0]) in held],
            [row for row in rows if key_text(row[0]) in free],
        )


def _may_follow(found: Found, tongue: Tongue, final: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the new state may follow the one that a row has."""
    its = tongue.unsought(found.columns["STATUS"])
    return or_(
        found.has(Status.NEW, its),
        found.has(Status.TAKEN, its),
        and_(found.has(Status.SUBMITTED, its), final == literal_column("1")),
    )


def _shows(
    columns: Mapping[str, ColumnElement[Any]], marks: Mapping[str, ColumnElement[Any]]
) -> ColumnElement[bool]:
    """Whether the row shows this sending: by its MESSAGE_ID; while it has none, because it was
    not taken again since the sending was accepted."""
    taken = columns["TAKEN_AT"]
    present = or_(taken.is_(None), taken <= marks["accepted"])
    shown = columns.get("MESSAGE_ID")
    if shown is None:
        return present
    return or_(shown == marks["MESSAGE_ID"], and_(shown.is_(None), present))


class Insert:
    """Adds rows that aren't there yet, so that the same rows may be added again."""

    def __init__(
        self, found: Found, tongue: Tongue, names: Sequence[str], same: Sequence[str]
    ) -> None:
        self._names = [name for name in names if name in found.columns]
        self._binders = [found.binders[name] for name in self._names]
        self._positions = [names.index(name) for name in self._names]
        raw = found.raw.intersection(self._names)
        self._given = tongue.given(_kinds(found, self._names), raw=bool(raw))
        self.single = self._given.source is not None
        columns, marks = found.columns, self._given.columns
        there = exists().where(*[columns[n] == marks[n] for n in same if n in columns])
        there = there.select_from(found.table)
        wanted = select(
            *[tongue.unraw(marks[name]) if name in raw else marks[name] for name in self._names]
        ).where(~there)
        if self._given.source is None and tongue.dual:
            wanted = wanted.select_from(text(tongue.dual))
        self._statement = insert(found.table).from_select(
            [columns[name] for name in self._names], wanted, include_defaults=False
        )

    def rows(self, values: Iterable[Values]) -> list[Values]:
        """Values, one for each name, as the database takes them."""
        pairs = list(zip(self._binders, self._positions))
        return [tuple([bind(value[place]) for bind, place in pairs]) for value in values]

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        connection.execute(self._statement, self._given.parameters(rows))


class Raced(Exception):
    """Another poller moved some of these rows at the same moment: move them again."""


class Removal:
    """Deletes rows, or moves them into a table that has columns of the same names."""

    single = False

    def __init__(self, found: Found, target: Target | None) -> None:
        self._bind = found.binders["ID"]
        chosen = found.columns["ID"].in_(bindparam("keys", expanding=True))
        self._delete = delete(found.table).where(chosen)
        self._copy = None
        if target is not None:
            source = cast(Select[Any], select(*[column(name) for name in target.sources]))
            self._copy = insert(target.table).from_select(
                list(target.table.c),
                source.select_from(found.table).where(chosen),
                include_defaults=False,
            )

    def rows(self, keys: Iterable[str]) -> list[Values]:
        made = [(self._bind(key),) for key in keys]
        return [row for row in made if row[0] is not None]

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        for some in chunks(rows):
            keys = {"keys": [row[0] for row in some]}
            copied = None
            if self._copy is not None:
                copied = connection.execute(
                    self._copy, keys, execution_options={"preserve_rowcount": True}
                ).rowcount
            deleted = connection.execute(self._delete, keys).rowcount
            if copied is not None and copied != deleted:
                raise Raced(f"{copied} rows copied, {deleted} deleted")


class Own:
    """A statement or procedure of the hospital's own, once for each row. Parameters that it
    does not name are left out."""

    single = False

    def __init__(self, statement: str, names: Sequence[str], binders: dict[str, Binder]) -> None:
        self._statement = text(statement)
        wanted = set(self._statement._bindparams)
        if unknown := sorted(wanted - set(names)):
            raise ValueError(
                f"no such parameter: {', '.join(unknown)}; there are {', '.join(names)}"
            )
        self._taken = [
            (name, place, binders.get(name, _filled))
            for place, name in enumerate(names)
            if name in wanted
        ]

    def rows(self, values: Iterable[Values]) -> list[Values]:
        return [
            (value[0], *[bind(value[place]) for _, place, bind in self._taken]) for value in values
        ]

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        for row in rows:
            given = {name: value for (name, _, _), value in zip(self._taken, row[1:])}
            connection.execute(self._statement, given)
