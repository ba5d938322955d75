"""The store, read from outside while no node runs.

Limits: an SQLite file is opened for reading only, so that its write-ahead log stays as the
killed node left it, for the next one to recover.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from adapter.store.schema import attempt, message, submission
from adapter.store.sealing import MESSAGE_MOBILE
from adapter.store.store_keys import open_seal


class Attempt(NamedTuple):
    """An attempt whose outcome is not recorded."""

    message_id: int
    number: int
    started_at: int


class Stored(NamedTuple):
    """A message as the store has it. `in_doubt`: it was sent again without being sure."""

    id: int
    mobile: str
    state: str
    in_doubt: bool


class Evidence:
    """What the store at `url` says; `masters` open what is sealed in it."""

    def __init__(self, url: str, masters: Sequence[bytes] = ()) -> None:
        self._engine = _open(url)
        self._masters = masters

    def attempts(self) -> set[Attempt]:
        """What was on the wire when the node died, or is in doubt since an earlier death."""
        columns = attempt.c.message_id, attempt.c.number, attempt.c.started_at
        with self._engine.connect() as connection:
            return {Attempt(*row) for row in connection.execute(select(*columns))}

    def messages(self) -> list[Stored]:
        columns = message.c.id, message.c.mobile, message.c.state, message.c.in_doubt
        seal = open_seal(self._engine, self._masters)
        with self._engine.connect() as connection:
            return [
                Stored(made, seal.opened(MESSAGE_MOBILE, made, mobile), *rest)
                for made, mobile, *rest in connection.execute(
                    # Those of a large request are there before it is accepted.
                    select(*columns).join(submission, submission.c.id == message.c.submission_id)
                )
            ]


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        query = {"mode": "ro", "uri": "true"}
        parsed = parsed.set(database=f"file:{parsed.database}", query=query)
    elif parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed, poolclass=NullPool)
