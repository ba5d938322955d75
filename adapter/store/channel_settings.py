"""What operators set for channels at run time; it outlives restarts and configurations.

A command writes it, the node reads it every second or two. A setting that is not there has its
usual value; one of a channel that is no longer configured is kept and has no effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, delete, insert, select

from adapter.store.engine import write_connection
from adapter.store.reading import reading
from adapter.store.schema import channel_setting

ACCESS_NUMBER = "access_number"

Settings = Mapping[str, Mapping[str, str]]
"""Values by channel and name."""


def read(engine: Engine) -> Settings:
    """Everything that is set."""
    columns = channel_setting.c.channel, channel_setting.c.name, channel_setting.c.value
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    with reading(engine) as connection:
        for channel, name, value in connection.execute(select(*columns)):
            found[channel][name] = value
    return found


def write(engine: Engine, channels: Sequence[str], name: str, value: str, at: int) -> None:
    """Set it for these channels, all or none."""
    table = channel_setting
    with write_connection(engine) as connection, connection.begin():
        connection.execute(delete(table).where(table.c.channel.in_(channels), table.c.name == name))
        connection.execute(
            insert(table),
            [
                {"channel": channel, "name": name, "value": value, "changed_at": at}
                for channel in channels
            ],
        )
