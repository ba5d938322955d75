"""`sms-adapter access-number`: which of its numbers a channel's texts bear, told to the store."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.config.model import Config
from adapter.domain.states import AccessNumber
from adapter.store import migrate
from adapter.store.channel_settings import ACCESS_NUMBER, write
from adapter.store.clock import now_ms
from adapter.store.engine import open_engine


class NotSwitchedError(Exception):
    """Nothing was switched; says why."""


def switch(config: Config, which: AccessNumber, channel: str | None) -> Sequence[str]:
    """Switch one channel, or with None all that have a spare number; their names.

    The node that has the store follows within two seconds, or when it starts. Raises
    NotSwitchedError.
    """
    names = _spared(config) if channel is None else [_named(config, channel)]
    engine = open_engine(config.store.url)
    try:
        if migrate.current(engine) != migrate.newest():
            raise NotSwitchedError("the store is not of this version: start the node first")
        write(engine, names, ACCESS_NUMBER, which.value, now_ms())
    finally:
        engine.dispose()
    return names


def _spared(config: Config) -> list[str]:
    names = [each.name for each in config.channels if each.spare_number]
    if not names:
        raise NotSwitchedError("no channel has a spare-number")
    return names


def _named(config: Config, name: str) -> str:
    for each in config.channels:
        if each.name == name:
            if not each.spare_number:
                raise NotSwitchedError(f"the channel {name} has no spare-number")
            return name
    known = ", ".join(each.name for each in config.channels) or "none is configured"
    raise NotSwitchedError(f"there is no channel {name!r}; channels: {known}")
