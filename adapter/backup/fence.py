"""Two nodes, two copies of a store, and only one of them may send.

At its start a node asks, before it opens its store, whether another one took over while it
was away. Two places tell: the mark beside shipped backups (`adapter.backup.mark`), and the
other database of a replicated pair (`standby` of <store>), which is no standby any more once
it was promoted, and then has the later epoch.

A standby that is promoted claims an epoch in the old database, too, where it can be reached
and still writes: a node that runs on it stops within seconds (`adapter.store.ownership`).

Limits: a database that does not answer proves nothing, and the node starts. While replication
is synchronous it can do no harm even then: each commit, and so each sending, waits for the
standby's.
"""

from __future__ import annotations

from typing import NamedTuple

import structlog
from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from adapter.backup import mark
from adapter.config.model import Config
from adapter.store.clock import from_ms
from adapter.store.engine import open_engine
from adapter.store.ownership import StoreOwnedError, claim
from adapter.store.schema import ownership

log = structlog.get_logger(__name__)


class Owner(NamedTuple):
    """Whose a store is; a later epoch comes after an earlier one."""

    epoch: int
    since: int
    node: str


def heed(config: Config) -> None:
    """Raises StoreOwnedError when another node took over, OSError when the folder of the backups
    cannot be read, and what the driver raises when the store cannot."""
    mark.heed(config)
    if not config.store.standby:
        return
    other = _ask(config.store.standby)
    if other is None or other.node == config.node.name:
        return
    own = _own(config.store.url)
    if own is None or other > own:
        raise StoreOwnedError(
            f"node {other.node} took over at {from_ms(other.since):%Y-%m-%d %H:%M:%S} UTC with the "
            "promoted standby: this node's store is behind. Make its database a standby of the "
            "new primary first"
        )


def claim_old(config: Config) -> bool:
    """Claim the old database for the node that was promoted; whether that could be done."""
    if not config.store.standby:
        return False
    engine = open_engine(config.store.standby, pool_size=1)
    try:
        with engine.connect() as connection:
            # It may wait for a standby that it has no more.
            connection.execute(text("SET synchronous_commit = local"))
            claim(connection, config.node.name)
            connection.commit()
    except SQLAlchemyError as error:
        log.info("fence.old_away", error=type(error).__name__)
        return False
    finally:
        engine.dispose()
    return True


def _ask(url: str) -> Owner | None:
    """Whose the other database is; None while it is a standby, or does not answer."""
    engine = open_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
                return None
            return _owner(connection)
    except SQLAlchemyError as error:
        log.warning("fence.standby_away", error=type(error).__name__)
        return None
    finally:
        engine.dispose()


def _own(url: str) -> Owner | None:
    engine: Engine = open_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return _owner(connection)
    finally:
        engine.dispose()


def _owner(connection: Connection) -> Owner | None:
    if not inspect(connection).has_table(ownership.name):
        return None
    columns = ownership.c.epoch, ownership.c.since, ownership.c.node
    row = connection.execute(select(*columns)).first()
    return None if row is None else Owner(*row)
