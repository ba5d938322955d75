"""Reading from the store: outside of any commit, on the reader's own thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from adapter.domain.errors import StoreUnavailable
from adapter.store.committer import is_away


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read from. Raises StoreUnavailable when the store is away."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        if is_away(error):
            raise StoreUnavailable("the store cannot be read now; try again") from error
        raise


@contextmanager
def at_one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection whose statements all see the store as it was at the first one."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Else each statement sees what was committed before it; SQLite does this by itself.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
