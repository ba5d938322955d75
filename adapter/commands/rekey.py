"""`sms-adapter rekey`: another data key for the store, and which keys it has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from adapter.config.model import Config
from adapter.store import migrate, store_keys
from adapter.store.clock import from_ms
from adapter.store.engine import open_engine
from adapter.store.sealing import PLAIN_KEY
from adapter.store.store_keys import SealError, StoredKey

Told = dict[str, Any]


def rekey(config: Config) -> list[Told]:
    """Make the next key; all keys of the store, oldest first. Raises SealError, and what the
    driver raises."""
    engine = _opened(config)
    try:
        store_keys.make(engine, config.security.store_keys)
    finally:
        engine.dispose()
    return keys(config)


def keys(config: Config) -> list[Told]:
    """All keys of the store, oldest first. Raises SealError, and what the driver raises."""
    engine = _opened(config)
    try:
        with engine.connect() as connection:
            found = store_keys.read(connection)
            store_keys.check(connection, config.security.store_keys)
    finally:
        engine.dispose()
    return [_told(each, newest=each is found[-1]) for each in found]


def _opened(config: Config) -> Engine:
    engine = open_engine(config.store.url, pool_size=1)
    found = migrate.current(engine)
    if found != migrate.newest():
        engine.dispose()
        raise SealError(
            f"the store has schema {found or 'none'}, not {migrate.newest()}: start its node first"
        )
    return engine


def _told(key: StoredKey, *, newest: bool) -> Told:
    return {
        "id": key.id,
        "made_at": from_ms(key.made_at).isoformat(timespec="seconds"),
        "store_key": key.master,
        "use": _use(key, newest=newest),
    }


def _use(key: StoredKey, *, newest: bool) -> str:
    if key.id == PLAIN_KEY:
        return "nothing is sealed" if newest else "rows in clear, until all are sealed"
    return "seals" if newest else "opens, until nothing is under it"
