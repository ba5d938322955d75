"""`sms-adapter callback`: status, dead letters and their replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from adapter.commands.status import fetch
from adapter.config.model import Config
from adapter.domain.privacy import mask
from adapter.store import dead_letters
from adapter.store.engine import open_engine, write_connection
from adapter.store.store_keys import SealError, open_seal

Told = dict[str, Any]
BITE = 500


class CallbackError(Exception):
    """There is no such client."""


def status(config: Config, name: str | None) -> list[Told]:
    """What the running node says of its callbacks. Raises CallbackError and UnreachableError."""
    if name is not None:
        _destination(config, name)
    return [each for each in fetch(config.web)["callbacks"] if name in (None, each["client"])]


def dead(config: Config, name: str, most: int) -> list[Told]:
    """The oldest dead letters of a client. Raises CallbackError."""
    zone = ZoneInfo(config.node.timezone)
    destination = _destination(config, name)
    with _store(config) as engine, engine.connect() as connection:
        found = dead_letters.read_dead(connection, destination, most)
    return [
        {
            "id": str(each.id),
            "kind": each.kind,
            "message": str(each.message_id) if each.message_id else None,
            "mobile": mask(each.mobile),
            "state": each.state or None,
            "happened": each.happened_at.astimezone(zone).isoformat(timespec="seconds"),
            "died": each.died_at.astimezone(zone).isoformat(timespec="seconds"),
            "reason": each.reason,
        }
        for each in found
    ]


def replay(config: Config, name: str, only: Sequence[int]) -> int:
    """Bring a client's dead letters once more, or `only` these; how many. The node may run, and
    finds them within seconds. Raises CallbackError."""
    destination = _destination(config, name)
    count = 0
    with _store(config) as engine:
        while True:
            with write_connection(engine) as connection, connection.begin():
                moved = dead_letters.replay(connection, destination, datetime.now(UTC), BITE, only)
            count += moved
            if moved < BITE:
                return count


@contextmanager
def _store(config: Config) -> Iterator[Engine]:
    engine = open_engine(config.store.url)
    try:
        open_seal(engine, config.security.store_keys)
        yield engine
    except SealError as error:
        raise CallbackError(str(error)) from error
    finally:
        engine.dispose()


def _destination(config: Config, name: str) -> str:
    # A client whose callback was taken out of the configuration may still have dead letters.
    if all(client.account != name for client in config.clients):
        known = ", ".join(each.account for each in config.callbacks) or "none is configured"
        raise CallbackError(f"there is no client {name}; callbacks: {known}")
    return f"client:{name}"
