"""What the configured channels can do for each carrier, as far as intake has to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from adapter.config.model import Channel, Config
from adapter.domain.states import Carrier
from connectors.splitting import Manner

MOST_SENDER_DIGITS = 20
"""A GSM sender address holds no more (protocols/cmpp.md B6)."""


class Reach(Struct, frozen=True):
    """`manners`: how each of the channels takes texts, without repeats. `room`: digits left for
    extensions after the longest access number, the spare ones included."""

    manners: tuple[Manner, ...]
    room: int


def reaches(config: Config) -> Mapping[Carrier, Reach]:
    """The carriers that an enabled channel is routed for.

    A disabled channel opens no route, yet counts otherwise: it may be enabled while
    messages wait.
    """
    channels = {channel.name: channel for channel in config.channels}
    routed: defaultdict[Carrier, list[Channel]] = defaultdict(list)
    for route in config.routes:
        routed[route.carrier] += [channels[name] for name in route.channels if name in channels]
    return {
        carrier: Reach(
            manners=tuple(dict.fromkeys(channel.manner for channel in own)),
            room=MOST_SENDER_DIGITS - max(map(_digits, own)),
        )
        for carrier, own in routed.items()
        if any(channel.enabled for channel in own)
    }


def _digits(channel: Channel) -> int:
    return max(len(channel.access_number), len(channel.spare_number))
