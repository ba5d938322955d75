"""The dispatcher: brings what waits to the channels, and back what became of it.

It owns the active queue (`lanes`), the channels and the recorder, and lives on one event
loop. Other threads talk to it through `arrived` and `look_again` only.

    accepted ──> lanes ──> channel ──> link ──> carrier
       spool ──>   ^                     │ answers, receipts, inbound texts
         └─────────┴────── recorder <────┘

On a stop it takes nothing more, waits until the windows are answered (or `wait_s` have
passed; what is open then comes up in doubt at the next start), and records it all.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from adapter.config.model import Channel as ChannelConfig
from adapter.config.model import Policies, Route
from adapter.dispatch.channel import Channel, ClientLink
from adapter.dispatch.lanes import Lanes
from adapter.dispatch.recorder import Recorder
from adapter.dispatch.routes import Routes
from adapter.dispatch.spool import Spool
from adapter.dispatch.timings import Watch
from adapter.domain.client import Client
from adapter.domain.outcomes import Outcome, QueueKey, Verdict
from adapter.domain.values import Waiting
from connectors.pace import Pacing
from connectors.values import Handler

log = structlog.get_logger(__name__)

TICK_S = 0.1
LOOK_EVERYWHERE_TICKS = 300

OpenLinks = Callable[[ChannelConfig, Handler, Pacing], Sequence[ClientLink]]
"""Makes the links of a channel, not yet started. They send no faster than the pace allows."""


class Dispatcher:
    """One for each spool."""

    def __init__(
        self,
        spool: Spool,
        channels: Sequence[ChannelConfig],
        routes: Sequence[Route],
        clients: Mapping[str, Client],
        policies: Policies,
        open_links: OpenLinks,
        clock: Callable[[], int],
        watch: Watch | None = None,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.lanes = Lanes(spool, clock, self._wake, active=policies.active)
        self.recorder = Recorder(spool, self._recorded)
        self.routes = Routes(
            {route.carrier.value: list(route.channels) for route in routes}, self._is_up
        )
        self.channels = {
            config.name: Channel(
                config,
                spool,
                self.lanes,
                self.routes,
                self.recorder,
                clients,
                policies.lanes,
                clock,
                self._wake,
                watch,
            )
            for config in channels
            if config.enabled
        }
        for channel in self.channels.values():
            channel.links.extend(open_links(channel.config, channel, channel.pace))
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Between start and stop."""
        return bool(self._tasks)

    async def start(self) -> None:
        """Read what waits, and begin to send."""
        self._loop = asyncio.get_running_loop()
        await self.lanes.restore()
        for channel in self.channels.values():
            for link in channel.links:
                link.start()
            self._tasks.append(self._loop.create_task(channel.run(), name=channel.name))
        self._tasks.append(self._loop.create_task(self._tick(), name="dispatcher-tick"))

    async def stop(self, wait_s: float) -> None:
        """Finish the windows, keep the rest. May be repeated."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        channels = self.channels.values()
        stopping = [loop.create_task(channel.stop()) for channel in channels]
        if stopping:
            await asyncio.wait(stopping, timeout=wait_s)
        left = max(0.0, deadline - loop.time())
        links = [link for channel in channels for link in channel.links]
        ends = await asyncio.gather(*(link.stop(left) for link in links), return_exceptions=True)
        for link, end in zip(links, ends, strict=True):
            if isinstance(end, Exception):
                log.error("dispatcher.link", link=link.name, error=type(end).__name__)
        for task in (*self._tasks, *stopping):
            task.cancel()
        self._tasks.clear()
        self.lanes.stop()
        if not await self.recorder.drain(wait_s):
            log.error("dispatcher.stop", reason="the store records nothing")

    def arrived(self, accepted: list[Waiting]) -> None:
        """Messages were accepted. Called from any thread, after the commit."""
        self._soon(self.lanes.add, accepted)

    def has_enough(self) -> bool:
        """Whether what is accepted now will only wait for the rest. From any thread."""
        return self.lanes.has_enough

    def look_again(self, keys: Iterable[QueueKey], due_at: int) -> None:
        """Messages of these queues are back in the spool. Called from any thread."""
        self._soon(self._look_again, keys, due_at)

    def _look_again(self, keys: Iterable[QueueKey], due_at: int) -> None:
        for key in keys:
            self.lanes.wait_until(key, due_at)

    def _soon(self, call: Callable[..., None], *args: object) -> None:
        # Before the start and after the stop the spool alone keeps what arrives.
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call, *args)

    def _is_up(self, name: str) -> bool:
        channel = self.channels.get(name)
        return channel is not None and channel.is_up

    def _wake(self) -> None:
        for channel in self.channels.values():
            channel.wake()

    def _recorded(self, outcomes: list[Outcome]) -> None:
        again = Verdict.RETRY
        for each in outcomes:
            if each.verdict is again:
                of = each.waiting.submission
                key = QueueKey(each.waiting.message.carrier.value, of.lane.value, of.client)
                self.lanes.wait_until(key, each.due_at)
        self._wake()

    async def _tick(self) -> None:
        for tick in itertools.count(1):
            self.lanes.tick()
            if tick % LOOK_EVERYWHERE_TICKS == 0:
                await self._look_everywhere()
            await asyncio.sleep(TICK_S)

    async def _look_everywhere(self) -> None:
        try:
            await self.lanes.look_everywhere()
        except Exception as error:
            log.warning("dispatcher.look", error=type(error).__name__)
