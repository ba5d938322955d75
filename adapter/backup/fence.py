"""Whether another node took this one's work over while it was away.

Asked at a node's start, before it opens its store: two places tell, the mark beside shipped
backups (`adapter.backup.mark`) and the replicated standby, which is no standby any more once
it was promoted.

Limits: a standby that does not answer proves nothing, and the node starts. While replication
is synchronous it can do no harm even then: each commit, and so each sending, waits for the
standby's.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from adapter.backup import mark
from adapter.config.model import Config
from adapter.store.clock import from_ms
from adapter.store.engine import open_engine
from adapter.store.ownership import StoreOwnedError
from adapter.store.schema import ownership

log = structlog.get_logger(__name__)


def heed(config: Config) -> None:
    """Raises StoreOwnedError when another node took over, OSError when the folder of the backups
    cannot be read."""
    mark.heed(config)
    if config.store.standby:
        _heed_standby(config)


def _heed_standby(config: Config) -> None:
    engine = open_engine(config.store.standby, pool_size=1)
    try:
        with engine.connect() as connection:
            owner = _owner(connection)
    except SQLAlchemyError as error:
        log.warning("fence.standby_away", error=type(error).__name__)
        return
    finally:
        engine.dispose()
    if owner and owner[0] != config.node.name:
        raise StoreOwnedError(
            f"node {owner[0]} took over at {from_ms(owner[1]):%Y-%m-%d %H:%M:%S} UTC with the "
            "promoted standby: this node's store is behind. Make its database a standby of the "
            "new primary first"
        )


def _owner(connection: Connection) -> tuple[str, int] | None:
    """Whose the standby is; None while it is a standby."""
    if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
        return None
    row = connection.execute(select(ownership.c.node, ownership.c.since)).one()
    return row.node, row.since
