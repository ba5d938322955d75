"""The tongue of a database: what dbpoll asks of each, with the answers that most give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    Select,
    bindparam,
    cast,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.types import TypeEngine

from dbpoll.dialects.given import Given, PerRow
from dbpoll.settings import Settings
from dbpoll.wakeup import Ear

CONNECT_TIMEOUT_S = 5


class Tongue:
    """One kind of database.

    `by_range`: a status is sought as a range of one value, see `feeds.status`. `returning`:
    an UPDATE tells which rows it changed, in one statement. `octets`: the length of a text
    column counts bytes. `wide_integers`: an INTEGER has 64 bits or more. `binds_zones`: a
    moment's zone goes through the driver. `moments_as_text`: moments are given as texts.
    `dual`: what a SELECT without a table needs.
    `fault_numbers` are errors that a value in a row is to blame for, `lock_numbers` those
    that a lock of another is to blame for, beside what the driver itself says.
    """

    by_range: ClassVar[bool] = True
    returning: ClassVar[bool] = False
    octets: ClassVar[bool] = False
    wide_integers: ClassVar[bool] = False
    binds_zones: ClassVar[bool] = True
    moments_as_text: ClassVar[bool] = False
    dual: ClassVar[str] = ""
    fault_numbers: ClassVar[frozenset[int]] = frozenset()
    lock_numbers: ClassVar[frozenset[int]] = frozenset()

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.name = dialect.name

    @property
    def skips_locked(self) -> bool:
        """Whether rows that others hold can be passed over."""
        return True

    def arguments(self, settings: Settings) -> dict[str, Any]:
        """How to connect; everything has a time limit."""
        return {}

    def options(self, settings: Settings) -> dict[str, Any]:
        """Of the engine."""
        return {}

    def prepare(self, engine: Engine, settings: Settings) -> None:
        """Make each new connection of this engine a good guest."""

    def relax(self, connection: Connection) -> None:
        """For claims that a crash of the database may undo: they are simply made again."""

    def single(self, connection: Connection, alone: bool) -> None:
        """The next transaction is a single statement, or not: where that saves two journeys."""

    def ear(self, engine: Engine, settings: Settings, wake: Callable[[], None]) -> Ear | None:
        """What hears of new rows, where the database can tell."""
        return None

    def interrupt(self, driver: Any) -> None:
        """Give up the running statement of a driver's connection, if it can be done."""
        if hasattr(driver, "cancel"):
            driver.cancel()

    def first(self, query: Select[Any], most: str = "most") -> Select[Any]:
        """The first `:most` rows of an ordered query."""
        return query.limit(bindparam(most, type_=Integer()))

    def free(self, query: Select[Any], key: ColumnElement[Any], keys: Select[Any]) -> Select[Any]:
        """The rows of `query` among the first `:most` of the ordered `keys` that nobody else
        holds, locked for us."""
        return self.held(self.first(query.order_by(*keys._order_by_clauses)))

    def held(self, query: Select[Any]) -> Select[Any]:
        """A simple query's rows that nobody else holds, locked for us."""
        return query.with_for_update(skip_locked=True)

    def returned(self, keys: Select[Any]) -> CTE | Select[Any]:
        """The keys to claim inside one UPDATE, where `returning`."""
        raise TypeError(f"{self.name} claims in two statements")

    def unsought(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column in a condition by which no index is to be sought."""
        return column

    def raw(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A text column as the bytes that are stored."""
        return cast(column, LargeBinary)

    def unraw(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Bytes as they are, for a text column."""
        return value

    def moment(self, column: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
        """A column of moments as it is to be read: with a zone, or in the hospital's."""
        return column

    def given(self, kinds: Mapping[str, TypeEngine[Any]], *, raw: bool = False) -> Given:
        """Many rows' values in one statement; `kinds` are the types of their columns. `raw`:
        some are bytes."""
        return PerRow({name: self.bind_type(kind) for name, kind in kinds.items()})

    def refine(
        self, connection: Connection, schema: str | None, table: str, there: dict[str, Any]
    ) -> None:
        """Complete what SQLAlchemy found out about the types of a table's columns."""

    def bind_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
        """The type to bind a value of such a column with; None: as the driver likes."""
        return None

    def plan(self, connection: Connection, sql: str, parameters: Any) -> list[str] | None:
        """How the database would run a statement, a line each; None where it can't be asked."""
        return None

    def scans(self, plan: list[str], table: str) -> bool:
        """Whether a plan reads the whole table."""
        return False

    def blames_row(self, fault: BaseException) -> bool:
        """Whether a value in a row is at fault, and not the connection, the table or a right."""
        if isinstance(fault, UnicodeError | DataError | IntegrityError):
            return True
        return isinstance(fault, DBAPIError) and number_of(fault) in self.fault_numbers

    def blames_lock(self, fault: BaseException) -> bool:
        """Whether a row was locked by another for too long."""
        return isinstance(fault, DBAPIError) and number_of(fault) in self.lock_numbers


def number_of(fault: BaseException) -> int:
    """The database's own number of an error, 0 if it has none."""
    arguments = getattr(getattr(fault, "orig", None), "args", ())
    first = arguments[0] if arguments else 0
    first = getattr(first, "code", first)
    return first if isinstance(first, int) else 0
