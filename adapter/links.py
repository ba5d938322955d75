"""Binds the channels of the configuration to the connectors."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.config.model import Channel
from connectors.link import Link
from connectors.settings import LinkSettings
from connectors.values import Handler


def open_links(channel: Channel, handler: Handler) -> Sequence[Link]:
    """The links of a channel, not yet started."""
    return [Link(_settings(channel, number), handler) for number in range(1, channel.links + 1)]


def _settings(channel: Channel, number: int) -> LinkSettings:
    return LinkSettings(
        protocol=channel.protocol,
        version=channel.version,
        host=channel.host,
        port=channel.port,
        account=channel.account,
        password=channel.password,
        service_id=channel.service_id,
        name=f"{channel.name}-{number}",
        number=number,
        window=channel.window,
        heartbeat_s=channel.heartbeat_s,
        heartbeat_tries=channel.heartbeat_tries,
        response_timeout_s=channel.response_timeout_s,
        connect_timeout_s=channel.connect_timeout_s,
        reconnect_min_s=channel.reconnect_min_s,
        reconnect_max_s=channel.reconnect_max_s,
    )
