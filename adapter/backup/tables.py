"""The tables of a store at a revision, as the migrations make them.

A backup is of the schema that the store has, and a restore makes that schema first: so a
backup of an older program can be loaded, and one can be made before an upgrade.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import MetaData, Table, create_engine

from adapter.store import migrate


@cache
def tables_at(revision: str) -> Sequence[Table]:
    """The store's own tables at a revision that this program knows, by name."""
    engine = create_engine("sqlite://")
    found = MetaData()
    with engine.begin() as connection:
        migrate.raise_to(connection, revision)
        found.reflect(connection)
    engine.dispose()
    return [table for table in found.sorted_tables if table.name != migrate.VERSION_TABLE]
