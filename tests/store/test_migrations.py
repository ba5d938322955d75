"""An upgraded database has exactly the tables of schema.py, on real databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from adapter.store import migrate
from adapter.store.engine import open_engine, write_connection
from adapter.store.schema import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    opened = open_engine(url)
    yield opened
    opened.dispose()


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"version_table": migrate.VERSION_TABLE}
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )


def test_upgrade_makes_the_schema(engine: Engine) -> None:
    assert migrate.current(engine) is None
    assert migrate.upgrade(engine) == (None, migrate.newest())
    assert migrate.current(engine) == migrate.newest()
    assert differences(engine) == []


def test_a_missing_column_would_be_seen(engine: Engine) -> None:
    migrate.upgrade(engine)
    with write_connection(engine) as connection, connection.begin():
        connection.execute(text("ALTER TABLE message DROP COLUMN code"))
    assert differences(engine) != []


def test_second_upgrade_changes_nothing(engine: Engine) -> None:
    migrate.upgrade(engine)
    assert migrate.upgrade(engine) == (migrate.newest(), migrate.newest())


def test_newer_database_is_refused_and_left_alone(engine: Engine) -> None:
    migrate.upgrade(engine)
    with write_connection(engine) as connection, connection.begin():
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = 'v99'"))
    with pytest.raises(migrate.SchemaTooNewError, match=r"v99.*newer program"):
        migrate.upgrade(engine)
    assert migrate.current(engine) == "v99"


def test_a_broken_upgrade_leaves_nothing_behind(engine: Engine) -> None:
    with write_connection(engine) as connection, connection.begin():
        connection.execute(text("CREATE TABLE tally (odd INTEGER)"))
    with pytest.raises(Exception, match="tally"):
        migrate.upgrade(engine)
    assert inspect(engine).get_table_names() == ["tally"]
    assert migrate.current(engine) is None


def test_nodes_that_start_together(engine: Engine) -> None:
    start, outcomes = threading.Barrier(4), []

    def node() -> None:
        start.wait(10)
        outcomes.append(migrate.upgrade(engine))

    threads = [threading.Thread(target=node) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    newest = migrate.newest()
    assert sorted(outcomes, key=lambda o: o[0] or "") == [(None, newest)] + [(newest, newest)] * 3


def test_updated_tables_keep_room_on_their_pages(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT relname FROM pg_class WHERE reloptions = '{fillfactor=50}'")
        ).scalars()
        assert set(found) == {
            name
            for name, table in metadata.tables.items()
            if table.dialect_options["postgresql"]["with"]
        }
    engine.dispose()


def test_a_filled_store_keeps_its_business_keys(engine: Engine) -> None:
    with write_connection(engine) as connection, connection.begin():
        migrate.raise_to(connection, "v12")
        for made, key in ((1, "k"), (2, None), (3, "other")):
            connection.execute(
                text(
                    "INSERT INTO submission (id, client, door, business, lane, business_key,"
                    " receipt, accepted_at, due_at, expire_at)"
                    " VALUES (:id, 'his', 'soap', 'lab', 'normal', :key, :receipt, 1, 1, 1)"
                ),
                {"id": made, "key": key, "receipt": True},
            )
    migrate.upgrade(engine)
    of_key = "FROM submission WHERE business_key = :key AND client = 'his'"
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT id {of_key}"), {"key": "k"}).scalars().all()
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = connection.execute(text(f"{explain} SELECT id {of_key}"), {"key": "k"}).all()
    assert found == [1]
    assert "submission_business" in str(plan)
