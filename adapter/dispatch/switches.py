"""What operators switch while the node runs, brought from the store to the channels.

The store is looked at every `LOOK_S`, on a thread, so a switch takes effect within about two
seconds; while it cannot be read everything stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from adapter.dispatch.numbers import Numbers
from adapter.domain.states import AccessNumber
from adapter.store.channel_settings import ACCESS_NUMBER, Settings

log = structlog.get_logger(__name__)

LOOK_S = 1.5


class Switched(Protocol):
    """A channel, as far as it can be switched."""

    numbers: Numbers


class Switches:
    """For the channels of one dispatcher, by name; belongs to its event loop."""

    def __init__(self, read: Callable[[], Settings], channels: Mapping[str, Switched]) -> None:
        self._read = read
        self._channels = channels
        self._away = False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Bring what is set now to the channels."""
        try:
            settings = await asyncio.to_thread(self._read)
        except Exception as error:
            if not self._away:
                log.warning("switches.unread", error=type(error).__name__)
            self._away = True
            return
        self._away = False
        for name, channel in self._channels.items():
            self._apply(name, channel, settings.get(name, {}))

    def _apply(self, name: str, channel: Switched, own: Mapping[str, str]) -> None:
        written = own.get(ACCESS_NUMBER, AccessNumber.PRIMARY)
        which = AccessNumber.SPARE if written == AccessNumber.SPARE else AccessNumber.PRIMARY
        if channel.numbers.use(which):
            log.warning("channel.number", channel=name, uses=channel.numbers.which.value)
