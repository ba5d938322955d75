"""The driver's own connection, for what SQLAlchemy has no words for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from adapter.backup.faults import BackupError


@contextmanager
def driver_of(connection: Connection) -> Iterator[Any]:
    """It, its errors told as BackupError: never with the values of a row."""
    errors: Any = connection.dialect.loaded_dbapi
    try:
        yield connection.connection.driver_connection
    except errors.Error as error:
        kind = type(error).__name__
        if isinstance(error, errors.DataError | errors.IntegrityError):
            raise BackupError(f"the store does not take a row: {kind}") from None
        reason = str(error).strip().partition("\n")[0]
        raise BackupError(f"the store cannot go on: {kind}: {reason}") from None
