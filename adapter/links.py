"""Binds the channels of the configuration to the connectors."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.config.model import Channel, Listener
from connectors.link import Link
from connectors.listener import DuplexLink, ListenerSettings
from connectors.settings import LinkSettings
from connectors.sgip.settings import SgipSettings
from connectors.smgp.settings import BOTH, RECEIVE, SEND, SmgpSettings
from connectors.values import Handler


def open_links(channel: Channel, handler: Handler) -> Sequence[Link]:
    """The links of a channel, not yet started; the first one has the channel's listener."""
    links: list[Link] = []
    for number in range(1, channel.links + 1):
        settings = _settings(channel, number)
        if channel.listener is not None and number == 1:
            links.append(DuplexLink(settings, handler, _listening(channel, channel.listener)))
        else:
            links.append(Link(settings, handler))
    return links


def _own(channel: Channel, number: int) -> SmgpSettings | SgipSettings | None:
    """What the channel's protocol alone wants to know."""
    if channel.smgp is not None:
        mode = BOTH
        if channel.smgp.separate:
            mode = RECEIVE if number == 1 else SEND
        return SmgpSettings(mode, channel.smgp.msg_src, channel.smgp.product)
    if channel.sgip is not None:
        return SgipSettings(channel.sgip.corp, channel.sgip.node)
    return None


def _listening(channel: Channel, listener: Listener) -> ListenerSettings:
    return ListenerSettings(
        protocol=channel.protocol,
        host=listener.host,
        port=listener.port,
        account=listener.account,
        password=listener.password,
        name=f"{channel.name}-listener",
        peers=listener.networks,
    )


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
        own=_own(channel, number),
    )
