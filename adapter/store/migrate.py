"""Brings a database to the schema that this program knows.

Revisions are the files of `migrations/versions`, one a change, packed with the program.
A revision is never edited once it was released: the next change is the next file, and a
test compares the outcome with `schema.py` on real databases.

An upgrade is one transaction on SQLite and PostgreSQL: it happens whole or not at all.
MySQL and Oracle commit every statement by themselves; there a broken upgrade is mended
from the backup. There is no way down, for the same reason: data would be lost.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from adapter.store.engine import write_connection

VERSION_TABLE = "schema_version"
_UPGRADE_LOCK = 0x534D5301


class SchemaTooNewError(Exception):
    """The database was upgraded by a newer program; this one would misread it."""

    def __init__(self, found: str, newest: str) -> None:
        super().__init__(
            f"the store has schema {found}, this program knows no newer one than {newest}: "
            "start the newer program, or restore the backup made before its upgrade"
        )
        self.found = found
        self.newest = newest


def newest() -> str:
    """The revision that this program works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise AssertionError("newest: no revision was packed with the program")
    return head


def current(engine: Engine) -> str | None:
    """The revision a database has; None where it is empty."""
    with engine.connect() as connection:
        return revision_of(connection)


def is_known(revision: str) -> bool:
    """Whether a database of this revision can be brought to `newest()`."""
    return revision in _known()


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring a database to `newest()`; (revision before, revision now).

    Does nothing where it is up to date. Raises SchemaTooNewError, having changed nothing, where
    the database is ahead of the program.
    """
    target = newest()
    with write_connection(engine) as connection, connection.begin():
        _lock(connection)
        before = revision_of(connection)
        if before is not None and before not in _known():
            raise SchemaTooNewError(before, target)
        if before != target:
            raise_to(connection, target)
    return before, target


def raise_to(connection: Connection, revision: str) -> None:
    """Bring a database to a revision, in the transaction that is open.

    Raises SchemaTooNewError, having changed nothing, for a revision of a newer program.
    """
    if revision not in _known():
        raise SchemaTooNewError(revision, newest())
    command.upgrade(_config(connection), revision)


def _lock(connection: Connection) -> None:
    # Two nodes that start together on an empty store must not both create the tables.
    # SQLite needs nothing: its transactions begin as the only writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})


def revision_of(connection: Connection) -> str | None:
    """The revision a database has; None where it is empty."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "adapter.store:migrations")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config
